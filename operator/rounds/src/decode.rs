//! Decodes the API's objects, once, into the few fields that netproof needs of them. An error says
//! what was not understood, for people.

use std::net::IpAddr;

use k8s_openapi::{
    api::core::v1::{
        Container, ContainerStatus, NodeSpec, NodeStatus, Pod, PodSpec, PodStatus, PodTemplateSpec,
        Taint,
    },
    apimachinery::pkg::apis::meta::v1::OwnerReference,
    jiff::Timestamp,
};
use kube::{Resource, ResourceExt, api::DynamicObject};
use netproof_conformance::{
    kinds::ClusterPolicyKind,
    policy::{
        self, Policy, Rejected,
        cluster::ClusterPolicy,
        network_policy::{self, Metadata},
    },
    select::Labels,
};
use netproof_crds::{NamedPort, Protocol, StandInSet, StandInSetSpec, TestRef};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::desired;

/// What netproof needs of a Namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamespaceState {
    /// Its labels, by which policies select namespaces.
    pub labels: Labels,
    /// Whether it is being deleted.
    pub terminating: bool,
}

/// What netproof needs of a Node.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NodeState {
    /// Its labels, which `placement.nodeSelector` asks for.
    pub labels: Labels,
    /// `spec.taints`: what a pod has to tolerate to be placed there.
    pub taints: Vec<Taint>,
    /// `spec.unschedulable`: whether it is closed to new pods.
    pub cordoned: bool,
    /// Why it is not ready; none if it is.
    pub not_ready: Option<String>,
    /// The IP addresses in `status.addresses`.
    pub addresses: Vec<IpAddr>,
}

/// What a stand-in takes over from the pod template of a workload.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Template {
    /// The labels of the workload's pods.
    pub labels: Labels,
    /// The ports that the template's containers declare.
    pub ports: Vec<NamedPort>,
}

/// What netproof needs of a `StandInSet`, the owner of stand-ins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetState {
    /// Its UID, to which stand-ins refer as their owner's.
    pub uid: String,
    /// The test that it belongs to.
    pub test: TestRef,
    /// The installation that made it; none if it has no [`desired::INSTALLATION_LABEL`].
    pub installation: Option<String>,
    /// Whether it is being deleted.
    pub terminating: bool,
}

/// What netproof needs of a pod with the label of stand-ins. Every user may set that label: it does
/// not make the pod a stand-in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodState {
    /// `metadata.uid`, which is also the identity of its probe.
    pub uid: String,
    /// Its labels, by which policies select the pod.
    pub labels: Labels,
    /// The UID of the `StandInSet` that is its controller.
    pub owner: Option<String>,
    /// The image of its container `probe`, if the pod does not replace the image's command.
    pub image: Option<String>,
    /// `status.podIPs`, the first one the primary.
    pub addresses: Vec<IpAddr>,
    /// The node that it was placed on; none before.
    pub node: Option<String>,
    /// When the API server created it.
    pub created: Option<Timestamp>,
    /// When its container `probe` started; none while that does not run.
    pub started: Option<Timestamp>,
    /// How far it has come, from creation to its end.
    pub progress: PodProgress,
}

/// How far a pod has come, from creation to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PodProgress {
    /// Its container `probe` runs, and the pod has an address.
    Running,
    /// It is not running yet, for none of the reasons below.
    Starting,
    /// The scheduler finds no node for it, and why.
    Unschedulable(String),
    /// Its image cannot be pulled, and why.
    ImageUnavailable(String),
    /// It has ended, and why.
    Ended(String),
    /// It is being deleted.
    Terminating,
}

/// Reads a `NetworkPolicy`; an error names the field that is wrong.
pub fn policy(object: &DynamicObject) -> Result<Policy, String> {
    let manifest =
        network_policy::NetworkPolicy { metadata: metadata(object), spec: part(object, "spec")? };
    network_policy::compile(&manifest).map_err(wrong)
}

