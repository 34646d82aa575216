//! Resolves the ends of a flow that people write to pods, addresses and Services among the objects.

use std::net::IpAddr;

use netproof_conformance::{
    flow::{End, PodId},
    manifest::{Backends, Service},
    pod::Lifecycle,
    reference::ObjectRef,
};
use thiserror::Error;

use super::{
    end_spec::{EndName, EndSpec},
    loaded::Loaded,
};

/// What an end stands for.
#[derive(Clone, Debug)]
pub enum EndIdentity<'a> {
    /// A pod, or a workload that stands for its pods.
    Pod(PodId),
    /// An address, which stands for no pod.
    Address(IpAddr),
    /// A Service, and the pods that it selects: at least one.
    Service(&'a Service, Vec<PodId>),
}

impl EndIdentity<'_> {
    /// The ends of flows that it stands for.
    pub fn ends(&self) -> Vec<End> {
        match self {
            Self::Pod(pod) => vec![End::Pod(*pod)],
            Self::Address(address) => vec![End::Address(*address)],
            Self::Service(_, pods) => pods.iter().copied().map(End::Pod).collect(),
        }
    }
}

/// Why an end stands for nothing.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Nobody {
    /// There is no pod, workload or Service of that name; some names that are like it.
    #[error("{0} is no pod, workload or Service among the objects{hint}", hint = hint(.1))]
    Unknown(ObjectRef, Vec<ObjectRef>),
    /// There is no Service of that name.
    #[error("{0} is no Service among the objects")]
    UnknownService(ObjectRef),
    /// The Service has no selector: something outside of the objects sets its endpoints.
    #[error(
        "Service {0} has no selector, so that the objects do not tell its pods: name a pod or an address"
    )]
    WithoutSelector(ObjectRef),
    /// The Service is an alias for this DNS name.
    #[error("Service {0} stands for the name {1} in the DNS: name an address")]
    External(ObjectRef, String),
    /// The Service selects no pod that runs.
    #[error("Service {0} selects no pod that runs")]
    WithoutPods(ObjectRef),
}

fn hint(others: &[ObjectRef]) -> String {
    let names: Vec<String> = others.iter().map(ObjectRef::to_string).collect();
    if names.is_empty() { String::new() } else { format!("; there is {}", names.join(", ")) }
}

/// What an end as it is written stands for, among the loaded objects.
pub fn resolve<'a>(spec: &EndSpec, loaded: &'a Loaded) -> Result<EndIdentity<'a>, Nobody> {
    match spec {
        EndSpec::Address(address) => Ok(EndIdentity::Address(*address)),
        EndSpec::Service(name) => {
            let name = name.in_world(loaded);
            match loaded.service(&name) {
                Some(service) => with_pods(service, loaded),
                None => Err(Nobody::UnknownService(name)),
            }
        }
        EndSpec::Named(name) => {
            let name = name.in_world(loaded);
            if let Some(pod) = loaded.find(&name) {
                return Ok(EndIdentity::Pod(pod));
            }
            if let Some(service) = loaded.service(&name) {
                return with_pods(service, loaded);
            }
            let others = others(&name, loaded);
            Err(Nobody::Unknown(name, others))
        }
    }
}

impl EndName {
    fn in_world(&self, loaded: &Loaded) -> ObjectRef {
        let namespace = self.namespace.as_deref().unwrap_or(&loaded.default_namespace);
        ObjectRef { namespace: namespace.to_owned(), name: self.name.clone() }
    }
}

fn with_pods<'a>(service: &'a Service, loaded: &'a Loaded) -> Result<EndIdentity<'a>, Nobody> {
    let name = || service.name.clone();
    let labels = match &service.backends {
        Backends::Pods(labels) => labels,
        Backends::Unknown => return Err(Nobody::WithoutSelector(name())),
        Backends::External(target) => return Err(Nobody::External(name(), target.clone())),
    };
    let pods: Vec<PodId> = loaded
        .pods()
        .filter(|(_, pod)| {
            pod.name.namespace == service.name.namespace
                && pod.lifecycle == Lifecycle::Live
                && labels.iter().all(|(key, value)| pod.labels.get(key) == Some(value))
        })
        .map(|(id, _)| id)
        .collect();
    if pods.is_empty() {
        Err(Nobody::WithoutPods(name()))
    } else {
        Ok(EndIdentity::Service(service, pods))
    }
}

/// Up to three names that could have been meant: the same name in another namespace, or that of a
/// workload of another kind.
fn others(name: &ObjectRef, loaded: &Loaded) -> Vec<ObjectRef> {
    const MOST: usize = 3;
    let last = |full: &str| full.rsplit('/').next().map(str::to_owned);
    let alike = loaded.pods().map(|(_, pod)| &pod.name).filter(|other| {
        last(&other.name).as_deref() == Some(name.name.as_str())
            || (other.namespace == name.namespace && other.name.starts_with(&name.name))
    });
    alike.take(MOST).cloned().collect()
}
