use std::time::Duration;

use netproof_conformance::kinds::ClusterPolicyKind;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::*;
use crate::api_server::{ApiServer, DEFINITIONS};

const KIND: &KindRow = ClusterPolicyKind::ClusterNetworkPolicy.row();
const NAME: &str = "clusternetworkpolicies.policy.networking.k8s.io";
const READABLE: &str = "/apis/policy.networking.k8s.io/v1alpha2/clusternetworkpolicies";
const LATER: &str = "/apis/policy.networking.k8s.io/v1beta1/clusternetworkpolicies";

fn defined(uid: &str, version: &str) -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": NAME, "uid": uid},
        "spec": {"versions": [{"name": version, "served": true, "storage": true}]},
        "status": {"conditions": [{"type": "Established", "status": "True"}]},
    })
}

fn policy(name: &str) -> Value {
    json!({
        "apiVersion": "policy.networking.k8s.io/v1alpha2", "kind": "ClusterNetworkPolicy",
        "metadata": {"name": name},
    })
}

/// The changes that were learned, in words.
struct Learned(mpsc::Receiver<ObjectChange>);

impl Learned {
    fn from(server: &ApiServer) -> Self {
        let (sender, changes) = mpsc::channel(64);
        tokio::spawn(follow(server.client.clone(), KIND, sender));
        Self(changes)
    }

    async fn next(&mut self) -> String {
        let change = timeout(Duration::from_secs(10), self.0.recv()).await;
        let name = |object: &kube::api::DynamicObject| object.metadata.name.clone();
        match change.expect("a change within ten seconds").expect("somebody who follows") {
            ObjectChange::Reset(all) => {
                format!("all: {:?}", all.iter().filter_map(name).collect::<Vec<_>>())
            }
            ObjectChange::Applied(one) => format!("applied {}", name(&one).unwrap_or_default()),
            ObjectChange::Deleted(one) => format!("deleted {}", name(&one).unwrap_or_default()),
            ObjectChange::Alive => "alive".into(),
            ObjectChange::Blind(why) => format!("blind: {why}"),
        }
    }

    /// The next change, in words. Signs of life and failures, which may come at any time, are
    /// skipped.
    async fn next_news(&mut self) -> String {
        loop {
            let next = self.next().await;
            if next != "alive" && !next.starts_with("blind: ") {
                return next;
            }
        }
    }
}

#[tokio::test]
async fn absence_is_known_stays_alive_and_costs_one_list_and_one_watch() {
    let server = ApiServer::start().await;
    let mut learned = Learned::from(&server);
    assert_eq!(learned.next().await, "all: []");
    for _ in 0..3 {
        // A bookmark reaches only watches that have begun.
        while server.requests().len() < 2 {
            tokio::task::yield_now().await;
        }
        server.bookmark();
        assert_eq!(learned.next().await, "alive");
    }
    let requests = server.requests();
    assert_eq!(requests.len(), 2, "{requests:#?}");
    let selector = format!("fieldSelector=metadata.name%3D{NAME}");
    assert!(requests.iter().all(|request| request.contains(&selector)), "{requests:#?}");
}

#[tokio::test]
async fn a_kind_that_is_there_is_followed() {
    let server = ApiServer::start().await;
    server.serve(READABLE);
    server.put(READABLE, policy("a"));
    server.put(DEFINITIONS, defined("1", "v1alpha2"));
    let mut learned = Learned::from(&server);
    assert_eq!(learned.next().await, "all: [\"a\"]", "nothing is said before that");
}

#[tokio::test]
async fn a_kind_is_followed_when_it_arrives_and_empty_when_it_goes() {
    let server = ApiServer::start().await;
    let mut learned = Learned::from(&server);
    for uid in ["1", "2"] {
        assert_eq!(learned.next_news().await, "all: []", "absent");
        server.serve(READABLE);
        server.put(DEFINITIONS, defined(uid, "v1alpha2"));
        assert_eq!(learned.next_news().await, "all: []", "there, with nothing in it");
        server.put(READABLE, policy("a"));
        assert_eq!(learned.next_news().await, "applied a");
        // The definition changes in nothing that concerns the followed version.
        server.put(DEFINITIONS, defined(uid, "v1alpha2"));
        server.put(READABLE, policy("b"));
        assert_eq!(learned.next_news().await, "applied b");
        server.stop_serving(READABLE);
        server.delete(DEFINITIONS, NAME);
    }
    assert_eq!(learned.next_news().await, "all: []");
}

#[tokio::test]
async fn a_kind_in_another_version_is_followed_in_that() {
    let server = ApiServer::start().await;
    server.serve(READABLE);
    server.put(READABLE, policy("a"));
    server.put(DEFINITIONS, defined("1", "v1alpha2"));
    let mut learned = Learned::from(&server);
    assert_eq!(learned.next_news().await, "all: [\"a\"]");
    server.serve(LATER);
    server.put(LATER, policy("later"));
    server.stop_serving(READABLE);
    server.put(DEFINITIONS, defined("1", "v1beta1"));
    assert_eq!(learned.next_news().await, "all: [\"later\"]");
}

#[tokio::test]
async fn a_kind_that_is_not_established_is_not_known_and_says_why() {
    let server = ApiServer::start().await;
    let mut definition = defined("1", "v1alpha2");
    definition["status"] = json!({"conditions": null});
    server.put(DEFINITIONS, definition);
    let mut learned = Learned::from(&server);
    assert_eq!(learned.next().await, "blind: its CustomResourceDefinition is not established");
    server.serve(READABLE);
    server.put(DEFINITIONS, defined("1", "v1alpha2"));
    assert_eq!(learned.next().await, "all: []");
}
