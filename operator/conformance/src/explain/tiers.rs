//! Tells in which order the cluster policies of a tier are asked, and what each does with a flow.

use super::{ServiceRoute, misses::ExaminedSide, rules::Lacks};
use crate::{
    evaluate::{Match, Side},
    expected::Unspecified,
    policy::cluster::{Action, ClusterPolicy, ClusterPorts, ClusterRule, Priority, Tier},
    reference::{ClusterPolicyRef, ClusterRuleRef},
};

/// A policy of the cluster that applies to the pod.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClusterTold {
    /// The kind and name of the policy, which has the pod as a subject.
    pub policy: ClusterPolicyRef,
    /// The priority in its tier. Among policies of one priority a network may apply any that
    /// matches; here they are in order of kind and name.
    pub priority: Priority,
    /// The rules for the direction, in their order, down to the first that matches. Never empty.
    pub rules: Vec<ClusterRuleTold>,
}

impl ClusterTold {
    /// What the policy does with the flow by the letter: the action of the last rule, if that
    /// matches.
    pub fn action(&self) -> Option<Action> {
        match self.rules.last() {
            Some(ClusterRuleTold { says, does: ClusterDoes::Matches(_) }) => Some(says.action),
            Some(_) | None => None,
        }
    }
}

/// A rule of a policy of the cluster, and what it does with the flow.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClusterRuleTold {
    /// The rule itself, as it was compiled.
    pub says: ClusterRule,
    /// What the rule does with the flow.
    pub does: ClusterDoes,
}

/// What a rule of a policy of the cluster does with a flow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClusterDoes {
    /// The rule matches, by this peer and this port, and its action is taken.
    Matches(ClusterRuleRef),
    /// Whether the rule matches is not known, and why. By the letter it does not.
    Perhaps(Unspecified),
    /// The rule does not match the flow, for want of this.
    Lacks(Lacks),
}

/// Whether a tier decides, so that no other is asked.
pub(super) fn decides(told: &[ClusterTold]) -> bool {
    match told.iter().find_map(ClusterTold::action) {
        Some(Action::Accept | Action::Deny) => true,
        Some(Action::Pass) | None => false,
    }
}

/// The policies of a tier that apply to the subject and say something of the direction, in their
/// order, down to the first that matches and those of its priority.
pub(super) fn tell(side: &Side<'_>, tier: Tier, services: &[ServiceRoute]) -> Vec<ClusterTold> {
    let seen = ExaminedSide { side, services };
    let policies = side.cluster_policies().iter().copied();
    let speaks = |policy: &&ClusterPolicy| !policy.rules(side.direction).is_empty();
    let mut applying: Vec<&ClusterPolicy> =
        policies.filter(|policy| policy.tier == tier).filter(speaks).collect();
    applying.sort_by(|one, other| (one.priority, &one.name).cmp(&(other.priority, &other.name)));
    let mut told: Vec<ClusterTold> = Vec::new();
    let mut matched: Option<Priority> = None;
    for policy in applying {
        if matched.is_some_and(|priority| priority != policy.priority) {
            break;
        }
        let one = policy_told(&seen, policy);
        if one.action().is_some() {
            matched = Some(policy.priority);
        }
        told.push(one);
    }
    told
}

fn policy_told(seen: &ExaminedSide<'_>, policy: &ClusterPolicy) -> ClusterTold {
    let mut rules = Vec::new();
    for (index, rule) in policy.rules(seen.side.direction).iter().enumerate() {
        let does = does(seen, policy, index, rule);
        let is_last = matches!(does, ClusterDoes::Matches(_));
        rules.push(ClusterRuleTold { says: rule.clone(), does });
        if is_last {
            break;
        }
    }
    ClusterTold { policy: policy.name.clone(), priority: policy.priority, rules }
}

fn does(
    seen: &ExaminedSide<'_>,
    policy: &ClusterPolicy,
    index: usize,
    rule: &ClusterRule,
) -> ClusterDoes {
    match seen.side.matches(rule) {
        Match::Yes { peer, port } => ClusterDoes::Matches(ClusterRuleRef {
            policy: policy.name.clone(),
            direction: seen.side.direction,
            rule: index,
            peer,
            port,
        }),
        Match::Maybe(why) => ClusterDoes::Perhaps(why),
        Match::No => ClusterDoes::Lacks(lacks(seen, rule)),
    }
}

/// What a rule lacks that is known not to match.
fn lacks(seen: &ExaminedSide<'_>, rule: &ClusterRule) -> Lacks {
    let ports = match &rule.ports {
        ClusterPorts::All => Vec::new(),
        ClusterPorts::Only(ports) => seen.cluster_ports(ports),
    };
    Lacks::of(seen.cluster_peers(&rule.peers), ports)
        .expect("a rule that does not match has a list that does not")
}
