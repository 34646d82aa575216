//! The manner in which denied attempts over TCP ended lately.

use std::time::Duration;

use netproof_conformance::{diagnosis::RefusalManner, verdict::Outcome};

/// How long an outcome counts. Kernels limit the rate of ICMP errors, so that an error and a
/// silence alternate, and the manner would alternate with them.
const MEMORY: Duration = Duration::from_secs(300);

/// The manners that were seen, and when each was seen last.
#[derive(Clone, Debug, Default)]
pub struct DenialStyles(Vec<(RefusalManner, Duration)>);

impl DenialStyles {
    /// Takes note of how a denied attempt over TCP ended. [`Outcome::Connected`] and
    /// [`Outcome::Failed`] say nothing of a manner.
    pub fn saw(&mut self, outcome: &Outcome, now: Duration) {
        let Some(manner) = RefusalManner::of(outcome) else { return };
        self.0.retain(|(other, _)| *other != manner);
        self.0.push((manner, now));
    }

    /// The manner of the denials of the last 300 s; none if there were none.
    pub fn manner(&self, now: Duration) -> Option<RefusalManner> {
        let recent = self.0.iter().filter(|(_, at)| now.saturating_sub(*at) <= MEMORY);
        recent.map(|(manner, _)| *manner).reduce(RefusalManner::and)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_and_silence_are_mixed_until_the_one_is_long_ago() {
        let second = Duration::from_secs(1);
        let mut manners = DenialStyles::default();
        assert_eq!(manners.manner(second), None);
        manners.saw(&Outcome::Unreachable("EHOSTUNREACH".into()), second);
        assert_eq!(manners.manner(second), Some(RefusalManner::Icmp));
        manners.saw(&Outcome::TimedOut, 2 * second);
        manners.saw(&Outcome::Connected, 2 * second);
        assert_eq!(manners.manner(2 * second), Some(RefusalManner::Mixed));
        manners.saw(&Outcome::TimedOut, MEMORY + 2 * second);
        assert_eq!(manners.manner(MEMORY + 2 * second), Some(RefusalManner::Silence));
    }
}
