use netproof_conformance::kinds::ClusterPolicyKind;
use serde_json::{Value, json};

use super::*;

const KIND: &KindRow = ClusterPolicyKind::ClusterNetworkPolicy.row();

fn definition(versions: &Value, established: &str) -> DynamicObject {
    let object = json!({
        "metadata": {"name": "clusternetworkpolicies.policy.networking.k8s.io", "uid": "u"},
        "spec": {"group": KIND.group(), "versions": versions},
        "status": {"conditions": [{"type": "Established", "status": established}]},
    });
    serde_json::from_value(object).expect("an object")
}

fn version(name: &str, served: bool) -> Value {
    json!({"name": name, "served": served, "storage": served, "schema": {"openAPIV3Schema": {}}})
}

/// The version in which the kind is followed, or why it cannot be.
fn followed(versions: &Value) -> Result<String, String> {
    match presence(KIND, Some(&definition(versions, "True"))) {
        Presence::Absent => Err("absent".into()),
        Presence::Served(served) => Ok(served.resource.version),
        Presence::Unserved(why) => Err(why),
    }
}

#[test]
fn what_has_no_definition_is_absent() {
    assert_eq!(presence(KIND, None), Presence::Absent);
}

#[test]
fn the_readable_version_is_preferred_to_all_others() {
    let all = json!([version("v1", true), version("v1alpha2", true), version("v1beta1", true)]);
    assert_eq!(followed(&all), Ok("v1alpha2".into()));
}

#[test]
fn a_version_that_is_not_served_is_not_there() {
    let all = json!([version("v1alpha2", false), version("v1beta1", true)]);
    assert_eq!(followed(&all), Ok("v1beta1".into()), "to know whether there are objects");
    let none = json!([version("v1alpha2", false)]);
    let why = "its CustomResourceDefinition serves no version";
    assert_eq!(followed(&none), Err(why.into()));
}

#[test]
fn what_is_not_established_is_neither_absent_nor_served() {
    for said in ["False", "Unknown"] {
        let definition = definition(&json!([version("v1alpha2", true)]), said);
        let why = "its CustomResourceDefinition is not established".into();
        assert_eq!(presence(KIND, Some(&definition)), Presence::Unserved(why));
    }
}

#[test]
fn a_definition_that_cannot_be_read_is_no_absence() {
    let why = followed(&json!("all of them")).expect_err("it is no list");
    assert!(why.starts_with("its CustomResourceDefinition cannot be read: spec: "), "{why}");
}

#[test]
fn each_kind_is_asked_for_as_the_api_spells_it() {
    let kinds = [
        ClusterPolicyKind::ClusterNetworkPolicy,
        ClusterPolicyKind::AdminNetworkPolicy,
        ClusterPolicyKind::BaselineAdminNetworkPolicy,
    ];
    let paths = kinds.map(ClusterPolicyKind::row).map(|kind| {
        let resource = resource(kind, kind.version());
        format!("{}/{} {}", resource.api_version, resource.plural, definition_name(kind))
    });
    assert_eq!(
        paths,
        [
            "policy.networking.k8s.io/v1alpha2/clusternetworkpolicies clusternetworkpolicies.policy.networking.k8s.io",
            "policy.networking.k8s.io/v1alpha1/adminnetworkpolicies adminnetworkpolicies.policy.networking.k8s.io",
            "policy.networking.k8s.io/v1alpha1/baselineadminnetworkpolicies baselineadminnetworkpolicies.policy.networking.k8s.io",
        ]
    );
}

fn definition_name(kind: &KindRow) -> String {
    let (definitions, name) = super::definition(kind);
    assert_eq!(definitions.plural, "customresourcedefinitions");
    name
}
