//! What the lab measures in time: how new pods start, and how fast a network follows. And what it
//! says of a network that was altered beneath it.

mod beneath;
mod latency;
mod objects;
mod start_up;

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
    let words: Vec<String> = env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    run(&words)
}

/// Runs all claims, or those with one of these words in their name.
#[tokio::main]
async fn run(words: &[String]) -> ExitCode {
    let is_meant = |name: &str| words.is_empty() || words.iter().any(|word| name.contains(word));
    let (mut passed, mut failed) = (0, 0);
    let mut note = |name: &str, came: anyhow::Result<()>| match came {
        Ok(()) => {
            println!("ok     {name}");
            passed += 1;
        }
        Err(error) => {
            println!("FAILED {name}: {error:#}");
            failed += 1;
        }
    };
    for case in start_up::CASES {
        if is_meant(case.claim) {
            note(case.claim, start_up::check(case).await);
        }
    }
    for case in beneath::CASES {
        if is_meant(case.claim) {
            note(case.claim, beneath::check(case).await);
        }
    }
    if is_meant(latency::CLAIM) {
        note(latency::CLAIM, latency::check().await);
    }
    println!("{passed} passed, {failed} failed");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
