//! A laboratory on this machine: every pod is a network namespace, the network is nftables driven
//! by the test cluster's policy agent, and the attempts are real.
//!
//! It drives the operator's engine, predictions and ledger in one process. Nothing in it leaves the
//! machine: no namespace has a way out.

pub mod beside;
pub mod cluster;
pub mod diagnose;
pub mod enter;
pub mod existing;
pub mod followed;
pub mod following;
pub mod newcomer;
pub mod objects;
pub mod process;
pub mod rounds;
pub mod run;
pub mod scene;
pub mod stage;
pub mod verdict;

mod aim;
mod fabric;
mod netns;
mod node;
mod stored;
mod watch;

use std::time::Duration;

/// The time that ledgers count in.
pub fn now() -> Duration {
    netproof_rounds::clock::uptime()
}
