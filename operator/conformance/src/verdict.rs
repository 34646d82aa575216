//! Judges one observation against the expectation: the rules of evidence.

use std::{fmt, time::Duration};

use crate::expected::{Expected, Unspecified};

/// What a probe saw of one attempt: a fact, no judgement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The far end proved who it is or, where it is an address outside, answered.
    Connected,
    /// The receiver's probe has the datagram with the attempt's nonce, and no answer came back: the
    /// way there is open, whatever the way back is.
    Arrived,
    /// A reset, or an ICMP port unreachable. Not open, but only the listener's own word tells
    /// whether a policy or a missing listener refused.
    Refused,
    /// Nothing came back in time.
    TimedOut,
    /// Something on the way said no, with the errno of this name.
    Unreachable(String),
    /// The probe could not tell, and why. Never evidence.
    Failed(String),
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connected => f.pad("connected"),
            Self::Arrived => f.pad("arrived, and no answer came back"),
            Self::Refused => f.pad("refused"),
            Self::TimedOut => f.pad("timed out"),
            Self::Unreachable(errno) => write!(f, "unreachable ({errno})"),
            Self::Failed(why) => write!(f, "failed ({why})"),
        }
    }
}

/// Whether the receiver was there to be reached: what makes a silence evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Control {
    /// The receiver said in the same round, before and after, that its listener answers; or, for
    /// an address outside, another probe reached it in the same round.
    Listening,
    /// Nothing shows that the receiver listened, and why not.
    Unproven(String),
}

/// What one observation says, before repetition has confirmed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sighting {
    /// The flow went as the policies say.
    Conforms,
    /// The flow was expected to be denied, and it connected.
    Leak,
    /// The flow was expected to be allowed, and it did not connect.
    Blocked,
    /// The expectation changed while the attempt was under way.
    Moved,
    /// The policies leave the flow open.
    Unspecified(Unspecified),
    /// There is no evidence either way, and why not.
    Inconclusive(Why),
}

/// What netproof says of a flow, after repetition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The flow went as the policies say.
    Conforms,
    /// The flow is expected to be denied, and it connects.
    Leak(Steadiness),
    /// The flow is expected to be allowed, and it does not connect.
    Blocked(Steadiness),
    /// The expectation or a stand-in is younger than the network may take to follow.
    Settling,
    /// The policies leave the flow open: shown, never counted for or against.
    Unspecified(Unspecified),
    /// There is no evidence either way, and why not.
    Inconclusive(Why),
}

/// Whether the confirmed attempts all agreed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Steadiness {
    /// All of the attempts that count went the same way.
    Steady,
    /// The flow went wrong often enough to be reported, and right in between.
    Flapping {
        /// How many of the last attempts did not conform.
        bad: usize,
        /// How many attempts `bad` is out of: for a leak, those since its first proof.
        of: usize,
    },
    /// Every attempt connected, until all of the last ones did not: the network may have been
    /// mended. The leak stands for the time that it is retained.
    Ceased {
        /// How many attempts connected.
        bad: usize,
        /// How many attempts were made since the first that connected.
        of: usize,
        /// How many attempts have not connected since the last that did.
        quiet: usize,
    },
}

impl fmt::Display for Steadiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Steady => Ok(()),
            Self::Flapping { .. } => f.write_str(" (by turns)"),
            Self::Ceased { .. } => f.write_str(" (ceased)"),
        }
    }
}

/// A verdict without its reasons: what is counted, and what labels a metric.
///
/// ```
/// use netproof_conformance::verdict::{Steadiness, Verdict, VerdictKind};
///
/// let words = VerdictKind::ALL.map(VerdictKind::word);
/// assert_eq!(words[1], Verdict::Leak(Steadiness::Steady).kind().word());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum VerdictKind {
    /// The kind of [`Verdict::Conforms`], whatever was expected.
    Conforms,
    /// The kind of [`Verdict::Leak`], steady or not.
    Leak,
    /// The kind of [`Verdict::Blocked`], steady or not.
    Blocked,
    /// The kind of [`Verdict::Settling`]: not judged yet.
    Settling,
    /// The kind of [`Verdict::Unspecified`], for whatever reason.
    Unspecified,
    /// The kind of [`Verdict::Inconclusive`], for whatever reason.
    Inconclusive,
}

impl VerdictKind {
    /// Every kind of verdict, in the order in which reports show them.
    pub const ALL: [Self; 6] = [
        Self::Conforms,
        Self::Leak,
        Self::Blocked,
        Self::Settling,
        Self::Unspecified,
        Self::Inconclusive,
    ];

