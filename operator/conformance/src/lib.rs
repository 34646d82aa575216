//! Everything that netproof knows, and nothing that it does: what `NetworkPolicy` objects say of a
//! flow, and what an observation of that flow says of the network.
//!
//! No I/O, no clock, no logging and no Kubernetes client: objects come in as plain data, answers go
//! out as values.

pub mod flow;

pub mod expected;

pub mod snapshot;

pub mod select;

pub mod policy;

pub mod manifest;

pub mod evaluate;

pub mod compiled;

mod words;

mod near;

pub mod explain;

pub mod lint;

pub mod spans;

pub mod strangers;

pub mod matrix;

pub mod plan;

pub mod coverage;

pub mod verdict;

pub mod ledger;

pub mod diagnosis;

pub mod report;

#[cfg(test)]
mod testing;
