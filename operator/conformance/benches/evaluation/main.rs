//! How fast flows are answered, and how the cost grows with the cluster.

mod cluster;
mod diagnosing;
mod plan;

use cluster::Size;
use divan::{Bencher, black_box, counter::ItemsCount};
use netproof_conformance::{
    compiled::{Answer, Compiled, PairAnswers},
    evaluate,
    expected::Expected,
    explain,
    flow::{End, Flow, PodId, Port, Protocol},
    lint,
};

/// The cluster of the issue: 10,000 pods, 2,000 policies, 100 namespaces.
const LARGE: Size = Size { pods: 10_000, policies: 2_000, namespaces: 100, workloads: 2_000 };

const PORT: Port = Port { number: 8080, protocol: Protocol::Tcp };

fn main() {
    divan::main();
}

fn everyone(pods: usize) -> Vec<PodId> {
    (0u32..).map(PodId).take(pods).collect()
}

/// Flows between pods that come in no order.
fn flows(pods: usize) -> Vec<Flow> {
    flows_from(pods, 7)
}

fn flows_from(pods: usize, seed: u64) -> Vec<Flow> {
    let mut random = cluster::Random::new(seed);
    let mut pod = || End::Pod(PodId(u32::try_from(random.below(pods)).expect("few pods")));
    (0..SOME).map(|_| Flow { from: pod(), to: pod(), port: PORT, family: None }).collect()
}

/// Objects already parsed, to the counts of all pairs.
#[divan::bench(sample_count = 20)]
fn all_pairs_from_objects(bencher: Bencher) {
    let receivers = everyone(LARGE.pods);
    bencher
        .counter(ItemsCount::new(LARGE.pods * LARGE.pods))
        .with_inputs(|| cluster::snapshot(LARGE))
        .bench_values(|snapshot| Compiled::new(snapshot).pairs(PORT, &receivers).counts());
}

/// One more port of a cluster that is compiled.
#[divan::bench(sample_count = 20)]
fn all_pairs_on_one_more_port(bencher: Bencher) {
    let (compiled, receivers) = (Compiled::new(cluster::snapshot(LARGE)), everyone(LARGE.pods));
    bencher
        .counter(ItemsCount::new(LARGE.pods * LARGE.pods))
        .bench_local(|| black_box(&compiled).pairs(PORT, &receivers).counts());
}

/// A policy changes: from the old matrix to the counts of the new one.
#[divan::bench(sample_count = 20)]
fn all_pairs_after_a_policy_changed(bencher: Bencher) {
    let compiled = Compiled::new(cluster::snapshot(LARGE));
    let policies = compiled.snapshot().policies.clone();
    let mut matrix = PairAnswers::new(compiled, PORT, everyone(LARGE.pods));
    let mut number = 0;
    bencher.bench_local(|| {
        number += 1;
        let mut policy = policies[number].clone();
        policy.ingress.clone_from(&policies[number + 1].ingress);
        matrix.replace(policy);
        matrix.pairs().counts()
    });
}

/// A thousand flows, one after the other.
const SOME: usize = 1_000;

#[divan::bench]
fn flows_of_a_compiled_snapshot(bencher: Bencher) {
    let (compiled, flows) = (Compiled::new(cluster::snapshot(LARGE)), flows(LARGE.pods));
    bencher.counter(ItemsCount::new(SOME)).bench_local(|| {
        flows.iter().filter(|flow| compiled.answer(black_box(flow)) == Answer::Allow).count()
    });
}

#[divan::bench]
fn flows_explained(bencher: Bencher) {
    let (compiled, flows) = (Compiled::new(cluster::snapshot(LARGE)), flows(LARGE.pods));
    bencher.counter(ItemsCount::new(SOME)).bench_local(|| {
        flows
            .iter()
            .filter(|flow| matches!(compiled.expect(black_box(flow)), Expected::Allow(_)))
            .count()
    });
}

/// What all of these are held against: nothing is prepared.
#[divan::bench]
fn flows_of_a_plain_snapshot(bencher: Bencher) {
    let (snapshot, flows) = (cluster::snapshot(LARGE), flows(LARGE.pods));
    bencher.counter(ItemsCount::new(SOME)).bench_local(|| {
        flows
            .iter()
            .filter(|flow| {
                matches!(evaluate::expect(&snapshot, black_box(flow)), Expected::Allow(_))
            })
            .count()
    });
}

/// The sentences of one flow.
#[divan::bench]
fn one_explanation(bencher: Bencher) {
    let (snapshot, flows) = (cluster::snapshot(LARGE), flows(LARGE.pods));
    let mut next = flows.iter().cycle();
    bencher.bench_local(|| {
        next.next().map(|flow| explain::explain(&snapshot, black_box(flow)).to_string())
    });
}

#[divan::bench(sample_count = 3)]
fn lint_all_policies(bencher: Bencher) {
    let snapshot = cluster::snapshot(LARGE);
    bencher.bench_local(|| lint::lint(black_box(&snapshot), lint::LintContext::default()).len());
}

/// The curve: the same 2,000 workloads, ever more pods of them.
#[divan::bench(args = [100, 1_000, 10_000, 100_000], sample_count = 5)]
fn all_pairs_by_pods(bencher: Bencher, pods: usize) {
    let size = Size { pods, ..LARGE };
    let receivers = everyone(pods);
    bencher
        .counter(ItemsCount::new(pods * pods))
        .with_inputs(|| cluster::snapshot(size))
        .bench_values(|snapshot| Compiled::new(snapshot).pairs(PORT, &receivers).counts());
}

/// The other curve: 10,000 pods, of ever more different behaviours.
#[divan::bench(args = [10, 100, 1_000, 10_000], sample_count = 5)]
fn all_pairs_by_workloads(bencher: Bencher, workloads: usize) {
    let size = Size { workloads, ..LARGE };
    let receivers = everyone(size.pods);
    bencher
        .counter(ItemsCount::new(size.pods * size.pods))
        .with_inputs(|| cluster::snapshot(size))
        .bench_values(|snapshot| Compiled::new(snapshot).pairs(PORT, &receivers).counts());
}
