//! What every object begins with: what it is, and what it is called.

use serde::Deserialize;

use crate::policy::{json, network_policy::Metadata};

/// The fields by which an object is told apart, before the others are read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(remote = "Self", rename_all = "camelCase")]
pub struct Header {
    /// Its API group and version, or only a version.
    #[serde(default, deserialize_with = "json::optional")]
    pub api_version: String,
    /// Its kind.
    #[serde(default, deserialize_with = "json::optional")]
    pub kind: String,
    /// Its name and namespace.
    #[serde(default, deserialize_with = "json::optional")]
    pub metadata: Metadata,
}

json::only_from_objects!(Header);
