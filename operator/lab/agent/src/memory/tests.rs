//! The world that is believed, step by step, at times that the test names.

#![allow(clippy::needless_pass_by_value, reason = "a json! literal reads best as an argument")]

use serde_json::{Value, from_value, json};

use super::*;
use crate::{policy::Policy, world::Namespace};

/// A truth that changes, and the memory of one agent.
struct Scene {
    truth: World,
    memory: Memory,
    setting: Setting,
    start: Instant,
}

fn pod_name(name: &str) -> ObjectName {
    ObjectName { namespace: Some("x".into()), name: name.into() }
}

fn namespace_name() -> ObjectName {
    ObjectName { namespace: None, name: "x".into() }
}

impl Scene {
    /// A scene with pod x/a and policy x/a, known before the setting is made.
    fn new(setting: &str) -> Self {
        let mut scene = Self {
            truth: World::default(),
            memory: Memory::new("n1".into()),
            setting: Setting::default(),
            start: Instant::now(),
        };
        scene.put_pod("a", json!({"app": "old"}), "10.0.0.1");
        scene.put_namespace(json!({"team": "old"}));
        scene.put_policy("a");
        scene.look(0);
        scene.set(setting);
        scene
    }

    fn put_pod(&mut self, name: &str, labels: Value, address: &str) {
        let object = json!({
            "metadata": {"namespace": "x", "name": name, "labels": labels},
            "spec": {"nodeName": "n1", "containers": []},
            "status": {"podIPs": [{"ip": address}]},
        });
        let pod = Pod::parse(from_value(object).unwrap()).unwrap().unwrap();
        self.truth.pods.insert(pod_name(name), pod);
    }

    fn put_namespace(&mut self, labels: Value) {
        let object = json!({"metadata": {"name": "x", "labels": labels}});
        let namespace = Namespace::parse(from_value(object).unwrap()).unwrap();
        self.truth.namespaces.insert(namespace_name(), namespace);
    }

    fn put_policy(&mut self, name: &str) {
        let object = json!({"metadata": {"namespace": "x"}, "spec": {}});
        let policy = Policy::parse(from_value(object).unwrap()).unwrap();
        self.truth.policies.insert(pod_name(name), policy);
    }

    /// Changes the setting as the enforcer does: after a last look under the old one.
    fn set(&mut self, setting: &str) {
        self.look(0);
        self.setting = setting.parse().unwrap();
        self.look(0);
    }

    /// What is acted on this many seconds after the start, and in how many more seconds that
    /// changes.
    fn look(&mut self, second: u64) -> (World, Setting, Option<u64>) {
        let now = self.start + Duration::from_secs(second);
        let outlook = self.memory.look(&self.truth, &self.setting, now);
        let next = outlook.next.map(|next| (next - now).as_secs());
        (outlook.world.clone(), outlook.setting, next)
    }

    fn believed(&mut self, second: u64) -> World {
        self.look(second).0
    }

    fn label(&mut self, second: u64) -> String {
        self.believed(second).pods[&pod_name("a")].labels["app"].clone()
    }

    fn team(&mut self, second: u64) -> String {
        self.believed(second).namespaces[&namespace_name()].labels["team"].clone()
    }

    /// The faults that time adds to the setting, and in how many seconds that changes.
    fn extra(&mut self, second: u64) -> (String, Option<u64>) {
        let (_, Setting(failing), next) = self.look(second);
        (Setting(failing[self.setting.0.len()..].to_vec()).to_string(), next)
    }
}

#[test]
fn without_a_fault_the_truth_is_believed() {
    let mut scene = Scene::new("");
    scene.put_pod("a", json!({"app": "new"}), "10.0.0.2");
    scene.put_pod("b", json!({}), "10.0.0.3");
    scene.put_namespace(json!({}));
    scene.truth.policies.clear();
    assert_eq!(scene.look(1), (scene.truth.clone(), Setting::default(), None));
    scene.truth = World::default();
    assert_eq!(scene.believed(2), World::default());
}

#[test]
fn stale_labels_are_those_of_when_the_fault_began() {
    let mut scene = Scene::new("");
    scene.put_pod("a", json!({"app": "newer"}), "10.0.0.1");
    scene.set("stale-pod-labels");
    scene.put_pod("a", json!({"app": "newest"}), "10.0.0.1");
    assert_eq!(scene.label(1), "newer");
    scene.set("");
    assert_eq!(scene.label(2), "newest");
}

#[test]
fn labels_are_stale_only_for_pods_that_are_known_and_only_labels_are() {
    let mut scene = Scene::new("stale-pod-labels");
    scene.put_pod("a", json!({"app": "new"}), "10.0.0.2");
    scene.put_pod("b", json!({"app": "new"}), "10.0.0.3");
    let pods = scene.believed(1).pods;
    assert_eq!(pods[&pod_name("a")].labels["app"], "old");
    assert_eq!(pods[&pod_name("a")].addresses, scene.truth.pods[&pod_name("a")].addresses);
    assert_eq!(pods[&pod_name("b")].labels["app"], "new");
    let again = scene.truth.pods.remove(&pod_name("a")).unwrap();
    scene.look(2);
    scene.truth.pods.insert(pod_name("a"), again);
    assert_eq!(scene.label(3), "new", "another pod of the same name");
}

