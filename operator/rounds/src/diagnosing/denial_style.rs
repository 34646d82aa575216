//! In which manner denied attempts were answered lately.

use std::time::Duration;

use netproof_conformance::{diagnosis::RefusalManner, verdict::Outcome};

/// For how long an answer counts. Kernels limit ICMP errors, so that an error and silence
/// alternate: what is said of them should not.
const MEMORY: Duration = Duration::from_secs(300);

/// In which manners, and when each was seen last.
#[derive(Clone, Debug, Default)]
pub struct DenialStyles(Vec<(RefusalManner, Duration)>);

impl DenialStyles {
    /// A denied attempt over TCP ended so.
    pub fn saw(&mut self, outcome: &Outcome, now: Duration) {
        let Some(manner) = RefusalManner::of(outcome) else { return };
        self.0.retain(|(other, _)| *other != manner);
        self.0.push((manner, now));
    }

    /// In which manner; none where nothing was denied lately.
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
