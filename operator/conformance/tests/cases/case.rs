//! A case as it is written (`cases/README.md`), and the snapshot that it means.

use std::{collections::BTreeMap, net::IpAddr};

use netproof_conformance::{
    flow::{Port, Protocol},
    policy::{
        Policy, Rejected, admin_network_policy, baseline_admin_network_policy,
        cluster::ClusterPolicy, cluster_network_policy, network_policy,
    },
    snapshot::{
        Container, Labels, Lifecycle, NamedPort, ObjectRef, Pod, PodNetwork, Revision, Snapshot,
    },
};
use serde::Deserialize;

/// A small cluster and its cases.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    #[serde(default)]
    namespaces: BTreeMap<String, Labels>,
    #[serde(default)]
    pods: BTreeMap<String, PodText>,
    #[serde(default)]
    nodes: BTreeMap<String, Vec<IpAddr>>,
    pub cases: Vec<Case>,
}

/// Some policies, and what they say.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    pub claim: String,
    #[serde(default)]
    pub law: Vec<u32>,
    #[serde(default)]
    pub upstream: Vec<String>,
    #[serde(default)]
    namespaces: BTreeMap<String, Labels>,
    #[serde(default)]
    pods: BTreeMap<String, PodText>,
    #[serde(default)]
    policies: Vec<network_policy::NetworkPolicy>,
    #[serde(default, rename = "clusterNetworkPolicies")]
    cluster: Vec<cluster_network_policy::ClusterNetworkPolicy>,
    #[serde(default, rename = "adminNetworkPolicies")]
    admin: Vec<admin_network_policy::AdminNetworkPolicy>,
    #[serde(default, rename = "baselineAdminNetworkPolicies")]
    baseline: Vec<baseline_admin_network_policy::BaselineAdminNetworkPolicy>,
    #[serde(default)]
    pub rejected: Vec<Refusal>,
    #[serde(default)]
    pub expect: BTreeMap<String, String>,
    pub reason: Option<Reasons>,
    #[serde(default)]
    pub by: BTreeMap<String, By>,
}

#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
struct PodText {
    labels: Labels,
    ips: Option<Vec<IpAddr>>,
    node: Option<String>,
    ports: Vec<String>,
    init_ports: Vec<String>,
    host: bool,
    finished: bool,
}

/// A policy that must be refused.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refusal {
    pub object: String,
    pub field: String,
    pub message: String,
}

/// Why cells are unspecified.
#[derive(Deserialize)]
#[serde(untagged)]
pub enum Reasons {
    All(String),
    Each(BTreeMap<String, String>),
}

/// What decides a cell; only what is written is compared.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct By {
    pub egress: Option<String>,
    pub ingress: Option<String>,
}

impl Case {
    /// The cluster with what this case changes in it, and which of its policies were refused.
    pub fn snapshot(&self, file: &File) -> Result<(Snapshot, Vec<Rejected>), String> {
        let mut rejected = vec![];
        let policies = self.policies(&mut rejected);
        let cluster_policies = self.cluster_policies(&mut rejected);
        let snapshot = Snapshot {
            revision: Revision::default(),
            namespaces: merged(&file.namespaces, &self.namespaces),
            pods: merged(&file.pods, &self.pods)
                .iter()
                .zip(1u8..)
                .map(|((name, pod), index)| pod.read(name, index))
                .collect::<Result<_, _>>()?,
            policies,
            cluster_policies,
            nodes: file.nodes.clone(),
        };
        let strays = snapshot.policies.iter().map(|policy| &policy.name);
        let strays = strays.filter(|name| !snapshot.namespaces.contains_key(&name.namespace));
        match strays.map(ToString::to_string).collect::<Vec<_>>().join(", ") {
            strays if strays.is_empty() => Ok((snapshot, rejected)),
            strays => Err(format!("the cluster has no such namespace: {strays}")),
        }
    }

    fn policies(&self, rejected: &mut Vec<Rejected>) -> Vec<Policy> {
        each(&self.policies, network_policy::compile, rejected).collect()
    }

    fn cluster_policies(&self, rejected: &mut Vec<Rejected>) -> Vec<ClusterPolicy> {
        let cluster: Vec<_> =
            each(&self.cluster, cluster_network_policy::compile, rejected).collect();
        let admin: Vec<_> = each(&self.admin, admin_network_policy::compile, rejected).collect();
        let baseline = each(&self.baseline, baseline_admin_network_policy::compile, rejected);
        cluster.into_iter().chain(admin).chain(baseline).collect()
    }
}

fn each<A, B>(
    written: &[A],
    compile: impl Fn(&A) -> Result<B, Rejected>,
    rejected: &mut Vec<Rejected>,
) -> impl Iterator<Item = B> {
    written.iter().filter_map(move |one| compile(one).map_err(|why| rejected.push(why)).ok())
}

fn merged<T: Clone>(all: &BTreeMap<String, T>, ours: &BTreeMap<String, T>) -> BTreeMap<String, T> {
    let mut all = all.clone();
    all.extend(ours.clone());
    all
}

impl PodText {
    fn read(&self, name: &str, index: u8) -> Result<Pod, String> {
        let (namespace, name) =
            name.split_once('/').ok_or_else(|| format!("pod {name} needs a namespace"))?;
        let named = |container| move |text: &String| named_port(text, container);
        Ok(Pod {
            name: ObjectRef { namespace: namespace.to_owned(), name: name.to_owned() },
            labels: self.labels.clone(),
            addresses: self.ips.clone().unwrap_or_else(|| vec![[10, 255, 0, index].into()]),
            node: self.node.clone(),
            network: if self.host { PodNetwork::Host } else { PodNetwork::Own },
            lifecycle: if self.finished { Lifecycle::Finished } else { Lifecycle::Live },
            named_ports: self
                .ports
                .iter()
                .map(named(Container::Regular))
                .chain(self.init_ports.iter().map(named(Container::Init)))
                .collect::<Result<_, _>>()?,
        })
    }
}

fn named_port(text: &str, container: Container) -> Result<NamedPort, String> {
    let (name, port) = text.split_once(' ').ok_or_else(|| format!("{text} is no named port"))?;
    let Port { number, protocol } = port_of(port)?;
    Ok(NamedPort { name: name.to_owned(), number, protocol, container })
}

/// Reads `80/TCP`.
pub fn port_of(text: &str) -> Result<Port, String> {
    let wrong = || format!("{text} is no port");
    let (number, protocol) = text.split_once('/').ok_or_else(wrong)?;
    let protocol = match protocol {
        "TCP" => Protocol::Tcp,
        "UDP" => Protocol::Udp,
        "SCTP" => Protocol::Sctp,
        _ => return Err(wrong()),
    };
    Ok(Port { number: number.parse().map_err(|_| wrong())?, protocol })
}
