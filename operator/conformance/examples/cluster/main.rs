//! Prints a made-up cluster as `kubectl get -o json` or `-o yaml` would, for benches and trials:
//! `cargo run -p netproof-conformance --example cluster -- json 10000 2000 100 1`

mod generator;

use std::{
    env,
    io::{self, Write},
    process::ExitCode,
};

use generator::{Format, Size};

fn main() -> ExitCode {
    let words: Vec<String> = env::args().skip(1).collect();
    let number = |place: usize, default: u32| match words.get(place) {
        None => Some(default),
        Some(word) => word.parse().ok(),
    };
    let format = match words.first().map(String::as_str) {
        None | Some("json") => Some(Format::Json),
        Some("yaml") => Some(Format::Yaml),
        Some(_) => None,
    };
    let (Some(format), Some(pods), Some(policies), Some(namespaces), Some(seed)) =
        (format, number(1, 10_000), number(2, 2_000), number(3, 100), number(4, 1))
    else {
        eprintln!("usage: cluster [json|yaml [PODS [POLICIES [NAMESPACES [SEED]]]]]");
        return ExitCode::from(2);
    };
    let size = Size { pods, policies, namespaces };
    let text = generator::cluster(&size, u64::from(seed), format);
    match io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
