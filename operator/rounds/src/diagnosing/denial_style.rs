//! The manner in which denied attempts over TCP ended lately.

use std::{collections::BTreeMap, time::Duration};

use netproof_conformance::{diagnosis::RefusalManner, matrix::Cell, verdict::Outcome};

/// How long an outcome counts. Kernels limit the rate of ICMP errors, so that an error and a
/// silence alternate, and the manner would alternate with them.
const MEMORY: Duration = Duration::from_secs(300);

/// The manners that were seen of each flow, and when each was seen last.
#[derive(Clone, Debug, Default)]
pub struct DenialStyles(BTreeMap<Cell, Vec<(RefusalManner, Duration)>>);

impl DenialStyles {
    /// Takes note of how a denied attempt over TCP ended. [`Outcome::Connected`] and
    /// [`Outcome::Failed`] say nothing of a manner.
    pub fn saw(&mut self, cell: &Cell, outcome: &Outcome, now: Duration) {
        let Some(manner) = RefusalManner::of(outcome) else { return };
        let seen = self.0.entry(cell.clone()).or_default();
        seen.retain(|(other, at)| *other != manner && is_recent(*at, now));
        seen.push((manner, now));
    }

    /// The manner of the denials of the last 300 s; none if there were none.
    ///
    /// A flow that was refused at one time and silent at another is refused by an ICMP port
    /// unreachable, which the sender cannot tell from a reset: kernels limit the rate of ICMP
    /// errors (`net.ipv4.icmp_ratelimit`), and of resets by a firewall they do not.
    pub fn manner(&self, now: Duration) -> Option<RefusalManner> {
        let of_flows = self.0.values().flat_map(|seen| {
            let recent = seen.iter().filter(|(_, at)| is_recent(*at, now));
            let manners: Vec<_> = recent.map(|(manner, _)| *manner).collect();
            let is_limited = [RefusalManner::Reset, RefusalManner::Silence]
                .iter()
                .all(|manner| manners.contains(manner));
            if is_limited { vec![RefusalManner::Icmp] } else { manners }
        });
        let seen: Vec<_> = of_flows.collect();
        // Others of its flows were caught by the limit each time, or never.
        let is_limited = seen.contains(&RefusalManner::Icmp);
        let as_seen = |manner| match manner {
            RefusalManner::Reset if is_limited => RefusalManner::Icmp,
            manner => manner,
        };
        seen.into_iter().map(as_seen).reduce(RefusalManner::and)
    }
}

fn is_recent(at: Duration, now: Duration) -> bool {
    now.saturating_sub(at) <= MEMORY
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosing::testing::cell;

    const SECOND: Duration = Duration::from_secs(1);

    fn manner(seen: &[(&str, Outcome)]) -> Option<RefusalManner> {
        let mut manners = DenialStyles::default();
        for (to, outcome) in seen {
            manners.saw(&cell("web", to), outcome, SECOND);
        }
        manners.manner(SECOND)
    }

    fn unreachable() -> Outcome {
        Outcome::Unreachable("EHOSTUNREACH".into())
    }

    #[test]
    fn the_manner_is_that_of_what_was_denied() {
        assert_eq!(manner(&[]), None);
        assert_eq!(manner(&[("db", Outcome::Connected)]), None);
        assert_eq!(manner(&[("db", Outcome::TimedOut)]), Some(RefusalManner::Silence));
        assert_eq!(manner(&[("db", Outcome::Refused)]), Some(RefusalManner::Reset));
        assert_eq!(manner(&[("db", unreachable())]), Some(RefusalManner::Icmp));
    }

    #[test]
    fn an_icmp_error_is_one_at_the_kernels_rate_limit_too() {
        let icmp = Some(RefusalManner::Icmp);
        assert_eq!(manner(&[("db", unreachable()), ("db", Outcome::TimedOut)]), icmp);
        assert_eq!(manner(&[("db", unreachable()), ("was", Outcome::TimedOut)]), icmp);
        // By a port unreachable, which reads as refused.
        let refused = [("db", Outcome::Refused), ("db", Outcome::TimedOut)];
        assert_eq!(manner(&refused), icmp);
        let others = [("was", Outcome::Refused), ("api", Outcome::TimedOut)];
        assert_eq!(manner(&[&refused[..], &others].concat()), icmp);
    }

    #[test]
    fn flows_that_are_denied_in_different_manners_are_mixed() {
        let seen = [("db", Outcome::Refused), ("was", Outcome::TimedOut)];
        assert_eq!(manner(&seen), Some(RefusalManner::Mixed));
    }

    #[test]
    fn what_was_long_ago_does_not_count() {
        let mut manners = DenialStyles::default();
        manners.saw(&cell("web", "db"), &unreachable(), SECOND);
        manners.saw(&cell("web", "db"), &Outcome::TimedOut, MEMORY + 2 * SECOND);
        assert_eq!(manners.manner(MEMORY + 2 * SECOND), Some(RefusalManner::Silence));
        assert_eq!(manners.manner(2 * MEMORY + 3 * SECOND), None);
    }
}
