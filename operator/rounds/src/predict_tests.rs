use std::{sync::Arc, time::Duration};

use kube::api::DynamicObject;
use netproof_conformance::{
    flow::{Port, Protocol},
    ledger::Patience,
    policy::cluster::ClusterPolicyKind,
    report::{Line, references, sentence},
    verdict::{Outcome, Steadiness, Verdict},
};
use serde_json::{Value, json};

use super::*;
use crate::{
    decode::{cluster_policy, policy},
    fixtures::stand_in,
    world::Read,
};

const PORT: Port = Port { number: 8080, protocol: Protocol::Tcp };

/// The one flow of the test: from web to db.
fn flow() -> Cell {
    Cell { from: Actor::sole("web"), to: Actor::sole("db"), port: PORT }
}

fn predicted(world: &World) -> Prediction {
    let stand_ins = [stand_in("web", "10.0.0.1"), stand_in("db", "10.0.0.2")];
    let patience = Patience {
        settle: Duration::ZERO,
        confirm: 1,
        stale_after: Duration::ZERO,
        silence: Duration::ZERO,
        leak_retention: Duration::ZERO,
    };
    let scenario = Scenario {
        patience,
        interval: Duration::ZERO,
        timeout: Duration::ZERO,
        desired: vec![],
        externals: BTreeMap::new(),
        external_ports: BTreeMap::new(),
        budget: 1,
        start_up: netproof_crds::StartUp::Report,
        uncovered: vec![],
        flows: [(flow(), std::collections::BTreeSet::new())].into_iter().collect(),
    };
    predict(&scenario, &stand_ins, world)
}

fn object(kind: ClusterPolicyKind, version: &str, name: &str, spec: &Value) -> DynamicObject {
    let object = json!({
        "apiVersion": format!("policy.networking.k8s.io/{version}"), "kind": kind.word(),
        "metadata": {"name": name},
        "spec": spec,
    });
    serde_json::from_value(object).expect("an object")
}

/// A world in which this is the one policy.
fn world(kind: ClusterPolicyKind, version: &str, name: &str, spec: &Value) -> World {
    let meaning = cluster_policy(kind, &object(kind, version, name, spec));
    let objects = [(ObjectRef::of_cluster(name), Read { version: "1".into(), meaning })];
    World { cluster_policies: [(kind, Arc::new(objects.into()))].into(), ..World::default() }
}

fn from_everywhere(action: &str, subject: &Value) -> Value {
    json!({
        "subject": subject,
        "ingress": [{"action": action, "from": [{"namespaces": {}}]}],
    })
}

fn shop() -> Value {
    json!({"namespaces": {"matchLabels": {"kubernetes.io/metadata.name": "shop"}}})
}

fn said(prediction: &Prediction, outcome: Outcome, verdict: Verdict) -> String {
    let expected = prediction.expected.get(&flow()).expect("it is predicted").clone();
    let line = Line { expected, outcome: Some(outcome), verdict };
    let [web, db] = ["shop/web", "shop/db"].map(|at| Place { at: at.into(), node: None });
    sentence(&flow(), &line, [&web, &db], &[])
}

#[test]
fn each_kind_of_cluster_policy_decides_and_is_named() {
    let deny = from_everywhere("Deny", &shop());
    let mut of_tier = deny.clone();
    of_tier["tier"] = json!("Admin");
    of_tier["priority"] = json!(10);
    let mut of_priority = deny.clone();
    of_priority["priority"] = json!(10);
    let cases = [
        (ClusterPolicyKind::ClusterNetworkPolicy, "v1alpha2", "deny-all", of_tier),
        (ClusterPolicyKind::AdminNetworkPolicy, "v1alpha1", "deny-all", of_priority),
        (ClusterPolicyKind::BaselineAdminNetworkPolicy, "v1alpha1", "default", deny),
    ];
    for (kind, version, name, spec) in cases {
        let prediction = predicted(&world(kind, version, name, &spec));
        assert_eq!(prediction.unreliable, Unreliable::default(), "{kind:?}");
        let rule = format!("{} {name} ingress[0].from[0]", kind.word());
        let expected = prediction.expected.get(&flow()).expect("it is predicted");
        assert_eq!(references(expected).concat(), rule);
        assert_eq!(
            said(&prediction, Outcome::Connected, Verdict::Leak(Steadiness::Steady)),
            format!(
                "Leak: web (shop/web) to db (shop/db) port 8080/TCP: connected, but {rule} (denies it) should have stopped it."
            )
        );
    }
}

#[test]
fn a_cluster_policy_that_accepts_is_named_where_the_network_blocks() {
    let mut spec = from_everywhere("Accept", &shop());
    spec["tier"] = json!("Admin");
    spec["priority"] = json!(10);
    let kind = ClusterPolicyKind::ClusterNetworkPolicy;
    let prediction = predicted(&world(kind, "v1alpha2", "let-in", &spec));
    assert_eq!(
        said(&prediction, Outcome::TimedOut, Verdict::Blocked(Steadiness::Steady)),
        "Blocked: web (shop/web) to db (shop/db) port 8080/TCP: timed out, but it is allowed: nothing isolates egress; ClusterNetworkPolicy let-in ingress[0].from[0] accepts it."
    );
}

#[test]
fn a_cluster_policy_that_is_not_understood_makes_every_namespace_unreliable() {
    let spec = json!({"tier": "Somewhere", "priority": 10});
    let kind = ClusterPolicyKind::ClusterNetworkPolicy;
    let prediction = predicted(&world(kind, "v1alpha2", "odd", &spec));
    let why =
        "ClusterNetworkPolicy odd: spec.tier: \"Somewhere\" is no tier: use Admin or Baseline";
    for homes in [vec!["shop"], vec!["data", "ops"], vec![]] {
        assert_eq!(prediction.unreliable.between(homes), Some(why));
    }
}

#[test]
fn a_cluster_policy_in_a_version_that_is_not_read_is_not_understood() {
    let kind = ClusterPolicyKind::ClusterNetworkPolicy;
    let prediction = predicted(&world(kind, "v1beta1", "later", &json!({})));
    assert_eq!(
        prediction.unreliable.between(["shop"]),
        Some(
            "ClusterNetworkPolicy later: the cluster has this kind in version v1beta1 only, which this netproof cannot read; it reads v1alpha2"
        )
    );
}

/// A world with one `NetworkPolicy`, which is not understood: its peer is empty.
fn with_bad_policy(namespace: &str) -> World {
    let bad = json!({
        "metadata": {"namespace": namespace, "name": "bad"},
        "spec": {"podSelector": {}, "ingress": [{"from": [{}]}]},
    });
    let bad: DynamicObject = serde_json::from_value(bad).expect("an object");
    let name = ObjectRef { namespace: namespace.into(), name: "bad".into() };
    let read = Read { version: "1".into(), meaning: policy(&bad) };
    World { policies: Arc::new([(name, read)].into()), ..World::default() }
}

#[test]
fn a_network_policy_that_is_not_understood_makes_its_own_namespace_unreliable() {
    let unreliable = predicted(&with_bad_policy("shop")).unreliable;
    assert_eq!(unreliable.between(["data"]), None);
    let why = unreliable.between(["data", "shop"]).expect("it is unreliable");
    assert!(why.starts_with("shop/bad: spec.ingress[0].from[0]: "), "{why}");
}

#[test]
fn what_is_not_understood_elsewhere_is_nothing_to_a_test() {
    assert_eq!(predicted(&with_bad_policy("data")).unreliable, Unreliable::default());
}
