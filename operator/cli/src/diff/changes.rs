//! The flows with another answer than before, in groups of ends that behave alike before and after.

use std::{
    collections::{BTreeMap, HashMap},
    hash::Hash,
};

use netproof_conformance::{
    compiled::{Alike, Answer, Signature},
    flow::{Direction, End, Flow, PodId, Port},
    pod::PodNetwork,
    reference::ObjectRef,
    spans::{self, Span},
    strangers::{self, Subjects},
};

use super::causes::{Causes, Touch};
use crate::{loaded::Loaded, progress::ProgressLine};

/// All changes between two inputs.
#[derive(Debug)]
pub struct Changes {
    /// Pods that are only in the new input.
    pub added: Vec<ObjectRef>,
    /// Pods that are only in the old input.
    pub removed: Vec<ObjectRef>,
    /// The changes among pods of both inputs, the largest group first.
    pub groups: Vec<ChangeGroup>,
    /// How many pairs of pods there are in both inputs.
    pub pairs: u64,
    /// The ports that were compared.
    pub ports: Vec<Span>,
    /// Changed flows of which an end is not among the objects.
    pub elsewhere: Vec<StrangerFlows>,
    /// Policies that differ and for which no changed flow was found, although not all that they may
    /// concern could be tried.
    pub doubtful: Vec<String>,
}

/// Flows with an end that is not among the objects, which change alike.
#[derive(Debug)]
pub struct StrangerFlows {
    /// The senders, in words.
    pub from: Vec<String>,
    /// The receivers, in words.
    pub to: Vec<String>,
    /// The ports, in words.
    pub ports: Vec<String>,
    /// The answer before, in one word.
    pub old: &'static str,
    /// The answer after, in one word.
    pub new: &'static str,
    /// The policies that differ and made the change.
    pub causes: Vec<String>,
}

impl StrangerFlows {
    fn of(change: strangers::StrangerChange, causes: &Causes<'_>) -> Self {
        let strangers::StrangerChange { policies, direction, subjects, others, ports, old, new } =
            change;
        let subjects = subjects.into_iter().flat_map(|subjects| match subjects {
            Subjects::Pods(pods) => pods.iter().map(ToString::to_string).collect(),
            Subjects::Strangers(words) => vec![format!("{words}, which are not here")],
        });
        let (from, to) = match direction {
            Direction::Ingress => (others, subjects.collect()),
            Direction::Egress => (subjects.collect(), others),
        };
        let (old, new) = (old.word(), new.word());
        Self { from, to, ports, old, new, causes: causes.changed(&policies) }
    }

    /// Whether more flows are let through than before, or fewer.
    pub fn effect(&self) -> &'static str {
        match (self.old, self.new) {
            (_, "Allow") => "widening",
            ("Allow", _) => "narrowing",
            (_, _) => "change",
        }
    }
}

/// Flows among pods of both inputs, which change alike.
#[derive(Debug)]
pub struct ChangeGroup {
    /// The pods that send.
    pub from: Vec<ObjectRef>,
    /// The pods that receive.
    pub to: Vec<ObjectRef>,
    /// The ports, as ranges.
    pub ports: Vec<Span>,
    /// The answer before, in one word.
    pub old: &'static str,
    /// The answer after, in one word.
    pub new: &'static str,
    /// How many pairs of pods the group has.
    pub pairs: u64,
    /// What differs and made the change, in words.
    pub causes: Vec<String>,
}

/// A pod that is in both inputs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Both {
    old: PodId,
    new: PodId,
}

/// Senders, receivers, answers before and after, and whether the flows are of pods to themselves:
/// changes with the same key are shown as one, with all their ports.
type ChangeKey = (Vec<Both>, Vec<Both>, &'static str, &'static str, bool);

