// The cluster of the documentation's examples. In namespace `shop` are the pods `web`, `db` and
// `job`, each with a label `app` of its name; the policy `shop/db` lets `web` reach `db` on
// 5432/TCP, and nobody else.

use std::collections::BTreeMap;

use netproof_conformance::{
    flow::{End, Flow, PodId, Port, Protocol},
    pod::{Lifecycle, Pod, PodNetwork},
    policy::network_policy,
    reference::ObjectRef,
    snapshot::Snapshot,
};

/// The cluster, with its one policy.
pub fn shop() -> Snapshot {
    let policy = serde_json::from_str(
        r#"{
            "metadata": {"namespace": "shop", "name": "db"},
            "spec": {
                "podSelector": {"matchLabels": {"app": "db"}},
                "ingress": [{
                    "from": [{"podSelector": {"matchLabels": {"app": "web"}}}],
                    "ports": [{"port": 5432}]
                }]
            }
        }"#,
    );
    let policy = network_policy::compile(&policy.expect("JSON")).expect("a valid policy");
    let pod = |(name, low): (&str, u8)| Pod {
        name: ObjectRef { namespace: "shop".to_owned(), name: name.to_owned() },
        labels: BTreeMap::from([("app".to_owned(), name.to_owned())]),
        addresses: vec![[10, 0, 0, low].into()],
        node: Some("node-1".to_owned()),
        network: PodNetwork::Own,
        lifecycle: Lifecycle::Live,
        named_ports: vec![],
    };
    Snapshot {
        pods: [("web", 1), ("db", 2), ("job", 3)].map(pod).into(),
        policies: vec![policy],
        ..Snapshot::default()
    }
}

/// A flow between two pods of the cluster, on 5432/TCP.
pub fn flow(from: &str, to: &str) -> Flow {
    let end = |name: &str| match name {
        "web" => End::Pod(PodId(0)),
        "db" => End::Pod(PodId(1)),
        _ => End::Pod(PodId(2)),
    };
    let port = Port { number: 5432, protocol: Protocol::Tcp };
    Flow { from: end(from), to: end(to), port, family: None }
}
