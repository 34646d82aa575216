//! Finds pods with isolated egress and no way to look up names.

use std::collections::BTreeSet;

use super::{Census, Code, FindingPlace, LintFinding};
use crate::{
    flow::{Direction, Protocol},
    lint::covers,
    policy::{Isolation, MatchedPorts, Namespaces, Peer, Peers, Policy, PortMatch, Ports, Rule},
};

/// The ports of pods that answer DNS: 53, and 5353 where the Service of DNS leads there
/// (`OpenShift`).
const DNS: [u16; 2] = [53, 5353];

pub(super) fn check(census: &Census<'_>) -> Vec<LintFinding> {
    let namespaces = census.policies.iter();
    namespaces.flat_map(|(namespace, policies)| of_namespace(census, namespace, policies)).collect()
}

/// A policy with its rules for egress, which it isolates.
type Isolating<'a> = (&'a Policy, &'a [Rule]);

fn of_namespace(census: &Census<'_>, namespace: &str, policies: &[&Policy]) -> Vec<LintFinding> {
    let isolating: Vec<Isolating<'_>> = policies
        .iter()
        .filter_map(|policy| match policy.isolation(Direction::Egress) {
            Isolation::Open => None,
            Isolation::Isolated(rules) => Some((*policy, rules.as_slice())),
        })
        .collect();
    // Of pods that lack the same by the same policy, only the first is told of.
    let mut told = BTreeSet::new();
    let mut findings: Vec<LintFinding> = Vec::new();
    let mut add = |found: Option<LintFinding>| {
        findings.extend(found.filter(|found| told.insert((found.object.clone(), found.code))));
    };
    let pods = census.in_namespace(namespace);
    for class in pods {
        let selecting =
            isolating.iter().filter(|(policy, _)| policy.subjects.matches(class.labels));
        let who = class.example.1.name.to_string();
        add(of_pod(&selecting.copied().collect::<Vec<_>>(), &who));
    }
    if pods.is_empty() {
        for (policy, _) in &isolating {
            let selecting = isolating
                .iter()
                .filter(|(other, _)| covers::selector(&other.subjects, &policy.subjects));
            add(of_pod(&selecting.copied().collect::<Vec<_>>(), "a pod"));
        }
    }
    findings
}

/// The finding about what all policies that isolate a pod lack together, at the policy with the
/// fewest rules.
fn of_pod(isolating: &[Isolating<'_>], who: &str) -> Option<LintFinding> {
    let (policy, _) = isolating.iter().min_by_key(|(policy, rules)| (rules.len(), &policy.name))?;
    let rules = || isolating.iter().flat_map(|(_, rules)| rules.iter());
    let by = |protocol| rules().any(|rule| admits_dns(rule, protocol));
    let fix = "Add an egress rule for 53/UDP and 53/TCP to the cluster's DNS.";
    let (code, sentence, fix) = match (by(Protocol::Udp), by(Protocol::Tcp)) {
        (true, true) => return None,
        (true, false) => (
            Code::NoDnsByTcp,
            format!("{who} may look up names by UDP, and not by TCP."),
            "Add 53/TCP to the ports of the rule.",
        ),
        (false, _) if rules().next().is_none() => {
            (Code::NoEgressNorDns, format!("{who} may send nothing, and so look up no names."), fix)
        }
        (false, _) => (Code::NoDns, format!("No rule lets {who} look up names."), fix),
    };
    Some(FindingPlace::of(policy, "spec.egress").find(code, sentence, fix))
}

/// Whether a rule admits DNS: for its port to anyone, or for every port to anyone who may answer.
fn admits_dns(rule: &Rule, protocol: Protocol) -> bool {
    match &rule.ports {
        Ports::All => may_answer(&rule.peers),
        Ports::Only(ports) => ports.iter().any(|port| {
            port.protocol == protocol && (is_dns(port) || is_among(port) && may_answer(&rule.peers))
        }),
    }
}

fn is_dns(port: &PortMatch) -> bool {
    match &port.numbers {
        MatchedPorts::Any => false,
        MatchedPorts::Range { first, last } => first == last && DNS.contains(first),
        MatchedPorts::Named(name) => name.contains("dns") || name.contains("domain"),
    }
}

fn is_among(port: &PortMatch) -> bool {
    match &port.numbers {
        MatchedPorts::Any => true,
        MatchedPorts::Range { first, last } => DNS.iter().any(|dns| (*first..=*last).contains(dns)),
        MatchedPorts::Named(_) => false,
    }
}

/// Whether these peers may answer DNS, which is in another namespace than the pods that ask, or on
/// their nodes.
fn may_answer(peers: &Peers) -> bool {
    match peers {
        Peers::Everyone => true,
        Peers::Only(peers) => peers.iter().any(|peer| match peer {
            Peer::Addresses(_) | Peer::Pods { namespaces: Namespaces::Matching(_), .. } => true,
            Peer::Pods { namespaces: Namespaces::Own, .. } => false,
        }),
    }
}
