//! Finds what is legal and almost surely a mistake.

mod blocks;
mod census;
mod cluster;
mod code;
mod covers;
mod directions;
mod dns;
mod peers;
mod ports;
mod rules;
mod sides;
mod subjects;

use std::fmt;

use crate::{
    flow::{Direction, Port},
    policy::{Isolation, Policy, Rule, network_policy::NetworkPolicy},
    reference::{ClusterPolicyRef, ObjectRef},
    snapshot::Snapshot,
};
use census::Census;

pub use code::{Code, Severity};

/// Something in an object that is legal and almost surely a mistake.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LintFinding {
    /// The policy that the finding is about.
    pub object: Object,
    /// The way to the field, such as `spec.ingress[0].from[1]`.
    pub field: String,
    /// The check that found the mistake; its texts say why that matters.
    pub code: Code,
    /// What is wrong, with the names and values of this object.
    pub sentence: String,
    /// What to do about the mistake.
    pub fix: String,
}

impl fmt::Display for LintFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { object, field, code, sentence, fix } = self;
        write!(f, "{} {code}: {object}: {field}: {sentence} {fix}", code.severity())
    }
}

/// An object that findings are about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Object {
    /// A `NetworkPolicy`, by its namespace and name.
    NetworkPolicy(ObjectRef),
    /// A policy of the cluster.
    Cluster(ClusterPolicyRef),
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NetworkPolicy(name) => name.fmt(f),
            Self::Cluster(name) => name.fmt(f),
        }
    }
}

/// What else is known of policies and pods, which a snapshot does not have. Without it there are
/// fewer findings.
#[derive(Clone, Copy, Debug, Default)]
pub struct LintContext<'a> {
    /// The policies as they are written.
    pub written: &'a [LintedPolicy<'a>],
    /// The ports that the containers of each pod declare, named or not, in the order of the
    /// snapshot's pods.
    pub declared: Option<&'a [Vec<Port>]>,
}

/// A policy as it is written.
#[derive(Clone, Copy, Debug)]
pub struct LintedPolicy<'a> {
    policy: &'a NetworkPolicy,
    has_empty_egress: bool,
}

impl<'a> LintedPolicy<'a> {
    /// A policy as its object has it, in which an empty list is the same as an absent one.
    pub fn new(policy: &'a NetworkPolicy) -> Self {
        Self { policy, has_empty_egress: false }
    }

    /// A policy whose text says `egress: []`, which its object has lost.
    pub fn with_empty_egress(policy: &'a NetworkPolicy) -> Self {
        Self { policy, has_empty_egress: true }
    }
}

const CHECKS: [fn(&Census<'_>) -> Vec<LintFinding>; 10] = [
    subjects::check,
    peers::check,
    directions::check,
    rules::check,
    blocks::check,
    ports::check,
    dns::check,
    sides::check,
    cluster::check_selectors,
    cluster::check_order,
];

/// All findings, by object and field.
///
/// ```
/// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/shop.rs")); }
/// # use example::*;
/// use netproof_conformance::lint::{Code, LintContext, lint};
///
/// let mut shop = shop();
/// shop.pods[0].labels.insert("app".to_owned(), "wbe".to_owned());
/// let findings = lint(&shop, LintContext::default());
/// assert_eq!(findings[0].code, Code::AlmostPeer);
/// assert_eq!(findings[0].field, "spec.ingress[0].from[0].podSelector");
/// ```
pub fn lint(snapshot: &Snapshot, known: LintContext<'_>) -> Vec<LintFinding> {
    let census = Census::take(snapshot, known);
    let mut findings: Vec<LintFinding> = CHECKS.iter().flat_map(|check| check(&census)).collect();
    findings.sort();
    findings.dedup();
    findings
}

/// Where a finding is.
struct FindingPlace {
    object: Object,
    field: String,
}

impl FindingPlace {
    fn of(policy: &Policy, field: impl Into<String>) -> Self {
        Self { object: Object::NetworkPolicy(policy.name.clone()), field: field.into() }
    }

    fn find(self, code: Code, sentence: impl Into<String>, fix: impl Into<String>) -> LintFinding {
        let (sentence, fix) = (sentence.into(), fix.into());
        LintFinding { object: self.object, field: self.field, code, sentence, fix }
    }
}

/// The rules of a policy for the directions that it isolates.
fn rules_of(policy: &Policy) -> impl Iterator<Item = (Direction, &[Rule])> {
    Direction::BOTH.into_iter().filter_map(|direction| match policy.isolation(direction) {
        Isolation::Open => None,
        Isolation::Isolated(rules) => Some((direction, rules.as_slice())),
    })
}

#[cfg(test)]
#[path = "lint_tests.rs"]
mod tests;
