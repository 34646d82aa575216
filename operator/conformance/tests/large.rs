//! Explaining and linting in a cluster of 10,000 pods, 2,000 policies and 100 namespaces.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use netproof_conformance::{
    explain::explain,
    flow::{End, Flow, PodId, Port, Protocol},
    lint::{Known, lint},
    policy::network_policy::{NetworkPolicy, compile},
    snapshot::{Labels, Lifecycle, ObjectRef, Pod, PodNetwork, Snapshot},
};

/// What debug builds on a busy machine are given beyond the figures that are promised.
const PATIENCE: u32 = if cfg!(debug_assertions) { 20 } else { 2 };

#[test]
fn a_large_cluster_is_explained_and_linted_at_once() {
    let snapshot = large();
    let flow = Flow {
        from: End::Pod(PodId(17)),
        to: End::Pod(PodId(4_242)),
        port: Port { number: 80, protocol: Protocol::Tcp },
        family: None,
    };
    explain(&snapshot, &flow);
    let start = Instant::now();
    let told = explain(&snapshot, &flow).to_string();
    let took = start.elapsed();
    println!("explain: {took:?}, {} bytes", told.len());
    assert!(took < Duration::from_millis(10) * PATIENCE, "{took:?}");
    let start = Instant::now();
    let found = lint(&snapshot, Known::default());
    let took = start.elapsed();
    println!("lint: {took:?}, {} findings", found.len());
    assert!(took < Duration::from_secs(3) * PATIENCE, "{took:?}");
}

/// Every pod has a label of its own, so that no two are alike.
fn large() -> Snapshot {
    let labels = |all: &[(&str, String)]| -> Labels {
        all.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect()
    };
    let namespaces: BTreeMap<String, Labels> = (0..100)
        .map(|number| (format!("n{number}"), labels(&[("team", format!("t{}", number % 10))])))
        .collect();
    let pods = (0u32..10_000).map(|number| Pod {
        name: ObjectRef { namespace: format!("n{}", number % 100), name: format!("p{number}") },
        labels: labels(&[
            ("app", format!("a{}", number / 100 % 20)),
            ("pod-name", format!("p{number}")),
        ]),
        addresses: vec![(0x0a00_0000 + number).to_be_bytes().into()],
        node: Some(format!("node{}", number % 50)),
        network: PodNetwork::Own,
        lifecycle: Lifecycle::Live,
        named_ports: Vec::new(),
    });
    let policies = (0..2_000).map(|number| {
        let text = format!(
            r#"{{"metadata": {{"name": "q{number}", "namespace": "n{}"}}, "spec": {{
            "podSelector": {{"matchLabels": {{"app": "a{}"}}}}, "policyTypes": ["Ingress", "Egress"],
            "ingress": [
              {{"from": [{{"podSelector": {{"matchLabels": {{"app": "a{}"}}}}}}], "ports": [{{"port": 80}}]}},
              {{"from": [{{"namespaceSelector": {{"matchLabels": {{"team": "t{}"}}}},
                "podSelector": {{"matchLabels": {{"app": "missing{number}"}}}}}}], "ports": [{{"port": 81}}]}}],
            "egress": [{{"to": [{{"ipBlock": {{"cidr": "192.168.0.0/16"}}}}]}}]}}}}"#,
            number % 100,
            number / 100,
            number / 100 + 1,
            number % 10,
        );
        let policy: NetworkPolicy = serde_saphyr::from_str(&text).expect("a policy");
        compile(&policy).expect("valid")
    });
    Snapshot {
        namespaces,
        pods: pods.collect(),
        policies: policies.collect(),
        ..Snapshot::default()
    }
}
