//! What runs in a probe pod: it attempts connections when its operator asks, reports what
//! happened without judging it, and answers the connections of other probes with its identity.
//!
//! This crate knows nothing of Kubernetes, policies or expectations. [`wire`] is all that the
//! operator takes from it.

pub mod wire;

pub mod challenge;

pub mod dial;

pub mod hold;

pub mod source_ports;

pub mod listen;

pub mod agent;

pub mod args;
pub mod pid1;
pub mod run;

mod log;
mod short_line;
