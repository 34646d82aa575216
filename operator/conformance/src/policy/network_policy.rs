//! `networking.k8s.io/v1` `NetworkPolicy`: the object, and what it compiles to.

mod compile;
pub(super) mod port;

use serde::Deserialize;

use super::{
    json,
    label_selector::{LabelSelector, SELECTOR},
};
use crate::shape::{PolicyShape, Shape, only, policy};

pub use compile::compile;
pub use port::{IntOrString, NetworkPolicyPort};

/// The fields that its objects have.
pub(crate) static FIELDS: PolicyShape = policy!(SPEC);

static SPEC: Shape = only! {
    "podSelector": SELECTOR,
    "ingress": Shape::List(&only! { "from": PEERS, "ports": PORTS }),
    "egress": Shape::List(&only! { "to": PEERS, "ports": PORTS }),
    "policyTypes": Shape::Any,
};

static PEERS: Shape = Shape::List(&only! {
    "podSelector": SELECTOR, "namespaceSelector": SELECTOR,
    "ipBlock": only! { "cidr": Shape::Any, "except": Shape::Any },
});

static PORTS: Shape = Shape::List(&only! {
    "protocol": Shape::Any, "port": Shape::Any, "endPort": Shape::Any,
});

/// A `NetworkPolicy` as the API's JSON has it. Fields that this type does not know are ignored, as
/// the API server may be newer; a null is an absent field.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(remote = "Self")]
pub struct NetworkPolicy {
    /// The name and namespace of the object.
    #[serde(default, deserialize_with = "json::optional")]
    pub metadata: Metadata,
    /// Subjects, directions and rules.
    #[serde(default, deserialize_with = "json::optional")]
    pub spec: NetworkPolicySpec,
}

/// As much of an object's metadata (`metav1.ObjectMeta`) as decides.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(remote = "Self", rename_all = "camelCase")]
pub struct Metadata {
    /// The name, unique in the namespace for objects of one kind.
    #[serde(default, deserialize_with = "json::optional")]
    pub name: String,
    /// The namespace. What an absent one means is for the reader of the object to say.
    #[serde(default, deserialize_with = "json::optional")]
    pub namespace: String,
    /// When the API server made it, as text; none where it has not, as in most files.
    pub creation_timestamp: Option<String>,
}

/// `NetworkPolicySpec` of `networking.k8s.io/v1`: subjects, directions and rules.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(remote = "Self", rename_all = "camelCase")]
pub struct NetworkPolicySpec {
    /// The subjects; all pods of the namespace if it is absent or empty.
    #[serde(default, deserialize_with = "json::optional")]
    pub pod_selector: LabelSelector,
    /// What subjects may receive. Absent and empty mean the same: nothing.
    #[serde(default, deserialize_with = "json::list")]
    pub ingress: Vec<IngressRule>,
    /// What subjects may send. Absent and empty mean the same, but not the same as for `ingress`:
    /// without `policyTypes` it leaves egress open.
    #[serde(default, deserialize_with = "json::list")]
    pub egress: Vec<EgressRule>,
    /// The directions that it isolates.
    #[serde(default, deserialize_with = "json::list")]
    pub policy_types: Vec<String>,
}

/// `NetworkPolicyIngressRule`: admits senders to ports of the subjects.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(remote = "Self")]
pub struct IngressRule {
    /// Which ports; all if it is absent or empty.
    #[serde(default, deserialize_with = "json::list")]
    pub ports: Vec<NetworkPolicyPort>,
    /// The peers that may send; everyone if it is absent or empty.
    #[serde(default, deserialize_with = "json::list")]
    pub from: Vec<NetworkPolicyPeer>,
}

/// `NetworkPolicyEgressRule`: lets subjects send to ports of receivers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(remote = "Self")]
pub struct EgressRule {
    /// Which ports; all if it is absent or empty.
    #[serde(default, deserialize_with = "json::list")]
    pub ports: Vec<NetworkPolicyPort>,
    /// The peers that may receive; everyone if it is absent or empty.
    #[serde(default, deserialize_with = "json::list")]
    pub to: Vec<NetworkPolicyPeer>,
}

/// `NetworkPolicyPeer`: selectors, or a block of addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(remote = "Self", rename_all = "camelCase")]
pub struct NetworkPolicyPeer {
    /// Pods by their labels.
    pub pod_selector: Option<LabelSelector>,
    /// Namespaces by their labels; without it, only the policy's own.
    pub namespace_selector: Option<LabelSelector>,
    /// Addresses; then neither of the others.
    pub ip_block: Option<IpBlock>,
}

/// `IPBlock`, as it is written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(remote = "Self")]
pub struct IpBlock {
    /// The range as a CIDR, such as `10.0.0.0/8`.
    #[serde(default, deserialize_with = "json::optional")]
    pub cidr: String,
    /// Parts of it to leave out.
    #[serde(default, deserialize_with = "json::list")]
    pub except: Vec<String>,
}

json::only_from_objects!(
    NetworkPolicy,
    Metadata,
    NetworkPolicySpec,
    IngressRule,
    EgressRule,
    NetworkPolicyPeer,
    IpBlock,
);
