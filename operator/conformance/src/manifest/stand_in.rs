//! Decides which workloads' templates stand for pods: those of workloads without pods in the input.

use std::collections::{BTreeMap, BTreeSet};

use super::{Sourced, kind::Owner, pod::ReadPod, workload::ReadWorkload};
use crate::{kinds::WorkloadKind, reference::ObjectRef};

pub(super) type Workloads = BTreeMap<WorkloadKind, BTreeMap<ObjectRef, Sourced<ReadWorkload>>>;

/// The label with which the Deployment controller tells the pods of one `ReplicaSet` from those of
/// another; the `ReplicaSet`'s name ends with its value.
const POD_TEMPLATE_HASH: &str = "pod-template-hash";

/// The workloads that have to stand for their pods.
///
/// A workload with a pod in the input, its own or that of a workload which it controls, does not:
/// the pod would be there twice. Nor does a workload that another one of the input controls, since
/// that one stands for both; nor one that its owner has scaled to none and keeps for a rollback. A
/// workload without an owner stands even if it is scaled to none, since it may be scaled up at any
/// time.
pub(super) fn standing<'a>(
    workloads: &'a Workloads,
    pods: &BTreeMap<ObjectRef, Sourced<ReadPod>>,
) -> Vec<(WorkloadKind, &'a ObjectRef, &'a Sourced<ReadWorkload>)> {
    let present = with_pods(workloads, pods);
    let all = workloads
        .iter()
        .flat_map(|(kind, named)| named.iter().map(|(name, workload)| (*kind, name, workload)));
    all.filter(|(kind, name, workload)| {
        let left_behind = workload.object.owner.as_ref().is_some_and(|owner| {
            workload.object.scaled_to_none || find(workloads, owner, &name.namespace).is_some()
        });
        !left_behind && !present.contains(&(*kind, (*name).clone()))
    })
    .collect()
}

/// The workloads that have a pod, through however many others.
fn with_pods(
    workloads: &Workloads,
    pods: &BTreeMap<ObjectRef, Sourced<ReadPod>>,
) -> BTreeSet<(WorkloadKind, ObjectRef)> {
    let mut present = BTreeSet::new();
    for ReadPod { pod, owner, .. } in pods.values().map(|kept| &kept.object) {
        let namespace = &pod.name.namespace;
        let hash = pod.labels.get(POD_TEMPLATE_HASH).map(String::as_str);
        let mut next = owner.clone();
        while let Some(owner) = next {
            let name = ObjectRef { namespace: namespace.clone(), name: owner.name.clone() };
            if !present.insert((owner.kind, name)) {
                break;
            }
            next = match find(workloads, &owner, namespace) {
                Some(workload) => workload.object.owner.clone(),
                None => by_name(&owner, hash),
            };
        }
    }
    present
}

fn find<'a>(
    workloads: &'a Workloads,
    owner: &Owner,
    namespace: &str,
) -> Option<&'a Sourced<ReadWorkload>> {
    let name = ObjectRef { namespace: namespace.to_owned(), name: owner.name.clone() };
    workloads.get(&owner.kind)?.get(&name)
}

/// The controller of a workload that is not in the input, as the workload's name tells: controllers
/// name their children by their own name and a part that tells the children apart.
fn by_name(owner: &Owner, pod_template_hash: Option<&str>) -> Option<Owner> {
    let (kind, name) = match owner.kind {
        WorkloadKind::ReplicaSet => {
            let name = owner.name.strip_suffix(pod_template_hash?)?.strip_suffix('-')?;
            (WorkloadKind::Deployment, name)
        }
        WorkloadKind::Job => {
            let (name, time) = owner.name.rsplit_once('-')?;
            let is_time = !time.is_empty() && time.bytes().all(|byte| byte.is_ascii_digit());
            (WorkloadKind::CronJob, is_time.then_some(name)?)
        }
        WorkloadKind::Deployment
        | WorkloadKind::StatefulSet
        | WorkloadKind::DaemonSet
        | WorkloadKind::CronJob
        | WorkloadKind::ReplicationController => return None,
    };
    Some(Owner { kind, name: name.to_owned() })
}
