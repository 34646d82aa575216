//! Checks what is read as a `NetworkPolicy`, and what is refused as one.

use netproof_conformance::policy::network_policy::{NetworkPolicy, compile};

fn read(spec: &str) -> Result<NetworkPolicy, String> {
    let object = format!(r#"{{"metadata":{{"name":"a","namespace":"b"}},"spec":{spec}}}"#);
    serde_saphyr::from_str(&object).map_err(|error| error.to_string())
}

#[test]
fn a_list_is_no_object() {
    for spec in [
        "[]",
        r#"{"podSelector":[]}"#,
        r#"{"podSelector":[{"app":"db"},[]]}"#,
        r#"{"podSelector":{"matchExpressions":[["a","Exists",[]]]}}"#,
        r#"{"ingress":[[]]}"#,
        r#"{"egress":[[[],[]]]}"#,
        r#"{"ingress":[{"from":[[{}]]}]}"#,
        r#"{"ingress":[{"from":[{"podSelector":[]}]}]}"#,
        r#"{"ingress":[{"from":[{"ipBlock":["10.0.0.0/8"]}]}]}"#,
        r#"{"ingress":[{"ports":[[]]}]}"#,
    ] {
        assert!(read(spec).is_err(), "{spec}");
    }
    assert!(serde_saphyr::from_str::<NetworkPolicy>(r#"[{"name":"a"},{}]"#).is_err());
}

#[test]
fn an_object_is_no_list() {
    for spec in [r#"{"ingress":{}}"#, r#"{"policyTypes":"Egress"}"#, r#"{"egress":[{"to":{}}]}"#] {
        assert!(read(spec).is_err(), "{spec}");
    }
}

#[test]
fn fields_of_a_newer_api_are_ignored() {
    let newer = r#"{"podSelector":{"new":[1]},"ingress":[{"from":[],"new":{}}],"new":null}"#;
    let known = r#"{"podSelector":{},"ingress":[{}]}"#;
    assert_eq!(
        read(newer).map(|policy| compile(&policy)),
        read(known).map(|policy| compile(&policy))
    );
}

#[test]
fn selectors_that_say_the_same_compile_to_the_same() {
    let one = r#"{"podSelector":{"matchExpressions":[
        {"key":"b","operator":"Exists"},{"key":"a","operator":"In","values":["y","x","y"]}]}}"#;
    let other = r#"{"podSelector":{"matchExpressions":[
        {"key":"a","operator":"In","values":["x","y"]},{"key":"b","operator":"Exists"},
        {"key":"b","operator":"Exists"}]}}"#;
    assert_eq!(
        read(one).map(|policy| compile(&policy)),
        read(other).map(|policy| compile(&policy))
    );
}
