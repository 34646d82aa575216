//! How long to wait before something that failed is attempted again.

use std::time::Duration;

use tokio::time::Instant;

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

/// The rest between two attempts, as long as a backoff says. It is over until it is begun.
#[derive(Clone, Debug)]
pub struct Rest {
    until: Instant,
    backoff: Backoff,
}

impl Rest {
    /// A rest that is over, with the first failure of this backoff to come.
    pub fn new(backoff: Backoff) -> Self {
        Self { until: Instant::now(), backoff }
    }

    /// When the rest is over; none if it is.
    pub fn until(&self) -> Option<Instant> {
        Some(self.until).filter(|until| Instant::now() < *until)
    }

    /// For how long the rest has been over; zero if it is not.
    pub fn over_for(&self) -> Duration {
        Instant::now().saturating_duration_since(self.until)
    }

    /// Begins to rest after one more failure, and returns when the rest is over.
    pub fn begin(&mut self) -> Instant {
        self.until = Instant::now() + self.backoff.next();
        self.until
    }

    /// Ends the rest after a success: the next begins with the first delay again.
    pub fn end(&mut self) {
        self.until = Instant::now();
        self.backoff.reset();
    }
}

/// A rest of the default backoff, which is over.
impl Default for Rest {
    fn default() -> Self {
        Self::new(Backoff::default())
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

    #[tokio::test(start_paused = true)]
    async fn a_rest_is_over_before_it_is_begun_after_its_delay_and_when_it_is_ended() {
        let mut rest = Rest::default();
        assert_eq!(rest.until(), None);
        let until = rest.begin();
        assert_eq!((rest.until(), rest.over_for()), (Some(until), Duration::ZERO));
        tokio::time::sleep_until(until + Duration::from_secs(3)).await;
        assert_eq!((rest.until(), rest.over_for()), (None, Duration::from_secs(3)));
        rest.begin();
        rest.end();
        assert_eq!(rest.until(), None);
        assert!(rest.begin() - Instant::now() <= Duration::from_millis(400));
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
