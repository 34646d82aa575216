//! `netproof-probe`, PID 1 of a probe pod.

use std::{env, process::ExitCode};

use netproof_probe::{
    args::{Args, USAGE},
    run::run,
};

fn main() -> ExitCode {
    let environment = env::var_os("NETPROOF_IDENTITY");
    let args = match Args::parse(env::args_os().skip(1), environment.as_deref()) {
        Ok(args) => args,
        Err(error) => {
            eprint!("netproof-probe: {error}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match run(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("netproof-probe: cannot start: {error}");
            ExitCode::FAILURE
        }
    }
}
