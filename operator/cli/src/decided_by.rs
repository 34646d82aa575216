//! The policies and rules that decided a flow, in the form that scripts read.

use netproof_conformance::{
    expected::{Because, Decision, Expected, Ruling},
    flow::{Direction, End, Flow},
    policy::Isolation,
    reference::{ClusterRuleRef, ObjectRef, RuleRef},
    snapshot::Snapshot,
};
use serde::{Serialize, Serializer};

/// What decided both sides of a flow. The help of `predict` specifies its fields.
#[derive(Debug, Serialize)]
pub struct DecidedBy<'a> {
    egress: DecidingSide<'a>,
    ingress: DecidingSide<'a>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct DecidingSide<'a> {
    decision: &'static str,
    isolated_by: Vec<QualifiedName<'a>>,
    allowed_by: Vec<DecidingRule<'a>>,
    denied_by: Vec<DecidingRule<'a>>,
}

/// A name of the form `namespace/name`.
#[derive(Debug)]
struct QualifiedName<'a>(&'a ObjectRef);

impl Serialize for QualifiedName<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self.0)
    }
}

#[derive(Debug, Serialize)]
struct DecidingRule<'a> {
    kind: &'static str,
    policy: DecidingPolicy<'a>,
    #[serde(rename = "rule")]
    place: usize,
    peer: Option<usize>,
    port: Option<usize>,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum DecidingPolicy<'a> {
    OfNamespace(QualifiedName<'a>),
    OfCluster(&'a str),
}

impl<'a> DecidedBy<'a> {
    /// What decided a flow; none if the API leaves it open.
    pub fn of(flow: &Flow, expected: &'a Expected, snapshot: &'a Snapshot) -> Option<Self> {
        let Because { egress, ingress } = match expected {
            Expected::Allow(because) | Expected::Deny(because) => because,
            Expected::Unspecified(_) => return None,
        };
        Some(Self {
            egress: side(egress, Direction::Egress, flow.from, snapshot),
            ingress: side(ingress, Direction::Ingress, flow.to, snapshot),
        })
    }
}

fn side<'a>(
    decision: &'a Decision,
    direction: Direction,
    subject: End,
    snapshot: &'a Snapshot,
) -> DecidingSide<'a> {
    let mut side = DecidingSide {
        decision: if decision.allows() { "Allow" } else { "Deny" },
        isolated_by: Vec::new(),
        allowed_by: Vec::new(),
        denied_by: Vec::new(),
    };
    match decision {
        Decision::Exempt | Decision::NotIsolated => {}
        Decision::AllowedBy(rules) => {
            side.isolated_by = isolating(direction, subject, snapshot);
            side.allowed_by = rules.iter().map(DecidingRule::of_namespace).collect();
        }
        Decision::DeniedBy(policies) => {
            side.isolated_by = policies.iter().map(QualifiedName).collect();
        }
        Decision::Ruled(Ruling::Accept, rule) => {
            side.allowed_by.push(DecidingRule::of_cluster(rule));
        }
        Decision::Ruled(Ruling::Deny, rule) => side.denied_by.push(DecidingRule::of_cluster(rule)),
    }
    side
}

/// The `NetworkPolicies` that isolate an end in a direction, sorted by name.
fn isolating(direction: Direction, subject: End, snapshot: &Snapshot) -> Vec<QualifiedName<'_>> {
    let End::Pod(id) = subject else { return Vec::new() };
    let pod = snapshot.pod(id);
    let policies = snapshot.policies.iter().filter(|policy| {
        policy.selects(pod)
            && match policy.isolation(direction) {
                Isolation::Open => false,
                Isolation::Isolated(_) => true,
            }
    });
    let mut names: Vec<&ObjectRef> = policies.map(|policy| &policy.name).collect();
    names.sort_unstable();
    names.into_iter().map(QualifiedName).collect()
}

impl<'a> DecidingRule<'a> {
    fn of_namespace(rule: &'a RuleRef) -> Self {
        Self {
            kind: "NetworkPolicy",
            policy: DecidingPolicy::OfNamespace(QualifiedName(&rule.policy)),
            place: rule.rule,
            peer: rule.peer,
            port: rule.port,
        }
    }

    fn of_cluster(rule: &'a ClusterRuleRef) -> Self {
        Self {
            kind: rule.policy.kind.word(),
            policy: DecidingPolicy::OfCluster(&rule.policy.name),
            place: rule.rule,
            peer: Some(rule.peer),
            port: rule.port,
        }
    }
}
