//! The operator of netproof: watches a cluster, places stand-ins, attaches to their probes, carries
//! tests out and publishes their results.

pub mod run;

pub mod backoff;
pub mod keeper;
pub mod pacing;
pub mod watch;

pub mod arrivals;
pub mod presence;

pub mod assignment;
pub mod controller;
pub mod foreign;
pub mod installation;
pub mod janitor;
pub mod lease;
pub mod placement;
pub mod removal;
pub mod stand_in_pod;

pub mod certify;
pub mod shared;
pub mod tester;

pub mod probes;

pub mod admin;
pub mod health;
pub mod metrics;
pub mod readiness;
pub mod server;

#[cfg(test)]
mod api_server;

/// The field manager of all server-side applies: the operator owns what it writes under this name.
pub(crate) const FIELD_MANAGER: &str = "netproof-operator";
