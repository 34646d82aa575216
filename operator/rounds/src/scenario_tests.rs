use std::sync::Arc;

use k8s_openapi::api::core::v1::Taint;
use netproof_conformance::select::Labels;
use serde_json::{Value, json};

use super::*;
use crate::{
    decode::{NamespaceState, NodeState},
    world::Read,
};

fn labels(pairs: &[(&str, &str)]) -> Labels {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn read<T>(meaning: T) -> Read<T> {
    Read { version: "1".into(), meaning: Ok(meaning) }
}

fn named(namespace: &str, name: &str) -> ObjectRef {
    ObjectRef { namespace: namespace.into(), name: name.into() }
}

/// A world that is known completely: namespace shop, two nodes of which one is tainted, and a
/// Deployment.
fn world() -> World {
    let shop = NamespaceState { labels: labels(&[]), terminating: false };
    let taint = Taint { key: "role".into(), effect: "NoSchedule".into(), ..Taint::default() };
    let node = |taints| NodeState { taints, ..NodeState::default() };
    let template = Template {
        labels: labels(&[("app", "was"), ("pod-template-hash", "abc")]),
        ports: vec![NamedPort { name: None, port: 8080, protocol: Protocol::Tcp }],
    };
    let now = Instant::now();
    World {
        namespaces: Arc::new([(named("", "shop"), read(shop))].into()),
        nodes: Arc::new(
            [(named("", "n1"), read(node(vec![taint]))), (named("", "n2"), read(node(vec![])))]
                .into(),
        ),
        deployments: Arc::new([(named("shop", "was"), read(template))].into()),
        complete: Kind::all().collect(),
        alive: Kind::all().map(|kind| (kind, now)).collect(),
        ..World::default()
    }
}

fn test(spec: &Value) -> ConnectivityTest {
    let object = json!({
        "apiVersion": "netproof.dev/v1alpha1", "kind": "ConnectivityTest",
        "metadata": {"name": "t", "namespace": "shop", "uid": "u"},
        "spec": spec,
    });
    serde_json::from_value(object).expect("a test")
}

fn stand_in(name: &str, more: &Value) -> Value {
    let mut body = json!({"labels": {"app": name}, "ports": [{"port": 80}]});
    for (key, value) in more.as_object().expect("fields") {
        body[key] = value.clone();
    }
    json!({"name": name, "standIn": body})
}

/// Resolves a test that was meant for no node before.
fn resolve_anew(test: &ConnectivityTest, world: &World) -> Result<Scenario, Problem> {
    resolve(test, world, &BTreeSet::new(), MANY_FLOWS)
}

/// The problem for which a test cannot be carried out.
fn refused(test: &ConnectivityTest, world: &World) -> (Reason, String) {
    let problem = resolve_anew(test, world).expect_err("it is refused");
    (problem.reason, problem.message)
}

#[test]
fn a_stand_in_is_like_its_workload_but_for_what_controllers_set() {
    let like = json!({"kind": "Deployment", "name": "was"});
    let endpoints = json!([{"name": "was", "standIn": {"like": like, "ports": [{"port": 9090}]}}]);
    let scenario =
        resolve_anew(&test(&json!({"endpoints": endpoints})), &world()).expect("accepted");
    assert_eq!(scenario.desired[0].labels, labels(&[("app", "was")]));
    let ports: Vec<u16> = scenario.desired[0].ports.iter().map(|port| port.port).collect();
    assert_eq!(ports, [8080, 9090]);
}

#[test]
fn a_workload_that_is_not_there_is_named() {
    let like = json!({"kind": "StatefulSet", "name": "db"});
    let endpoints = json!([{"name": "db", "standIn": {"like": like}}]);
    assert_eq!(
        refused(&test(&json!({"endpoints": endpoints})), &world()),
        (Reason::WorkloadNotFound, "endpoint db: there is no StatefulSet shop/db".into())
    );
}

#[test]
fn another_namespace_has_to_opt_in() {
    let mut world = world();
    let namespace = |pairs| read(NamespaceState { labels: labels(pairs), terminating: false });
    let elsewhere = stand_in("a", &json!({"namespace": "data"}));
    let test = test(&json!({"endpoints": [elsewhere]}));
    assert_eq!(refused(&test, &world).0, Reason::NamespaceNotFound);
    Arc::make_mut(&mut world.namespaces).insert(named("", "data"), namespace(&[]));
    let (reason, message) = refused(&test, &world);
    assert_eq!(reason, Reason::NamespaceNotOptedIn);
    assert!(message.contains("kubectl label namespace data"), "{message}");
    let opted_in = namespace(&[(ALLOW_STAND_INS_LABEL, "true")]);
    Arc::make_mut(&mut world.namespaces).insert(named("", "data"), opted_in);
    assert_eq!(resolve_anew(&test, &world).expect("accepted").desired[0].namespace, "data");
}

#[test]
fn a_namespace_that_goes_takes_no_stand_ins() {
    let mut world = world();
    let going = NamespaceState { labels: labels(&[]), terminating: true };
    Arc::make_mut(&mut world.namespaces).insert(named("", "shop"), read(going));
    let test = test(&json!({"endpoints": [stand_in("a", &json!({}))]}));
    assert_eq!(refused(&test, &world).0, Reason::NamespaceTerminating);
}

#[test]
fn a_missing_permission_is_said_only_to_those_who_need_it() {
    let mut world = world();
    world.complete.remove(&Kind::Deployments);
    let why = Blind::Forbidden("deployments is forbidden".into());
    world.blind.insert(Kind::Deployments, why);
    let like = json!({"kind": "Deployment", "name": "was"});
    let needs = test(&json!({"endpoints": [{"name": "was", "standIn": {"like": like}}]}));
    assert_eq!(refused(&needs, &world).0, Reason::Forbidden);
    let other = test(&json!({"endpoints": [stand_in("a", &json!({}))]}));
    assert!(resolve_anew(&other, &world).is_ok());
}

#[test]
fn every_node_means_every_node_that_takes_it() {
    let spec = |placement: Value| {
        test(&json!({"endpoints": [stand_in("a", &json!({}))], "placement": placement}))
    };
    let nodes = |test: &ConnectivityTest| -> Vec<Option<String>> {
        let scenario = resolve_anew(test, &world()).expect("accepted");
        scenario.desired.into_iter().map(|desired| desired.node).collect()
    };
    let untainted = spec(json!({"spread": "EveryNode"}));
    assert_eq!(nodes(&untainted), [Some("n2".to_owned())]);
    let all = spec(json!({"spread": "EveryNode", "tolerations": [{"operator": "Exists"}]}));
    assert_eq!(nodes(&all), [Some("n1".to_owned()), Some("n2".to_owned())]);
    let none = spec(json!({"spread": "EveryNode", "nodeSelector": {"no": "node"}}));
    assert_eq!(refused(&none, &world()).0, Reason::Unschedulable);
}

#[test]
fn durations_become_patience() {
    let spec = json!({
        "interval": "10s", "timeout": "500ms", "settle": "5s", "confirm": 4,
        "leakRetention": "20s",
        "endpoints": [stand_in("a", &json!({}))],
    });
    let scenario = resolve_anew(&test(&spec), &world()).expect("accepted");
    assert_eq!(scenario.timeout, Duration::from_millis(500));
    let patience = Patience {
        settle: Duration::from_secs(5),
        confirm: 4,
        stale_after: Duration::from_secs(48),
        silence: Duration::from_secs(4),
        leak_retention: Duration::from_secs(20),
    };
    assert_eq!(scenario.patience, patience);
    let mut shorter = spec;
    shorter["leakRetention"] = json!("1s");
    let shorter = resolve_anew(&test(&shorter), &world()).expect("accepted");
    assert_eq!(shorter.patience.leak_retention, Duration::from_secs(10), "at least an interval");
}

#[test]
fn what_is_not_known_yet_is_not_decided() {
    let test = test(&json!({"endpoints": [stand_in("a", &json!({}))]}));
    assert_eq!(refused(&test, &World::default()).0, Reason::SnapshotIncomplete);
}

/// A test of stand-ins that all listen on as many ports as the schema admits.
fn wide(stand_ins: usize, max_flows: u32) -> ConnectivityTest {
    let ports: Vec<Value> = (1..=16).map(|port| json!({"port": port})).collect();
    let endpoints: Vec<Value> = (0..stand_ins)
        .map(|number| stand_in(&format!("e{number}"), &json!({"ports": ports})))
        .collect();
    test(&json!({"endpoints": endpoints, "maxFlows": max_flows}))
}

#[test]
fn more_flows_than_the_budget_are_no_reason_to_refuse_a_test() {
    let scenario = resolve_anew(&wide(4, 10), &world()).expect("accepted");
    assert_eq!((scenario.flows.len(), scenario.budget), (4 * 3 * 16, 10));
}

#[test]
fn more_flows_than_can_be_chosen_from_are() {
    let crowd = wide(81, 10);
    assert_eq!(
        refused(&crowd, &world()),
        (
            Reason::TooManyFlows,
            "103680 flows are more than the 100000 that one test may choose from; name fewer in checks, or spread over fewer nodes".into()
        )
    );
}

/// The world with this many nodes instead of its own.
fn nodes(world: &World, count: usize) -> World {
    let node = || NodeState {
        labels: labels(&[]),
        taints: vec![],
        addresses: vec![],
        cordoned: false,
        not_ready: None,
    };
    let nodes = (0..count).map(|n| (named("", &format!("node-{n}")), read(node()))).collect();
    World { nodes: Arc::new(nodes), ..world.clone() }
}

#[test]
fn flows_are_counted_anew_when_there_are_more_nodes() {
    let endpoints = json!([stand_in("a", &json!({})), stand_in("b", &json!({"ports": []}))]);
    let spec = json!({"endpoints": endpoints, "placement": {"spread": "EveryNode"}});
    let everywhere = test(&spec);
    // Each stand-in, of which there are two on a node, attempts `a` on every node, but not itself.
    let none = BTreeSet::new();
    let most = 2 * (2 * 2 - 1) + 4 * FLOWS_OF_STAND_IN;
    let two = resolve(&everywhere, &nodes(&world(), 2), &none, most).expect("accepted");
    assert_eq!((two.flows.len(), two.desired.len()), (6, 4));
    let refused = |count| {
        let problem =
            resolve(&everywhere, &nodes(&world(), count), &none, most).expect_err("refused");
        assert_eq!(problem.reason, Reason::TooManyFlows);
        problem.message
    };
    assert_eq!(
        refused(3),
        "15 flows and 6 stand-ins, which count as 22 flows each, are more than the 94 that one test may choose from; name fewer in checks, or spread over fewer nodes"
    );
    assert_eq!(
        refused(9),
        "153 flows are more than the 94 that one test may choose from; name fewer in checks, or spread over fewer nodes"
    );
}

#[test]
fn what_is_refused_for_its_size_takes_no_memory_for_it() {
    let ports: Vec<Value> = (1..=16).map(|port| json!({"port": port})).collect();
    let endpoints: Vec<Value> =
        (0..64).map(|n| stand_in(&format!("e{n}"), &json!({"ports": ports}))).collect();
    let spec = json!({"endpoints": endpoints, "placement": {"spread": "EveryNode"}});
    let world = nodes(&world(), 5_000);
    // Made one by one, these flows would take weeks and petabytes.
    let problem = resolve_anew(&test(&spec), &world).expect_err("refused");
    let flows: u64 = 64 * 5_000 * (64 * 5_000 - 1) * 16;
    assert!(problem.message.starts_with(&format!("{flows} flows")), "{}", problem.message);
}
