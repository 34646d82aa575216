//! An endpoint of a test: a pod that stands in for a workload, or an address outside.

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{rules, schema};

/// One end of the flows of a test: exactly one of `standIn` and `external`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = schema::absent_is_not_null)]
#[x_kube(validation = rules::stand_in_or_external())]
pub struct Endpoint {
    /// Name by which checks and findings speak of this endpoint: a DNS label of at most 40
    /// characters, unique in the test.
    #[schemars(length(min = 1, max = 40))]
    #[x_kube(validation = rules::dns_label())]
    pub name: String,

    /// A probe pod that carries a workload's labels, so that policies treat it as that workload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stand_in: Option<StandIn>,

    /// An address outside the test's control. It can be reached but attempts nothing itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external: Option<External>,
}

/// What an [`Endpoint`] is: a stand-in or an external address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndpointKind<'a> {
    /// A probe pod that carries a workload's labels.
    StandIn(&'a StandIn),
    /// An address outside of the test's control.
    External(&'a External),
}

impl Endpoint {
    /// What this endpoint is; `None` for an object that the API server would have refused.
    pub fn kind(&self) -> Option<EndpointKind<'_>> {
        match (&self.stand_in, &self.external) {
            (Some(stand_in), None) => Some(EndpointKind::StandIn(stand_in)),
            (None, Some(external)) => Some(EndpointKind::External(external)),
            (None, None) | (Some(_), Some(_)) => None,
        }
    }
}

/// A probe pod in the place of a workload, which exactly one of `labels` and `like` names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = schema::absent_is_not_null)]
#[x_kube(validation = rules::labels_or_like())]
pub struct StandIn {
    /// Namespace of the probe pod. Left out: the namespace of the test. Any other namespace must
    /// carry the label `netproof.dev/allow-stand-ins: "true"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub namespace: Option<String>,

    /// Labels of the probe pod. An empty map is a pod without labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::labels")]
    #[x_kube(validation = rules::label_keys())]
    #[x_kube(validation = rules::label_values())]
    #[x_kube(validation = rules::no_labels_of_ours())]
    pub labels: Option<BTreeMap<String, String>>,

    /// Take labels and ports from the pod template of this workload, which must be in the same
    /// namespace as the probe pod. Labels that controllers set for themselves are left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub like: Option<WorkloadRef>,

    /// Ports on which the probe pod listens. With `like` they are added to those of the pod
    /// template; one with the same number and protocol takes its place. Without any the endpoint
    /// only attempts to connect and is not itself reached.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["port".into(), "protocol".into()]))]
    #[x_kube(validation = rules::unique_port_names())]
    pub ports: Vec<NamedPort>,
}

/// The source of a [`StandIn`]'s labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StandInSource<'a> {
    /// The labels are written in the test.
    Labels(&'a BTreeMap<String, String>),
    /// The labels are those of a workload's pod template.
    Like(&'a WorkloadRef),
}

impl StandIn {
    /// The source of the labels; `None` for an object that the API server would have refused.
    pub fn source(&self) -> Option<StandInSource<'_>> {
        match (&self.labels, &self.like) {
            (Some(labels), None) => Some(StandInSource::Labels(labels)),
            (None, Some(like)) => Some(StandInSource::Like(like)),
            (None, None) | (Some(_), Some(_)) => None,
        }
    }
}

/// A workload of group apps, by kind and name.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "camelCase")]
pub struct WorkloadRef {
    /// Kind of the workload.
    pub kind: WorkloadKind,

    /// Name of the workload.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}

/// The kinds of workload that a stand-in can be like.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub enum WorkloadKind {
    /// `Deployment` of `apps/v1`, by its pod template.
    Deployment,
    /// `StatefulSet` of `apps/v1`, by its pod template.
    StatefulSet,
    /// `DaemonSet` of `apps/v1`, by its pod template.
    DaemonSet,
}

/// An address outside the test's control, such as a database on a machine of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct External {
    /// A plain IPv4 or IPv6 address: no mask, no name, no port, and none that is loopback,
    /// link-local, multicast, broadcast or unspecified.
    #[schemars(length(max = 45))]
    #[x_kube(validation = rules::plain_address())]
    #[x_kube(validation = rules::reachable_address())]
    pub address: String,

    /// Ports at which the address is to be reached. Not UDP: an address that does not run a probe
    /// cannot prove that a datagram reached it.
    #[schemars(length(min = 1, max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["port".into(), "protocol".into()]))]
    #[x_kube(validation = rules::no_udp())]
    pub ports: Vec<Port>,
}

/// A port that may have a name.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, KubeSchema,
)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = schema::absent_is_not_null)]
pub struct NamedPort {
    /// Name by which policies may speak of this port, as a container port has it: at most 15
    /// characters, a-z, 0-9 and single hyphens inside, at least one letter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 15))]
    #[x_kube(validation = rules::port_name())]
    pub name: Option<String>,

    /// Port number, 1 to 65535.
    #[schemars(schema_with = "schema::port")]
    pub port: u16,

    /// Protocol of the port.
    #[serde(default)]
    pub protocol: Protocol,
}

/// A port number with its protocol.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "camelCase")]
pub struct Port {
    /// Port number, 1 to 65535.
    #[schemars(schema_with = "schema::port")]
    pub port: u16,

    /// Protocol of the port.
    #[serde(default)]
    pub protocol: Protocol,
}

/// The protocols that a policy can name.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
)]
pub enum Protocol {
    /// TCP, the default of the API.
    #[default]
    #[serde(rename = "TCP")]
    Tcp,
    /// UDP, which external endpoints cannot have.
    #[serde(rename = "UDP")]
    Udp,
    /// SCTP, by which no probe attempts anything yet.
    #[serde(rename = "SCTP")]
    Sctp,
}

impl Protocol {
    /// The word as it appears in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
            Self::Sctp => "SCTP",
        }
    }
}

impl std::fmt::Display for Protocol {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
