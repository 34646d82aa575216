//! The operator of netproof: places stand-ins, asks them to connect, judges what they saw.

pub mod args;
pub mod command;

pub mod run;

pub mod backoff;
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

use std::{
    sync::LazyLock,
    time::{Duration, Instant},
};

use k8s_openapi::jiff::{SignedDuration, Timestamp};

/// The name under which fields are owned in server-side apply.
pub(crate) const FIELD_MANAGER: &str = "netproof-operator";

/// A random number, from the kernel.
pub(crate) fn random() -> u64 {
    getrandom::u64().expect("the kernel's random numbers are there from boot on")
}

/// A nonce that nobody can guess: 32 hexadecimal digits.
pub(crate) fn nonce() -> String {
    format!("{:016x}{:016x}", random(), random())
}

/// The monotonic time that ledgers count in. It begins a year before the program did, so that what
/// is older than the program has a time as well.
pub(crate) fn uptime() -> Duration {
    YEAR + START.0.elapsed()
}

/// The time of day of a moment that a ledger has, the same each time it is asked for.
pub(crate) fn time_of_day(moment: Duration) -> Timestamp {
    let since_start = SignedDuration::try_from(moment).unwrap_or_default()
        - SignedDuration::try_from(YEAR).unwrap_or_default();
    let time = START.1.checked_add(since_start).unwrap_or(START.1);
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}

const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);

/// When the program began, by both clocks.
static START: LazyLock<(Instant, Timestamp)> = LazyLock::new(|| (Instant::now(), Timestamp::now()));
