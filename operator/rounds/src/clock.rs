//! The clocks that ledgers and people count in, and random numbers.

use std::{
    sync::LazyLock,
    time::{Duration, Instant},
};

use k8s_openapi::jiff::{SignedDuration, Timestamp};

/// A random number, from the kernel.
pub fn random() -> u64 {
    getrandom::u64().expect("the kernel's random numbers are there from boot on")
}

/// A nonce that cannot be guessed: 32 hexadecimal digits.
pub fn nonce() -> String {
    format!("{:016x}{:016x}", random(), random())
}

/// The monotonic time that ledgers count in. It begins a year before the program did, so that a pod
/// that is older than the program has a birth too.
pub fn uptime() -> Duration {
    YEAR + START.0.elapsed()
}

/// The time of day, in whole seconds, of a moment of [`uptime`]: the same each time it is asked
/// for.
pub fn time_of_day(moment: Duration) -> Timestamp {
    let since_start = SignedDuration::try_from(moment).unwrap_or_default()
        - SignedDuration::try_from(YEAR).unwrap_or_default();
    let time = START.1.checked_add(since_start).unwrap_or(START.1);
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}

const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);

/// When the program began, on the monotonic clock and on the wall clock.
static START: LazyLock<(Instant, Timestamp)> = LazyLock::new(|| (Instant::now(), Timestamp::now()));
