//! Random objects as they would be applied: few names, labels, ports and addresses, so that they
//! meet often.

use proptest::{
    collection::{btree_map, vec},
    option,
    prelude::*,
    sample::select,
};
use serde_json::{Map, Value, json};

/// The namespaces of every random cluster.
pub const NAMESPACES: [&str; 3] = ["x", "y", "z"];
const VALUES: [&str; 3] = ["a", "b", ""];
const PORTS: [u16; 3] = [80, 81, 8080];
const PROTOCOLS: [&str; 3] = ["TCP", "UDP", "SCTP"];

/// The objects of a random cluster, as they would be applied.
#[derive(Clone, Debug)]
pub struct RandomCluster {
    /// The namespaces `x`, `y` and `z`.
    pub namespaces: Vec<Value>,
    /// The pods, all on one node.
    pub pods: Vec<Value>,
    /// The policies, all of kind `NetworkPolicy`.
    pub policies: Vec<Value>,
}

/// Labels of a pod or a namespace.
pub fn labels() -> impl Strategy<Value = Value> {
    let key = select(&["app", "tier"]).prop_map(str::to_owned);
    btree_map(key, select(&VALUES), 0..3).prop_map(|labels| json!(labels))
}

/// A cluster of three namespaces, two to five pods and up to four policies.
pub fn cluster() -> impl Strategy<Value = RandomCluster> {
    let namespaces = (labels(), labels(), labels()).prop_map(|(x, y, z)| {
        let labelled = NAMESPACES.into_iter().zip([x, y, z]);
        labelled
            .map(|(name, labels)| json!({"metadata": {"name": name, "labels": labels}}))
            .collect()
    });
    let pods = vec(pod(), 2..6).prop_map(|pods| {
        pods.into_iter().zip(1..).map(|(pod, number)| numbered(pod, number)).collect()
    });
    (namespaces, pods, vec(policy(), 0..5)).prop_map(|(namespaces, pods, policies)| {
        let named = policies.into_iter().enumerate().map(|(number, mut policy)| {
            policy["metadata"]["name"] = json!(format!("p{number}"));
            policy
        });
        RandomCluster { namespaces, pods, policies: named.collect() }
    })
}

/// A pod without its name, on which its addresses depend.
pub fn pod() -> impl Strategy<Value = Value> {
    let port = (select(&["http", "dns"]), select(&PORTS), select(&PROTOCOLS)).prop_map(
        |(name, number, protocol)| {
            json!({"name": name, "containerPort": number, "protocol": protocol})
        },
    );
    let ranges = [json!(["10.0.0."]), json!(["fd00::", "10.0.0."]), json!(["10.0.0.", "fd00::"])];
    (select(&NAMESPACES), labels(), vec(port, 0..3), select(ranges.to_vec())).prop_map(
        |(namespace, labels, ports, ranges)| {
            json!({
                "metadata": {"namespace": namespace, "labels": labels},
                "spec": {"nodeName": "node", "containers": [{"name": "c", "ports": ports}]},
                "status": {"phase": "Running", "podIPs": ranges},
            })
        },
    )
}

/// A pod of [`pod`] with its name and addresses.
pub fn numbered(mut pod: Value, number: u8) -> Value {
    pod["metadata"]["name"] = json!(format!("pod{number}"));
    for range in pod["status"]["podIPs"].as_array_mut().expect("a list") {
        *range = json!({"ip": format!("{}{number}", range.as_str().expect("a text"))});
    }
    pod
}

/// An object of the fields that have a value.
fn fields<const N: usize>(fields: [(&str, Option<Value>); N]) -> Value {
    let there = fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Value::Object(there.collect::<Map<_, _>>())
}

/// A policy without its name.
pub fn policy() -> impl Strategy<Value = Value> {
    let types = select(vec![
        None,
        Some(json!(["Ingress"])),
        Some(json!(["Egress"])),
        Some(json!(["Ingress", "Egress"])),
    ]);
    let ingress = option::weighted(0.7, vec(rule("from"), 0..3));
    let egress = option::weighted(0.7, vec(rule("to"), 0..3));
    (select(&NAMESPACES), selector(), types, ingress, egress).prop_map(
        |(namespace, selector, types, ingress, egress)| {
            let spec = fields([
                ("podSelector", Some(selector)),
                ("policyTypes", types),
                ("ingress", ingress.map(Value::Array)),
                ("egress", egress.map(Value::Array)),
            ]);
            json!({"metadata": {"namespace": namespace}, "spec": spec})
        },
    )
}

fn rule(peers: &'static str) -> impl Strategy<Value = Value> {
    (option::of(vec(port(), 0..3)), option::weighted(0.8, vec(peer(), 0..3))).prop_map(
        move |(ports, others)| {
            fields([("ports", ports.map(Value::Array)), (peers, others.map(Value::Array))])
        },
    )
}

fn selector() -> impl Strategy<Value = Value> {
    let key = || select(&["app", "tier", "kubernetes.io/metadata.name"]);
    let some = (key(), select(&["In", "NotIn"]), vec(select(&["a", "b", "", "x", "y"]), 1..3))
        .prop_map(
            |(key, operator, values)| json!({"key": key, "operator": operator, "values": values}),
        );
    let none = (key(), select(&["Exists", "DoesNotExist"]))
        .prop_map(|(key, operator)| json!({"key": key, "operator": operator}));
    prop_oneof![
        2 => Just(json!({})),
        2 => labels().prop_map(|labels| json!({"matchLabels": labels})),
        1 => (labels(), vec(prop_oneof![some, none], 1..3)).prop_map(|(labels, expressions)| {
            json!({"matchLabels": labels, "matchExpressions": expressions})
        }),
    ]
}

fn peer() -> impl Strategy<Value = Value> {
    let block = (0u8..8, 28u8..=32, option::of((0u8..8, 31u8..=32)), any::<bool>()).prop_map(
        |(low, length, except, is_six)| {
            let spelled = |low, length| {
                if is_six {
                    format!("fd00::{low}/{}", length + 96)
                } else {
                    format!("10.0.0.{low}/{length}")
                }
            };
            let mask = 0xffu8.checked_shl(32 - u32::from(length)).unwrap_or_default();
            let inside = |other: u8| low & mask | other & !mask;
            let narrower = except.filter(|(_, longer)| *longer > length);
            let except = narrower.map(|(other, longer)| json!([spelled(inside(other), longer)]));
            let block = [("cidr", Some(json!(spelled(low, length)))), ("except", except)];
            json!({"ipBlock": fields(block)})
        },
    );
    prop_oneof![
        1 => selector().prop_map(|pods| json!({"podSelector": pods})),
        1 => selector().prop_map(|namespaces| json!({"namespaceSelector": namespaces})),
        1 => (selector(), selector()).prop_map(|(pods, namespaces)| {
            json!({"podSelector": pods, "namespaceSelector": namespaces})
        }),
        1 => block,
    ]
}

fn port() -> impl Strategy<Value = Value> {
    let protocol = || option::of(select(&PROTOCOLS).prop_map(|protocol| json!(protocol)));
    let numbers = prop_oneof![
        1 => Just((None, None)),
        2 => select(&PORTS).prop_map(|number| (Some(json!(number)), None)),
        1 => (select(&PORTS), select(&PORTS)).prop_map(|(one, other)| {
            (Some(json!(one.min(other))), Some(json!(one.max(other))))
        }),
        2 => select(&["http", "dns"]).prop_map(|name| (Some(json!(name)), None)),
    ];
    (protocol(), numbers).prop_map(|(protocol, (port, end))| {
        fields([("protocol", protocol), ("port", port), ("endPort", end)])
    })
}