    /// The stable word for metrics and reports.
    pub fn word(self) -> &'static str {
        match self {
            Self::Conforms => "conforms",
            Self::Leak => "leak",
            Self::Blocked => "blocked",
            Self::Settling => "settling",
            Self::Unspecified => "unspecified",
            Self::Inconclusive => "inconclusive",
        }
    }
}

impl Verdict {
    /// Whether another attempt is due at once: to confirm a wrong outcome or a recovery, or to wait
    /// longer than one whose silence said nothing.
    pub fn awaits_repetition(&self) -> bool {
        matches!(self, Self::Inconclusive(Why::Unconfirmed | Why::SlowPath(_)))
    }

    /// The verdict without its reasons.
    pub fn kind(&self) -> VerdictKind {
        match self {
            Self::Conforms => VerdictKind::Conforms,
            Self::Leak(_) => VerdictKind::Leak,
            Self::Blocked(_) => VerdictKind::Blocked,
            Self::Settling => VerdictKind::Settling,
            Self::Unspecified(_) => VerdictKind::Unspecified,
            Self::Inconclusive(_) => VerdictKind::Inconclusive,
        }
    }
}

/// How many round trips an attempt has to wait for before its silence counts: a handshake takes one
/// and the question another, and the third is for what stands in queues.
pub const ROUND_TRIPS: u32 = 3;

/// A path on which a silence says nothing, because an answer may take longer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlowPath {
    /// The sender's node.
    pub from: String,
    /// The receiver's node.
    pub to: String,
    /// The shortest round trip that was measured between them lately; none if nothing ever
    /// connected.
    pub round_trip: Option<Duration>,
    /// How long the attempt waited.
    pub waited: Duration,
}

impl fmt::Display for SlowPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, to, round_trip, waited } = self;
        match round_trip {
            Some(round_trip) => write!(
                f,
                "a round trip from node {from} to node {to} takes {round_trip:.1?}, so that silence \
                 for {waited:?} says nothing: set the timeout to {:.0?} or more",
                *round_trip * ROUND_TRIPS
            ),
            None => write!(
                f,
                "nothing has connected from node {from} to node {to} yet, so that silence for \
                 {waited:?} says nothing; the next attempt waits longer"
            ),
        }
    }
}

/// Why there is no evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// The attempt itself failed.
    Failed(String),
    /// The attempt connected after its deadline.
    Late {
        /// How long it took.
        took: Duration,
        /// How long an attempt may take.
        timeout: Duration,
    },
    /// The datagram arrived, and its answer was lost or is stopped on the way back.
    Unanswered,
    /// The attempt did not connect, and an answer may take longer than it waited.
    SlowPath(SlowPath),
    /// The attempt did not connect, and nothing shows that the receiver was listening.
    NoControl(String),
    /// A probe that the attempt takes is not there or does not speak.
    NoProbe(String),
    /// A policy of a namespace at one of the ends could not be understood.
    NoPrediction(String),
    /// Attempts disagree with each other too often.
    Flapping {
        /// How many of the last attempts did not conform.
        bad: usize,
        /// How many attempts are remembered.
        of: usize,
    },
    /// A wrong outcome waits for its repetition.
    Unconfirmed,
    /// What the operator knew of the cluster was not what the API server had.
    StaleWatch,
    /// Nothing was seen yet, or what was seen is too old.
    Stale,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(why) => write!(f, "the attempt failed: {why}"),
            Self::NoControl(why) => {
                write!(f, "it did not connect, and nothing shows that the receiver listened: {why}")
            }
            Self::Late { took, timeout } => write!(
                f,
                "it connected after {took:.1?}, and the timeout is {timeout:?}: the network is slow, or \
                 it loses packets"
            ),
            Self::Unanswered => f.write_str("the datagram arrived, and no answer came back"),
            Self::SlowPath(path) => path.fmt(f),
            Self::NoProbe(why) => write!(f, "a probe is missing: {why}"),
            Self::NoPrediction(why) => write!(f, "a policy could not be understood: {why}"),
            Self::Flapping { bad, of } => {
                write!(f, "flapping: {bad} of the last {of} attempts did not conform")
            }
            Self::Unconfirmed => f.write_str("a wrong outcome has not been confirmed yet"),
            Self::StaleWatch => {
                f.write_str("the cluster had changed unseen; the next round will know")
            }
            Self::Stale => f.write_str("no evidence yet, or none that is recent"),
        }
    }
}

