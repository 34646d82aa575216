//! Finds out what a change of policies means for strangers: addresses outside, pods with other
//! labels and namespaces that are not among the objects.
//!
//! Strangers are made up of what the policies mention, so that no policy tells anybody from one of
//! them: labels in all combinations, an address for each part of a block. What the policies of one
//! subject say of them before and after is compared, one side of a flow alone.

mod addresses;
mod labels;
mod normal;
mod peers;
mod subjects;

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    compiled::{Answer, Compiled},
    flow::{Direction, Port},
    reference::ObjectRef,
};
use normal::{ChangedPolicies, DirectionPolicies};
use peers::{Compared, compare};
use subjects::{ChangedSubject, SubjectIdentity};

/// How many different subjects of a direction are looked at in any case.
const SUBJECTS: usize = 64;

/// How many subjects are looked at for the sake of a policy of which nothing was found yet.
const MOST_SUBJECTS: usize = 512;

/// What a change of policies means for strangers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Elsewhere {
    /// Which flows change, and how.
    pub changes: Vec<StrangerChange>,
    /// Policies that differ in what they say, by which no stranger was found to be concerned,
    /// though not all were tried.
    pub doubtful: BTreeSet<String>,
}

/// Flows between subjects of policies and strangers that change alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StrangerChange {
    /// The policies that differ and have these subjects.
    pub policies: BTreeSet<String>,
    /// Which side of the flows the policies speak of.
    pub direction: Direction,
    /// The subjects that the policies apply to.
    pub subjects: Vec<Subjects>,
    /// The other ends of the flows, in words.
    pub others: Vec<String>,
    /// The ports, in words: by their numbers, or by the names that receivers give them.
    pub ports: Vec<String>,
    /// What the old policies say of these flows, on this side alone.
    pub old: Answer,
    /// What the new policies say of these flows, on this side alone.
    pub new: Answer,
}

/// The subjects of policies: pods that are there, or such as might be.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subjects {
    /// Pods that are among the objects.
    Pods(Vec<ObjectRef>),
    /// Pods that are not, in words.
    Strangers(String),
}

/// Compares what the policies of two snapshots say of strangers, on all ports or on one. Changes
/// that flows between pods of both snapshots show are left out.
///
/// ```
/// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/shop.rs")); }
/// # use example::*;
/// use netproof_conformance::{
///     compiled::{Answer, Compiled},
///     policy::Isolation,
///     strangers::elsewhere,
/// };
///
/// let old = Compiled::new(shop());
/// let mut open = shop();
/// open.policies[0].ingress = Isolation::Open;
/// let new = Compiled::new(open);
///
/// // Not only `job`, which is there: nobody keeps the world out any more.
/// let changes = elsewhere(&old, &new, None).changes;
/// assert_eq!((changes[0].old, changes[0].new), (Answer::Deny, Answer::Allow));
/// assert!(changes[0].others.iter().any(|other| other == "every address outside"));
/// ```
pub fn elsewhere(old: &Compiled, new: &Compiled, port: Option<Port>) -> Elsewhere {
    let (mut found, mut unproven) = (Vec::<StrangerChange>::new(), BTreeSet::new());
    for direction in Direction::BOTH {
        let sides = [old, new].map(|compiled| DirectionPolicies::new(compiled, direction));
        let changed = ChangedPolicies::between(&sides);
        if changed.is_empty() {
            continue;
        }
        let found_subjects = subjects::subjects(&sides, &changed);
        unproven.extend(found_subjects.unproven);
        let all = found_subjects.subjects;
        let mut looked_at = 0;
        for subject in &all {
            let is_told = |name: &String| found.iter().any(|one| one.policies.contains(name));
            if looked_at >= SUBJECTS && subject.policies.iter().all(is_told) {
                continue;
            }
            if looked_at >= MOST_SUBJECTS {
                unproven.extend(subject.policies.iter().cloned());
                continue;
            }
            looked_at += 1;
            let Compared { differences, is_complete } = compare(&sides, subject, port);
            if !is_complete {
                unproven.extend(subject.policies.iter().cloned());
            }
            for peers::Difference { others, ports, old, new } in differences {
                take(
                    &mut found,
                    StrangerChange {
                        policies: subject.policies.clone(),
                        direction,
                        subjects: vec![words(subject)],
                        others,
                        ports,
                        old,
                        new,
                    },
                );
            }
        }
    }
    let told: BTreeSet<&String> = found.iter().flat_map(|change| &change.policies).collect();
    let doubtful = unproven.into_iter().filter(|name| !told.contains(name)).collect();
    Elsewhere { changes: found, doubtful }
}

/// Adds a change, or its subjects to a change that is the same but for its subjects.
fn take(found: &mut Vec<StrangerChange>, change: StrangerChange) {
    let same = found.iter_mut().find(|one| {
        let StrangerChange { policies, direction, subjects: _, others, ports, old, new } = one;
        (*policies == change.policies && *direction == change.direction)
            && (*others == change.others && *ports == change.ports)
            && (*old == change.old && *new == change.new)
    });
    let Some(same) = same else { return found.push(change) };
    for subject in change.subjects {
        let pods = same.subjects.iter_mut().find_map(|one| match one {
            Subjects::Pods(pods) => Some(pods),
            Subjects::Strangers(_) => None,
        });
        match (subject, pods) {
            (Subjects::Pods(more), Some(pods)) => pods.extend(more),
            (subject, _) => same.subjects.push(subject),
        }
    }
}

fn words(subject: &ChangedSubject) -> Subjects {
    match &subject.who {
        SubjectIdentity::Here(pods) => Subjects::Pods(pods.clone()),
        SubjectIdentity::Stranger(words) => Subjects::Strangers(words.clone()),
    }
}

/// Groups values by equal keys, in the order of the keys.
fn grouped<K: Ord, V>(all: impl IntoIterator<Item = (K, V)>) -> BTreeMap<K, Vec<V>> {
    let mut groups: BTreeMap<K, Vec<V>> = BTreeMap::new();
    for (key, value) in all {
        groups.entry(key).or_default().push(value);
    }
    groups
}

#[cfg(test)]
#[path = "strangers_tests.rs"]
mod tests;
