//! Pieces of schema that the derive cannot write.
//!
//! Integers are given the formats that the API server knows (`int32`, `int64`); the derive would
//! write `uint16` and the like, which it does not.

use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::Value;

/// Makes each optional property one that may be left out but is never `null`.
///
/// A `null` would count as present in a CEL rule while it is absent here. It also keeps the
/// field's own description where an `Option` of an enum would lose it.
pub fn absent_is_not_null(schema: &mut Schema) {
    let properties = schema.get_mut("properties").and_then(Value::as_object_mut);
    for property in properties.into_iter().flat_map(|p| p.values_mut()) {
        without_null(property);
    }
}

fn without_null(property: &mut Value) {
    let Some(object) = property.as_object_mut() else { return };
    if let Some(Value::Array(types)) = object.get("type") {
        let one = types.iter().find(|t| *t != "null").cloned();
        object.extend(one.map(|t| ("type".to_owned(), t)));
    }
    let Some(Value::Array(alternatives)) = object.remove("anyOf") else { return };
    let inner = alternatives.into_iter().find(|a| a["type"] != "null");
    for (key, value) in inner.as_ref().and_then(Value::as_object).into_iter().flatten() {
        object.entry(key).or_insert_with(|| value.clone());
    }
}

/// The schema of a port number.
pub fn port(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "integer", "format": "int32", "minimum": 1, "maximum": 65535})
}

/// The schema of `confirm`: how many attempts have to agree.
pub fn confirm(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "integer", "format": "int32", "minimum": 1, "maximum": 10})
}

/// The schema of `maxFlows`: how many flows of one test are attempted at most.
pub fn max_flows(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "integer", "format": "int32", "minimum": 1, "maximum": 20000})
}

/// The schema of a count, which is never negative.
pub fn count(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "integer", "format": "int64", "minimum": 0})
}

/// The schema of names of endpoints, each at most once.
pub fn endpoint_names(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "minItems": 1,
        "maxItems": 64,
        "items": {"type": "string", "maxLength": 40},
        "x-kubernetes-list-type": "set",
    })
}

/// The schema of labels, those of a pod or those that a node must have.
pub fn labels(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "maxProperties": 32,
        "additionalProperties": {"type": "string", "maxLength": 63},
    })
}
