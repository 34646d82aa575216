//! A first look at a document: whether it is meant to be an object of Kubernetes at all.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

/// What a document has of what makes an object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Look {
    api_version: bool,
    kind: bool,
    metadata: bool,
    spec: bool,
}

impl Look {
    /// Looks at the outermost fields.
    pub(super) fn at(json: &str) -> Self {
        let fields: BTreeMap<String, &RawValue> = serde_json::from_str(json).unwrap_or_default();
        let has = |field: &str| fields.get(field).is_some_and(|value| value.get() != "null");
        Self {
            api_version: has("apiVersion"),
            kind: has("kind"),
            metadata: has("metadata"),
            spec: has("spec"),
        }
    }

    /// Whether it says what it is, or has so much of an object that it should. A chart has an
    /// `apiVersion` too, and values may have a `kind`.
    pub(super) fn is_like_object(self) -> bool {
        let Self { api_version, kind, metadata, spec } = self;
        (api_version && kind) || ((api_version || kind) && (metadata || spec)) || (metadata && spec)
    }
}