#[test]
fn a_namespace_may_be_stale_alone() {
    let mut scene = Scene::new("stale-namespace-labels@namespace=x");
    scene.put_namespace(json!({"team": "new"}));
    scene.put_pod("a", json!({"app": "new"}), "10.0.0.1");
    assert_eq!((scene.team(1), scene.label(1)), ("old".into(), "new".into()));
    scene.set("stale-namespace-labels@namespace=y");
    assert_eq!(scene.team(2), "new");
}

#[test]
fn the_faults_of_another_node_are_not_ours() {
    for (setting, label) in
        [("stale-pod-labels@node=n2", "new"), ("stale-pod-labels@node=n1", "old")]
    {
        let mut scene = Scene::new(setting);
        scene.put_pod("a", json!({"app": "new"}), "10.0.0.1");
        assert_eq!(scene.label(1), label, "{setting}");
    }
}

#[test]
fn a_deleted_policy_is_kept_until_the_fault_ends() {
    let mut scene = Scene::new("keeps-deleted-policies");
    scene.truth.policies.clear();
    scene.put_policy("b");
    assert_eq!(scene.believed(1).policies.len(), 2);
    scene.set("");
    assert_eq!(scene.believed(2).policies, scene.truth.policies);
}

#[test]
fn dead_addresses_are_kept_with_their_namespace_until_the_fault_ends() {
    let mut scene = Scene::new("keeps-dead-addresses");
    let dead = scene.truth.pods[&pod_name("a")].clone();
    scene.truth = World::default();
    let believed = scene.believed(1);
    assert_eq!(believed.dead, [(pod_name("a"), dead)]);
    assert!(believed.pods.is_empty());
    assert!(believed.namespaces.contains_key(&namespace_name()));
    scene.set("");
    assert_eq!(scene.believed(2), World::default());
}

#[test]
fn an_address_dies_with_the_pod_that_is_replaced_under_its_name() {
    let mut scene = Scene::new("keeps-dead-addresses@pod=x/a");
    let dead = scene.truth.pods[&pod_name("a")].clone();
    scene.put_pod("a", json!({"app": "new"}), "10.0.0.2");
    assert_eq!(scene.believed(1).dead, [(pod_name("a"), dead)]);
}

#[test]
fn changes_are_acted_on_late_and_in_their_order() {
    let mut scene = Scene::new("slow=5s");
    scene.put_pod("a", json!({"app": "newer"}), "10.0.0.1");
    assert_eq!(scene.look(1).2, Some(5));
    scene.put_pod("a", json!({"app": "newest"}), "10.0.0.1");
    scene.truth.policies.clear();
    assert_eq!(scene.look(3).2, Some(3));
    assert_eq!(scene.label(5), "old");
    assert_eq!(scene.label(6), "newer");
    assert_eq!(scene.believed(7).policies.len(), 1);
    assert_eq!(scene.look(8), (scene.truth.clone(), scene.setting.clone(), None));
}

#[test]
fn what_waits_is_acted_on_as_soon_as_slowness_ends() {
    let mut scene = Scene::new("slow=5s");
    scene.put_pod("a", json!({"app": "new"}), "10.0.0.1");
    assert_eq!(scene.label(1), "old");
    scene.setting = Setting::default();
    assert_eq!(scene.look(2), (scene.truth.clone(), Setting::default(), None));
}

#[test]
fn slowness_may_be_of_one_namespace() {
    let mut scene = Scene::new("slow=5s@namespace=y");
    scene.put_pod("a", json!({"app": "new"}), "10.0.0.1");
    assert_eq!(scene.label(1), "new");
}

#[test]
fn new_pods_are_open_for_a_while() {
    let mut scene = Scene::new("late-isolation=4s");
    assert_eq!(scene.extra(0), (String::new(), None), "none is new");
    scene.put_pod("b", json!({}), "10.0.0.2");
    assert_eq!(scene.extra(1), ("ignores-all@pod=x/b".into(), Some(4)));
    scene.put_pod("b", json!({"app": "b"}), "10.0.0.2");
    assert_eq!(scene.extra(4), ("ignores-all@pod=x/b".into(), Some(1)));
    assert_eq!(scene.extra(5), (String::new(), None));
}

#[test]
fn flapping_starts_enforced_and_counts_from_its_beginning() {
    let mut scene = Scene::new("flapping=10s@namespace=x");
    assert_eq!(scene.extra(9), (String::new(), Some(1)));
    assert_eq!(scene.extra(10), ("ignores-all@namespace=x".into(), Some(10)));
    assert_eq!(scene.extra(19), ("ignores-all@namespace=x".into(), Some(1)));
    assert_eq!(scene.extra(20), (String::new(), Some(10)));
    scene.setting = Setting::default();
    assert_eq!(scene.extra(30), (String::new(), None));
    scene.setting = "flapping=10s".parse().unwrap();
    assert_eq!(scene.extra(35), (String::new(), Some(10)));
}
