//! Says what no flow shows, and why, in words that tell people what to do.

use std::fmt;

use crate::{
    expected::Unspecified,
    flow::Direction,
    matrix::Cell,
    reference::{ClusterPolicyRef, ObjectRef, RuleRef},
};

/// Something that no flow with a verdict shows, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The rule, isolation, mutant or path that no flow with a verdict shows.
    pub what: What,
    /// Why it is not shown.
    pub why: GapReason,
}

/// What flows can show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// One side of a rule of a `NetworkPolicy`.
    Rule {
        /// The rule; never one of its peers or ports.
        rule: RuleRef,
        /// Which of the two sides no flow shows.
        proof: RuleSide,
    },
    /// A `NetworkPolicy` without rules, which isolates.
    Isolation {
        /// The `NetworkPolicy` that isolates its subjects.
        policy: ObjectRef,
        /// The direction in which the policy keeps everything from passing.
        direction: Direction,
    },
    /// A rule of a policy of the cluster, where it decides.
    ClusterRule {
        /// The policy whose rule decides.
        policy: ClusterPolicyRef,
        /// Which of its two lists of rules.
        direction: Direction,
        /// The place in that list.
        rule: usize,
    },
    /// A mutant, by its name, which is to be told from a sound network.
    Mutant(String),
    /// What becomes of flows from one node to another, which may be the same.
    Path {
        /// The name of the sender's node.
        from: String,
        /// The name of the receiver's node.
        to: String,
        /// Whether the flows are allowed, rather than denied.
        allowed: bool,
    },
    /// So many flows that were required and are not attempted.
    Required(usize),
}

/// The two sides of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RuleSide {
    /// A flow that is allowed, and would be denied without the rule.
    Needs,
    /// A flow that is denied, and would be allowed if the rule were wider in one respect: its
    /// peers, the number of its ports or their protocol.
    JustMisses,
}

/// Why something is not shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GapReason {
    /// No endpoint of the test is a subject of the policy.
    NoSubject,
    /// No endpoint at the other end is among the peers of the rule.
    NoPeer,
    /// Nobody listens on a port of the rule.
    NoPort,
    /// There are peers and ports of the rule, and no flow that has both.
    NotTogether,
    /// The rule admits everyone on every port.
    NothingMisses,
    /// No flow misses the rule in just one respect.
    NoNearMiss,
    /// Every flow that would show it is decided by these in any case.
    Shadowed(Vec<String>),
    /// Every flow that would show it is denied on the other side, by these.
    OtherSide(Vec<String>),
    /// No flow comes to a rule of the cluster, or something decides before it.
    NeverDecides,
    /// The API leaves open what becomes of the flows that would show it.
    LeftOpen(Unspecified),
    /// No flow of the test behaves otherwise on this mutant.
    LooksSound,
    /// The budget ended before it.
    BudgetEnded,
    /// This flow would show it, and has no verdict.
    NotJudged(Cell),
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.why)
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rule { rule, proof: RuleSide::Needs } => {
                write!(f, "{rule} lacks an allowed flow that needs it")
            }
            Self::Rule { rule, proof: RuleSide::JustMisses } => {
                write!(f, "{rule} lacks a denied flow that just misses it")
            }
            Self::Isolation { policy, direction } => {
                write!(f, "{policy} {direction} (no rules) lacks a flow that it denies")
            }
            Self::ClusterRule { policy, direction, rule } => {
                write!(f, "{policy} {direction}[{rule}] lacks a flow that it decides")
            }
            Self::Mutant(name) => write!(f, "{name} lacks a flow that tells it"),
            Self::Path { from, to, allowed } => {
                let kind = if *allowed { "an allowed" } else { "a denied" };
                write!(f, "node {from} to node {to} lacks {kind} flow")
            }
            Self::Required(1) => f.write_str("1 flow that a check asks for is left out"),
            Self::Required(flows) => write!(f, "{flows} flows that checks ask for are left out"),
        }
    }
}

impl fmt::Display for GapReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSubject => f.write_str(
                "no endpoint is a subject of the policy; add one with the labels that it selects",
            ),
            Self::NoPeer => {
                f.write_str("no endpoint at the other end matches its peers; add one that does")
            }
            Self::NoPort => {
                f.write_str("nobody listens on a port of the rule; give an endpoint that port")
            }
            Self::NotTogether => f.write_str(
                "no flow has both a peer and a port of the rule; add a check, or a port to an \
                 endpoint, that joins them",
            ),
            Self::NothingMisses => {
                f.write_str("it admits everyone on every port, so that nothing can miss it")
            }
            Self::NoNearMiss => f.write_str(
                "no flow misses it in just one respect; add an endpoint that is none of its peers, \
                 or another port",
            ),
            Self::Shadowed(by) if by.is_empty() => f.write_str(
                "shadowed: the answer is the same without it; add an endpoint for \
                     which it is not, or remove it",
            ),
            Self::Shadowed(by) => write!(
                f,
                "shadowed by {}; add an endpoint to which only this one applies, or remove it",
                by.join(" and ")
            ),
            Self::OtherSide(by) => write!(
                f,
                "what would show it is denied on the other side by {}; add an endpoint that is not",
                by.join(" and ")
            ),
            Self::NeverDecides => f.write_str(
                "no flow comes to it; add an endpoint that it matches and no rule before it does",
            ),
            Self::LeftOpen(why) => write!(f, "{why}; add an endpoint of which this is not so"),
            Self::LooksSound => f.write_str(
                "no flow of the test behaves otherwise there; add endpoints or ports that do",
            ),
            Self::BudgetEnded => f.write_str("the budget of flows ended first; raise maxFlows"),
            Self::NotJudged(cell) => write!(f, "{cell} would show it, and has no verdict"),
        }
    }
}
