//! A first look at a document: whether it is meant to be an object of Kubernetes at all.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

/// Whether a document says what it is, or has enough fields of an object that it should. One of the
/// fields is not enough: a chart has an `apiVersion` too, and values may have a `kind`.
pub(super) fn is_like_object(json: &str) -> bool {
    let fields: BTreeMap<String, &RawValue> = serde_json::from_str(json).unwrap_or_default();
    let count = |names: [&str; 2]| {
        let has = |name: &&str| fields.get(*name).is_some_and(|value| value.get() != "null");
        names.into_iter().filter(has).count()
    };
    match (count(["apiVersion", "kind"]), count(["metadata", "spec"])) {
        (2, _) | (_, 2) | (1, 1) => true,
        (_, _) => false,
    }
}

/// Whether any key in a text is one that objects have, well-formed or not. Without any, the text
/// has no object, and none that was meant to be one.
pub(super) fn may_be(text: &str) -> bool {
    const WORDS: [&str; 5] = ["kind", "apiVersion", "metadata", "spec", "podSelector"];
    let is_key = |after: &str| after.trim_start_matches(['"', '\'']).trim_start().starts_with(':');
    WORDS
        .iter()
        .any(|word| text.match_indices(word).any(|(place, _)| is_key(&text[place + word.len()..])))
}
