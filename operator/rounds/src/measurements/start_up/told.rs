//! What searches for start-up leaks mean, for people and for verdicts.

use std::{collections::BTreeMap, time::Duration};

use k8s_openapi::jiff::Timestamp;
use netproof_conformance::{
    diagnosis::TimeFault,
    expected::Expected,
    flow::Family,
    matrix::{Actor, Cell},
    policy::Policy,
    report::{Place, startup_sentence},
};
use netproof_crds::{Finding, StartUpCounts};

use super::{Found, Window};
use crate::status::findings::startup_finding;

/// How a new stand-in under a deny started, by all senders that attempted it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Started {
    /// No sender's attempt connected, from the stand-in's first instant on.
    Isolated,
    /// Some sender's attempt connected.
    Leaked,
    /// There is no evidence either way.
    Inconclusive,
}

impl Started {
    /// What several senders found together: it leaked if one of them saw a leak, and it was
    /// isolated only if all of them know.
    pub fn of<'a>(found: impl IntoIterator<Item = &'a Found>) -> Self {
        let mut started = Self::Isolated;
        for found in found {
            match found {
                Found::Leaked(_) => return Self::Leaked,
                Found::Inconclusive(_) => started = Self::Inconclusive,
                Found::Isolated { .. } => {}
            }
        }
        started
    }

    /// The stable word for metrics.
    pub fn word(self) -> &'static str {
        match self {
            Self::Isolated => "isolated",
            Self::Leaked => "leaked",
            Self::Inconclusive => "inconclusive",
        }
    }
}

/// Counts how stand-ins started. A start that was not looked at is not established.
pub fn tally(starts: impl IntoIterator<Item = Option<Started>>) -> StartUpCounts {
    let mut counts = StartUpCounts::default();
    for started in starts {
        let count = match started {
            Some(Started::Isolated) => &mut counts.isolated,
            Some(Started::Leaked) => &mut counts.leaked,
            Some(Started::Inconclusive) | None => &mut counts.not_established,
        };
        *count += 1;
    }
    counts
}

/// The fault of which start-up leaks are a sign where nothing else is wrong. None if there is no
/// leak, or if every leak went on to the end of its search.
pub fn sign<'a>(leaks: impl IntoIterator<Item = &'a Window>) -> Option<TimeFault> {
    let leaks: Vec<&Window> = leaks.into_iter().collect();
    if leaks.iter().any(|window| window.by_turns) {
        return Some(TimeFault::Flapping { flows: leaks.len() });
    }
    // A leak that went on to the end of the search is no late isolation, as far as was seen.
    let ended: Vec<Duration> = leaks.iter().filter_map(|window| window.isolated_after()).collect();
    Some(TimeFault::LateIsolation { until: *ended.iter().max()?, flows: ended.len() })
}

/// How a new stand-in started, as one sender saw it.
#[derive(Clone, Debug, PartialEq)]
pub struct ObservedStart {
    /// The flow by which it was attempted.
    pub cell: Cell,
    /// The family of the addresses, if the stand-in was attempted over several.
    pub family: Option<Family>,
    /// The places of the flow's sender and receiver.
    pub places: [Place; 2],
    /// What the sender found, and by how many attempts.
    pub found: Found,
    /// The same as a sentence, for people.
    pub sentence: String,
    /// What the policies say of the flow.
    pub expected: Expected,
}

impl ObservedStart {
    /// The start of a stand-in by a flow that the policies deny, with its sentence.
    pub fn new(
        cell: &Cell,
        family: Option<Family>,
        expected: Expected,
        places: [Place; 2],
        found: Found,
        policies: &[&Policy],
    ) -> Self {
        let [from, to] = &places;
        let sentence = match &found {
            Found::Leaked(window) => {
                startup_sentence(cell, &expected, [from, to], policies, &window.in_words())
            }
            Found::Isolated { attempts, resolution } => {
                let over = family.map(|family| format!(" over {family}")).unwrap_or_default();
                format!(
                    "New pod {} ({}) was isolated from its first instant: {} was denied port {}{over} in {attempts} attempts (resolution {} ms).",
                    cell.to,
                    to.at,
                    cell.from,
                    cell.port,
                    resolution.as_millis().max(1)
                )
            }
            Found::Inconclusive(why) => {
                format!("How new pod {} ({}) started cannot be told: {why}.", cell.to, to.at)
            }
        };
        Self { cell: cell.clone(), family, places, found, sentence, expected }
    }

    /// The time in which it accepted what the policies deny, if it did.
    pub fn leak(&self) -> Option<&Window> {
        match &self.found {
            Found::Leaked(window) => Some(window),
            Found::Isolated { .. } | Found::Inconclusive(_) => None,
        }
    }

    /// The finding for the status; none unless it leaked.
    pub fn finding(&self, now: Timestamp) -> Option<Finding> {
        self.leak()?;
        let sentence = self.sentence.clone();
        Some(startup_finding(&self.cell, &self.expected, &self.places, sentence, now))
    }

    /// How each stand-in started, by all senders that attempted it.
    pub fn by_stand_in<'a>(
        all: impl IntoIterator<Item = &'a Self>,
    ) -> BTreeMap<&'a Actor, Started> {
        let mut found: BTreeMap<&Actor, Vec<&Found>> = BTreeMap::new();
        for one in all {
            found.entry(&one.cell.to).or_default().push(&one.found);
        }
        found.into_iter().map(|(actor, found)| (actor, Started::of(found))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measurements::start_up::StartUpDoubt;

    const WINDOW: Window = Window {
        first_accepted: Duration::from_millis(10),
        last_accepted: Duration::from_millis(205),
        closed: Some(Duration::from_millis(210)),
        by_turns: false,
        attempts: 100,
        at_least: Duration::from_millis(195),
        at_most: Some(Duration::from_millis(210)),
    };

    #[test]
    fn a_leak_is_a_sign_of_late_isolation_only_if_it_ended_for_good() {
        let by_turns = Window { by_turns: true, ..WINDOW };
        let to_the_end = Window { closed: None, at_most: None, ..WINDOW };
        let until = Duration::from_millis(200);
        assert_eq!(
            sign([&WINDOW, &to_the_end]),
            Some(TimeFault::LateIsolation { until, flows: 1 })
        );
        assert_eq!(sign([&WINDOW, &by_turns]), Some(TimeFault::Flapping { flows: 2 }));
        assert_eq!([sign([&to_the_end]), sign([])], [None, None]);
    }

    #[test]
    fn one_leak_is_a_leak_and_isolation_is_known_by_all() {
        let isolated = || Found::Isolated { attempts: 1, resolution: Duration::ZERO };
        let unknown = || Found::Inconclusive(StartUpDoubt::UnknownAge);
        assert_eq!(Started::of(&[isolated(), unknown(), Found::Leaked(WINDOW)]), Started::Leaked);
        assert_eq!(Started::of(&[isolated(), unknown()]), Started::Inconclusive);
        assert_eq!(Started::of(&[isolated(), isolated()]), Started::Isolated);
    }

    #[test]
    fn what_was_not_looked_at_is_not_established() {
        let counts = tally([Some(Started::Isolated), None, Some(Started::Inconclusive)]);
        assert_eq!((counts.isolated, counts.leaked, counts.not_established), (1, 0, 2));
    }
}
