//! Hostile files, read as a file of objects is: no panic, no hang, and no more memory than is read.
//!
//! What cannot be read is said to be in a line that the file has, and in words.

#![no_main]

use libfuzzer_sys::fuzz_target;
use netproof_manifests::input;

fuzz_target!(|data: &[u8]| {
    let input = input::read_bytes("input.yaml", data.to_vec(), "default");
    let lines = 1 + data.iter().filter(|byte| matches!(byte, b'\n' | b'\r')).count();
    for unreadable in &input.unreadable {
        let line = unreadable.line.map_or(1, |line| line as usize);
        assert!((1..=lines).contains(&line), "{unreadable}, of {lines} lines");
    }
    for rejection in &input.cluster.rejected {
        assert!(!rejection.to_string().is_empty());
    }
});
