//! The schemas say nothing that the API server does not understand or would read otherwise.

use netproof_crds::all_crds;
use serde_json::Value;

/// Calls `visit` with every value in a schema, and the path to it.
fn walk(path: &str, value: &Value, visit: &mut impl FnMut(&str, &Value)) {
    visit(path, value);
    for (key, child) in value.as_object().into_iter().flatten() {
        walk(&format!("{path}.{key}"), child, visit);
    }
}

fn visit_schemas(mut visit: impl FnMut(&str, &Value)) {
    for crd in all_crds() {
        let crd = serde_json::to_value(&crd).expect("a CRD is plain data");
        let schema = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"];
        walk("spec", &schema["spec"], &mut visit);
        walk("status", &schema["status"]["properties"], &mut visit);
    }
}

#[test]
fn nothing_can_be_null() {
    visit_schemas(|path, schema| assert!(schema.get("nullable").is_none(), "{path}"));
}

#[test]
fn formats_are_those_of_the_api_server() {
    visit_schemas(|path, schema| {
        let format = schema.get("format").and_then(Value::as_str);
        let known = format.is_none_or(|f| ["int32", "int64", "date-time"].contains(&f));
        assert!(known, "{path}: {format:?}");
    });
}

#[test]
fn each_field_is_described() {
    visit_schemas(|path, schema| {
        for (name, field) in
            schema.get("properties").and_then(Value::as_object).into_iter().flatten()
        {
            assert!(field["description"].is_string(), "{path}.{name}");
        }
    });
}

#[test]
fn what_a_rule_may_walk_through_is_bounded() {
    visit_schemas(|path, schema| {
        if !path.starts_with("spec") || path.contains("tolerations") {
            return;
        }
        match schema["type"].as_str() {
            Some("array") => assert!(schema["maxItems"].is_number(), "{path}"),
            Some("string") if schema.get("enum").is_none() => {
                assert!(schema["maxLength"].is_number(), "{path}");
            }
            _ => {}
        }
    });
}