impl Changes {
    /// Whether no difference was found in what the policies mean.
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty() && self.elsewhere.is_empty() && self.doubtful.is_empty()
    }

    /// Compares two inputs on these spans of ports. With `only`, flows with ends that are not among
    /// the objects are compared on that one port alone.
    pub fn between(old: &Loaded, new: &Loaded, spans: &[Span], only: Option<Port>) -> Self {
        let both: Vec<Both> = old
            .pods()
            .filter_map(|(id, pod)| Some(Both { old: id, new: new.find(&pod.name)? }))
            .collect();
        let missing = |of: &Loaded, from: &Loaded| -> Vec<ObjectRef> {
            let names = of.pods().map(|(_, pod)| &pod.name);
            names.filter(|name| from.find(name).is_none()).cloned().collect()
        };
        let causes = Causes::new(old, new);
        let touched: HashMap<Both, Touch> =
            both.iter().filter_map(|pod| Some((*pod, causes.touch(pod.old, pod.new)?))).collect();
        let mut found: BTreeMap<ChangeKey, Vec<Span>> = BTreeMap::new();
        let progress = ProgressLine::towards("Comparing", spans.len() as u64);
        for (span, done) in spans.iter().zip(1..) {
            for key in changed(old, new, &both, &touched, span.port()) {
                found.entry(key).or_default().push(*span);
            }
            progress.at(done);
        }
        let mut groups: Vec<ChangeGroup> = found
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
                ChangeGroup {
                    pairs: pairs(&from, &to, to_itself),
                    from: names(&from),
                    to: names(&to),
                    ports: spans::joined(spans),
                    old: was,
                    new: is,
                    causes: flows.map(|flows| causes.of(&flows)).unwrap_or_default(),
                }
            })
            .collect();
        groups.sort_by_key(|group| std::cmp::Reverse(group.pairs));
        let count = both.len() as u64;
        let strangers::Elsewhere { changes, doubtful } =
            strangers::elsewhere(&old.compiled, &new.compiled, only);
        let elsewhere =
            changes.into_iter().map(|change| StrangerFlows::of(change, &causes)).collect();
        let is_told = |cause: &String| groups.iter().any(|group| group.causes.contains(cause));
        let mut doubtful = causes.changed(&doubtful);
        doubtful.retain(|cause| !is_told(cause));
        Self {
            elsewhere,
            doubtful,
            added: missing(new, old),
            removed: missing(old, new),
            groups,
            pairs: count * count,
            ports: spans::joined(spans.to_vec()),
        }
    }
}

/// The changes on one port. Only flows with an end that a change touches can have one.
fn changed(
    old: &Loaded,
    new: &Loaded,
    both: &[Both],
    touched: &HashMap<Both, Touch>,
    port: Port,
) -> Vec<ChangeKey> {
    if touched.is_empty() {
        return Vec::new();
    }
    let (hosts, others): (Vec<Both>, Vec<Both>) =
        both.iter().copied().partition(|pod| is_host(old, new, *pod));
    let groups = alike(old, new, &others, touched, port);
    let is_touched = |group: &[Both]| group.first().is_some_and(|pod| touched.contains_key(pod));
    let answer = |from: Both, to: Both| {
        let flow = |from, to| Flow { from: End::Pod(from), to: End::Pod(to), port, family: None };
        let was: Answer = old.compiled.answer(&flow(from.old, to.old));
        let is: Answer = new.compiled.answer(&flow(from.new, to.new));
        (was.word(), is.word())
    };
    let mut keys = with_hosts(old, new, [&hosts, &others], touched, &answer);
    for from in &groups {
        for to in groups.iter().filter(|to| is_touched(from) || is_touched(to)) {
            if let Some((one, other)) = representative(from, to, false) {
                let (was, is) = answer(one, other);
                if was != is {
                    keys.push((from.clone(), to.clone(), was, is, false));
                }
            }
        }
        // The API leaves open whether a pod's traffic to itself is exempt, so that it is a question
        // of its own.
        if let Some(pod) = from.first().filter(|_| is_touched(from)) {
            let (was, is) = answer(*pod, *pod);
            if was != is {
                keys.push((from.clone(), from.clone(), was, is, true));
            }
        }
    }
    keys
}

