//! What offline input means: objects, one by one, as files and API servers have them, become a
//! [`Snapshot`](crate::snapshot::Snapshot).
//!
//! What stands in the place of what is missing is decided here, and told: a workload's template
//! stands for its pods, a pod that was only written down gets an address that no policy's block
//! tells from others, and a namespace that is not among the objects has no labels of its own.

mod address;
mod cluster;
mod fields;
mod header;
mod kind;
mod metadata;
mod namespace;
mod node;
mod pod;
mod rejection;
mod service;
mod shapes;
mod source;
mod stand_in;
mod suggestion;
mod workload;
mod written;

use std::{
    collections::{BTreeMap, btree_map::Entry},
    net::IpAddr,
};

use serde::Deserializer;

use crate::{
    kinds::{ApiKind, ClusterPolicyKind},
    policy::{self, Policy, cluster::ClusterPolicy, network_policy},
    reference::ObjectRef,
    select::Labels,
};
use kind::Treatment;
use metadata::ManifestMetadata;
use namespace::Namespace;
use node::Node;
use pod::{PodObject, ReadPod};
use rejection::ObjectFault;
use service::ServiceObject;
use stand_in::Workloads;
use workload::{CronJob, Workload};
use written::NetworkPolicyObject;

pub use crate::kinds::WorkloadKind;
pub use cluster::{Cluster, Origin};
pub use fields::{Misfit, Written, misfits, misfits_of_list};
pub use header::Header;
pub use kind::{matters, policy_groups, reads, was_once_read};
pub use rejection::{ObjectProblem, Rejection};
pub use service::{Backends, Service, ServicePort, ServiceTarget};
pub use source::Source;
pub use suggestion::Suggestion;
pub use written::WrittenPolicy;

/// The objects that have been read so far, each once.
///
/// ```
/// use netproof_conformance::manifest::{Header, Objects, Source};
///
/// let mut objects = Objects::new("shop");
/// let mut add = |document, object: &str| {
///     let header: Header = serde_json::from_str(object)?;
///     let at = Source { input: "shop.json".into(), document, line: None };
///     objects.add(at, &header, &mut serde_json::Deserializer::from_str(object))
/// };
/// add(1, r#"{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web"}}"#)?;
/// add(2, r#"{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "web"}}"#)?;
/// add(3, r#"{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "No Name"}}"#)?;
///
/// let cluster = objects.finish();
/// assert_eq!(cluster.snapshot.pods[0].name.to_string(), "shop/web");
/// assert_eq!(cluster.skipped["ConfigMap"], 1);
/// assert_eq!(cluster.rejected[0].field, "metadata.name");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Objects {
    default_namespace: String,
    namespaces: BTreeMap<ObjectRef, Sourced<Labels>>,
    nodes: BTreeMap<ObjectRef, Sourced<Vec<IpAddr>>>,
    pods: BTreeMap<ObjectRef, Sourced<ReadPod>>,
    services: BTreeMap<ObjectRef, Sourced<Service>>,
    workloads: Workloads,
    policies: BTreeMap<ObjectRef, Sourced<Policy>>,
    written: BTreeMap<ObjectRef, WrittenPolicy>,
    cluster_policies: BTreeMap<ClusterPolicyKind, BTreeMap<ObjectRef, Sourced<ClusterPolicy>>>,
    rejected: Vec<Rejection>,
    skipped: BTreeMap<String, usize>,
    ignored_policies: BTreeMap<String, usize>,
}

/// An object, and where it was read.
#[derive(Clone, Debug)]
struct Sourced<T> {
    source: Source,
    object: T,
}

impl Objects {
    /// A collection without objects. Objects that name no namespace and need one will be in
    /// `default_namespace`.
    pub fn new(default_namespace: &str) -> Self {
        Self {
            default_namespace: default_namespace.to_owned(),
            namespaces: BTreeMap::new(),
            nodes: BTreeMap::new(),
            pods: BTreeMap::new(),
            services: BTreeMap::new(),
            workloads: Workloads::new(),
            policies: BTreeMap::new(),
            written: BTreeMap::new(),
            cluster_policies: BTreeMap::new(),
            rejected: Vec::new(),
            skipped: BTreeMap::new(),
            ignored_policies: BTreeMap::new(),
        }
    }

    /// Takes one object, after its header was read. An object that the API server would refuse is
    /// remembered among the rejected; so is one of a kind and name that is there already with
    /// another content. The same object once more changes nothing.
    ///
    /// # Errors
    ///
    /// If the object has not the form of its kind. It has then left no trace: the caller has to
    /// find out where it is wrong, and to [`reject`](Self::reject) it.
    pub fn add<'de, D: Deserializer<'de>>(
        &mut self,
        at: Source,
        header: &Header,
        object: D,
    ) -> Result<(), D::Error> {
        match Treatment::of(&header.api_version, &header.kind) {
            Treatment::Read(kind) => {
                if let Err((name, fault)) = self.read(kind, &at, object)? {
                    let ObjectFault { field, problem } = fault;
                    self.rejected.push(Rejection {
                        at,
                        kind: header.kind.clone(),
                        object: name,
                        field,
                        problem,
                    });
                }
            }
            Treatment::Refused(known) => {
                let written = header.api_version.clone();
                self.reject(at, header, "apiVersion", ObjectProblem::Version { written, known });
            }
            Treatment::Outdated(known) => {
                let written = header.api_version.clone();
                self.reject(at, header, "apiVersion", ObjectProblem::Outdated { written, known });
            }
            Treatment::Misspelt(known) => {
                let (field, written, known) = known.difference(header);
                self.reject(at, header, field, ObjectProblem::Spelling { written, known });
            }
            Treatment::NotEvaluated => count(&mut self.ignored_policies, header),
            Treatment::Skipped => count(&mut self.skipped, header),
        }
        Ok(())
    }