/// Judges one observation: the expectation before and after it, what was seen, and whether the
/// receiver was there.
///
/// ```
/// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/shop.rs")); }
/// # use example::*;
/// use netproof_conformance::{
///     evaluate::expect,
///     verdict::{Control, Outcome, Sighting, judge},
/// };
///
/// let denied = expect(&shop(), &flow("job", "db"));
/// let judge = |outcome, control| judge(&denied, &denied, &outcome, &control);
/// assert_eq!(judge(Outcome::Connected, Control::Listening), Sighting::Leak);
/// assert_eq!(judge(Outcome::TimedOut, Control::Listening), Sighting::Conforms);
/// // Silence is no evidence where nobody may have listened.
/// let unproven = Control::Unproven("its probe does not answer".to_owned());
/// assert!(matches!(judge(Outcome::TimedOut, unproven), Sighting::Inconclusive(_)));
/// ```
pub fn judge(
    before: &Expected,
    after: &Expected,
    outcome: &Outcome,
    control: &Control,
) -> Sighting {
    let allowed = match (before, after) {
        (Expected::Allow(_), Expected::Allow(_)) => true,
        (Expected::Deny(_), Expected::Deny(_)) => false,
        (Expected::Unspecified(_), Expected::Unspecified(why)) => {
            return Sighting::Unspecified(*why);
        }
        (
            Expected::Allow(_) | Expected::Deny(_) | Expected::Unspecified(_),
            Expected::Allow(_) | Expected::Deny(_) | Expected::Unspecified(_),
        ) => return Sighting::Moved,
    };
    match (outcome, control) {
        (Outcome::Failed(why), _) => Sighting::Inconclusive(Why::Failed(why.clone())),
        (Outcome::Connected, _) if allowed => Sighting::Conforms,
        (Outcome::Arrived, _) if allowed => Sighting::Inconclusive(Why::Unanswered),
        (Outcome::Connected | Outcome::Arrived, _) => Sighting::Leak,
        (
            Outcome::Refused | Outcome::TimedOut | Outcome::Unreachable(_),
            Control::Unproven(why),
        ) => Sighting::Inconclusive(Why::NoControl(why.clone())),
        (Outcome::Refused | Outcome::TimedOut | Outcome::Unreachable(_), Control::Listening) => {
            if allowed {
                Sighting::Blocked
            } else {
                Sighting::Conforms
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expected::testing::{allow, deny};

    fn unproven() -> Control {
        Control::Unproven("silent".into())
    }

    #[test]
    fn silence_with_a_live_listener_is_evidence() {
        for outcome in
            [Outcome::TimedOut, Outcome::Refused, Outcome::Unreachable("EHOSTUNREACH".into())]
        {
            assert_eq!(judge(&deny(), &deny(), &outcome, &Control::Listening), Sighting::Conforms);
            assert_eq!(judge(&allow(), &allow(), &outcome, &Control::Listening), Sighting::Blocked);
        }
    }

    #[test]
    fn silence_without_a_live_listener_is_inconclusive() {
        for expected in [allow(), deny()] {
            for outcome in [Outcome::TimedOut, Outcome::Refused] {
                let sighting = judge(&expected, &expected, &outcome, &unproven());
                assert_eq!(sighting, Sighting::Inconclusive(Why::NoControl("silent".into())));
            }
        }
    }

    #[test]
    fn a_connection_needs_no_control() {
        assert_eq!(judge(&deny(), &deny(), &Outcome::Connected, &unproven()), Sighting::Leak);
        assert_eq!(judge(&allow(), &allow(), &Outcome::Connected, &unproven()), Sighting::Conforms);
    }

    #[test]
    fn a_failed_attempt_is_never_evidence() {
        for expected in [allow(), deny()] {
            let outcome = Outcome::Failed("EMFILE".into());
            let sighting = judge(&expected, &expected, &outcome, &Control::Listening);
            assert_eq!(sighting, Sighting::Inconclusive(Why::Failed("EMFILE".into())));
        }
    }

    #[test]
    fn a_change_in_between_is_no_verdict() {
        let outcome = Outcome::Connected;
        assert_eq!(judge(&allow(), &deny(), &outcome, &Control::Listening), Sighting::Moved);
        assert_eq!(judge(&deny(), &allow(), &outcome, &Control::Listening), Sighting::Moved);
        let open = Expected::Unspecified(Unspecified::ToItself);
        assert_eq!(judge(&deny(), &open, &outcome, &Control::Listening), Sighting::Moved);
    }

    #[test]
    fn what_the_api_leaves_open_is_not_judged() {
        let open = Expected::Unspecified(Unspecified::ToItself);
        assert_eq!(
            judge(&open, &open, &Outcome::TimedOut, &Control::Listening),
            Sighting::Unspecified(Unspecified::ToItself)
        );
    }
}
