//! What is read is written again, and what is left out gets its default.

use netproof_crds::{ConnectivityTest, DurationString, EndpointKind, RunPolicy, Spread, StartUp};
use netproof_crds::{ConnectivityTestStatus, Placement, Protocol, StandInSource};
use serde_json::{Value, json};

#[test]
fn a_test_that_says_everything_is_written_as_it_was_read() {
    let text = include_str!("full.yaml");
    let test: ConnectivityTest = serde_saphyr::from_str(text).expect("a ConnectivityTest");
    let value: Value = serde_saphyr::from_str(text).expect("YAML");
    assert_eq!(serde_json::to_value(&test).expect("plain data"), value);
    test.validate_cel().expect("the typed object keeps the rules too");
}

#[test]
fn what_is_left_out_gets_its_default() {
    let test: ConnectivityTest = serde_json::from_value(json!({
        "apiVersion": "netproof.dev/v1alpha1",
        "kind": "ConnectivityTest",
        "metadata": {"name": "short"},
        "spec": {"endpoints": [{"name": "web", "standIn": {"labels": {}, "ports": [{"port": 1}]}}]},
    }))
    .expect("a ConnectivityTest");
    let spec = test.spec;
    assert_eq!(spec.interval, DurationString::from_secs(30));
    assert_eq!(spec.timeout, DurationString::from_secs(1));
    assert_eq!(spec.settle, DurationString::from_secs(15));
    assert_eq!(spec.max_flows, 20_000);
    assert_eq!((spec.confirm, spec.suspend, spec.run_policy), (3, false, RunPolicy::Continuous));
    assert_eq!(spec.placement, Placement { spread: Spread::AnyNode, ..Placement::default() });
    assert_eq!(spec.start_up, StartUp::Report);
    assert!(spec.checks.is_empty());
    let Some(EndpointKind::StandIn(web)) = spec.endpoints[0].kind() else { panic!("a stand-in") };
    assert!(matches!(web.source(), Some(StandInSource::Labels(labels)) if labels.is_empty()));
    assert_eq!(web.ports[0].protocol, Protocol::Tcp);
}

#[test]
fn nothing_in_a_status_is_needed() {
    let status: ConnectivityTestStatus = serde_json::from_value(json!({})).expect("a status");
    assert_eq!(status, ConnectivityTestStatus::default());
    assert_eq!(serde_json::to_value(&status).expect("plain data"), json!({}));
}

#[test]
fn what_is_covered_is_written_as_it_was_read() {
    let value = json!({"coverage": {
        "rules": 12, "exercised": 9, "halfExercised": 2, "flowsLeftOut": 7, "gaps": ["a gap"], "truncated": 3,
    }});
    let status: ConnectivityTestStatus = serde_json::from_value(value.clone()).expect("a status");
    assert_eq!(serde_json::to_value(&status).expect("plain data"), value);
    let all = json!({"coverage": {"rules": 1, "exercised": 1, "halfExercised": 0}});
    let status: ConnectivityTestStatus = serde_json::from_value(all.clone()).expect("a status");
    assert_eq!(serde_json::to_value(&status).expect("plain data"), all);
}

#[test]
fn a_diagnosis_is_written_as_it_was_read() {
    let value = json!({"remark": "denies-with-reset", "diagnosis": {
        "name": "ignores-egress", "scope": "on node worker2", "message": "behaves as ...",
        "explains": 14, "findings": 14, "rivals": ["ignores all policies"], "unprobed": 3,
    }});
    let status: ConnectivityTestStatus = serde_json::from_value(value.clone()).expect("a status");
    assert_eq!(serde_json::to_value(&status).expect("plain data"), value);
    let short = json!({"diagnosis": {"name": "slow", "message": "behaves as ..."}});
    let status: ConnectivityTestStatus = serde_json::from_value(short.clone()).expect("a status");
    assert_eq!(serde_json::to_value(&status).expect("plain data"), short);
}
