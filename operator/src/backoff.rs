//! How long to wait before something that failed is attempted again.

use std::time::Duration;

/// A stream that has lived for so long has worked. One that ends sooner counts as a failure,
/// however well it began.
pub const LIVED: Duration = Duration::from_secs(10);

/// Delays that double after each failure, spread at random so that many clients do not come back
/// together.
#[derive(Clone, Debug)]
pub struct Backoff {
    first: Duration,
    last: Duration,
    failures: u32,
}

impl Backoff {
    /// Delays that grow from at most `first` to at most `last`.
    pub fn new(first: Duration, last: Duration) -> Self {
        Self { first, last, failures: 0 }
    }

    /// How long to wait after one more failure: at random between half of the delay and the whole.
    #[expect(clippy::should_implement_trait, reason = "no iterator: it never ends")]
    pub fn next(&mut self) -> Duration {
        let full = self.first.saturating_mul(1 << self.failures.min(16)).min(self.last);
        self.failures = self.failures.saturating_add(1);
        let half = full / 2;
        let millis = u64::try_from(half.as_millis()).unwrap_or(u64::MAX - 1);
        half + Duration::from_millis(netproof_rounds::clock::random() % (millis + 1))
    }

    /// Begins anew with the first delay, after a success.
    pub fn reset(&mut self) {
        self.failures = 0;
    }

    /// How long to wait after the end of a stream that has lived for so long: the first delay again
    /// if that is at least [`LIVED`].
    pub fn after(&mut self, lived: Duration) -> Duration {
        if lived >= LIVED {
            self.reset();
        }
        self.next()
    }
}

/// From 400 ms to 15 s: for what the operator cannot do without, which is streams and the writing
/// of statuses.
impl Default for Backoff {
    fn default() -> Self {
        Self::new(Duration::from_millis(400), Duration::from_secs(15))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grown(backoff: &mut Backoff, times: u32) -> Vec<u64> {
        (0..times).map(|_| backoff.next().as_secs()).collect()
    }

    #[test]
    fn delays_double_up_to_the_last_and_are_never_less_than_half_of_it() {
        let mut backoff = Backoff::new(Duration::from_secs(4), Duration::from_secs(60));
        let halves = [2, 4, 8, 16, 30, 30, 30];
        for (half, delay) in halves.iter().zip(grown(&mut backoff, 7)) {
            assert!((*half..=2 * half).contains(&delay), "{delay} s, not {half} to twice that");
        }
        grown(&mut backoff, 100_000);
        assert!((30..=60).contains(&backoff.next().as_secs()));
    }

    #[test]
    fn only_what_has_lived_for_a_while_begins_anew() {
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(60));
        for _ in 0..10 {
            backoff.after(LIVED / 2);
        }
        assert!(backoff.after(LIVED / 2) >= Duration::from_secs(30));
        assert!(backoff.after(LIVED) <= Duration::from_secs(1));
    }

    #[test]
    fn delays_are_spread() {
        let mut others = (0..100).map(|_| {
            let mut backoff = Backoff::default();
            grown(&mut backoff, 10);
            backoff.next()
        });
        let first = others.next().expect("there are some");
        assert!(others.any(|other| other != first));
    }
}
