use std::sync::Arc;

use hyper::Method;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::*;
use crate::api_server::{ApiServer, DEFINITIONS, RequestRefusal};
use netproof_rounds::world::Read;

const NAMESPACES: &str = "/api/v1/namespaces";
const POLICIES: &str = "/apis/networking.k8s.io/v1/namespaces/shop/networkpolicies";
const CLUSTER_POLICIES: &str = "/apis/policy.networking.k8s.io/v1alpha2/clusternetworkpolicies";
const KIND: ClusterPolicyKind = ClusterPolicyKind::ClusterNetworkPolicy;

/// An API server that has namespace shop, with nothing in it.
async fn server() -> ApiServer {
    let server = ApiServer::start().await;
    server.serve(NAMESPACES);
    server.serve(POLICIES);
    server
}

/// Gives the cluster the kind, with this state of its condition Established.
fn arrive(server: &ApiServer, established: &str) {
    server.serve(CLUSTER_POLICIES);
    let definition = json!({
        "metadata": {"name": "clusternetworkpolicies.policy.networking.k8s.io", "uid": "u"},
        "spec": {"versions": [{"name": "v1alpha2", "served": true}]},
        "status": {"conditions": [{"type": "Established", "status": established}]},
    });
    server.put(DEFINITIONS, definition);
}

fn object(name: &str) -> Value {
    json!({"metadata": {"name": name}})
}

fn with_cluster_policy(version: &str) -> World {
    let name = ObjectRef::of_cluster("deny");
    let read = Read { version: version.into(), meaning: Err("never mind".into()) };
    let objects = Arc::new([(name, read)].into());
    World { cluster_policies: [(KIND, objects)].into(), ..World::default() }
}

async fn is_confirmed(world: &World, server: &ApiServer) -> bool {
    let namespaces = ["shop".to_owned()].into();
    certify(world, &server.client, &namespaces).await.expect("an answer")
}

#[tokio::test]
async fn a_cluster_without_kinds_of_cluster_policies_confirms_that_there_are_none() {
    let server = server().await;
    assert!(is_confirmed(&World::default(), &server).await);
    assert!(!is_confirmed(&with_cluster_policy("1"), &server).await, "it went with its kind");
}

#[tokio::test]
async fn a_kind_that_has_just_arrived_confirms_nothing_once_it_has_a_policy() {
    let server = server().await;
    arrive(&server, "True");
    assert!(is_confirmed(&World::default(), &server).await, "there is none yet");
    server.put(CLUSTER_POLICIES, object("deny"));
    assert!(!is_confirmed(&World::default(), &server).await);
}

#[tokio::test]
async fn a_cluster_policy_is_confirmed_in_its_version() {
    let server = server().await;
    arrive(&server, "True");
    let version = server.put(CLUSTER_POLICIES, object("deny"));
    assert!(is_confirmed(&with_cluster_policy(&version), &server).await);
    server.put(CLUSTER_POLICIES, object("deny"));
    assert!(!is_confirmed(&with_cluster_policy(&version), &server).await, "it has changed");
}

#[tokio::test]
async fn a_kind_that_nobody_can_read_confirms_nothing() {
    let server = server().await;
    arrive(&server, "False");
    assert!(!is_confirmed(&World::default(), &server).await);
}

#[tokio::test]
async fn a_policy_that_the_picture_lacks_is_found() {
    let server = server().await;
    let mut policy = object("new");
    policy["metadata"]["namespace"] = json!("shop");
    server.put(POLICIES, policy);
    assert!(!is_confirmed(&World::default(), &server).await);
}

/// How many lists of policies are asked for within `time` if the World is certified all the time.
async fn lists(world: &World, server: &ApiServer, certifier: &Certifier, time: Duration) -> usize {
    let before = server.count(&Method::GET, POLICIES);
    let namespaces = ["shop".to_owned()].into();
    let end = Instant::now() + time;
    while Instant::now() < end {
        certifier.certify(world, &server.client, &namespaces).await;
        sleep(Duration::from_millis(50)).await;
    }
    server.count(&Method::GET, POLICIES) - before
}

#[tokio::test(start_paused = true)]
async fn an_api_server_that_does_not_confirm_is_asked_ever_more_seldom_until_it_does() {
    let (server, certifier) = (server().await, Certifier::default());
    let ten_minutes = Duration::from_secs(600);
    let behind = with_policy("0");
    let count = lists(&behind, &server, &certifier, ten_minutes).await;
    assert!((40..=100).contains(&count), "{count} in ten minutes while the picture is behind");
    let (method, message) = (Method::GET, "no");
    server.refuse(RequestRefusal { method, part: POLICIES, code: 500, message, retry_after: None });
    let count = lists(&behind, &server, &certifier, ten_minutes).await;
    assert!((40..=100).contains(&count), "{count} in ten minutes while it cannot be asked");
    server.relent();
    sleep(Duration::from_secs(15)).await;
    let namespaces = ["shop".to_owned()].into();
    let world = World { namespaces: Arc::new(ObjectMap::new()), ..World::default() };
    for _ in 0..3 {
        // Several attempts lead to one verdict, and each of them is certified.
        let said = certifier.certify(&world, &server.client, &namespaces).await;
        assert!(matches!(said, Certificate::Confirmed), "{said:?}");
    }
}

fn with_policy(version: &str) -> World {
    let name = ObjectRef { namespace: "shop".into(), name: "deny".into() };
    let read = Read { version: version.into(), meaning: Err("never mind".into()) };
    World { policies: Arc::new([(name, read)].into()), ..World::default() }
}
