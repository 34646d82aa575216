//! Every fault on every case, in the lab: what must be detected is, nothing else is reported, and
//! the diagnosis is right wherever the case can tell.
//!
//! `[FAULT...] [PART OF A CASE'S NAME...]`, given behind the `--` of
//! `cargo test -p netproof-lab --features lab-tests --test faults --`, narrow it;
//! `random=COUNT [seed=NUMBER]` takes cases at random.

mod cell;
mod change;
mod kept;
mod random;
mod table;
#[path = "../soak/world.rs"]
mod world;

use std::{env, process::ExitCode};

use netproof_lab::{process::probe_if_told, user_namespace::enter};

fn main() -> ExitCode {
    if let Some(ended) = probe_if_told() {
        return ended;
    }
    // A process with two threads cannot enter a user namespace.
    if let Err(error) = enter() {
        eprintln!("{error}");
        return ExitCode::FAILURE;
    }
    let only: Vec<String> = env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    table::run(&only)
}
