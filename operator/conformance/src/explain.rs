//! Explains what the policies say of one flow: who is at its ends, which policies were asked, what
//! each of their rules says, and what the rules that do not match lack.
//!
//! The result is [`expect`]'s and is never found anew; the details come from the matching code that
//! [`expect`] uses. Only the policies of the subjects' namespaces and of the cluster are looked at,
//! never the other pods.

mod actor;
mod misses;
mod open;
mod rules;
mod sentences;
mod tiers;

use crate::{
    evaluate::{Applying, Ends, Reading, Side, expect, literal},
    expected::{Because, Decision, Expected, Unspecified},
    flow::{Direction, Flow, Port},
    policy::{cluster::Tier, network_policy::NetworkPolicy},
    reference::ObjectRef,
    select::Selector,
    snapshot::Snapshot,
};

pub use crate::near_miss::NearLabel;
pub use actor::FlowEnd;
pub use misses::{BlockMiss, LabelMiss, NamespaceMiss, PeerMiss, PortMiss};
pub use open::{OpenQuestion, Would};
pub use rules::{Does, Lacks, PolicyTold, RuleTold};
pub use tiers::{ClusterDoes, ClusterRuleTold, ClusterTold};

/// What the policies say of one flow, and how they come to it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Explanation {
    /// The end that opens the flow: the subject of egress.
    pub from: FlowEnd,
    /// The end that receives the flow: the subject of ingress.
    pub to: FlowEnd,
    /// The port of the receiver that the flow is to.
    pub port: Port,
    /// What the policies say of the flow: the answer of [`expect`].
    pub expected: Expected,
    /// How the policies come to that answer.
    pub way: Way,
}

/// How the policies come to what they say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// No policy was asked: the ends have no addresses that the flow could use.
    NotAsked(Unspecified),
    /// Both sides were asked, whatever the first of them said.
    Asked(Box<Courses>),
}

/// Both sides of a flow. Where the API leaves something open, they are told by the letter: no
/// liberty is taken, and what is not known to match does not.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Courses {
    /// What was asked of the sender's policies, and what came of it.
    pub egress: Course,
    /// What was asked of the receiver's policies, and what came of it.
    pub ingress: Course,
    /// What the API leaves open and the flow touches; only where the result is Unspecified.
    pub open: Vec<OpenQuestion>,
}

/// What was asked on one side of a flow, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Course {
    /// The side, as the subject sees it.
    pub direction: Direction,
    /// What decides, by the letter.
    pub decision: Decision,
    /// What was asked until something decided.
    pub asked: Consulted,
}

/// What was asked on one side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Consulted {
    /// Nothing was asked, as this end is an address and no more.
    NoPod,
    /// Nothing was asked, as the traffic comes from the pod's own node.
    OwnNode,
    /// The tiers were asked, until one of them decided.
    Tiers {
        /// The policies of the Admin tier that apply to the pod, in the order in which they were
        /// asked, down to the one that decided.
        admin: Vec<ClusterTold>,
        /// The `NetworkPolicies` that isolate the pod, by name. Empty too if Admin decided.
        isolating: Vec<PolicyTold>,
        /// The policies of the Baseline tier, as in `admin`; empty if something before it decided.
        baseline: Vec<ClusterTold>,
        /// Policies that select the pod and have rules for this direction, which `policyTypes`
        /// makes inert. Only known from the policies as they are written.
        inert: Vec<ObjectRef>,
    },
}

/// What else is known of the cluster, for better hints. It never changes an answer.
#[derive(Clone, Copy, Debug, Default)]
pub struct Background<'a> {
    /// The ports of Services: people write them in policies, where only the pod's port counts.
    pub services: &'a [ServiceRoute],
    /// The policies as they are written: what they compile to has lost the inert rules.
    pub written: &'a [&'a NetworkPolicy],
}

