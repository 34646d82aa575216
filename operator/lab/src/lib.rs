//! A laboratory on this machine: every pod is a network namespace, the network is nftables driven
//! by the test cluster's policy agent, and the attempts are real.
//!
//! It drives the operator's engine, predictions and ledger in one process. Nothing in it leaves the
//! machine: no namespace has a way out.

pub mod agent_objects;
pub mod change_latency;
pub mod cluster;
pub mod diagnose;
pub mod existing;
pub mod new_pod;
pub mod objects;
pub mod process;
pub mod rounds;
pub mod run;
pub mod scene;
pub mod stage;
pub mod trials;
pub mod user_namespace;
pub mod verdict;

mod api_defaults;
mod fabric;
mod fault_targets;
mod netns;
mod node;
mod watched_files;

use std::time::Duration;

/// The monotonic time that ledgers count in.
pub fn now() -> Duration {
    netproof_rounds::clock::uptime()
}
