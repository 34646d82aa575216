//! A small test of a small cluster, for tests of the diagnosis.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use netproof_conformance::{
    flow::{Port, Protocol},
    ledger::Patience,
    matrix::{Actor, Cell},
    reference::ObjectRef,
};
use netproof_crds::{NamedPort, StartUp};
use serde_json::json;

use crate::{
    decode::{NamespaceState, PodProgress, PodState, policy},
    desired::Desired,
    fixtures,
    predict::StandIn,
    scenario::Scenario,
    world::{Read, World},
};

/// The port that every stand-in listens on.
pub const PORT: Port = Port { number: 80, protocol: Protocol::Tcp };

/// A patience that judges at once, by one attempt.
pub const AT_ONCE: Patience = Patience {
    settle: Duration::ZERO,
    confirm: 1,
    stale_after: Duration::from_secs(60),
    silence: Duration::ZERO,
    leak_retention: Duration::ZERO,
};

/// The flow from one stand-in to another, on [`PORT`].
pub fn cell(from: &str, to: &str) -> Cell {
    Cell { from: Actor::sole(from), to: Actor::sole(to), port: PORT }
}

fn desired(name: &str) -> Desired {
    let protocol = netproof_crds::Protocol::Tcp;
    let ports = vec![NamedPort { name: None, port: PORT.number, protocol }];
    Desired { ports, ..fixtures::desired(name) }
}

/// A test with these stand-ins that asks for these flows, and attempts at most `budget`.
pub fn scenario(names: &[&str], asked: &[(&str, &str)], budget: usize) -> Scenario {
    Scenario {
        patience: AT_ONCE,
        interval: Duration::from_secs(30),
        timeout: Duration::from_secs(1),
        desired: names.iter().map(|name| desired(name)).collect(),
        externals: BTreeMap::new(),
        external_ports: BTreeMap::new(),
        budget,
        start_up: StartUp::Report,
        uncovered: vec![],
        flows: asked.iter().map(|(from, to)| (cell(from, to), BTreeSet::new())).collect(),
    }
}

/// The stand-ins of a test, all of them running: the first on node one, the others on node two.
pub fn stand_ins(scenario: &Scenario) -> Vec<StandIn> {
    let stand_in = |(desired, number): (&Desired, u8)| {
        let pod = PodState {
            uid: desired.actor.to_string(),
            labels: desired.labels.clone(),
            owner: None,
            image: None,
            addresses: vec![[10, 0, 0, number].into()],
            node: Some(if number == 1 { "one".into() } else { "two".into() }),
            created: None,
            started: None,
            progress: PodProgress::Running,
        };
        let name = desired.actor.to_string();
        let name = ObjectRef { namespace: "shop".into(), name };
        StandIn { desired: desired.clone(), pod: Some((name, pod)), trouble: None }
    };
    scenario.desired.iter().zip(1..).map(stand_in).collect()
}

/// A cluster in which stand-ins with these names may neither send nor receive.
pub fn world(isolated: &[&str]) -> World {
    let home = NamespaceState { labels: BTreeMap::new(), terminating: false };
    let home = Read { version: "1".into(), meaning: Ok(home) };
    let policies = isolated.iter().map(|name| {
        let object = serde_json::from_value(json!({
            "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
            "metadata": {"name": name, "namespace": "shop"},
            "spec": {
                "podSelector": {"matchLabels": {"app": name}},
                "policyTypes": ["Ingress", "Egress"],
            },
        }));
        let object = object.expect("an object");
        let name = ObjectRef { namespace: "shop".into(), name: (*name).to_owned() };
        (name, Read { version: "1".into(), meaning: policy(&object) })
    });
    World {
        policies: Arc::new(policies.collect()),
        namespaces: Arc::new([(ObjectRef::of_cluster("shop"), home)].into()),
        ..World::default()
    }
}