/// A port of a Service, and the port of pods that it leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceRoute {
    /// The name and namespace of the Service.
    pub service: ObjectRef,
    /// The pods behind it, in its namespace.
    pub pods: Selector,
    /// The Service's own port.
    pub port: Port,
    /// The port of each pod that the Service's port leads to (`targetPort`), with the protocol of
    /// `port`.
    pub target: RouteTarget,
}

/// The port of pods that a port of a Service leads to (`targetPort`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RouteTarget {
    /// The port with this number, on each pod.
    Number(u16),
    /// The port that each pod's containers give this name.
    Named(String),
}

/// Explains what the policies say of a flow, by the snapshot alone.
///
/// # Panics
///
/// If the flow is of another snapshot.
///
/// # Example
///
/// ```
/// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/shop.rs")); }
/// # use example::*;
/// use netproof_conformance::explain::explain;
///
/// let explained = explain(&shop(), &flow("job", "db"));
/// assert_eq!(explained.expected.word(), "Deny");
/// let sentences = explained.sentences().join("\n");
/// assert!(sentences.contains("Rule 1 of shop/db (spec.ingress[0])"), "{sentences}");
/// ```
pub fn explain(snapshot: &Snapshot, flow: &Flow) -> Explanation {
    explain_with(snapshot, flow, Background::default())
}

/// Explains what the policies say of a flow, with hints from what else is known.
///
/// # Panics
///
/// If the flow is of another snapshot.
///
/// # Example
///
/// ```
/// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/shop.rs")); }
/// # use example::*;
/// use netproof_conformance::explain::{Background, RouteTarget, ServiceRoute, explain_with};
///
/// // People write a Service's port into a policy, where only the pod's port counts.
/// let web = flow("web", "db");
/// let service = ServiceRoute {
///     service: shop().pods[1].name.clone(),
///     pods: shop().policies[0].subjects.clone(),
///     port: web.port,
///     target: RouteTarget::Number(15432),
/// };
/// let background = Background { services: &[service], written: &[] };
/// assert_eq!(explain_with(&shop(), &web, background).expected.word(), "Allow");
/// ```
pub fn explain_with(snapshot: &Snapshot, flow: &Flow, background: Background<'_>) -> Explanation {
    let expected = expect(snapshot, flow);
    let way = match Ends::resolve(snapshot, flow, |id| Applying::to(snapshot.pod(id), snapshot)) {
        Err(why) => Way::NotAsked(why),
        Ok(ends) => {
            let Because { egress, ingress } = literal(&ends);
            Way::Asked(Box::new(Courses {
                egress: course(&ends, Direction::Egress, egress, background),
                ingress: course(&ends, Direction::Ingress, ingress, background),
                open: match expected {
                    Expected::Unspecified(_) => open::questions(&ends),
                    Expected::Allow(_) | Expected::Deny(_) => Vec::new(),
                },
            }))
        }
    };
    Explanation {
        from: FlowEnd::of(snapshot, flow.from),
        to: FlowEnd::of(snapshot, flow.to),
        port: flow.port,
        expected,
        way,
    }
}

fn course(
    ends: &Ends<'_>,
    direction: Direction,
    decision: Decision,
    background: Background<'_>,
) -> Course {
    let asked = match Side::of(ends, Reading::LITERAL, direction) {
        Some(side) => tiers_of(&side, background),
        None if ends.is_pod(direction) => Consulted::OwnNode,
        None => Consulted::NoPod,
    };
    Course { direction, decision, asked }
}

fn tiers_of(side: &Side<'_>, background: Background<'_>) -> Consulted {
    let inert = rules::inert(side, background.written);
    let admin = tiers::tell(side, Tier::Admin, background.services);
    if tiers::decides(&admin) {
        return Consulted::Tiers { admin, isolating: Vec::new(), baseline: Vec::new(), inert };
    }
    let isolating = rules::tell(side, background.services);
    let baseline = if isolating.is_empty() {
        tiers::tell(side, Tier::Baseline, background.services)
    } else {
        Vec::new()
    };
    Consulted::Tiers { admin, isolating, baseline, inert }
}

#[cfg(test)]
#[path = "explain_tests.rs"]
mod tests;
