//! The CEL rules refuse what they are for, offline. What they leave to the schema, and whether the
//! rules are within the API server's budget, is tested on a real API server in e2e.

use std::{collections::BTreeSet, fs, path::Path};

use kube::{CustomResourceExt, core::cel::Validator};
use netproof_crds::{ConnectivityTest, StandInSet};
use serde_json::{Value, json};

/// The schema that the API server would use.
fn schema<K: CustomResourceExt>() -> Value {
    let crd = serde_json::to_value(K::crd()).expect("a CRD is plain data");
    crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone()
}

/// The messages of the rules that refuse `object`.
fn refusals(schema: &Value, object: &Value) -> Vec<String> {
    let verdict = Validator::new().validate_with_defaults(schema, object, None);
    verdict.map_or_else(|e| e.into_vec().into_iter().map(|e| e.message).collect(), |()| vec![])
}

/// The beginning of each rule's message: all of it, or what precedes the first insertion.
fn sentences(schema: &Value, found: &mut BTreeSet<String>) {
    for rule in schema["x-kubernetes-validations"].as_array().into_iter().flatten() {
        let fixed = rule["message"].as_str();
        let made = rule["messageExpression"].as_str().map(|e| e.split(['\'', '%']).nth(1).unwrap());
        found.insert(fixed.or(made).expect("each rule has a sentence").to_owned());
    }
    for child in schema.as_object().into_iter().flat_map(|object| object.values()) {
        sentences(child, found);
    }
}

fn wrong_tests() -> Vec<(String, String, Value)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../e2e/wrong-tests");
    let files = fs::read_dir(directory).expect("e2e/wrong-tests is there");
    files
        .map(|file| {
            let path = file.expect("a readable directory").path();
            let text = fs::read_to_string(&path).expect("a readable file");
            let refused = text.lines().next().and_then(|l| l.strip_prefix("# refused: "));
            let refused = refused.expect("the first line says why").to_owned();
            let name = path.file_name().expect("a file").to_string_lossy().into_owned();
            (name, refused, serde_saphyr::from_str(&text).expect("YAML"))
        })
        .collect()
}

#[test]
fn each_wrong_test_that_breaks_a_rule_is_refused_by_it() {
    let schema = schema::<ConnectivityTest>();
    let mut unused = BTreeSet::new();
    sentences(&schema, &mut unused);
    for (name, refused, object) in wrong_tests() {
        let by_a_rule = unused.iter().any(|s| s.starts_with(&refused) || refused.starts_with(s));
        let refusals = refusals(&schema, &object);
        let expected = refusals.iter().any(|r| r.contains(&refused));
        assert!(expected || !by_a_rule, "{name}: wanted {refused:?}, got {refusals:?}");
    }
}

#[test]
fn each_rule_has_a_wrong_test() {
    let mut rules = BTreeSet::new();
    sentences(&schema::<ConnectivityTest>(), &mut rules);
    let wrong = wrong_tests();
    rules.retain(|rule| {
        !wrong.iter().any(|(_, refused, _)| rule.starts_with(refused) || refused.starts_with(rule))
    });
    assert!(rules.is_empty(), "no file in e2e/wrong-tests is refused by {rules:#?}");
}

#[test]
fn a_good_test_is_accepted() {
    let object: Value = serde_saphyr::from_str(include_str!("full.yaml")).expect("YAML");
    assert_eq!(refusals(&schema::<ConnectivityTest>(), &object), Vec::<String>::new());
}

#[test]
fn a_stand_in_set_never_has_a_scale() {
    let set = |replicas: i32| {
        json!({
            "apiVersion": "netproof.dev/v1alpha1",
            "kind": "StandInSet",
            "metadata": {"name": "three-tier"},
            "spec": {
                "replicas": replicas,
                "test": {"namespace": "shop", "name": "three-tier", "uid": "1"},
            },
        })
    };
    let schema = schema::<StandInSet>();
    assert!(refusals(&schema, &set(0)).is_empty());
    assert!(refusals(&schema, &set(1))[0].starts_with("the scale of a StandInSet is always 0"));
}
