//! Reads from a kind's `CustomResourceDefinition` whether the API server has the kind, and in which
//! version.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, CustomResourceDefinitionStatus,
};
use kube::{
    ResourceExt,
    api::{ApiResource, DynamicObject},
};
use netproof_conformance::kinds::KindRow;
use serde::Deserialize;

use crate::watch::erased;
use netproof_rounds::{decode::part, kind::resource};

/// Whether the API server has a kind.
#[derive(Clone, Debug, PartialEq)]
pub enum Presence {
    /// The kind has no definition: there can be no object of it.
    Absent,
    /// The objects of the kind can be followed.
    Served(Served),
    /// Objects may be stored, and none can be read; and why.
    Unserved(String),
}

/// A kind that the API server serves.
#[derive(Clone, Debug, PartialEq)]
pub struct Served {
    /// The UID of the definition: a kind that was removed and came back has other objects.
    pub definition: String,
    /// The kind in the version that netproof reads; or, if that is not served, in another one, so
    /// that its objects are known to be there.
    pub resource: ApiResource,
}

/// The resource of all definitions, and the name of this kind's definition.
pub fn definition(kind: &KindRow) -> (ApiResource, String) {
    (erased::<CustomResourceDefinition>(), kind.definition())
}

/// What the kind's definition says of its presence; none is a kind without a definition.
pub fn presence(kind: &KindRow, definition: Option<&DynamicObject>) -> Presence {
    let Some(definition) = definition else { return Presence::Absent };
    match served_version(kind, definition) {
        Ok(version) => Presence::Served(Served {
            definition: definition.uid().unwrap_or_default(),
            resource: resource(kind, &version),
        }),
        Err(why) => Presence::Unserved(format!("its CustomResourceDefinition {why}")),
    }
}

#[derive(Default, Deserialize)]
struct Spec {
    #[serde(default)]
    versions: Vec<Version>,
}

/// The parts of a `CustomResourceDefinitionVersion` that are read. Its schema, which is large, is
/// not.
#[derive(Deserialize)]
struct Version {
    name: String,
    served: bool,
}

fn served_version(kind: &KindRow, definition: &DynamicObject) -> Result<String, String> {
    let cannot_be_read = |error| format!("cannot be read: {error}");
    let spec: Spec = part(definition, "spec").map_err(cannot_be_read)?;
    let status: CustomResourceDefinitionStatus =
        part(definition, "status").map_err(cannot_be_read)?;
    let conditions = status.conditions.unwrap_or_default();
    if !conditions.iter().any(|said| said.type_ == "Established" && said.status == "True") {
        return Err("is not established".into());
    }
    let mut served: Vec<String> =
        spec.versions.into_iter().filter(|version| version.served).map(|v| v.name).collect();
    match served.iter().position(|version| version == kind.version()) {
        Some(index) => Ok(served.swap_remove(index)),
        None => served.pop().ok_or_else(|| "serves no version".into()),
    }
}

#[cfg(test)]
#[path = "presence_tests.rs"]
mod tests;
