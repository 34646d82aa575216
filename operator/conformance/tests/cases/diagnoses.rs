//! Holds the diagnosis against the cases: a network with a fault is seen doing what the fault makes
//! of a case's policies, and the diagnosis has to name that fault, or one that is the same there.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use netproof_cases::{Case, CaseFile};
use netproof_conformance::{
    compiled::{Answer, Compiled},
    diagnosis::{
        Candidate, Diagnosis, Evidence, Observation, diagnose,
        mutation::{MUTATIONS, Mutation, Past},
        scope::Scope,
    },
    flow::{End, Family, Flow, PodId, Port, Protocol},
    snapshot::Snapshot,
    verdict::Outcome,
};

/// In how many cases of a cluster a fault shows, and in how many it is named.
#[derive(Clone, Copy, Default)]
pub struct Tally {
    /// Cases in which something is not as the policies say.
    pub shows: usize,
    /// Cases in which the diagnosis names the fault.
    pub named: usize,
}

/// The small clusters of a file, each with the flows that are seen.
pub fn worlds(file: &CaseFile) -> Vec<(String, Snapshot, Vec<Flow>)> {
    let world = |case: &Case| {
        let snapshot = &case.snapshot;
        let is_ours = snapshot.cluster_policies.is_empty() && !snapshot.policies.is_empty();
        is_ours.then(|| (case.claim.clone(), snapshot.clone(), flows(case)))
    };
    file.cases.iter().filter_map(world).collect()
}

/// All flows between pods on the ports that a case asks about and on those beside them, and the
/// flows to addresses that it asks about.
fn flows(case: &Case) -> Vec<Flow> {
    let snapshot = &case.snapshot;
    let drawn: Vec<Flow> = case.cells.iter().map(|cell| cell.flow).collect();
    let asked: BTreeSet<Port> = drawn.iter().map(|flow| flow.port).collect();
    let ports: BTreeSet<Port> = asked.into_iter().flat_map(neighbours).collect();
    let is_dual = snapshot.pods.iter().flat_map(|pod| &pod.addresses).any(IpAddr::is_ipv6);
    let families = if is_dual { vec![Some(Family::IPv4), Some(Family::IPv6)] } else { vec![None] };
    let pods: Vec<End> = (0u32..).zip(&snapshot.pods).map(|(id, _)| End::Pod(PodId(id))).collect();
    let mut flows: BTreeSet<Flow> = drawn
        .into_iter()
        .filter(|flow| matches!((flow.from, flow.to), (End::Pod(_), End::Address(_))))
        .collect();
    for &from in &pods {
        for &to in &pods {
            for &port in &ports {
                flows.extend(families.iter().map(|&family| Flow { from, to, port, family }));
            }
        }
    }
    flows.into_iter().collect()
}

fn neighbours(port: Port) -> Vec<Port> {
    let Port { number, protocol } = port;
    let numbers = [number.saturating_sub(1).max(1), number, number.saturating_add(1)];
    let beside = numbers.map(|number| Port { number, protocol });
    let others = [Protocol::Tcp, Protocol::Udp, Protocol::Sctp];
    let others = others.map(|protocol| Port { number, protocol });
    beside.into_iter().chain(others).collect()
}

/// What a network does with flows, where it is certain to do anything.
pub fn seen(network: &Snapshot, flows: &[Flow]) -> Vec<Observation> {
    let network = Compiled::new(network.clone());
    let observation = |flow: &Flow| {
        let outcome = match network.answer(flow) {
            Answer::Allow => Outcome::Connected,
            Answer::Deny => Outcome::TimedOut,
            Answer::Unspecified(_) => return None,
        };
        Some(Observation { flow: *flow, outcome, flaps: false })
    };
    flows.iter().filter_map(observation).collect()
}

/// What a diagnosis says of each fault in a world, or what is wrong with it.
pub fn diagnoses(
    (claim, snapshot, flows): &(String, Snapshot, Vec<Flow>),
    tallies: &mut BTreeMap<&'static str, Tally>,
) -> Vec<String> {
    let mut wrong = vec![];
    for mutation in MUTATIONS.iter().filter(|one| !one.remembers()) {
        let network = mutation.apply(snapshot, &Past::default());
        let observations = seen(&network, flows);
        let evidence =
            Evidence { snapshot, observations, unprobed: vec![], pasts: vec![], time: None };
        let tally = tallies.entry(mutation.name).or_default();
        match diagnose(&evidence) {
            Diagnosis::NoEvidence | Diagnosis::Conforms { .. } => {}
            Diagnosis::Explained(explained) => {
                tally.shows += 1;
                let is = |one: &Candidate| is_everywhere(one, mutation);
                if is(&explained.chosen) {
                    tally.named += 1;
                } else if !explained.rivals.iter().chain(&explained.equivalents).any(is) {
                    wrong.push(format!("{claim}: {}: {explained}", mutation.name));
                }
                let strictly = explained.explains == explained.findings;
                if is(&explained.chosen) && !strictly {
                    wrong.push(format!("{claim}: {}: {explained}", mutation.name));
                }
            }
            other @ (Diagnosis::OfTime(_) | Diagnosis::Unexplained(_)) => {
                tally.shows += 1;
                wrong.push(format!("{claim}: {}: {other}", mutation.name));
            }
        }
    }
    wrong
}

fn is_everywhere(candidate: &Candidate, mutation: &Mutation) -> bool {
    matches!(candidate.faults.as_slice(), [one]
        if one.mutation == mutation && one.scope == Scope::Cluster)
}
