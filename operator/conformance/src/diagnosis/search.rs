//! Searches for the simplest fault under which every observation conforms.

use std::collections::BTreeSet;

use super::{
    Candidate, Diagnosis, Explained, Fault, Nearest, Unexplained,
    contradiction::contradiction,
    fit::Fit,
    mutation::{MUTATIONS, Past},
    next_probes::next_probes,
    prediction::{Mutated, Sides},
    scope::{Path, Scope, scopes},
    trial::Trial,
    tried::Tried,
};
use crate::{pod::Pod, select::Labels, snapshot::Snapshot};

/// How many combinations of two faults are tried at most where one of the two is on one node only.
/// Each takes about as long as preparing a snapshot, and where every node has findings there are
/// far too many.
const PAIRS: usize = 2_000;

/// How many nodes are considered for combinations of two.
const NODES: usize = 16;

pub(super) fn search(trial: &Trial<'_>) -> Diagnosis {
    let singles = faults(trial, &common_scopes(trial));
    let singles = singles.into_iter().map(|(fault, mutated)| (Candidate::single(fault), mutated));
    let singles = fits(trial, singles);
    if !singles.is_empty() {
        return explained(trial, singles, false);
    }
    let tried = tried(trial);
    let everywhere: Vec<&Tried> =
        tried.iter().filter(|one| one.fault.scope == Scope::Cluster).collect();
    let pairs = fits(trial, mutated(trial, all_pairs(&everywhere)));
    if !pairs.is_empty() {
        return explained(trial, pairs, false);
    }
    let (pairs, capped) = scoped_pairs(trial, &tried);
    let pairs = fits(trial, mutated(trial, pairs));
    if !pairs.is_empty() {
        return explained(trial, pairs, capped);
    }
    Diagnosis::Unexplained(unexplained(trial, &tried, capped))
}

fn mutated(
    trial: &Trial<'_>,
    candidates: Vec<Candidate>,
) -> impl Iterator<Item = (Candidate, Mutated)> {
    candidates.into_iter().map(|candidate| {
        let mutated = candidate.mutate(trial.snapshot, trial.pasts);
        (candidate, mutated)
    })
}

/// The candidates that explain everything.
fn fits(trial: &Trial<'_>, candidates: impl Iterator<Item = (Candidate, Mutated)>) -> Vec<Fit> {
    candidates
        .filter(|(_, mutated)| !trial.refutes(mutated))
        .filter_map(|(candidate, mutated)| {
            let prediction = mutated.predict();
            let explained = trial.fits(&prediction)?;
            let answers = trial.answers(&prediction);
            let changed = answers.iter().zip(trial.truths()).filter(|(one, truth)| *one != truth);
            let changed = changed.count();
            Some(Fit { candidate, explained, answers, changed })
        })
        .collect()
}

fn explained(trial: &Trial<'_>, mut fits: Vec<Fit>, capped: bool) -> Diagnosis {
    fits.sort_by_cached_key(|fit| {
        let open = trial.steady() - fit.explained;
        (fit.candidate.simplicity(), open, fit.changed, fit.candidate.claims())
    });
    let mut fits = fits.into_iter();
    let chosen = fits.next().expect("something fits");
    let others: Vec<Fit> = fits.collect();
    let next_probes = next_probes(trial, &chosen, &others);
    let (rivals, equivalents): (Vec<_>, Vec<_>) =
        others.into_iter().partition(|other| chosen.differs_from(other));
    let candidates = |fits: Vec<Fit>| fits.into_iter().map(|fit| fit.candidate).collect::<Vec<_>>();
    Diagnosis::Explained(Explained {
        chosen: chosen.candidate,
        explains: chosen.explained,
        findings: trial.findings().len(),
        rivals: candidates(rivals),
        equivalents: candidates(equivalents),
        next_probes_count: next_probes.len(),
        next_probes: next_probes.into_iter().take(super::NEXT_PROBES).collect(),
        capped,
    })
}

/// All single faults in these scopes that change something here. A fault of memory is on a node or
/// everywhere, since it is the plugin of a node that remembers. A fault of a path is tried in no
/// other scope.
fn faults(trial: &Trial<'_>, scopes: &[Scope]) -> Vec<(Fault, Mutated)> {
    let nothing = Past::default();
    let mut faults = vec![];
    for mutation in &MUTATIONS {
        let is_of = |scope: &&Scope| match scope {
            Scope::Cluster | Scope::Node(_) => true,
            Scope::Path(_) => !mutation.is_path() && !mutation.remembers(),
            Scope::Namespace(_) | Scope::Pod(_) => !mutation.remembers(),
        };
        let pasts = if mutation.remembers() { trial.pasts } else { std::slice::from_ref(&nothing) };
        for (past, what) in pasts.iter().enumerate() {
            let after = mutation.apply(trial.snapshot, what);
            if is_same(trial.snapshot, &after) {
                continue;
            }
            faults.extend(scopes.iter().filter(is_of).map(|scope| {
                let snapshot = scope.restrict(trial.snapshot, after.clone());
                let mutated = Mutated { snapshot, path: scope.path().cloned() };
                (Fault { mutation, scope: scope.clone(), past }, mutated)
            }));
        }
    }
    faults
}

