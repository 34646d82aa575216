//! Describes a pod, as far as policies can tell.

use std::{collections::BTreeMap, net::IpAddr};

use crate::{
    flow::Protocol,
    reference::ObjectRef,
    select::{Labels, Selector},
};

/// A pod, as far as policies can tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pod {
    /// The namespace and name of the pod, by which it is told from others.
    pub name: ObjectRef,
    /// The labels by which selectors know the pod.
    pub labels: Labels,
    /// The addresses (`podIPs`), the primary one first; empty until the pod has one.
    pub addresses: Vec<IpAddr>,
    /// The node that the pod runs on, once it is scheduled.
    pub node: Option<String>,
    /// Whether the pod shares its node's network namespace, which the API leaves open how to treat.
    pub network: PodNetwork,
    /// Whether the pod still holds its addresses.
    pub lifecycle: Lifecycle,
    /// The ports that the pod's containers name; ports without a name decide nothing and are left
    /// out.
    pub named_ports: Vec<NamedPort>,
}

impl Pod {
    /// Whether a selector of namespaces matches the one that the pod is in, given the labels of
    /// those that have any but their name.
    pub(crate) fn is_in(&self, wanted: &Selector, namespaces: &BTreeMap<String, Labels>) -> bool {
        let namespace = &self.name.namespace;
        wanted.matches_namespace(namespace, namespaces.get(namespace))
    }
}

/// Whose network namespace a pod uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PodNetwork {
    /// The pod has a network namespace of its own, to which policies apply.
    Own,
    /// The pod uses its node's network namespace (`hostNetwork: true`).
    Host,
}

/// Whether a pod still holds its addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifecycle {
    /// The pod is pending, running or terminating: its addresses are its own.
    Live,
    /// The pod has succeeded or failed: its addresses may be another pod's by now.
    Finished,
}

/// A port that a container of a pod gives a name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NamedPort {
    /// The name that policies may use.
    pub name: String,
    /// The number that the name stands for on this pod.
    pub number: u16,
    /// The protocol; the name matches only together with it.
    pub protocol: Protocol,
    /// The kind of container that declares the port.
    pub container: ContainerKind,
}

/// The kind of container that declares a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ContainerKind {
    /// One of `containers`, whose port names resolve on every network.
    Regular,
    /// One of `initContainers`, native sidecars included: the API leaves open whether its port
    /// names resolve.
    Init,
}
