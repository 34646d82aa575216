//! Finds rules for peers that their own policies stop.

use std::collections::BTreeSet;

use super::{Census, Code, FindingPlace, LintFinding, census::PodClass};
use crate::{
    evaluate::expect,
    expected::{Decision, Expected, Ruling},
    flow::{Direction, End, Flow, PodId, Port},
    phrases,
    pod::Pod,
    policy::{Isolation, MatchedPorts, Peers, Policy, PortMatch, Ports},
    snapshot::Snapshot,
};

/// How many different peers, and subjects, are asked. Where there are more, nothing is told.
const MOST: usize = 4;

pub(super) fn check(census: &Census<'_>) -> Vec<LintFinding> {
    let policies = census.snapshot.policies.iter();
    policies.flat_map(|policy| of_policy(census, policy)).collect()
}

fn of_policy<'a>(census: &Census<'a>, policy: &'a Policy) -> Vec<LintFinding> {
    let Isolation::Isolated(rules) = policy.isolation(Direction::Ingress) else {
        return Vec::new();
    };
    let subjects: Vec<_> = census.subjects(policy).take(MOST + 1).collect();
    if subjects.len() > MOST {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for (index, rule) in rules.iter().enumerate() {
        let Peers::Only(peers) = &rule.peers else { continue };
        let Some(port) = one_port(&rule.ports) else { continue };
        for (place, peer) in peers.iter().enumerate() {
            let Some(found) = census.peers(peer, &policy.name.namespace) else { continue };
            if found.len() > MOST {
                continue;
            }
            let found: Vec<_> = found.iter().map(|class| &census.classes[*class]).collect();
            let pairs = || found.iter().flat_map(|from| subjects.iter().map(move |to| (from, to)));
            let stops = |(from, to): (&&PodClass<'_>, &&PodClass<'_>)| {
                stopped(census, from.example.1, to.example.1, port)
            };
            let Some((from, to)) = pairs().next() else { continue };
            let Some(by) = stops((from, to)).filter(|_| pairs().all(|pair| stops(pair).is_some()))
            else {
                continue;
            };
            let (from, to) = (&from.example.1.name, &to.example.1.name);
            let field = phrases::peer_field(Direction::Ingress, index, place);
            findings.push(FindingPlace::of(policy, field).find(
                Code::OneSided,
                format!("{from} may not send to {to}: {by} stops it."),
                format!("Let egress of {from} admit {to} on {port} too."),
            ));
        }
    }
    findings
}

/// What stops the sender on its own side; none if nothing does. The answer comes from a snapshot of
/// the two pods' namespaces alone, since the policies of no other decide.
fn stopped(census: &Census<'_>, from: &Pod, to: &Pod, port: Port) -> Option<String> {
    // The API leaves open whether policies apply to what a pod sends to itself.
    if from.name == to.name {
        return None;
    }
    let names = BTreeSet::from([&*from.name.namespace, &*to.name.namespace]);
    let labels = |name: &&str| Some(((*name).to_owned(), census.namespaces.get(name)?.clone()));
    let both = Snapshot {
        namespaces: names.iter().filter_map(labels).collect(),
        pods: vec![from.clone(), to.clone()],
        policies: names
            .iter()
            .filter_map(|name| census.policies.get(name))
            .flatten()
            .map(|policy| (*policy).clone())
            .collect(),
        cluster_policies: census.snapshot.cluster_policies.clone(),
        ..Snapshot::default()
    };
    let [from, to] = [0, 1].map(|id| End::Pod(PodId(id)));
    let because = match expect(&both, &Flow { from, to, port, family: None }) {
        Expected::Deny(because) => because,
        Expected::Allow(_) | Expected::Unspecified(_) => return None,
    };
    match because.egress {
        Decision::DeniedBy(policies) => policies.first().map(ToString::to_string),
        Decision::Ruled(Ruling::Deny, rule) => Some(rule.policy.to_string()),
        Decision::Ruled(Ruling::Accept, _)
        | Decision::AllowedBy(_)
        | Decision::NotIsolated
        | Decision::Exempt => None,
    }
}

/// The only port of a rule; none if there are more, on some of which the peers may be let out.
fn one_port(ports: &Ports) -> Option<Port> {
    match ports {
        Ports::Only(ports) => match ports.as_slice() {
            [PortMatch { protocol, numbers: MatchedPorts::Range { first, last } }]
                if first == last =>
            {
                Some(Port { number: *first, protocol: *protocol })
            }
            _ => None,
        },
        Ports::All => None,
    }
}