/// Whether a rewriting left everything that decides as it was. Labels with which it marks pods
/// decide nothing without a policy that names them.
fn is_same(before: &Snapshot, after: &Snapshot) -> bool {
    let decides = |pod: &Pod| {
        let own = pod.labels.iter().filter(|(key, _)| !key.starts_with('\0'));
        own.map(|(key, value)| (key.clone(), value.clone())).collect::<Labels>()
    };
    before.policies == after.policies
        && before.cluster_policies == after.cluster_policies
        && before.namespaces == after.namespaces
        && before.pods.iter().map(decides).eq(after.pods.iter().map(decides))
}

/// The scopes in which all findings are: no other can explain them all.
fn common_scopes(trial: &Trial<'_>) -> Vec<Scope> {
    let all = trial.findings().iter().map(|finding| scopes(&finding.flow, trial.snapshot));
    let common = all.reduce(|common, next| common.intersection(&next).cloned().collect());
    [Scope::Cluster].into_iter().chain(common.unwrap_or_default()).collect()
}

/// Tries every single fault: everywhere, in each scope in which all findings are, on each node that
/// has findings, and on each class of paths.
fn tried(trial: &Trial<'_>) -> Vec<Tried> {
    let all = trial.findings().iter().flat_map(|finding| scopes(&finding.flow, trial.snapshot));
    let all: BTreeSet<Scope> = all.collect();
    let is_node = |scope: &&Scope| matches!(scope, Scope::Node(_));
    let is_class = |scope: &&Scope| matches!(scope, Scope::Path(Path::SameNode | Path::CrossNode));
    let some = all.iter().filter(is_node).take(NODES).chain(all.iter().filter(is_class));
    let scopes: BTreeSet<Scope> = common_scopes(trial).iter().chain(some).cloned().collect();
    let scopes: Vec<Scope> = scopes.into_iter().collect();
    faults(trial, &scopes)
        .into_iter()
        .map(|(fault, mutated)| {
            let prediction = mutated.predict();
            Tried {
                fault,
                explained: trial.explained(&prediction),
                sides: trial.sides(&prediction),
                contradicted_by: trial.contradictions(&prediction),
            }
        })
        .collect()
}

/// All combinations of two of these faults.
fn all_pairs(tried: &[&Tried]) -> Vec<Candidate> {
    let pairs = tried.iter().enumerate().flat_map(|(index, one)| {
        tried[index + 1..].iter().map(move |other| Candidate::pair(&one.fault, &other.fault))
    });
    // One mutation with two pasts is one fault.
    pairs.filter(|pair| pair.faults[0].mutation != pair.faults[1].mutation).collect()
}

/// Combinations of two faults of which at least one is on one node only, those first that are
/// contradicted least; and whether there are more than are tried. Each fault has to change
/// something, and together they have to explain all as if neither had an effect on what the other
/// does. Two faults that meet in one rule are therefore found only everywhere.
fn scoped_pairs(trial: &Trial<'_>, tried: &[Tried]) -> (Vec<Candidate>, bool) {
    let truths: Vec<Sides> = trial.true_sides();
    let useful: Vec<&Tried> = tried
        .iter()
        .filter(|one| matches!(one.fault.scope, Scope::Cluster | Scope::Node(_)))
        .filter(|one| one.sides != truths)
        .collect();
    let mut pairs: Vec<(usize, Candidate)> = vec![];
    for (index, one) in useful.iter().enumerate() {
        for other in &useful[index + 1..] {
            if one.fault.scope == Scope::Cluster && other.fault.scope == Scope::Cluster {
                continue;
            }
            let both = one.sides.iter().zip(&other.sides);
            if both.zip(trial.findings()).all(|((one, other), finding)| finding.may(*one, *other)) {
                let against = one.contradicted_by.len() + other.contradicted_by.len();
                pairs.push((against, Candidate::pair(&one.fault, &other.fault)));
            }
        }
    }
    pairs.sort_by_cached_key(|(against, pair)| (*against, pair.simplicity(), pair.claims()));
    let capped = pairs.len() > PAIRS;
    (pairs.into_iter().take(PAIRS).map(|(_, pair)| pair).collect(), capped)
}

fn unexplained(trial: &Trial<'_>, tried: &[Tried], capped: bool) -> Unexplained {
    let best = tried.iter().filter(|one| one.explains() > 0).min_by_key(|one| {
        let candidate = Candidate::single(one.fault.clone());
        (one.contradicted_by.len(), candidate.simplicity(), candidate.claims())
    });
    let flow = |place: &usize| trial.observed[*place].flow;
    Unexplained {
        best: best.map(|one| Nearest {
            candidate: Candidate::single(one.fault.clone()),
            explains: one.explains(),
            contradicted_by: one.contradicted_by.iter().map(flow).collect(),
        }),
        findings: trial.findings().len(),
        ruled_out_by: contradiction(trial, tried).iter().map(flow).collect(),
        capped,
    }
}
