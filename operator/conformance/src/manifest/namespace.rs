//! `v1` `Namespace`.

use serde::Deserialize;

use super::{
    metadata::{self, ManifestMetadata},
    rejection::{At, ObjectFault},
};
use crate::{
    policy::{json, syntax},
    select::Labels,
};

/// A `Namespace`, as much of it as decides: its name and its labels.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(remote = "Self")]
pub(super) struct Namespace {
    #[serde(default, deserialize_with = "json::optional")]
    pub(super) metadata: ManifestMetadata,
}

json::only_from_objects!(Namespace);

impl Namespace {
    pub(super) fn read(self) -> Result<Labels, ObjectFault> {
        let ManifestMetadata { name, labels, .. } = self.metadata;
        metadata::check_name(&name, syntax::is_dns_label).at(|| "metadata.name".to_owned())?;
        metadata::check_labels(&labels, "metadata.labels")?;
        Ok(labels)
    }
}
