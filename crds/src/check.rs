//! A check: which endpoints attempt to reach which, and what the user expects of it.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{endpoint::Port, schema};

/// Every endpoint in `from` attempts to reach every endpoint in `to`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = schema::absent_is_not_null)]
pub struct Check {
    /// Names of the endpoints that attempt to connect. They must be stand-ins: an external
    /// address cannot attempt anything.
    #[schemars(schema_with = "schema::endpoint_names")]
    pub from: Vec<String>,

    /// Names of the endpoints that are to be reached, which may be those in `from`. No pod is made
    /// to reach itself; with spread `EveryNode` the pods of one endpoint reach each other.
    #[schemars(schema_with = "schema::endpoint_names")]
    pub to: Vec<String>,

    /// Narrows the check to these ports. Left out: every port of every endpoint in `to`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["port".into(), "protocol".into()]))]
    pub ports: Vec<Port>,

    /// What you expect the policies to say of all these flows. It is compared with the policies
    /// (condition Intended), never with the network: whether the network does what the policies
    /// say is condition Conformant, with or without `expect`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expect: Option<Expectation>,
}

/// Whether a connection is expected to be possible.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub enum Expectation {
    /// The policies are expected to let the flow connect.
    Allow,
    /// The policies are expected to deny the flow.
    Deny,
}