    /// Remembers that an object is wrong.
    pub fn reject(&mut self, at: Source, header: &Header, field: &str, problem: ObjectProblem) {
        let network_policy::Metadata { name, namespace, .. } = header.metadata.clone();
        self.rejected.push(Rejection {
            at,
            kind: header.kind.clone(),
            object: ObjectRef { namespace, name },
            field: field.to_owned(),
            problem,
        });
    }

    /// Reads an object of a kind and keeps it: one line a kind.
    fn read<'de, D: Deserializer<'de>>(
        &mut self,
        kind: ApiKind,
        at: &Source,
        object: D,
    ) -> Result<Result<(), (ObjectRef, ObjectFault)>, D::Error> {
        let namespaced = |metadata: &ManifestMetadata| metadata.namespaced(&self.default_namespace);
        Ok(match kind {
            ApiKind::Namespace => {
                let object = Namespace::deserialize(object)?;
                keep(&mut self.namespaces, at, object.metadata.in_no_namespace(), |_| object.read())
            }
            ApiKind::Node => {
                let object = Node::deserialize(object)?;
                keep(&mut self.nodes, at, object.metadata.in_no_namespace(), |_| object.read())
            }
            ApiKind::Pod => {
                let object = PodObject::deserialize(object)?;
                keep(&mut self.pods, at, namespaced(&object.metadata), |name| object.read(name))
            }
            ApiKind::Service => {
                let object = ServiceObject::deserialize(object)?;
                keep(&mut self.services, at, namespaced(&object.metadata), |name| object.read(name))
            }
            ApiKind::Workload(WorkloadKind::CronJob) => {
                let object = CronJob::deserialize(object)?;
                let named = self.workloads.entry(WorkloadKind::CronJob).or_default();
                keep(named, at, namespaced(&object.metadata), |name| object.read(name))
            }
            ApiKind::Workload(kind) => {
                let object = Workload::deserialize(object)?;
                let named = self.workloads.entry(kind).or_default();
                keep(named, at, namespaced(&object.metadata), |name| object.read(kind, name))
            }
            ApiKind::NetworkPolicy => {
                let written = NetworkPolicyObject::deserialize(object)?;
                let written = written.read(&self.default_namespace);
                let network_policy::Metadata { name, namespace, .. } =
                    written.policy.metadata.clone();
                let name = ObjectRef { namespace, name };
                let compiled = network_policy::compile(&written.policy);
                let kept = keep(&mut self.policies, at, name.clone(), |_| refused(compiled));
                if kept.is_ok() {
                    self.written.entry(name).or_insert(written);
                }
                kept
            }
            ApiKind::ClusterPolicy(kind) => {
                let compiled = policy::read::cluster_policy(kind, object)?;
                let name = match &compiled {
                    Ok(policy) => ObjectRef::of_cluster(&policy.name.name),
                    Err(rejected) => rejected.object.clone(),
                };
                let named = self.cluster_policies.entry(kind).or_default();
                keep(named, at, name, |_| refused(compiled))
            }
        })
    }
}

/// What the API server would refuse about a policy.
fn refused<T>(compiled: Result<T, policy::Rejected>) -> Result<T, ObjectFault> {
    compiled.map_err(|policy::Rejected { field, problem, .. }| ObjectFault {
        field,
        problem: problem.into(),
    })
}

/// Keeps an object under its name, unless it is wrong or contradicts another one of that name.
fn keep<T: PartialEq>(
    kept: &mut BTreeMap<ObjectRef, Sourced<T>>,
    at: &Source,
    name: ObjectRef,
    read: impl FnOnce(&ObjectRef) -> Result<T, ObjectFault>,
) -> Result<(), (ObjectRef, ObjectFault)> {
    let object = match read(&name) {
        Ok(object) => object,
        Err(fault) => return Err((name, fault)),
    };
    match kept.entry(name) {
        Entry::Vacant(free) => {
            free.insert(Sourced { source: at.clone(), object });
            Ok(())
        }
        Entry::Occupied(known) if known.get().object == object => Ok(()),
        Entry::Occupied(known) => {
            let problem = ObjectProblem::Duplicate(known.get().source.clone());
            Err((known.key().clone(), ObjectFault { field: String::new(), problem }))
        }
    }
}

fn count(kinds: &mut BTreeMap<String, usize>, header: &Header) {
    *kinds.entry(kind::with_group(&header.api_version, &header.kind)).or_default() += 1;
}
