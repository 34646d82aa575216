//! The objects of the soak: random, changed at random, and the same for the same seed.
#![allow(dead_code, reason = "not every test uses all of it")]

use std::{collections::BTreeMap, time::Duration};

use netproof_cases::random::{NAMESPACES, labels, numbered, pod, policy};
use netproof_conformance::{
    flow::{Port, Protocol},
    ledger::LEAK_RETENTION,
};
use netproof_lab::{
    objects::LabObjects,
    scene::{IpFamilies, LabPace, Scene, Setup},
};
use proptest::{
    strategy::{Strategy, ValueTree},
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use serde_json::{Value, json};

/// How many pods there are.
const PODS: u8 = 9;

/// How many nodes the pods are on.
const NODES: u8 = 3;

/// The most policies at a time.
const POLICIES: usize = 8;

/// The ports that every pod listens on, over TCP and over UDP: those that random objects name, and
/// others.
const PORTS: [u16; 6] = [79, 80, 81, 8080, 8081, 9090];

const PACE: LabPace = LabPace {
    timeout: Duration::from_millis(200),
    // Far more than the network takes to follow, which is measured.
    settle: Duration::from_secs(1),
    confirm: 3,
    silence: Duration::from_secs(1),
    leak_retention: LEAK_RETENTION,
};

/// The objects at a moment.
pub struct World {
    runner: TestRunner,
    namespaces: Vec<Value>,
    pods: Vec<Value>,
    policies: BTreeMap<u32, Value>,
    made: u32,
}

impl World {
    /// The objects at the beginning.
    pub fn new(seed: u64) -> Self {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
        let runner = TestRunner::new_with_rng(Config::default(), rng);
        let mut world = Self {
            runner,
            namespaces: Vec::new(),
            pods: Vec::new(),
            policies: BTreeMap::new(),
            made: 0,
        };
        for name in NAMESPACES {
            let labels = world.draw(labels());
            let metadata = json!({"name": name, "labels": labels});
            world.namespaces.push(typed("v1", "Namespace", json!({"metadata": metadata})));
        }
        for number in 1..=PODS {
            let mut pod = world.draw(pod());
            pod["metadata"]["namespace"] =
                json!(NAMESPACES[usize::from(number) % NAMESPACES.len()]);
            pod["spec"]["nodeName"] = json!(format!(
                "node-{}",
                usize::from(number) / NAMESPACES.len() % usize::from(NODES)
            ));
            pod["status"]["podIPs"] = json!(["10.0.0.", "fd00::"]);
            world.pods.push(typed("v1", "Pod", numbered(pod, number)));
        }
        (0..POLICIES / 2).for_each(|_| world.put_policy(None));
        world
    }

    /// Draws a value of a strategy. Each draw moves the random numbers on.
    pub fn draw<S: Strategy>(&mut self, strategy: S) -> S::Value {
        strategy.new_tree(&mut self.runner).expect("nothing is filtered").current()
    }

    /// Changes one object, and says which and how.
    pub fn change(&mut self) -> String {
        let number: u32 = self.draw(0..100u32);
        match number {
            0..35 if self.policies.len() < POLICIES => {
                self.put_policy(None);
                format!("a policy is added: {}", self.policies[&(self.made - 1)])
            }
            0..60 if !self.policies.is_empty() => {
                let which = self.some_policy();
                self.policies.remove(&which);
                format!("policy p{which} is removed")
            }
            0..80 if !self.policies.is_empty() => {
                let which = self.some_policy();
                self.put_policy(Some(which));
                format!("a policy is modified: {}", self.policies[&which])
            }
            0..92 => {
                let which = self.draw(0..self.pods.len());
                let labels = self.draw(labels());
                let text = format!("pod{} has labels {labels}", which + 1);
                self.pods[which]["metadata"]["labels"] = labels;
                text
            }
            _ => {
                let which = self.draw(0..self.namespaces.len());
                let labels = self.draw(labels());
                let text = format!("namespace {} has labels {labels}", NAMESPACES[which]);
                self.namespaces[which]["metadata"]["labels"] = labels;
                text
            }
        }
    }

    fn some_policy(&mut self) -> u32 {
        let place = self.draw(0..self.policies.len());
        *self.policies.keys().nth(place).expect("one of them")
    }

    fn put_policy(&mut self, which: Option<u32>) {
        let policy = self.draw(policy());
        let number = which.unwrap_or(self.made);
        self.made = self.made.max(number + 1);
        self.policies.insert(number, named(policy, &format!("p{number}")));
    }

    /// Replaces the policies, so that no pod may receive anything.
    pub fn deny_all(&mut self) {
        self.policies.clear();
        for namespace in NAMESPACES {
            let spec = json!({"podSelector": {}, "policyTypes": ["Ingress"]});
            let policy = json!({"metadata": {"namespace": namespace}, "spec": spec});
            self.policies.insert(self.made, named(policy, "nothing"));
            self.made += 1;
        }
    }

    /// The namespaces and pods.
    pub fn cluster(&self) -> Vec<Value> {
        self.namespaces.iter().chain(&self.pods).cloned().collect()
    }

    /// The policies of the moment.
    pub fn policies(&self) -> Vec<Value> {
        self.policies.values().cloned().collect()
    }

    /// The objects as a scene of the lab.
    pub fn scene(&self) -> anyhow::Result<Scene> {
        let objects = [self.cluster(), self.policies()].concat();
        let ports = PORTS.into_iter().flat_map(|number| {
            [Protocol::Tcp, Protocol::Udp].map(|protocol| Port { number, protocol })
        });
        let setup = Setup {
            pace: PACE,
            nodes: usize::from(NODES),
            families: IpFamilies::Dual,
            ports: ports.collect(),
            outside: Vec::new(),
            before: Vec::new(),
        };
        Scene::of(&LabObjects::from_values(&objects, "default")?, None, setup)
    }
}

fn named(policy: Value, name: &str) -> Value {
    let mut policy = typed("networking.k8s.io/v1", "NetworkPolicy", policy);
    policy["metadata"]["name"] = json!(name);
    // Otherwise the lab takes it from the place in the list, which changes with the policies before
    // it.
    policy["metadata"]["creationTimestamp"] = json!("2026-01-01T00:00:00Z");
    policy
}

fn typed(version: &str, kind: &str, mut object: Value) -> Value {
    object["apiVersion"] = json!(version);
    object["kind"] = json!(kind);
    object
}
