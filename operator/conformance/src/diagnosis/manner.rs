//! Tells in which manner a network denies: no manner is wrong, and it tells networks apart.

use std::fmt;

use super::Evidence;
use crate::{
    compiled::{Answer, Compiled},
    flow::Protocol,
    verdict::Outcome,
};

/// In which manner denied TCP is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalManner {
    /// The sender hears nothing, and its attempt times out.
    Silence,
    /// The sender is always refused: by a reset or an ICMP port unreachable, which a client cannot
    /// tell apart.
    Reset,
    /// With an ICMP error that says unreachable or prohibited, as often as kernels send one: about
    /// once a second for each destination. In between is silence.
    Icmp,
    /// Now so and now otherwise.
    Mixed,
}

impl RefusalManner {
    /// In which manner a denied attempt was answered, if it was denied.
    pub fn of(outcome: &Outcome) -> Option<Self> {
        match outcome {
            Outcome::Connected | Outcome::Arrived | Outcome::Failed(_) => None,
            Outcome::TimedOut => Some(Self::Silence),
            Outcome::Refused => Some(Self::Reset),
            Outcome::Unreachable(_) => Some(Self::Icmp),
        }
    }

    /// The manner of a network that was seen to deny in both: [`RefusalManner::Mixed`] if they
    /// differ, but for silence beside ICMP errors, which is the kernel's limit of their rate.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Icmp, Self::Silence) | (Self::Silence, Self::Icmp) => Self::Icmp,
            (one, other) if one == other => one,
            _ => Self::Mixed,
        }
    }

    /// The stable name of what is worth a remark; silence is what everyone expects.
    pub fn name(self) -> Option<&'static str> {
        match self {
            Self::Silence => None,
            Self::Reset => Some("denies-with-reset"),
            Self::Icmp => Some("denies-with-icmp"),
            Self::Mixed => Some("denies-mixed"),
        }
    }
}

impl fmt::Display for RefusalManner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Silence => "denied TCP is not answered",
            Self::Reset => "denied TCP is refused, rather than left without an answer",
            Self::Icmp => "denied TCP is answered with an ICMP error",
            Self::Mixed => "denied TCP is answered in several manners",
        })
    }
}

/// In which manner the denied TCP flows of the evidence were answered; none where there is none.
///
/// # Panics
///
/// If a flow is of another snapshot.
///
/// # Example
///
/// ```
/// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/shop.rs")); }
/// # use example::*;
/// use netproof_conformance::{
///     diagnosis::{Evidence, Observation, RefusalManner, manner::manner},
///     verdict::Outcome,
/// };
///
/// let refused = Observation { flow: flow("job", "db"), outcome: Outcome::Refused, flaps: false };
/// let manner = manner(&Evidence {
///     snapshot: &shop(),
///     observations: vec![refused],
///     unprobed: vec![],
///     pasts: vec![],
///     time: None,
/// });
/// assert_eq!(manner, Some(RefusalManner::Reset));
/// ```
pub fn manner(evidence: &Evidence<'_>) -> Option<RefusalManner> {
    let truth = Compiled::new(evidence.snapshot.clone());
    let denied = evidence.observations.iter().filter(|one| {
        one.flow.port.protocol == Protocol::Tcp && truth.answer(&one.flow) == Answer::Deny
    });
    denied.filter_map(|one| RefusalManner::of(&one.outcome)).reduce(RefusalManner::and)
}