/// Reads a policy of this cluster-wide kind. An object in a version that netproof does not read is
/// an error.
pub fn cluster_policy(
    kind: ClusterPolicyKind,
    object: &DynamicObject,
) -> Result<ClusterPolicy, String> {
    let written = object.types.as_ref().map_or("unknown", |types| types.api_version.as_str());
    if written != kind.row().api_version {
        let version = written.rsplit('/').next().unwrap_or_default();
        let readable = kind.row().version();
        return Err(format!(
            "the cluster has this kind in version {version} only, which this netproof cannot read; it reads {readable}"
        ));
    }
    let spec: Value = part(object, "spec")?;
    let written = json!({"metadata": {"name": object.name_any()}, "spec": spec});
    // Metadata is written here: only the specification can be malformed.
    policy::read::cluster_policy(kind, written)
        .map_err(|error| format!("spec: {error}"))?
        .map_err(wrong)
}

fn metadata(object: &DynamicObject) -> Metadata {
    // In whole seconds, as the API server writes times, so that texts sort as the times do.
    let created = object.creation_timestamp();
    Metadata {
        namespace: object.namespace().unwrap_or_default(),
        name: object.name_any(),
        creation_timestamp: created.map(|time| time.0.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()),
    }
}

/// An error without the object's name, which the code that reports it adds.
#[expect(clippy::needless_pass_by_value, reason = "an error on its way")]
fn wrong(rejected: Rejected) -> String {
    format!("{}: {}", rejected.field, rejected.problem)
}

/// Reads a Namespace, which cannot fail.
pub fn namespace(object: &DynamicObject) -> Result<NamespaceState, String> {
    Ok(NamespaceState { labels: object.labels().clone(), terminating: terminating(object) })
}

/// Reads a Node; an error if its spec or status is not one.
pub fn node(object: &DynamicObject) -> Result<NodeState, String> {
    let spec: NodeSpec = part(object, "spec")?;
    let status: NodeStatus = part(object, "status")?;
    // Some entries are host names, which do not parse as addresses.
    let addresses = status.addresses.iter().flatten().filter_map(|a| a.address.parse().ok());
    Ok(NodeState {
        labels: object.labels().clone(),
        taints: spec.taints.unwrap_or_default(),
        cordoned: spec.unschedulable.unwrap_or_default(),
        not_ready: not_ready(&status),
        addresses: addresses.collect(),
    })
}

/// Why a node is not ready. A node without a Ready condition counts as not ready.
fn not_ready(status: &NodeStatus) -> Option<String> {
    let mut conditions = status.conditions.iter().flatten();
    match conditions.find(|condition| condition.type_ == "Ready") {
        Some(ready) if ready.status == "True" => None,
        Some(ready) => Some(ready.reason.clone().unwrap_or_else(|| ready.status.clone())),
        None => Some("it has not said so yet".into()),
    }
}

/// Reads the UID of an object of which nothing else is needed; cannot fail.
pub fn uid(object: &DynamicObject) -> Result<String, String> {
    Ok(object.uid().unwrap_or_default())
}

/// Reads a `StandInSet`, the owner of stand-ins.
pub fn stand_in_set(object: &DynamicObject) -> Result<SetState, String> {
    let spec: StandInSetSpec = part(object, "spec")?;
    Ok(SetState {
        uid: object.uid().unwrap_or_default(),
        test: spec.test,
        installation: object.labels().get(desired::INSTALLATION_LABEL).cloned(),
        terminating: terminating(object),
    })
}

/// Reads the pod template of a Deployment, a `StatefulSet` or a `DaemonSet`.
pub fn template(object: &DynamicObject) -> Result<Template, String> {
    let template = object.data.pointer("/spec/template").cloned().unwrap_or_default();
    let template: PodTemplateSpec =
        serde_json::from_value(template).map_err(|error| format!("spec.template: {error}"))?;
    let labels = template.metadata.and_then(|metadata| metadata.labels).unwrap_or_default();
    let containers = template.spec.map(|spec| spec.containers).unwrap_or_default();
    Ok(Template { labels, ports: containers.iter().flat_map(declared).collect() })
}

