//! Finds mistakes in policies of the cluster: whom they select, and what their order leaves without
//! effect.

use std::collections::{BTreeMap, BTreeSet};

use super::{Census, Code, FindingPlace, LintFinding, Object, covers, peers};
use crate::{
    flow::Direction,
    phrases,
    policy::cluster::{
        Action, ClusterPeer, ClusterPolicy, ClusterPort, ClusterPorts, ClusterRule, Priority, Tier,
    },
};

impl FindingPlace {
    fn of_cluster(policy: &ClusterPolicy, field: impl Into<String>) -> Self {
        Self { object: Object::Cluster(policy.name.clone()), field: field.into() }
    }
}

/// Each list of rules with its direction.
fn lists(policy: &ClusterPolicy) -> impl Iterator<Item = (Direction, &[ClusterRule])> {
    Direction::BOTH.into_iter().map(|direction| (direction, policy.rules(direction)))
}

pub(super) fn check_selectors(census: &Census<'_>) -> Vec<LintFinding> {
    let mut findings = Vec::new();
    for policy in &census.snapshot.cluster_policies {
        findings.extend(no_subject(census, policy));
        for (direction, rules) in lists(policy) {
            for (index, rule) in rules.iter().enumerate() {
                for (place, peer) in rule.peers.iter().enumerate() {
                    let ClusterPeer::Pods(wanted) = peer else { continue };
                    let told = peers::nowhere(census, &wanted.namespaces, "")
                        .or_else(|| peers::no_pod(census, &wanted.namespaces, &wanted.pods, ""));
                    let field = phrases::peer_field(direction, index, place);
                    findings.extend(
                        told.map(|told| told.of(FindingPlace::of_cluster(policy, ""), &field)),
                    );
                }
            }
        }
    }
    findings
}

fn no_subject<'a>(census: &Census<'a>, policy: &'a ClusterPolicy) -> Option<LintFinding> {
    let wanted = &policy.subjects;
    let is_somebody = !census.pods_of(&wanted.namespaces, &wanted.pods).is_empty();
    if is_somebody || census.classes.is_empty() {
        return None;
    }
    Some(FindingPlace::of_cluster(policy, "spec.subject").find(
        Code::NoSubject,
        format!("There are no {}.", phrases::pods_of(wanted)),
        "Correct the labels, or remove the policy.",
    ))
}

pub(super) fn check_order(census: &Census<'_>) -> Vec<LintFinding> {
    let mut findings = Vec::new();
    let mut equals: BTreeMap<(Tier, Priority), Vec<&ClusterPolicy>> = BTreeMap::new();
    for policy in &census.snapshot.cluster_policies {
        findings
            .extend(lists(policy).flat_map(|(direction, rules)| in_list(policy, direction, rules)));
        equals.entry((policy.tier, policy.priority)).or_default().push(policy);
    }
    for mut group in equals.into_values() {
        group.sort_by(|one, other| one.name.cmp(&other.name));
        for (index, policy) in group.iter().enumerate() {
            let earlier = group[..index].iter().find_map(|other| disagree(census, other, policy));
            findings.extend(earlier);
        }
    }
    findings
}

fn in_list(
    policy: &ClusterPolicy,
    direction: Direction,
    rules: &[ClusterRule],
) -> Vec<LintFinding> {
    let mut findings = Vec::new();
    for (index, rule) in rules.iter().enumerate() {
        let field = phrases::rule_field(direction, index);
        let earlier = rules[..index].iter().position(|earlier| covers::cluster_rule(earlier, rule));
        if let Some(earlier) = earlier {
            findings.push(FindingPlace::of_cluster(policy, &field).find(
                Code::Unreached,
                format!(
                    "{} matches all that it matches, and {} it first.",
                    phrases::rule_field(direction, earlier),
                    phrases::action(rules[earlier].action)
                ),
                "Put it before the other one, or remove it.",
            ));
        }
        if policy.tier == Tier::Baseline && rule.action == Action::Pass {
            findings.push(FindingPlace::of_cluster(policy, field + ".action").find(
                Code::PassInBaseline,
                "No tier follows, so that what it matches is let through.",
                "Write Accept.",
            ));
        }
    }
    findings
}

/// Whether two policies of one priority have a flow that they decide differently, as far as there
/// are pods for it.
fn disagree(
    census: &Census<'_>,
    one: &ClusterPolicy,
    other: &ClusterPolicy,
) -> Option<LintFinding> {
    let subjects = |policy: &ClusterPolicy| -> BTreeSet<usize> {
        let wanted = &policy.subjects;
        let matching = census.classes.iter().enumerate().filter(|(_, class)| {
            wanted.pods.matches(class.labels)
                && wanted.namespaces.matches(&census.namespaces[class.namespace])
        });
        matching.map(|(index, _)| index).collect()
    };
    let common = *subjects(one).intersection(&subjects(other)).next()?;
    let clash = Direction::BOTH.into_iter().find_map(|direction| {
        other.rules(direction).iter().enumerate().find_map(|(index, rule)| {
            let against = one.rules(direction).iter().position(|earlier| {
                earlier.action != rule.action && overlap(census, earlier, rule)
            })?;
            Some((direction, against, index))
        })
    });
    let (direction, against, index) = clash?;
    Some(FindingPlace::of_cluster(other, "spec.priority").find(
        Code::EqualPriority,
        format!(
            "{} has the same priority and selects {} too, but {} there {} what {} here {}.",
            one.name,
            census.classes[common].example.1.name,
            phrases::rule_field(direction, against),
            phrases::action(one.rules(direction)[against].action),
            phrases::rule_field(direction, index),
            phrases::action(other.rules(direction)[index].action),
        ),
        "Give the one that is to win a lower number.",
    ))
}

fn overlap(census: &Census<'_>, one: &ClusterRule, other: &ClusterRule) -> bool {
    let ports = match (&one.ports, &other.ports) {
        (ClusterPorts::All, _) | (_, ClusterPorts::All) => true,
        (ClusterPorts::Only(one), ClusterPorts::Only(other)) => {
            one.iter().any(|one| other.iter().any(|other| meet(one, other)))
        }
    };
    ports
        && one
            .peers
            .iter()
            .any(|one| other.peers.iter().any(|other| meet_peers(census, one, other)))
}

fn meet(one: &ClusterPort, other: &ClusterPort) -> bool {
    match (one, other) {
        (
            ClusterPort::Range { protocol, first, last },
            ClusterPort::Range { protocol: other, first: other_first, last: other_last },
        ) => protocol == other && first <= other_last && other_first <= last,
        (ClusterPort::Named(one), ClusterPort::Named(other)) => one == other,
        (_, _) => false,
    }
}

fn meet_peers(census: &Census<'_>, one: &ClusterPeer, other: &ClusterPeer) -> bool {
    match (one, other) {
        (ClusterPeer::Pods(one), ClusterPeer::Pods(other)) => census.classes.iter().any(|class| {
            let namespace = &census.namespaces[class.namespace];
            [one, other].iter().all(|wanted| {
                wanted.pods.matches(class.labels) && wanted.namespaces.matches(namespace)
            })
        }),
        (ClusterPeer::Networks(one), ClusterPeer::Networks(other)) => {
            one.iter().any(|one| other.iter().any(|other| covers::overlap(one, other)))
        }
        (_, _) => false,
    }
}
