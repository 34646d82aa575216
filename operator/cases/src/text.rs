//! A file of cases as it is written (`README.md`): a field that is not here is refused.

use std::{collections::BTreeMap, net::IpAddr};

use netproof_conformance::{
    kinds::ClusterPolicyKind,
    pod::{ContainerKind, Lifecycle, Pod, PodNetwork},
    policy::{
        Rejected, cluster::ClusterPolicy, network_policy::NetworkPolicy, read::cluster_policy,
    },
    reference::ObjectRef,
    select::Labels,
};
use serde::{Deserialize, Deserializer, de};
use serde_json::Value;

use crate::{error::CaseProblem, port::named_port};

/// A policy that must be refused.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refusal {
    /// The kind and name of the policy.
    pub object: String,
    /// The field that is wrong.
    pub field: String,
    /// A part of the sentence that refuses it.
    pub message: String,
}

/// Why cells are unspecified.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum Reasons {
    /// The same reason for all of them.
    All(String),
    /// A reason for each cell, by the cell's name.
    Each(BTreeMap<String, String>),
}

/// What decides a cell; only what is written is compared.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct By {
    /// What decides on the sender's side.
    pub egress: Option<String>,
    /// What decides on the receiver's side.
    pub ingress: Option<String>,
}

/// A small cluster and its cases.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FileText {
    #[serde(default)]
    pub namespaces: BTreeMap<String, Labels>,
    #[serde(default)]
    pub pods: BTreeMap<String, PodText>,
    #[serde(default)]
    pub nodes: BTreeMap<String, Vec<IpAddr>>,
    pub cases: Vec<CaseText>,
}

/// Some policies, and what they say of flows.
#[derive(Deserialize)]
pub(crate) struct CaseText {
    pub claim: String,
    #[serde(default)]
    pub law: Vec<u32>,
    #[serde(default)]
    pub upstream: Vec<String>,
    #[serde(default)]
    pub namespaces: BTreeMap<String, Labels>,
    #[serde(default)]
    pub pods: BTreeMap<String, PodText>,
    #[serde(default)]
    pub policies: Vec<PolicyText>,
    /// What is under the names of kinds, and takes what would be unknown fields.
    #[serde(flatten)]
    pub cluster_policies: ClusterPolicies,
    #[serde(default)]
    pub rejected: Vec<Refusal>,
    #[serde(default)]
    pub expect: BTreeMap<String, String>,
    pub reason: Option<Reasons>,
    #[serde(default)]
    pub by: BTreeMap<String, By>,
}

/// A pod as a file describes it.
#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub(crate) struct PodText {
    labels: Labels,
    ips: Option<Vec<IpAddr>>,
    node: Option<String>,
    ports: Vec<String>,
    init_ports: Vec<String>,
    host: bool,
    finished: bool,
}

/// A `NetworkPolicy` as JSON, as it would be applied, and as the predictor takes it from that JSON.
pub(crate) struct PolicyText {
    pub written: Value,
    pub typed: NetworkPolicy,
}

impl<'de> Deserialize<'de> for PolicyText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = Value::deserialize(deserializer)?;
        let typed = NetworkPolicy::deserialize(&written).map_err(de::Error::custom)?;
        Ok(Self { written, typed })
    }
}

/// The policies of the cluster, by kind and in their order.
pub(crate) struct ClusterPolicies(pub Vec<Result<ClusterPolicy, Rejected>>);

impl<'de> Deserialize<'de> for ClusterPolicies {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut fields = BTreeMap::<String, Value>::deserialize(deserializer)?;
        let mut policies = vec![];
        for kind in ClusterPolicyKind::ALL {
            let written = fields.remove(&field_of(kind)).unwrap_or(Value::Array(vec![]));
            for object in Vec::<Value>::deserialize(written).map_err(de::Error::custom)? {
                policies.push(cluster_policy(kind, object).map_err(de::Error::custom)?);
            }
        }
        match fields.keys().next() {
            Some(field) => Err(de::Error::custom(format!("unknown field `{field}`"))),
            None => Ok(Self(policies)),
        }
    }
}

/// What the policies of a kind are under: `adminNetworkPolicies`.
fn field_of(kind: ClusterPolicyKind) -> String {
    let word = kind.word();
    let stem = word.strip_suffix('y').expect("a kind of policy is called a Policy");
    let (first, rest) = stem.split_at(1);
    format!("{}{rest}ies", first.to_lowercase())
}

impl PodText {
    /// The pod of this name. If it has no address, its place among all pods makes one.
    pub fn read(&self, name: &str, place: u8) -> Result<Pod, CaseProblem> {
        let (namespace, name) =
            name.split_once('/').ok_or_else(|| CaseProblem::NoNamespace(name.to_owned()))?;
        let declared = |container| move |text: &String| named_port(text, container);
        Ok(Pod {
            name: ObjectRef { namespace: namespace.to_owned(), name: name.to_owned() },
            labels: self.labels.clone(),
            addresses: self.ips.clone().unwrap_or_else(|| vec![[10, 255, 0, place].into()]),
            node: self.node.clone(),
            network: if self.host { PodNetwork::Host } else { PodNetwork::Own },
            lifecycle: if self.finished { Lifecycle::Finished } else { Lifecycle::Live },
            named_ports: self
                .ports
                .iter()
                .map(declared(ContainerKind::Regular))
                .chain(self.init_ports.iter().map(declared(ContainerKind::Init)))
                .collect::<Result<_, _>>()?,
        })
    }
}