/// Reads a pod; an address that does not parse is an error.
pub fn pod(object: &DynamicObject) -> Result<PodState, String> {
    let pod: Pod = object.clone().try_parse().map_err(|error| error.to_string())?;
    let status = pod.status.clone().unwrap_or_default();
    let addresses: Vec<IpAddr> = status
        .pod_ips
        .iter()
        .flatten()
        .map(|address| address.ip.parse().map_err(|_| format!("podIPs: {:?}", address.ip)))
        .collect::<Result<_, _>>()?;
    Ok(PodState {
        uid: pod.uid().unwrap_or_default(),
        labels: pod.labels().clone(),
        owner: owner(&pod),
        image: image(&pod),
        node: pod.spec.as_ref().and_then(|spec: &PodSpec| spec.node_name.clone()),
        created: pod.creation_timestamp().map(|time| time.0),
        started: container(&status)
            .and_then(|container| container.state.as_ref()?.running.as_ref()?.started_at.as_ref())
            .map(|time| time.0),
        progress: progress(&pod, &addresses),
        addresses,
    })
}

/// The UID of the `StandInSet` that controls a pod.
fn owner(pod: &Pod) -> Option<String> {
    let (group, kind) = (StandInSet::group(&()), StandInSet::kind(&()));
    let is_set = |owner: &&OwnerReference| {
        owner.controller == Some(true)
            && owner.kind == kind
            && owner.api_version.split('/').next() == Some(&*group)
    };
    pod.owner_references().iter().find(is_set).map(|owner| owner.uid.clone())
}

fn image(pod: &Pod) -> Option<String> {
    let containers = &pod.spec.as_ref()?.containers;
    let probe = containers.iter().find(|container| container.name == desired::CONTAINER)?;
    probe.image.clone().filter(|_| probe.command.is_none())
}

fn progress(pod: &Pod, addresses: &[IpAddr]) -> PodProgress {
    if pod.metadata.deletion_timestamp.is_some() {
        return PodProgress::Terminating;
    }
    let status = pod.status.clone().unwrap_or_default();
    let said = || {
        let words = [status.reason.clone(), status.message.clone()];
        let words: Vec<_> = words.into_iter().flatten().collect();
        if words.is_empty() { "its probe ended".to_owned() } else { words.join(": ") }
    };
    if let Some("Failed" | "Succeeded") = status.phase.as_deref() {
        return PodProgress::Ended(said());
    }
    let state =
        container(&status).and_then(|container| container.state.clone()).unwrap_or_default();
    if state.running.is_some() && !addresses.is_empty() {
        return PodProgress::Running;
    }
    if let Some(waiting) = state.waiting {
        let reason = waiting.reason.unwrap_or_default();
        let message = format!("{reason}: {}", waiting.message.unwrap_or_default());
        if ["ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName"]
            .contains(&reason.as_str())
        {
            return PodProgress::ImageUnavailable(message);
        }
    }
    let unscheduled = status.conditions.iter().flatten().find(|condition| {
        condition.type_ == "PodScheduled" && condition.reason.as_deref() == Some("Unschedulable")
    });
    match unscheduled {
        Some(condition) => {
            PodProgress::Unschedulable(condition.message.clone().unwrap_or_default())
        }
        None => PodProgress::Starting,
    }
}

fn container(status: &PodStatus) -> Option<&ContainerStatus> {
    status.container_statuses.iter().flatten().find(|c| c.name == desired::CONTAINER)
}

fn declared(container: &Container) -> Vec<NamedPort> {
    let ports = container.ports.iter().flatten();
    ports
        .filter_map(|port| {
            let protocol = match port.protocol.as_deref() {
                None | Some("" | "TCP") => Protocol::Tcp,
                Some("UDP") => Protocol::Udp,
                Some("SCTP") => Protocol::Sctp,
                Some(_) => return None,
            };
            let number = u16::try_from(port.container_port).ok()?;
            Some(NamedPort { name: port.name.clone(), port: number, protocol })
        })
        .collect()
}

fn terminating(object: &DynamicObject) -> bool {
    object.metadata.deletion_timestamp.is_some()
}

/// Reads one of the fields at the top of an object; a missing field is read as an empty object.
pub fn part<T: DeserializeOwned>(object: &DynamicObject, field: &str) -> Result<T, String> {
    let value = object.data.get(field).cloned().unwrap_or(json!({}));
    serde_json::from_value(value).map_err(|error| format!("{field}: {error}"))
}