/// The pods in groups that behave alike before and after.
fn alike(
    old: &Loaded,
    new: &Loaded,
    both: &[Both],
    touched: &HashMap<Both, Touch>,
    port: Port,
) -> Vec<Vec<Both>> {
    let signatures = |loaded: &Loaded, receivers: Vec<PodId>| -> Vec<Signature> {
        loaded.compiled.pairs(port, &receivers).signatures()
    };
    let before = signatures(old, both.iter().map(|pod| pod.old).collect());
    let after = signatures(new, both.iter().map(|pod| pod.new).collect());
    grouped(both, |pod| (before[pod.old.0 as usize], after[pod.new.0 as usize], touched.get(&pod)))
        .into_iter()
        .map(|(_, pods)| pods)
        .collect()
}

/// The changes of flows from and to pods on the host's network. Signatures do not cover them: to
/// these pods, others differ by their nodes, and by what policies say of addresses that no other
/// pod has.
fn with_hosts(
    old: &Loaded,
    new: &Loaded,
    [hosts, others]: [&[Both]; 2],
    touched: &HashMap<Both, Touch>,
    answer: &impl Fn(Both, Both) -> (&'static str, &'static str),
) -> Vec<ChangeKey> {
    if hosts.is_empty() {
        return Vec::new();
    }
    let alike = |pod: Both| -> (Alike<'_>, Alike<'_>, Option<&Touch>) {
        (old.compiled.alike(pod.old), new.compiled.alike(pod.new), touched.get(&pod))
    };
    let (hosts, others) = (grouped(hosts, alike), grouped(others, alike));
    let mut known = HashMap::new();
    let mut found: BTreeMap<_, Vec<Both>> = BTreeMap::new();
    let mut keys = Vec::new();
    for (number, (host, host_pods)) in hosts.iter().enumerate() {
        let all =
            others.iter().map(|other| (other, true)).chain(hosts.iter().map(|one| (one, false)));
        for ((other, other_pods), both_ways) in all {
            if host.2.is_none() && other.2.is_none() {
                continue;
            }
            let mut ask = |sends: bool| {
                let (from, to) = if sends { (host, other) } else { (other, host) };
                let (senders, receivers) =
                    if sends { (host_pods, other_pods) } else { (other_pods, host_pods) };
                let meeting = (from.0.meeting(&to.0), from.1.meeting(&to.1));
                let pair = representative(senders, receivers, false)?;
                Some(*known.entry(meeting).or_insert_with(|| answer(pair.0, pair.1)))
            };
            if both_ways {
                for sends in [true, false] {
                    if let Some((was, is)) = ask(sends).filter(|(was, is)| was != is) {
                        let pods = found.entry((number, sends, was, is, other.2)).or_default();
                        pods.extend(other_pods);
                    }
                }
            } else if let Some((was, is)) = ask(true).filter(|(was, is)| was != is) {
                keys.push((host_pods.clone(), other_pods.clone(), was, is, false));
            }
        }
        if let Some(pod) = host_pods.first().filter(|_| host.2.is_some()) {
            let (was, is) = answer(*pod, *pod);
            if was != is {
                keys.push((host_pods.clone(), host_pods.clone(), was, is, true));
            }
        }
    }
    keys.extend(found.into_iter().map(|((number, sends, was, is, _), mut pods)| {
        pods.sort_unstable();
        let host = hosts[number].1.clone();
        if sends { (host, pods, was, is, false) } else { (pods, host, was, is, false) }
    }));
    keys
}

/// Whether a pod is on the host's network, before or after.
fn is_host(old: &Loaded, new: &Loaded, pod: Both) -> bool {
    [(old, pod.old), (new, pod.new)]
        .into_iter()
        .any(|(loaded, id)| loaded.snapshot().pod(id).network == PodNetwork::Host)
}

/// Pods grouped by what they share, in the order of the pods.
fn grouped<K: Eq + Hash>(pods: &[Both], shared: impl Fn(Both) -> K) -> Vec<(K, Vec<Both>)> {
    let mut groups: HashMap<K, Vec<Both>> = HashMap::new();
    for pod in pods {
        groups.entry(shared(*pod)).or_default().push(*pod);
    }
    let mut groups: Vec<(K, Vec<Both>)> = groups.into_iter().collect();
    groups.sort_unstable_by(|(_, one), (_, other)| one.cmp(other));
    groups
}

/// A pair of which the answer is that of all pairs; none if there is no pair.
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
