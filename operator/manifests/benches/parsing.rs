//! How long it takes to read a cluster of 10,000 pods and 2,000 policies in 100 namespaces, all in
//! one List: from the file to the snapshot.

#[path = "../../conformance/examples/cluster/generator.rs"]
mod generator;

use std::{env, fs, process};

use divan::{Bencher, counter::BytesCount};
use generator::{Format, Size};
use netproof_manifests::input;

const SIZE: Size = Size { pods: 10_000, policies: 2_000, namespaces: 100 };

fn main() {
    divan::main();
}

#[divan::bench(args = [Format::Json, Format::Yaml], sample_count = 10, sample_size = 1)]
fn parse(bencher: Bencher<'_, '_>, format: Format) {
    let text = generator::cluster(&SIZE, 1, format);
    let extension = match format {
        Format::Json => "json",
        Format::Yaml => "yaml",
    };
    let name = format!("netproof-parsing-{}.{extension}", process::id());
    let paths = [env::temp_dir().join(name)];
    fs::write(&paths[0], &text).expect("a temporary file");
    bencher.counter(BytesCount::of_str(&text)).bench(|| {
        let read = input::read(&paths, "default");
        assert!(read.unreadable.is_empty() && read.cluster.rejected.is_empty());
        assert_eq!(read.cluster.snapshot.pods.len(), 10_000);
        assert_eq!(read.cluster.snapshot.policies.len(), 2_000);
        read
    });
    fs::remove_file(&paths[0]).expect("the temporary file");
}
