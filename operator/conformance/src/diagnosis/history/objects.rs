//! Remembers which objects there were, and what they were like, for faults of memory.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::KEPT;
use crate::{
    diagnosis::mutation::Past, pod::Pod, policy::Policy, reference::ObjectRef, select::Labels,
    snapshot::Snapshot,
};

/// The present objects as they were, and the objects that are gone.
#[derive(Clone, Debug, Default)]
pub(super) struct ObjectHistory {
    pods: BTreeMap<ObjectRef, (Changing, Pod)>,
    namespaces: BTreeMap<String, Changing>,
    policies: BTreeMap<ObjectRef, Policy>,
    /// Pods that are gone, the oldest first; at most [`KEPT`](super::KEPT).
    gone_pods: VecDeque<Pod>,
    /// Policies that were deleted, the oldest first; at most [`KEPT`](super::KEPT).
    deleted_policies: VecDeque<Policy>,
}

/// The labels of something: as they were first known, before they last changed, and now.
#[derive(Clone, Debug)]
struct Changing {
    first: Labels,
    previous: Labels,
    now: Labels,
}

impl Changing {
    fn new(labels: &Labels) -> Self {
        let (first, previous) = (labels.clone(), labels.clone());
        Self { first, previous, now: labels.clone() }
    }

    fn take(&mut self, labels: &Labels) {
        if self.now != *labels {
            self.previous = std::mem::replace(&mut self.now, labels.clone());
        }
    }
}

impl ObjectHistory {
    pub(super) fn take(&mut self, snapshot: &Snapshot) {
        self.take_pods(snapshot);
        self.take_namespaces(snapshot);
        self.take_policies(snapshot);
    }

    fn take_pods(&mut self, snapshot: &Snapshot) {
        let names: BTreeSet<&ObjectRef> = snapshot.pods.iter().map(|pod| &pod.name).collect();
        self.pods.retain(|name, (_, pod)| {
            let is_here = names.contains(name);
            if !is_here {
                self.gone_pods.push_back(pod.clone());
            }
            is_here
        });
        for pod in &snapshot.pods {
            match self.pods.get_mut(&pod.name) {
                // Another pod of that name has another address.
                Some((_, known)) if is_other(known, pod) => {
                    let gone = std::mem::replace(known, pod.clone());
                    self.gone_pods.push_back(gone);
                    let fresh = (Changing::new(&pod.labels), pod.clone());
                    self.pods.insert(pod.name.clone(), fresh);
                }
                Some((labels, known)) => {
                    labels.take(&pod.labels);
                    *known = pod.clone();
                }
                None => {
                    let fresh = (Changing::new(&pod.labels), pod.clone());
                    self.pods.insert(pod.name.clone(), fresh);
                }
            }
        }
        self.gone_pods.retain(|pod| !pod.addresses.is_empty());
        bound(&mut self.gone_pods);
    }

    fn take_namespaces(&mut self, snapshot: &Snapshot) {
        self.namespaces.retain(|name, _| snapshot.namespaces.contains_key(name));
        for (name, labels) in &snapshot.namespaces {
            let fresh = || Changing::new(labels);
            self.namespaces.entry(name.clone()).or_insert_with(fresh).take(labels);
        }
    }

    fn take_policies(&mut self, snapshot: &Snapshot) {
        let mut old = std::mem::take(&mut self.policies);
        for policy in &snapshot.policies {
            old.remove(&policy.name);
            self.policies.insert(policy.name.clone(), policy.clone());
        }
        self.deleted_policies.retain(|policy| !self.policies.contains_key(&policy.name));
        self.deleted_policies.extend(old.into_values());
        bound(&mut self.deleted_policies);
    }

    pub(super) fn pasts(&self) -> Vec<Past> {
        let past = |labels: fn(&Changing) -> &Labels| {
            let was = |changing: &Changing| {
                let old = labels(changing);
                (*old != changing.now).then(|| old.clone())
            };
            let pods = self.pods.iter();
            let pods = pods.filter_map(|(name, (labels, _))| Some((name.clone(), was(labels)?)));
            let namespaces = self.namespaces.iter();
            let namespaces =
                namespaces.filter_map(|(name, labels)| Some((name.clone(), was(labels)?)));
            Past {
                pod_labels: pods.collect(),
                namespace_labels: namespaces.collect(),
                deleted_policies: self.deleted_policies.iter().cloned().collect(),
                gone_pods: self.gone_pods.iter().cloned().collect(),
            }
        };
        let first = past(|labels| &labels.first);
        let previous = past(|labels| &labels.previous);
        let mut pasts = vec![first];
        if pasts[0] != previous {
            pasts.push(previous);
        }
        pasts.retain(|past| !past.is_empty());
        pasts
    }
}

/// Whether a pod took the place of one of the same name: it has none of its addresses.
fn is_other(old: &Pod, new: &Pod) -> bool {
    !old.addresses.is_empty()
        && !new.addresses.is_empty()
        && old.addresses.iter().all(|one| !new.addresses.contains(one))
}

fn bound<T>(kept: &mut VecDeque<T>) {
    while kept.len() > KEPT {
        kept.pop_front();
    }
}
