//! Faults as a setting writes them, by name and perhaps with a duration: `slow=2s`.

use std::{fmt, str::FromStr};

use thiserror::Error;

use super::Fault;
use crate::duration;

/// Why a text names no fault.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum UnknownFault {
    /// There is no fault of this name.
    #[error("{name:?} is no fault; did you mean {nearest}? The faults are: {}", names())]
    Name {
        /// The name that was written.
        name: String,
        /// The fault's name that is most like it.
        nearest: &'static str,
    },
    /// The text behind the `=` is no duration.
    #[error("{text:?} is no duration from 1ms to 99999h; write {name}=2s, or 500ms, or 1m30s")]
    Duration {
        /// The name of the fault, without its duration.
        name: &'static str,
        /// The text behind the `=`.
        text: String,
    },
    /// The fault takes no duration, and one was written.
    #[error("{name} takes no duration; write {name} without \"=\"")]
    NoDuration {
        /// The name of the fault, before the `=`.
        name: &'static str,
    },
}

fn names() -> String {
    Fault::ALL.map(Fault::name).join(", ")
}

impl FromStr for Fault {
    type Err = UnknownFault;

    fn from_str(text: &str) -> Result<Self, UnknownFault> {
        let (name, duration) = match text.split_once('=') {
            Some((name, duration)) => (name, Some(duration)),
            None => (text, None),
        };
        let fault = Self::ALL
            .into_iter()
            .find(|fault| fault.name() == name)
            .ok_or_else(|| UnknownFault::Name { name: name.to_owned(), nearest: nearest(name) })?;
        let name = fault.name();
        match duration {
            None => Ok(fault),
            Some(_) if fault.duration().is_none() => Err(UnknownFault::NoDuration { name }),
            Some(text) => duration::read(text)
                .and_then(|duration| fault.lasting(duration))
                .ok_or_else(|| UnknownFault::Duration { name, text: text.to_owned() }),
        }
    }
}

/// The fault's name that shares the most pairs of letters with this one, relative to their lengths.
fn nearest(name: &str) -> &'static str {
    let likeness = |other: &&str| strsim::sorensen_dice(name, other);
    let names = Fault::ALL.map(Fault::name).into_iter();
    names.max_by(|a, b| likeness(a).total_cmp(&likeness(b))).unwrap_or_default()
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.duration() {
            None => f.write_str(self.name()),
            Some(duration) => write!(f, "{}={}", self.name(), duration::written(duration)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn every_fault_is_read_as_it_is_written() {
        for fault in Fault::ALL {
            assert_eq!(fault.to_string().parse(), Ok(fault));
            assert_eq!(fault.name().parse(), Ok(fault), "the duration may be left out");
        }
    }

    #[test]
    fn names_are_kebab_case_and_claims_are_about_a_network() {
        for fault in Fault::ALL {
            assert!(fault.name().bytes().all(|c| c.is_ascii_lowercase() || c == b'-' || c == b'6'));
            assert!(fault.claim().starts_with("a network "), "{fault}");
        }
    }

    #[test]
    fn a_duration_is_read_where_there_is_one() {
        assert_eq!("slow=1m30s".parse(), Ok(Fault::Slow(Duration::from_secs(90))));
        for (wrong, text) in [("slow=", ""), ("slow=0s", "0s"), ("slow=soon", "soon")] {
            let error = UnknownFault::Duration { name: "slow", text: text.to_owned() };
            assert_eq!(wrong.parse::<Fault>(), Err(error));
        }
        let error = UnknownFault::NoDuration { name: "ignores-all" };
        assert_eq!("ignores-all=2s".parse::<Fault>(), Err(error));
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_nearest_and_with_all() {
        for (wrong, right) in [("ignore-egress", "ignores-egress"), ("flap", "flapping"), ("", "")]
        {
            let message = wrong.parse::<Fault>().expect_err(wrong).to_string();
            assert!(message.contains(&format!("did you mean {right}")), "{message}");
            assert!(message.contains("blocks-all, denies-with-reset"), "{message}");
        }
    }
}
