//! How long it takes to name what a network does wrong: 2,000 flows between 50 pods on 10 nodes,
//! under 50 policies.

use divan::{Bencher, black_box};
use netproof_conformance::{
    compiled::{Answer, Compiled},
    diagnosis::{
        Diagnosis, Evidence, Observation, diagnose,
        mutation::{Mutation, Past},
    },
    flow::Flow,
    snapshot::Snapshot,
    verdict::Outcome,
};

use crate::cluster::{self, Random, Size};

const SIZE: Size = Size { pods: 50, policies: 50, namespaces: 5, workloads: 25 };
const FLOWS: usize = 2_000;
const NODES: usize = 10;

fn snapshot() -> Snapshot {
    let mut snapshot = cluster::snapshot(SIZE);
    for (number, pod) in snapshot.pods.iter_mut().enumerate() {
        pod.node = Some(format!("node-{}", number / (SIZE.pods / NODES)));
    }
    snapshot
}

fn flows() -> Vec<Flow> {
    let mut flows = crate::flows(SIZE.pods);
    flows.extend(crate::flows_from(SIZE.pods, 9));
    flows.truncate(FLOWS);
    flows
}

/// What is seen of a network with these faults, one after the other.
fn observations(snapshot: &Snapshot, faults: &[&str]) -> Vec<Observation> {
    let apply = |before: Snapshot, name: &&str| {
        Mutation::named(name).expect("a mutation").apply(&before, &Past::default())
    };
    let network = Compiled::new(faults.iter().fold(snapshot.clone(), apply));
    let outcome = |flow: &Flow| match network.answer(flow) {
        Answer::Allow => Outcome::Connected,
        Answer::Deny | Answer::Unspecified(_) => Outcome::TimedOut,
    };
    flows()
        .iter()
        .map(|flow| Observation { flow: *flow, outcome: outcome(flow), flaps: false })
        .collect()
}

fn measure(bencher: Bencher, faults: &[&str], noise: usize, name: &str) {
    let snapshot = snapshot();
    let mut observations = observations(&snapshot, faults);
    let mut random = Random::new(3);
    for _ in 0..noise {
        let wrong = random.below(observations.len());
        observations[wrong].outcome = match observations[wrong].outcome {
            Outcome::Connected => Outcome::TimedOut,
            _ => Outcome::Connected,
        };
    }
    let evidence =
        Evidence { snapshot: &snapshot, observations, unprobed: vec![], pasts: vec![], time: None };
    let found: Diagnosis = diagnose(&evidence);
    assert_eq!(found.name(), name, "{found}");
    bencher.bench_local(|| diagnose(black_box(&evidence)).next_probes().len());
}

#[divan::bench(sample_count = 10)]
fn one_fault(bencher: Bencher) {
    measure(bencher, &["ignores-egress"], 0, "ignores-egress");
}

#[divan::bench(sample_count = 3)]
fn two_faults(bencher: Bencher) {
    measure(bencher, &["ignores-ports", "own-namespace-only"], 0, "combination");
}

/// Every search is made in vain.
#[divan::bench(sample_count = 3)]
fn no_known_fault(bencher: Bencher) {
    measure(bencher, &["ignores-egress"], 20, "unexplained");
}
