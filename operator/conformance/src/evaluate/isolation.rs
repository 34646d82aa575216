//! Asks the tier of `NetworkPolicies`: a pod that one of them isolates receives, or sends, what
//! their rules admit and nothing else.

use super::admits::Side;
use crate::{
    expected::Decision,
    policy::{Isolation, Peers, Policy, Ports, Rule},
    reference::RuleRef,
};

/// What the `NetworkPolicies` decide; nothing where none of them isolates the subject.
pub(super) fn ask(side: &Side<'_>) -> Option<Decision> {
    let isolating: Vec<_> = isolating(side).collect();
    let admitting = isolating.iter().flat_map(|(policy, rules)| {
        rules.iter().enumerate().filter_map(|(index, rule)| admits(side, policy, index, rule))
    });
    let mut rules: Vec<RuleRef> = admitting.collect();
    rules.sort();
    let mut policies: Vec<_> = isolating.iter().map(|(policy, _)| policy.name.clone()).collect();
    policies.sort();
    match (policies.is_empty(), rules.is_empty()) {
        (true, _) => None,
        (false, true) => Some(Decision::DeniedBy(policies)),
        (false, false) => Some(Decision::AllowedBy(rules)),
    }
}

/// The policies that isolate the subject, each with its rules.
pub(crate) fn isolating<'a>(side: &Side<'a>) -> impl Iterator<Item = (&'a Policy, &'a [Rule])> {
    let direction = side.direction;
    side.policies.network.iter().filter_map(move |policy| match policy.isolation(direction) {
        Isolation::Open => None,
        Isolation::Isolated(rules) => Some((*policy, rules.as_slice())),
    })
}

/// The name of the rule, with the first peer and the first port by which it admits the flow; none
/// if it does not admit the flow.
pub(crate) fn admits(
    side: &Side<'_>,
    policy: &Policy,
    index: usize,
    rule: &Rule,
) -> Option<RuleRef> {
    let peer = match &rule.peers {
        Peers::Everyone => None,
        Peers::Only(peers) => {
            Some(peers.iter().position(|peer| side.is_peer(peer, &policy.name.namespace))?)
        }
    };
    let port = match &rule.ports {
        Ports::All => None,
        Ports::Only(ports) => Some(ports.iter().position(|port| side.is_port(port))?),
    };
    let (policy, direction) = (policy.name.clone(), side.direction);
    Some(RuleRef { policy, direction, rule: index, peer, port })
}
