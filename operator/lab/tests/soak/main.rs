//! A network that keeps its policies, attempted without pause while policies, labels and pods
//! change all the time: nothing that it does may be called a leak or blocked.
//!
//! `cargo test -p netproof-lab --features lab-tests --test soak -- [OBSERVATIONS] [seed=NUMBER]`

mod accused;
mod soak;
mod world;

use std::{env, process::ExitCode};

use netproof_lab::{process::probe_if_told, user_namespace::enter};

/// How many observations are made by default, which takes a few seconds.
const OBSERVATIONS: u64 = 20_000;

fn main() -> ExitCode {
    if let Some(ended) = probe_if_told() {
        return ended;
    }
    // A process with two threads cannot enter a user namespace.
    if let Err(error) = enter() {
        eprintln!("{error}");
        return ExitCode::FAILURE;
    }
    let (mut observations, mut seed) = (OBSERVATIONS, 1);
    for word in env::args().skip(1).filter(|word| !word.starts_with('-')) {
        match word.strip_prefix("seed=") {
            Some(number) => seed = number.parse().expect("seed= and a number"),
            None => observations = word.replace('_', "").parse().expect("a number of observations"),
        }
    }
    soak::run(observations, seed)
}
