//! The operator of netproof: places stand-ins, asks them to connect, judges what they saw.

pub mod args;
pub mod command;

pub mod run;

pub mod backoff;
pub mod change;
pub mod clock;
pub mod desired;
pub mod keeper;
pub mod kind;
pub mod pacing;
pub mod read;
pub mod watch;

pub mod arrivals;
pub mod presence;
pub mod world;

pub mod controller;
pub mod installation;
pub mod janitor;
pub mod lease;
pub mod nodes;
pub mod place;
pub mod removal;
pub mod scenario;
pub mod standin;

pub mod certify;
pub mod covering;
pub mod diagnosing;
pub mod judging;
pub mod predict;
pub mod tester;

pub mod engine;
pub mod probes;

pub mod admin;
pub mod health;
pub mod metrics;
pub mod readiness;
pub mod reports;
pub mod server;
pub mod status;

pub mod offline;

#[cfg(feature = "lab")]
pub mod lab;

#[cfg(test)]
mod api_server;
#[cfg(test)]
mod fixtures;

/// The name under which fields are owned in server-side apply.
pub(crate) const FIELD_MANAGER: &str = "netproof-operator";
