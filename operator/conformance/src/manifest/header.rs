//! Reads the fields that every object has: what it is, and what it is called.

use serde::Deserialize;

use crate::policy::{json, network_policy::Metadata};

/// The fields by which an object is told apart, before the others are read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(remote = "Self", rename_all = "camelCase")]
pub struct Header {
    /// The API group and version (`apps/v1`), or only a version (`v1`).
    #[serde(default, deserialize_with = "json::optional")]
    pub api_version: String,
    /// The kind, such as `NetworkPolicy`; empty if the object names none.
    #[serde(default, deserialize_with = "json::optional")]
    pub kind: String,
    /// The name and namespace, as far as the object gives them.
    #[serde(default, deserialize_with = "json::optional")]
    pub metadata: Metadata,
}

json::only_from_objects!(Header);
