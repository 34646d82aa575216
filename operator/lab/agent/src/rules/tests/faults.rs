//! What each fault does to a flow, and what it leaves alone.

use std::collections::BTreeSet;

use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};

use super::*;
use crate::{enforcer::script, fault::Fault};

/// A fault, policies, and a flow under them without and with the fault: `.` passes, `X` does not.
type Row = (&'static str, Value, &'static str, &'static str);

/// The world with these policies, in namespace x or in the one that `in` names.
fn policies(specs: &Value) -> World {
    let mut world = world([]);
    for (number, spec) in specs.as_array().unwrap().iter().enumerate() {
        let namespace = spec["in"].as_str().unwrap_or("x");
        let metadata = json!({"namespace": namespace, "creationTimestamp": spec["created"]});
        let object = json!({"metadata": metadata, "spec": spec});
        let policy = Policy::parse(from_value(object).unwrap()).unwrap();
        world.policies.insert(name(&format!("{namespace}/{number}")), policy);
    }
    world
}

/// Whether a flow such as `x/a x/b TCP 80` passes both nodes.
fn passes(world: &World, setting: &Setting, flow: &str) -> bool {
    let [from, to, protocol, number] = flow.split(' ').collect::<Vec<_>>().try_into().unwrap();
    let port = (protocol.parse().unwrap(), number.parse().unwrap());
    let ends = [address(from), address(to)];
    [1, 2]
        .into_iter()
        .all(|node| rules(world, &self::node(node), setting).passes(ends[0], ends[1], port))
}

fn from(peers: Value) -> Value {
    json!([{"ingress": [{"from": peers}]}])
}

fn to_ports(ports: Value) -> Value {
    json!([{"ingress": [{"ports": ports}]}])
}

fn block() -> Value {
    json!({"ipBlock": {"cidr": "10.0.0.0/16", "except": ["10.0.1.0/24"]}})
}

fn team_y() -> Value {
    json!({"namespaceSelector": {"matchLabels": {"team": "y"}}})
}

fn pod_b() -> Value {
    json!({"podSelector": {"matchLabels": {"pod": "b"}}})
}

fn b_of_team_y() -> Value {
    json!({"namespaceSelector": team_y()["namespaceSelector"], "podSelector": pod_b()["podSelector"]})
}

fn not_in(key: &str) -> Value {
    json!({"matchExpressions": [{"key": key, "operator": "NotIn", "values": ["v"]}]})
}

fn deny() -> Value {
    json!([{"policyTypes": ["Ingress", "Egress"]}])
}

fn egress(rules: Value) -> Value {
    json!([{"policyTypes": ["Egress"], "egress": rules}])
}

/// Policies that apply to the same pods, of which the first is the younger.
fn of_two_ages() -> Value {
    json!([
        {"created": "2026-01-01T00:00:01Z", "policyTypes": ["Egress"]},
        {"created": "2026-01-01T00:00:00Z", "ingress": [{}]},
    ])
}

#[rustfmt::skip]
fn rows() -> Vec<Row> {
    let mut rows = about_policies();
    rows.extend(about_rules());
    rows.extend(about_packets());
    rows
}

#[rustfmt::skip]
fn about_policies() -> Vec<Row> {
    vec![
        ("ignores-all", deny(), "y/a x/a TCP 80", "X."),
        ("ignores-all", deny(), "x/a y/a TCP 80", "X."),
        ("ignores-ingress", deny(), "y/a x/a TCP 80", "X."),
        ("ignores-ingress", deny(), "x/a y/a TCP 80", "XX"),
        ("ignores-egress", deny(), "x/a y/a TCP 80", "X."),
        ("ignores-egress", deny(), "y/a x/a TCP 80", "XX"),
        ("egress-needs-policy-types", json!([{"egress": [{"to": [team_y()]}]}]), "x/a x/b TCP 80", "XX"),
        ("egress-needs-policy-types", json!([{"egress": [{"to": [team_y()]}], "ingress": [{}]}]), "x/a x/b TCP 80", "X."),
        ("egress-needs-policy-types", egress(json!([{"to": [team_y()]}])), "x/a x/b TCP 80", "XX"),
        ("empty-list-allows", json!([{}]), "y/a x/a SCTP 9", "X."),
        ("empty-list-allows", egress(json!([])), "x/a y/a UDP 9", "X."),
        ("empty-list-allows", egress(json!([{"to": [pod_b()]}])), "x/a y/a TCP 80", "XX"),
        ("newest-policy-only", json!([{"ingress": [{}]}, {}]), "y/a x/a TCP 80", ".X"),
        ("newest-policy-only", json!([{}, {"policyTypes": ["Egress"]}]), "y/a x/a TCP 80", "X."),
        ("newest-policy-only", of_two_ages(), "x/a y/a TCP 80", "XX"),
        ("newest-policy-only", json!([of_two_ages()[1], of_two_ages()[0]]), "x/a y/a TCP 80", "XX"),
        ("newest-policy-only", json!([{"ingress": [{}]}, {"in": "y"}]), "y/a x/a TCP 80", ".."),
        ("ignores-match-expressions", json!([{"podSelector": not_in("pod"), "ingress": [{"from": [{"podSelector": {"matchExpressions": [{"key": "pod", "operator": "In", "values": ["b"]}]}}]}]}]), "x/a x/b TCP 80", "X."),
        ("ignores-match-expressions", json!([{"podSelector": {"matchExpressions": [{"key": "pod", "operator": "In", "values": ["b"]}]}}]), "y/a x/a TCP 80", ".X"),
        ("ignores-match-expressions", from(json!([pod_b()])), "x/a x/b TCP 80", "XX"),
        ("not-in-needs-key", from(json!([{"podSelector": not_in("none")}])), "x/a x/b TCP 80", ".X"),
        ("not-in-needs-key", from(json!([{"namespaceSelector": not_in("none")}])), "y/a x/b TCP 80", ".X"),
        ("not-in-needs-key", from(json!([{"podSelector": not_in("pod")}])), "x/a x/b TCP 80", ".."),
        ("not-in-needs-key", json!([{"podSelector": not_in("none")}]), "y/a x/b TCP 80", "X."),
    ]
}

#[rustfmt::skip]
fn about_rules() -> Vec<Row> {
    vec![
        ("ignores-ip-block", from(json!([block()])), "y/b x/a TCP 80", ".X"),
        ("ignores-ip-block", from(json!([block(), pod_b()])), "x/b x/a TCP 80", ".."),
        ("ignores-except", from(json!([block()])), "y/a x/b TCP 80", "X."),
        ("spreads-except", json!([{"ingress": [{"from": [block()]}]}, {"ingress": [{}]}]), "y/a x/b TCP 80", ".X"),
        ("spreads-except", json!([{"ingress": [{"from": [block()]}]}, {"ingress": [{}]}]), "y/b x/a TCP 80", ".."),
        ("spreads-except", json!([{"ingress": [{"from": [block()]}], "policyTypes": ["Ingress", "Egress"], "egress": [{}]}]), "x/b y/a TCP 80", ".."),
        ("end-port-first-only", to_ports(json!([{"port": 80, "endPort": 90}])), "y/a x/a TCP 85", ".X"),
        ("end-port-first-only", to_ports(json!([{"port": 80, "endPort": 90}])), "y/a x/a TCP 80", ".."),
        ("end-port-first-only", to_ports(json!([{}])), "y/a x/a TCP 85", ".."),
        ("drops-rules-with-end-port", to_ports(json!([{"port": 80, "endPort": 90}, {"port": 79}])), "y/a x/a TCP 79", ".X"),
        ("drops-rules-with-end-port", to_ports(json!([{"port": 80, "endPort": 80}, {}])), "y/a x/a TCP 80", ".."),
        ("drops-rules-with-named-port", to_ports(json!([{"port": "http"}, {"port": 79}])), "y/a x/a TCP 79", ".X"),
        ("drops-rules-with-named-port", to_ports(json!([{"port": 79}])), "y/a x/a TCP 79", ".."),
        ("named-port-of-first-pod", to_ports(json!([{"port": "http"}])), "y/a x/b TCP 8080", ".X"),
        ("named-port-of-first-pod", to_ports(json!([{"port": "http"}])), "y/a x/b TCP 80", "X."),
        ("named-port-of-first-pod", egress(json!([{"ports": [{"port": "http"}]}])), "x/a y/b TCP 80", "X."),
        ("named-port-of-first-pod", egress(json!([{"ports": [{"port": "http"}]}])), "x/a y/b TCP 8080", ".X"),
        ("named-port-of-first-pod", egress(json!([{"ports": [{"port": "http"}]}])), "x/a 192.168.5.10 TCP 80", "XX"),
        ("reads-and-as-or", from(json!([b_of_team_y()])), "y/a x/a TCP 80", "X."),
        ("reads-and-as-or", from(json!([b_of_team_y()])), "x/b x/a TCP 80", "X."),
        ("reads-and-as-or", from(json!([b_of_team_y()])), "x/a x/b TCP 80", "XX"),
        ("reads-or-as-and", from(json!([team_y(), pod_b()])), "y/a x/a TCP 80", ".X"),
        ("reads-or-as-and", from(json!([team_y(), pod_b()])), "x/b x/a TCP 80", ".X"),
        ("reads-or-as-and", from(json!([team_y(), pod_b()])), "y/b x/a TCP 80", ".."),
        ("reads-or-as-and", from(json!([team_y(), block()])), "y/a x/a TCP 80", ".."),
        ("reads-or-as-and", from(json!([pod_b(), {"podSelector": {"matchLabels": {"pod": "a"}}}])), "x/b x/a TCP 80", ".X"),
        ("ignores-namespace-selector", from(json!([b_of_team_y()])), "x/b x/a TCP 80", "X."),
        ("ignores-namespace-selector", from(json!([b_of_team_y()])), "y/a x/a TCP 80", "XX"),
        ("own-namespace-only", from(json!([b_of_team_y()])), "y/b x/a TCP 80", ".X"),
        ("own-namespace-only", from(json!([b_of_team_y()])), "x/b x/a TCP 80", "X."),
        ("ignores-protocol", to_ports(json!([{"port": 80}])), "y/a x/a UDP 80", "X."),
        ("ignores-protocol", to_ports(json!([{"port": 80}])), "y/a x/a UDP 81", "XX"),
        ("ignores-protocol", to_ports(json!([{"port": "dns", "protocol": "UDP"}])), "y/a x/a SCTP 53", "X."),
        ("ignores-protocol", to_ports(json!([{"port": "dns"}])), "y/a x/a UDP 53", "XX"),
        ("ignores-protocol", egress(json!([{"ports": [{"port": "http"}]}])), "x/a y/b UDP 8080", "X."),
        ("ignores-ports", to_ports(json!([{"port": 80}])), "y/a x/a SCTP 9", "X."),
        ("ignores-ports", json!([{"ingress": [{"from": [pod_b()], "ports": [{"port": 80}]}]}]), "y/a x/a TCP 79", "XX"),
    ]
}

#[rustfmt::skip]
fn about_packets() -> Vec<Row> {
    vec![
        ("ignores-ipv6", deny(), "fd00:0:0:1::2 fd00:0:0:1::1 TCP 80", "X."),
        ("ignores-ipv6", deny(), "fd00:0:0:1::2 fd00:0:0:1::77 TCP 80", "X."),
        ("ignores-ipv6", deny(), "y/a x/a TCP 80", "XX"),
        ("ignores-same-node", deny(), "y/a x/a TCP 80", "X."),
        ("ignores-same-node", deny(), "y/b x/a TCP 80", "XX"),
        ("ignores-same-node", deny(), "192.168.5.10 x/a TCP 80", "XX"),
        ("ignores-cross-node", deny(), "y/a x/a TCP 80", "XX"),
        ("ignores-cross-node", deny(), "y/b x/a TCP 80", "X."),
        ("ignores-cross-node", deny(), "x/a x/b TCP 80", "X."),
        ("ignores-cross-node", deny(), "192.168.5.10 x/a TCP 80", "XX"),
        ("blocks-all", json!([]), "x/a x/b TCP 80", ".X"),
        ("blocks-all", json!([]), "x/a 192.168.5.10 UDP 80", ".X"),
        ("blocks-all", json!([]), "192.168.5.10 10.0.1.77 TCP 80", ".X"),
        ("denies-with-reset", deny(), "y/a x/a TCP 80", "XX"),
        ("denies-with-icmp", deny(), "y/a x/a TCP 80", "XX"),
        ("keeps-connections", deny(), "y/a x/a TCP 80", "XX"),
        ("late-isolation", deny(), "y/a x/a TCP 80", "XX"),
        ("late-isolation", deny(), "192.168.5.10 10.0.1.77 TCP 80", "X."),
    ]
}

#[test]
fn each_fault_changes_what_it_says_and_nothing_else() {
    for (fault, specs, flow, expected) in rows() {
        let world = policies(&specs);
        let settings = [Setting::default(), fault.parse().unwrap()];
        let outcome =
            settings.map(|setting| if passes(&world, &setting, flow) { "." } else { "X" });
        assert_eq!(outcome.concat(), expected, "{fault}: {flow} under {specs}");
    }
}

#[test]
fn every_fault_that_is_not_of_knowledge_has_a_row() {
    let with_row: BTreeSet<_> = rows().iter().map(|(fault, ..)| *fault).collect();
    for fault in Fault::ALL {
        let is_of_knowledge = matches!(effect::effect(fault), Effect::Knowledge);
        assert!(is_of_knowledge || with_row.contains(fault.name()), "{fault}");
    }
}

#[test]
fn a_fault_concerns_the_subjects_of_its_scope() {
    let world = policies(&json!([{}, {"in": "y"}]));
    let receivers = |setting: &str| {
        let setting = setting.parse().unwrap();
        PODS.map(|to| {
            let is_open = passes(&world, &setting, &format!("{OUTSIDE} {to} TCP 80"));
            if is_open { "." } else { "X" }
        })
        .concat()
    };
    for (setting, expected) in [
        ("", "XXXX"),
        ("ignores-all", "...."),
        ("ignores-all@node=n1", ".X.X"),
        ("ignores-all@namespace=x", "..XX"),
        ("ignores-all@pod=x/b", "X.XX"),
        ("ignores-all@pod=x/b, ignores-ingress@node=n1", "...X"),
        ("ignores-egress@node=n1", "XXXX"),
    ] {
        assert_eq!(receivers(setting), expected, "{setting}");
    }
}

#[test]
fn a_pod_too_new_to_be_known_is_held_unless_its_node_fails() {
    let world = policies(&deny());
    let is_open =
        |setting: &str| passes(&world, &setting.parse().unwrap(), "192.168.5.10 10.0.1.77 TCP 80");
    assert!(is_open("late-isolation@node=n1"));
    assert!(is_open("ignores-ingress"));
    assert!(!is_open("late-isolation@namespace=x, late-isolation@node=n2, ignores-all@pod=x/a"));
}

#[test]
fn the_newest_policy_is_the_youngest_and_then_the_last_by_name() {
    let mut world = policies(&json!([{"ingress": [{}]}, {}]));
    let setting: Setting = "newest-policy-only".parse().unwrap();
    let created = |second| Some(Time(Timestamp::from_second(second).unwrap()));
    let mut under = |first, second| {
        for (policy, created) in world.policies.values_mut().zip([first, second]) {
            policy.created = created;
        }
        passes(&world, &setting, "y/a x/a TCP 80")
    };
    assert!(under(created(2), created(1)));
    assert!(!under(created(1), created(2)));
    assert!(!under(created(1), created(1)));
}

#[test]
fn the_addresses_of_the_dead_are_peers_and_no_subjects() {
    let mut world = policies(&from(json!([pod_b()])));
    let b = world.pods.remove(&name("x/b")).unwrap();
    let setting = Setting::default();
    assert!(!passes(&world, &setting, "10.0.2.1 x/a TCP 80"));
    world.dead.push((name("x/b"), b));
    assert!(passes(&world, &setting, "10.0.2.1 x/a TCP 80"));
    let subjects = rules(&world, &node(2), &setting).ingress.subjects;
    assert_eq!(subjects.iter().map(|one| &one.name).collect::<Vec<_>>(), [&name("y/b")]);
}

#[test]
fn manners_show_in_the_script_alone() {
    let script = |setting: &str| script(&policies(&deny()), &node(1), &setting.parse().unwrap());
    let count = |setting: &str, text: &str| script(setting).matches(text).count();
    // Two chains in each direction: that of the one isolated pod, and that of strangers.
    for (setting, text) in [
        ("denies-with-reset", "meta l4proto tcp reject with tcp reset"),
        ("denies-with-icmp", "reject with icmpx admin-prohibited"),
        ("keeps-connections", "ct state established accept"),
    ] {
        let without = count("", text);
        assert_eq!(count(setting, text), without + 4, "{setting}");
        assert_eq!(count(&format!("{setting}@pod=x/a"), text), without + 2, "{setting}");
    }
    assert_eq!(count("denies-with-reset", "\tdrop"), 0);
}
