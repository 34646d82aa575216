//! Holds the cases against the predictor, and against the list of what needs one.

mod check;
mod diagnoses;

use std::collections::{BTreeMap, BTreeSet};

use netproof_cases::{About, Case, CaseFile, law};
use netproof_conformance::kinds::ClusterPolicyKind;

/// The numbers of Kubernetes' own end-to-end cases that exist for UDP and SCTP too.
const UPSTREAM_OTHER_PROTOCOLS: [u32; 3] = [1, 13, 14];

#[test]
fn every_case_holds() {
    let files = files();
    let reports: Vec<_> = files.iter().map(check::check).collect();
    let cases: usize = files.iter().map(|file| file.cases.len()).sum();
    let cells: usize = reports.iter().map(|report| report.cells).sum();
    println!("{cases} cases, {cells} cells");
    let failures: Vec<_> = reports.into_iter().flat_map(|report| report.failures).collect();
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn every_line_of_the_law_has_a_case() {
    let shown: BTreeSet<u32> = cases().flat_map(|case| case.law).collect();
    let lines = law().expect("the law is readable").into_iter();
    let missing: Vec<u32> = lines
        .filter(|line| line.about == About::Policies && !shown.contains(&line.number))
        .map(|line| line.number)
        .collect();
    assert!(missing.is_empty(), "no case shows lines {missing:?}");
}

#[test]
fn every_kind_of_policy_has_a_case_and_a_row() {
    let snapshots: Vec<_> = cases().map(|case| case.snapshot).collect();
    let shown: BTreeSet<ClusterPolicyKind> = snapshots
        .iter()
        .flat_map(|snapshot| &snapshot.cluster_policies)
        .map(|policy| policy.name.kind)
        .collect();
    assert_eq!(shown, ClusterPolicyKind::ALL.into());
    assert!(snapshots.iter().any(|snapshot| !snapshot.policies.is_empty()));
}

#[test]
fn every_upstream_case_is_here() {
    let shown: BTreeSet<String> = cases().flat_map(|case| case.upstream).collect();
    let others = UPSTREAM_OTHER_PROTOCOLS.iter().flat_map(|n| [format!("U{n}"), format!("S{n}")]);
    let all: BTreeSet<String> = (1..=42).map(|n| format!("E{n}")).chain(others).collect();
    assert_eq!(shown, all);
}

/// How many cases have to tell each fault from all others.
const NAMED: usize = 3;

#[test]
fn every_fault_is_found_where_it_shows() {
    let mut tallies = BTreeMap::new();
    let worlds: Vec<_> = files().iter().flat_map(diagnoses::worlds).collect();
    let wrong: Vec<_> =
        worlds.iter().flat_map(|world| diagnoses::diagnoses(world, &mut tallies)).collect();
    for (name, tally) in &tallies {
        println!(
            "{name:28} shows in {:3} of {} cases, named in {:3}",
            tally.shows,
            worlds.len(),
            tally.named
        );
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    let unnamed: Vec<_> =
        tallies.iter().filter(|(_, tally)| tally.named < NAMED).map(|(name, _)| name).collect();
    assert!(unnamed.is_empty(), "named in too few cases: {unnamed:?}");
}

fn files() -> Vec<CaseFile> {
    netproof_cases::files().unwrap_or_else(|error| panic!("{error}"))
}

fn cases() -> impl Iterator<Item = Case> {
    files().into_iter().flat_map(|file| file.cases)
}
