//! Decides which stand-ins to make and which to remove, as values that `controller/perform.rs`
//! carries out.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use k8s_openapi::jiff::Timestamp;
use netproof_conformance::reference::ObjectRef;
use netproof_crds::{Reason, TestRef};

use crate::stand_in_pod::PodSettings;
use netproof_rounds::{
    decode::{PodProgress, PodState},
    desired::{Desired, HASH_LABEL, TEST_UID_LABEL},
    nodes::Uncovered,
    scenario::Problem,
    world::ObjectMap,
};

/// The age at which a stand-in that has ended is replaced, in seconds, so that one that always ends
/// at once is not made anew in a tight loop.
const REST: i64 = 5;

/// What to do about a test's stand-ins.
#[derive(Clone, Debug, PartialEq)]
pub enum PlacementAction {
    /// Make a stand-in.
    Create {
        /// The index in the list of desired stand-ins.
        desired: usize,
        /// The lowest incarnation with a name that no pod has.
        incarnation: u32,
    },
    /// Remove a stand-in.
    Delete {
        /// The name of the stand-in's pod.
        pod: ObjectRef,
        /// The UID that the pod still has to have.
        uid: String,
    },
}

/// The stand-ins that a test has, and what is to be done about the others.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PlacementPlan {
    /// The pod of each desired stand-in, in their order; none where there is none that can be used.
    pub found: Vec<Option<(ObjectRef, PodState)>>,
    /// What to do, in this order.
    pub actions: Vec<PlacementAction>,
    /// By index, the desired stand-ins in place of which there is a pod that the test's
    /// `StandInSet` owns and that runs another image. It is left alone, and no other is made, since
    /// that would become the same.
    pub altered: BTreeMap<usize, Problem>,
    /// When to look again though nothing changes, in seconds from now.
    pub look_again: Option<i64>,
}

/// The pods that look like stand-ins, and the owners by which a test's own are known.
#[derive(Clone, Copy, Debug)]
pub struct Pods<'a> {
    /// All pods that carry the label of stand-ins, which anybody may set.
    pub labelled: &'a ObjectMap<PodState>,
    /// The UIDs of the test's own `StandInSets`, which only the operator makes. A pod of another
    /// owner is not touched, whatever its labels say.
    pub owners: &'a BTreeSet<String>,
}

impl<'a> Pods<'a> {
    fn of(self, test: &'a TestRef) -> impl Iterator<Item = (&'a ObjectRef, &'a PodState)> {
        self.labelled
            .iter()
            .filter_map(|(name, read)| Some((name, read.meaning.as_ref().ok()?)))
            .filter(|(_, pod)| pod.labels.get(TEST_UID_LABEL) == Some(&test.uid))
    }
}

/// Compares the desired stand-ins of a test with its pods, as they are at `now`. Pods of the test
/// that are not desired are to be removed.
pub fn decide(
    desired: &[Desired],
    pods: Pods<'_>,
    test: &TestRef,
    settings: &PodSettings,
    now: Timestamp,
) -> PlacementPlan {
    let ours: Vec<(&ObjectRef, &PodState)> = pods
        .of(test)
        .filter(|(_, pod)| pod.owner.as_ref().is_some_and(|owner| pods.owners.contains(owner)))
        .collect();
    let taken: BTreeSet<&str> = pods.of(test).map(|(name, _)| name.name.as_str()).collect();
    let mut placement = PlacementPlan::default();
    let mut kept = BTreeSet::new();
    for (index, wanted) in desired.iter().enumerate() {
        let hash = settings.hash(wanted, test);
        let (made, altered): (Vec<_>, Vec<_>) = ours
            .iter()
            .filter(|(name, pod)| {
                pod.labels.get(HASH_LABEL) == Some(&hash) && name.namespace == wanted.namespace
            })
            .partition(|(_, pod)| pod.image.as_ref() == Some(&settings.image));
        let usable = made.iter().find(|(_, pod)| match Life::of(pod, settings, now) {
            Life::Usable { ends } | Life::Resting { ends } => {
                placement.look_again_in(ends);
                true
            }
            Life::Over | Life::Leaving => false,
        });
        if let Some((name, pod)) = usable {
            kept.insert((*name).clone());
            placement.found.push(Some(((*name).clone(), (*pod).clone())));
        } else if let Some((name, pod)) =
            altered.iter().find(|(_, pod)| pod.progress != PodProgress::Terminating)
        {
            placement.found.push(None);
            kept.extend(altered.iter().map(|(name, _)| (*name).clone()));
            let image = pod.image.as_deref().unwrap_or("a command of its own");
            let message = format!(
                "pod {name} runs {image}, not {} as was asked for; it is not attached to: remove it, or give the operator that image if a webhook has set it",
                settings.image
            );
            placement.altered.insert(index, Problem::new(Reason::PodRejected, message));
        } else {
            placement.found.push(None);
            let free = (0..u32::MAX).find(|incarnation| {
                let pod = settings.pod(wanted, test, "", *incarnation);
                !taken.contains(pod.metadata.name.as_deref().unwrap_or_default())
            });
            let incarnation = free.expect("there are more incarnations than pods");
            placement.actions.push(PlacementAction::Create { desired: index, incarnation });
        }
    }
    for (name, pod) in ours {
        if !kept.contains(name) && pod.progress != PodProgress::Terminating {
            let (pod, uid) = (name.clone(), pod.uid.clone());
            placement.actions.push(PlacementAction::Delete { pod, uid });
        }
    }
    placement
}

