//! The flows whose answer changes, in groups of ends that behave alike before and after.

use std::collections::{BTreeMap, HashMap, HashSet};

use netproof_conformance::{
    compiled::Signature,
    flow::{End, Flow, PodId, Port},
    snapshot::{ObjectRef, PodNetwork},
};

use super::{
    causes::Causes,
    ports::{self, Span},
};
use crate::offline::{
    answers::{self, Answer},
    progress::Progress,
    world::World,
};

/// All that changes.
#[derive(Debug)]
pub struct Changes {
    /// Pods that are only in the new input.
    pub added: Vec<ObjectRef>,
    /// Pods that are only in the old one.
    pub removed: Vec<ObjectRef>,
    /// The changes, the largest group first.
    pub groups: Vec<Group>,
    /// How many pairs of pods there are in both inputs.
    pub pairs: u64,
}

/// Flows that change alike.
#[derive(Debug)]
pub struct Group {
    /// Who sends.
    pub from: Vec<ObjectRef>,
    /// Who receives.
    pub to: Vec<ObjectRef>,
    /// On which ports.
    pub ports: Vec<Span>,
    /// The answer before.
    pub old: &'static str,
    /// The answer after.
    pub new: &'static str,
    /// How many pairs of pods it is about.
    pub pairs: u64,
    /// What did it.
    pub causes: Vec<String>,
}

/// A pod in both inputs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Both {
    old: PodId,
    new: PodId,
}

/// Who changes how: what the ports have in common.
type Key = (Vec<Both>, Vec<Both>, &'static str, &'static str, bool);

impl Changes {
    /// Compares two inputs on some ports.
    pub fn between(old: &World, new: &World, spans: &[Span]) -> Self {
        let both: Vec<Both> = old
            .pods()
            .filter_map(|(id, pod)| Some(Both { old: id, new: new.find(&pod.name)? }))
            .collect();
        let missing = |of: &World, from: &World| -> Vec<ObjectRef> {
            let names = of.pods().map(|(_, pod)| &pod.name);
            names.filter(|name| from.find(name).is_none()).cloned().collect()
        };
        let causes = Causes::new(old, new);
        let touched: HashSet<Both> =
            both.iter().copied().filter(|pod| causes.touch(pod.old, pod.new)).collect();
        let mut found: BTreeMap<Key, Vec<Span>> = BTreeMap::new();
        let progress = Progress::towards("Comparing", spans.len() as u64);
        for (span, done) in spans.iter().zip(1..) {
            for key in changed(old, new, &both, &touched, span.port()) {
                found.entry(key).or_default().push(*span);
            }
            progress.at(done);
        }
        let mut groups: Vec<Group> = found
            .into_iter()
            .map(|((from, to, was, is, to_itself), spans)| {
                let pair = representative(&from, &to, to_itself);
                let port = spans.first().map(|span| span.port());
                let flows = pair.zip(port).map(|((from, to), port)| {
                    let flow = |from, to| Flow {
                        from: End::Pod(from),
                        to: End::Pod(to),
                        port,
                        family: None,
                    };
                    [flow(from.old, to.old), flow(from.new, to.new)]
                });
                let names = |pods: &[Both]| -> Vec<ObjectRef> {
                    pods.iter().map(|pod| old.snapshot().pod(pod.old).name.clone()).collect()
                };
                Group {
                    pairs: pairs(&from, &to, to_itself),
                    from: names(&from),
                    to: names(&to),
                    ports: ports::joined(spans),
                    old: was,
                    new: is,
                    causes: flows.map(|flows| causes.of(&flows)).unwrap_or_default(),
                }
            })
            .collect();
        groups.sort_by_key(|group| std::cmp::Reverse(group.pairs));
        let count = both.len() as u64;
        Self { added: missing(new, old), removed: missing(old, new), groups, pairs: count * count }
    }
}

/// Groups of flows on one port whose answer changes: only with an end that a change touches.
fn changed(
    old: &World,
    new: &World,
    both: &[Both],
    touched: &HashSet<Both>,
    port: Port,
) -> Vec<Key> {
    if touched.is_empty() {
        return Vec::new();
    }
    let groups = alike(old, new, both, touched, port);
    let is_touched = |group: &[Both]| group.first().is_some_and(|pod| touched.contains(pod));
    let answer = |from: Both, to: Both| {
        let flow = |from, to| Flow { from: End::Pod(from), to: End::Pod(to), port, family: None };
        let was: Answer = old.compiled.answer(&flow(from.old, to.old));
        let is: Answer = new.compiled.answer(&flow(from.new, to.new));
        (answers::word(was), answers::word(is))
    };
    let mut keys = Vec::new();
    for from in &groups {
        for to in groups.iter().filter(|to| is_touched(from) || is_touched(to)) {
            if let Some((one, other)) = representative(from, to, false) {
                let (was, is) = answer(one, other);
                if was != is {
                    keys.push((from.clone(), to.clone(), was, is, false));
                }
            }
        }
        // What a pod sends to itself may be exempt, so that it is asked of apart.
        if let Some(pod) = from.first().filter(|_| is_touched(from)) {
            let (was, is) = answer(*pod, *pod);
            if was != is {
                keys.push((from.clone(), from.clone(), was, is, true));
            }
        }
    }
    keys
}

/// The pods, in groups that behave alike before and after.
fn alike(
    old: &World,
    new: &World,
    both: &[Both],
    touched: &HashSet<Both>,
    port: Port,
) -> Vec<Vec<Both>> {
    let signatures = |world: &World, receivers: Vec<PodId>| -> Vec<Signature> {
        world.compiled.pairs(port, &receivers).signatures()
    };
    let before = signatures(old, both.iter().map(|pod| pod.old).collect());
    let after = signatures(new, both.iter().map(|pod| pod.new).collect());
    let mut groups: HashMap<(Signature, Signature, bool, Option<Both>), Vec<Both>> = HashMap::new();
    for pod in both {
        let is_host = |world: &World, id| world.snapshot().pod(id).network == PodNetwork::Host;
        // Their nodes make a difference: each speaks for itself.
        let alone = (is_host(old, pod.old) || is_host(new, pod.new)).then_some(*pod);
        let is_touched = touched.contains(pod);
        let key = (before[pod.old.0 as usize], after[pod.new.0 as usize], is_touched, alone);
        groups.entry(key).or_default().push(*pod);
    }
    let mut groups: Vec<Vec<Both>> = groups.into_values().collect();
    groups.sort_unstable();
    groups
}

/// A pair that speaks for all.
fn representative(from: &[Both], to: &[Both], to_itself: bool) -> Option<(Both, Both)> {
    if to_itself {
        return from.first().map(|pod| (*pod, *pod));
    }
    from.iter().find_map(|one| Some((*one, *to.iter().find(|other| *other != one)?)))
}

fn pairs(from: &[Both], to: &[Both], to_itself: bool) -> u64 {
    if to_itself {
        return from.len() as u64;
    }
    let itself = if from == to { from.len() as u64 } else { 0 };
    from.len() as u64 * to.len() as u64 - itself
}
