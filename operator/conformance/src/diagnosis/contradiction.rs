//! Finds a few observations that no single fault explains together.

use std::collections::BTreeSet;

use super::{
    scope::{Scope, scopes},
    trial::{FlowBehaviour, Trial},
    tried::Tried,
};

/// A set of observations, by their places, of which every single fault contradicts one; without any
/// of them, some fault would not.
///
/// Most faults in a scope that some findings are not in are not tried one by one: such a finding
/// speaks against them all. Nothing but findings that come and go needs no more to be unexplained.
pub(super) fn contradiction(trial: &Trial<'_>, tried: &[Tried]) -> Vec<usize> {
    if trial.steady() == 0 {
        return (0..trial.findings().len()).collect();
    }
    let against = tried.iter().map(|one| one.contradicted_by.iter().copied().collect());
    let each: Vec<BTreeSet<Scope>> =
        trial.findings().iter().map(|finding| scopes(&finding.flow, trial.snapshot)).collect();
    let all: BTreeSet<&Scope> = each.iter().flatten().collect();
    let outside = |scope: &Scope| -> BTreeSet<usize> {
        let outside = each.iter().enumerate().filter(|(_, scopes)| !scopes.contains(scope));
        outside.map(|(place, _)| place).collect()
    };
    // Every finding contradicts that nothing is wrong.
    let nothing =
        trial.findings().iter().enumerate().filter(|(_, one)| one.seen != FlowBehaviour::Both);
    let nothing: BTreeSet<usize> = nothing.map(|(place, _)| place).collect();
    let known: BTreeSet<&Scope> = tried.iter().map(|one| &one.fault.scope).collect();
    let untried =
        all.difference(&known).map(|scope| outside(scope)).filter(|against| !against.is_empty());
    let against: Vec<BTreeSet<usize>> = against
        .chain(untried)
        .chain([nothing])
        .filter(|one: &BTreeSet<_>| !one.is_empty())
        .collect();
    minimal(&against, greedy(&against))
}

/// Chooses observations until every fault is contradicted, each time the one that contradicts most
/// of the faults that no chosen one contradicts yet.
fn greedy(against: &[BTreeSet<usize>]) -> Vec<usize> {
    let mut left: Vec<&BTreeSet<usize>> = against.iter().collect();
    let mut chosen = vec![];
    while !left.is_empty() {
        let places: BTreeSet<usize> = left.iter().flat_map(|one| one.iter().copied()).collect();
        let hits = |place: &usize| left.iter().filter(|one| one.contains(place)).count();
        // Of equals the first is taken, and findings come before what conforms.
        let Some(best) = places.into_iter().rev().max_by_key(hits) else { break };
        left.retain(|one| !one.contains(&best));
        chosen.push(best);
    }
    chosen
}

/// Drops each chosen observation of which the others contradict all faults too.
fn minimal(against: &[BTreeSet<usize>], mut chosen: Vec<usize>) -> Vec<usize> {
    chosen.sort_unstable();
    for place in chosen.clone().into_iter().rev() {
        let without: Vec<usize> = chosen.iter().copied().filter(|one| *one != place).collect();
        if against.iter().all(|one| without.iter().any(|place| one.contains(place))) {
            chosen = without;
        }
    }
    chosen
}
