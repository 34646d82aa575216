//! How fast a plan is chosen: 20,000 flows, some 250 rules, 45 mutants.

use std::collections::BTreeSet;

use divan::Bencher;
use netproof_conformance::{
    coverage::{Mutant, Survey},
    flow::{End, Flow, PodId, Port, Protocol},
    matrix::{Actor, Cell},
    snapshot::Snapshot,
};

use crate::cluster::{self, Size};

const SIZE: Size = Size { pods: 100, policies: 128, namespaces: 8, workloads: 64 };

fn universe(snapshot: &Snapshot) -> Vec<(Cell, Flow)> {
    let pods = || (0u32..).zip(&snapshot.pods);
    let pairs = pods().flat_map(|one| pods().map(move |other| (one, other)));
    let different = pairs.filter(|((from, _), (to, _))| from != to);
    let flows = different.flat_map(|((from, sender), (to, receiver))| {
        [8080, 443].map(|number| {
            let port = Port { number, protocol: Protocol::Tcp };
            let [from_actor, to_actor] = [sender, receiver].map(|pod| Actor::sole(&pod.name.name));
            let cell = Cell { from: from_actor, to: to_actor, port };
            let [from, to] = [from, to].map(|id| End::Pod(PodId(id)));
            (cell, Flow { from, to, port, family: None })
        })
    });
    flows.collect()
}

/// Each has lost a few policies, so that each is told by other flows, and two have lost none.
fn mutants(snapshot: &Snapshot) -> Vec<Mutant<'static>> {
    let lost = |number: usize| {
        let mut mutant = snapshot.clone();
        let mut place = 0;
        mutant.policies.retain(|_| {
            place += 1;
            place % 43 != number
        });
        Mutant::of(number.to_string(), mutant)
    };
    (0..45).map(lost).collect()
}

#[divan::bench(sample_count = 20)]
fn survey(bencher: Bencher) {
    let snapshot = cluster::snapshot(SIZE);
    let universe = universe(&snapshot);
    bencher
        .with_inputs(|| (snapshot.clone(), universe.clone()))
        .bench_values(|(snapshot, universe)| Survey::new(snapshot, universe));
}

#[divan::bench(sample_count = 20)]
fn choose(bencher: Bencher) {
    let snapshot = cluster::snapshot(SIZE);
    let survey = Survey::new(snapshot.clone(), universe(&snapshot));
    bencher
        .with_inputs(|| mutants(&snapshot))
        .bench_values(|mutants| survey.choose(&BTreeSet::new(), 20_000, &mutants));
}

/// What a status is given after each round.
#[divan::bench(sample_count = 20)]
fn coverage_of_what_was_judged(bencher: Bencher) {
    let snapshot = cluster::snapshot(SIZE);
    let survey = Survey::new(snapshot.clone(), universe(&snapshot));
    let chosen = survey.choose(&BTreeSet::new(), 20_000, &[]);
    bencher.bench_local(|| survey.coverage(&chosen.cells, &chosen.cells, &[]));
}
