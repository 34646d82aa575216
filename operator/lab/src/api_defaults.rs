//! Policies as the API server stores them, which keeps no nulls.

use serde_json::{Map, Value, json};

/// Turns a `NetworkPolicy` as it was written into what the API server stores of it: a null field is
/// absent, a null element of a list is an empty object, and the value of a null label is empty.
pub fn as_stored(policy: &mut Value) {
    let Some(object) = policy.as_object_mut() else { return };
    let spec = object.entry("spec").or_insert(Value::Null);
    if spec.is_null() {
        *spec = json!({});
    }
    without_nulls(spec);
}

fn without_nulls(value: &mut Value) {
    match value {
        Value::Array(elements) => {
            for element in elements {
                if element.is_null() {
                    *element = json!({});
                }
                without_nulls(element);
            }
        }
        Value::Object(fields) => {
            if let Some(Value::Object(labels)) = fields.get_mut("matchLabels") {
                empty_where_null(labels);
            }
            fields.retain(|_, field| !field.is_null());
            fields.values_mut().for_each(without_nulls);
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn empty_where_null(labels: &mut Map<String, Value>) {
    for value in labels.values_mut().filter(|value| value.is_null()) {
        *value = json!("");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nulls_are_what_the_api_server_makes_of_them() {
        for (written, stored) in [
            (json!({}), json!({"spec": {}})),
            (json!({"spec": null}), json!({"spec": {}})),
            (
                json!({"spec": {"ingress": [null, {"from": null, "ports": [null]}], "egress": null}}),
                json!({"spec": {"ingress": [{}, {"ports": [{}]}]}}),
            ),
            (
                json!({"spec": {"podSelector": {"matchLabels": {"a": null, "b": "c"}}}}),
                json!({"spec": {"podSelector": {"matchLabels": {"a": "", "b": "c"}}}}),
            ),
        ] {
            let mut policy = written;
            as_stored(&mut policy);
            assert_eq!(policy, stored);
        }
    }
}
