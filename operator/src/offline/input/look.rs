//! A first look at a document: whether it is meant to be an object of Kubernetes at all.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

/// What a document has of what makes an object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "each is a field that an object has")]
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

/// Whether anything in a text is called like what objects have, be it right or not: where nothing is,
/// there is no object, and none that was meant to be one.
pub(super) fn may_be(text: &str) -> bool {
    const WORDS: [&str; 5] = ["kind", "apiVersion", "metadata", "spec", "podSelector"];
    let is_key = |after: &str| after.trim_start_matches(['"', '\'']).trim_start().starts_with(':');
    WORDS
        .iter()
        .any(|word| text.match_indices(word).any(|(place, _)| is_key(&text[place + word.len()..])))
}
