//! `v1` `Node`.

use std::net::IpAddr;

use serde::Deserialize;

use super::{
    metadata::{self, ManifestMetadata},
    rejection::{At, ObjectFault},
};
use crate::policy::{json, syntax};

/// A `Node`, as much of it as decides: its name and its addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(remote = "Self")]
pub(super) struct Node {
    #[serde(default, deserialize_with = "json::optional")]
    pub(super) metadata: ManifestMetadata,
    #[serde(default, deserialize_with = "json::optional")]
    status: NodeStatus,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(remote = "Self")]
struct NodeStatus {
    #[serde(default, deserialize_with = "json::list")]
    addresses: Vec<NodeAddress>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(remote = "Self")]
struct NodeAddress {
    #[serde(default, rename = "type", deserialize_with = "json::optional")]
    kind: String,
    #[serde(default, deserialize_with = "json::optional")]
    address: String,
}

json::only_from_objects!(Node, NodeStatus, NodeAddress);

impl Node {
    /// The node's addresses. Host names, which it lists beside them, are left out.
    pub(super) fn read(self) -> Result<Vec<IpAddr>, ObjectFault> {
        metadata::check_name(&self.metadata.name, syntax::is_dns_subdomain)
            .at(|| "metadata.name".to_owned())?;
        let listed = self.status.addresses.iter().enumerate();
        listed
            .filter(|(_, one)| ["InternalIP", "ExternalIP"].contains(&one.kind.as_str()))
            .map(|(index, one)| {
                metadata::address(&one.address).at(|| format!("status.addresses[{index}].address"))
            })
            .collect()
    }
}
