use serde_json::{Value, json};

use super::*;

fn object(value: Value) -> DynamicObject {
    serde_json::from_value(value).expect("an object")
}

fn policy(name: &str, version: &str, spec: &Value) -> DynamicObject {
    object(json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
        "metadata": {"namespace": "shop", "name": name, "resourceVersion": version},
        "spec": spec,
    }))
}

fn good(name: &str, version: &str) -> DynamicObject {
    policy(name, version, &json!({"podSelector": {}}))
}

fn applied(object: DynamicObject) -> ObjectChange {
    ObjectChange::Applied(Box::new(object))
}

const POLICIES: Kind = Kind::NetworkPolicies;

#[test]
fn what_does_not_decode_is_counted_and_the_rest_goes_on() {
    let mut world = World::default();
    let bad = policy("bad", "2", &json!({"podSelector": "all of them"}));
    let refused = policy("refused", "3", &json!({"ingress": [{"from": [{}]}]}));
    world.take(POLICIES, ObjectChange::Reset(vec![good("a", "1"), bad, refused]));
    assert_eq!(world.rejected(POLICIES), 2);
    assert_eq!(world.policies.values().filter(|read| read.meaning.is_ok()).count(), 1);
    world.take(POLICIES, applied(good("bad", "4")));
    assert_eq!(world.rejected(POLICIES), 1, "it may get better");
}

#[test]
fn a_list_replaces_what_was_known() {
    let mut world = World::default();
    world.take(POLICIES, ObjectChange::Reset(vec![good("a", "1"), good("b", "2")]));
    world.take(POLICIES, ObjectChange::Reset(vec![good("b", "2")]));
    let names: Vec<&str> = world.policies.keys().map(|name| name.name.as_str()).collect();
    assert_eq!(names, ["b"], "a policy that was deleted unseen is gone after a relist");
}

#[test]
fn another_version_that_means_the_same_is_no_news_but_is_known() {
    let mut world = World::default();
    world.take(POLICIES, ObjectChange::Reset(vec![good("a", "1")]));
    assert!(!world.take(POLICIES, applied(good("a", "2"))));
    assert_eq!(world.policies.values().next().map(|read| read.version.as_str()), Some("2"));
    assert!(world.take(POLICIES, ObjectChange::Deleted(Box::new(good("a", "3")))));
}

#[test]
fn nothing_is_judged_before_every_decisive_kind_was_read() {
    let mut world = World::default();
    assert!(world.blindness(Instant::now()).is_some());
    for kind in Kind::decisive() {
        world.take(kind, ObjectChange::Reset(vec![]));
    }
    assert_eq!(world.blindness(Instant::now()), None);
}

#[test]
fn a_kind_that_may_be_absent_has_to_be_known_absent() {
    let mut world = World::default();
    let kind = Kind::ClusterPolicies(ClusterPolicyKind::AdminNetworkPolicy);
    for other in Kind::all().filter(|other| *other != kind) {
        world.take(other, ObjectChange::Reset(vec![]));
    }
    let why = world.blindness(Instant::now()).expect("it may be there");
    assert_eq!(why, "adminnetworkpolicies have not been read yet");
    world.take(kind, ObjectChange::Blind(Blind::Forbidden("forbidden".into())));
    let why = world.blindness(Instant::now()).expect("it may be there");
    assert_eq!(why, "adminnetworkpolicies have not been read yet: forbidden");
    world.take(kind, ObjectChange::Reset(vec![]));
    assert_eq!(world.blindness(Instant::now()), None);
}

#[test]
fn kinds_of_cluster_policies_are_kept_apart() {
    let mut world = World::default();
    let policy = |kind: ClusterPolicyKind| {
        object(json!({
            "apiVersion": "policy.networking.k8s.io/v1alpha1", "kind": kind.word(),
            "metadata": {"name": "default", "resourceVersion": "1"},
            "spec": {"priority": 1, "subject": {"namespaces": {}}},
        }))
    };
    let cluster = ClusterPolicyKind::ClusterNetworkPolicy;
    let admin = ClusterPolicyKind::AdminNetworkPolicy;
    let baseline = ClusterPolicyKind::BaselineAdminNetworkPolicy;
    for kind in [cluster, admin, baseline] {
        world.take(Kind::ClusterPolicies(kind), applied(policy(kind)));
    }
    let rejected = |kind| world.rejected(Kind::ClusterPolicies(kind));
    assert_eq!([rejected(cluster), rejected(admin), rejected(baseline)], [1, 0, 0]);
    world.take(Kind::ClusterPolicies(admin), ObjectChange::Reset(vec![]));
    let counts: Vec<usize> = world.cluster_policies.values().map(|o| o.len()).collect();
    assert_eq!(counts, [1, 0, 1], "what goes takes only its own kind along");
}

#[test]
fn a_kind_that_is_silent_too_long_blinds() {
    let mut world = World::default();
    for kind in Kind::decisive() {
        world.take(kind, ObjectChange::Reset(vec![]));
    }
    world.take(POLICIES, ObjectChange::Blind(Blind::Failed("connection refused".into())));
    let now = Instant::now();
    assert_eq!(world.blindness(now), None, "what was known a moment ago still stands");
    let later = now + STALE_AFTER + Duration::from_secs(1);
    let why = world.blindness(later).expect("it is too old");
    assert!(why.contains("networkpolicies") && why.contains("connection refused"), "{why}");
    world.alive.extend(Kind::decisive().map(|kind| (kind, later)));
    assert_eq!(world.blindness(later), None);
}

#[test]
fn a_policy_is_as_old_as_the_api_server_says() {
    let mut world = World::default();
    let mut old = good("old", "1");
    old.metadata.creation_timestamp = serde_json::from_value(json!("2026-01-02T03:04:05Z")).ok();
    world.take(POLICIES, ObjectChange::Reset(vec![old, good("of-no-age", "2")]));
    let created: Vec<Option<String>> = world
        .policies
        .values()
        .filter_map(|read| read.meaning.as_ref().ok())
        .map(|policy| policy.created.as_ref().map(|created| created.0.clone()))
        .collect();
    assert_eq!(created, [None, Some("2026-01-02T03:04:05Z".to_owned())]);
}