impl PlacementPlan {
    /// Plans to remove the oldest stand-in, so that the start of its successor can be measured: if
    /// all run, nothing else is to be done, and the youngest is of this age at least.
    pub fn renew(&mut self, every: Duration, now: Timestamp) {
        let age = |pod: &PodState| pod.created.map_or(0, |at| now.as_second() - at.as_second());
        let running = |found: &Option<(ObjectRef, PodState)>| {
            found.as_ref().is_some_and(|(_, pod)| pod.progress == PodProgress::Running)
        };
        if !self.actions.is_empty() || !self.found.iter().all(running) {
            return;
        }
        let every = i64::try_from(every.as_secs()).unwrap_or(i64::MAX);
        let Some(youngest) = self.found.iter().flatten().map(|(_, pod)| age(pod)).min() else {
            return;
        };
        if youngest < every {
            self.look_again_in(every - youngest);
            return;
        }
        let oldest = self.found.iter_mut().max_by_key(|f| f.as_ref().map(|(_, pod)| age(pod)));
        // The successor is made by a later plan, once the pod is terminating.
        if let Some((pod, state)) = oldest.and_then(Option::take) {
            self.actions.push(PlacementAction::Delete { pod, uid: state.uid });
        }
    }

    /// Takes back the making of stand-ins on nodes that take none at the moment: their pods would
    /// stay pending, even if the operator were gone by then. Returns, by index, why each is not
    /// made. A node that takes stand-ins again changes, which brings a reconciliation.
    pub fn postpone(
        &mut self,
        desired: &[Desired],
        uncovered: &[Uncovered],
    ) -> BTreeMap<usize, Problem> {
        let mut waiting = BTreeMap::new();
        self.actions.retain(|action| {
            let PlacementAction::Create { desired: index, .. } = action else { return true };
            let node = desired[*index].node.as_ref();
            let Some(gap) = uncovered.iter().find(|gap| Some(&gap.node) == node) else {
                return true;
            };
            let message = format!("node {}: {}", gap.node, gap.why);
            waiting.insert(*index, Problem::new(Reason::Unschedulable, message));
            false
        });
        waiting
    }

    fn look_again_in(&mut self, seconds: i64) {
        self.look_again = Some(self.look_again.map_or(seconds, |other| other.min(seconds)));
    }
}

/// In which part of its life a stand-in's pod is.
enum Life {
    /// The pod runs or may come to run, and is replaced in so many seconds.
    Usable { ends: i64 },
    /// The pod has ended, and is replaced in so many seconds.
    Resting { ends: i64 },
    /// The pod has to be replaced now.
    Over,
    /// The pod is terminating.
    Leaving,
}

impl Life {
    fn of(pod: &PodState, settings: &PodSettings, now: Timestamp) -> Self {
        let age = pod.created.map_or(0, |created| now.as_second() - created.as_second());
        // A pod is replaced before the kubelet ends it at its lifetime, which would look like a
        // fault.
        let lifetime = i64::try_from(settings.lifetime.as_secs()).unwrap_or(i64::MAX);
        let retires = lifetime / 5 * 4;
        match &pod.progress {
            PodProgress::Terminating => Self::Leaving,
            PodProgress::Ended(_) if age < REST => Self::Resting { ends: REST - age },
            PodProgress::Ended(_) => Self::Over,
            PodProgress::Running
            | PodProgress::Starting
            | PodProgress::Unschedulable(_)
            | PodProgress::ImageUnavailable(_) => {
                if age < retires {
                    Self::Usable { ends: retires - age }
                } else {
                    Self::Over
                }
            }
        }
    }
}

#[cfg(test)]
#[path = "placement_tests.rs"]
mod tests;
