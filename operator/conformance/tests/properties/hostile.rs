//! Makes policies that nobody would write: the right fields, now and then with the wrong value.

use proptest::{collection::vec, prelude::*, sample::select};

type Text = BoxedStrategy<String>;

/// Something that is written where a name, a label, a port or a range should be.
pub fn word() -> impl Strategy<Value = String> {
    let known = select(&[
        "",
        "a",
        "A",
        "-",
        "a-",
        "a.b",
        "a/b",
        "/",
        "//",
        "a/b/c",
        "http",
        "80",
        "TCP",
        "UDP",
        "tcp",
        "In",
        "NotIn",
        "Exists",
        "Ingress",
        "Egress",
        "10.0.0.0/8",
        "10.0.0.0/9",
        "10.0.0.0/08",
        "::/0",
        "::ffff:10.0.0.0/104",
        "::ffff:10.0.0.0/95",
        "1.2.3/8",
        "1.2.3.4.5/8",
        ":::/1",
        "::1::/8",
        "/8",
        "1.2.3.4/",
        "1.2.3.4/99999999999999999999",
        "\u{e9}/8",
        "\u{e9}\u{e9}\u{e9}",
        "\u{0}",
    ]);
    prop_oneof![4 => known.prop_map(str::to_owned), 1 => any::<String>()]
}

/// A policy as JSON.
pub fn policy() -> impl Strategy<Value = String> {
    let rules = |peers| list(object(vec![(peers, list(peer())), ("ports", list(port()))]));
    let spec = object(vec![
        ("podSelector", selector()),
        ("ingress", rules("from")),
        ("egress", rules("to")),
        ("policyTypes", list(one_of(&["Ingress", "Egress"]))),
    ]);
    let metadata = object(vec![("name", one_of(&["a"])), ("namespace", one_of(&["b"]))]);
    let plain = Just(r#"{"name":"a","namespace":"b"}"#.to_owned());
    let metadata = prop_oneof![9 => plain, 1 => metadata];
    (metadata, spec)
        .prop_map(|(metadata, spec)| format!(r#"{{"metadata":{metadata},"spec":{spec}}}"#))
}

/// A policy of the cluster as JSON, in the words of all its kinds at once.
pub fn cluster_policy() -> impl Strategy<Value = String> {
    let rules = |peers, is_egress| {
        let peers = (peers, list(cluster_peer(is_egress)));
        let ports = [("protocols", list(protocol_match())), ("ports", list(admin_port()))];
        let action = ("action", one_of(&["Accept", "Allow", "Deny", "Pass"]));
        list(object([action, peers].into_iter().chain(ports).collect()))
    };
    let spec = object(vec![
        ("tier", one_of(&["Admin", "Baseline"])),
        ("priority", number()),
        ("subject", object(vec![("namespaces", selector())])),
        ("ingress", rules("from", false)),
        ("egress", rules("to", true)),
    ]);
    let name = one_of(&["a", "default"]);
    (name, spec)
        .prop_map(|(name, spec)| format!(r#"{{"metadata":{{"name":{name}}},"spec":{spec}}}"#))
}

fn cluster_peer(is_egress: bool) -> Text {
    let pods = object(vec![("namespaceSelector", selector()), ("podSelector", selector())]);
    let networks = list(one_of(&["10.0.0.0/8", "fd00::/8", "010.0.0.0/8", "::ffff:10.0.0.0/104"]));
    let names = list(one_of(&["a.b", "*.a.b", "a", "*.*.a"]));
    let pods = prop_oneof![single("namespaces", selector()), single("pods", pods)];
    let others = prop_oneof![
        single("nodes", selector()),
        single("networks", networks),
        single("domainNames", names),
        single("newer", selector()),
    ];
    let weight = if is_egress { 4 } else { 1 };
    prop_oneof![6 => pods, weight => others].boxed()
}

fn protocol_match() -> Text {
    let range = object(vec![("start", number()), ("end", number())]);
    let ports = move || prop_oneof![single("number", number()), single("range", range.clone())];
    let of_protocol = select(&["tcp", "udp", "sctp"])
        .prop_flat_map(move |key| single(key, single("destinationPort", ports().boxed())));
    prop_oneof![of_protocol, single("destinationNamedPort", one_of(&["http"]))].boxed()
}

fn admin_port() -> Text {
    let protocol = || one_of(&["TCP", "UDP", "SCTP"]);
    let one = object(vec![("port", number()), ("protocol", protocol())]);
    let range = object(vec![("start", number()), ("end", number()), ("protocol", protocol())]);
    let named = single("namedPort", one_of(&["http"]));
    prop_oneof![single("portNumber", one), single("portRange", range), named].boxed()
}

/// An object with this field alone.
fn single(key: &'static str, value: Text) -> Text {
    odd(value.prop_map(move |value| format!("{{{}:{value}}}", quoted(key))).boxed())
}

fn number() -> Text {
    let number = prop_oneof![4 => Just(80i64), 2 => 0i64..70_000, 1 => any::<i64>()];
    number.prop_map(|number| number.to_string()).boxed()
}

fn selector() -> Text {
    let requirement = object(vec![
        ("key", one_of(&["a", "a/b"])),
        ("operator", one_of(&["In", "NotIn", "Exists", "DoesNotExist"])),
        ("values", list(one_of(&["", "b"]))),
    ]);
    let value = one_of(&["", "b"]);
    let labels = odd(value.prop_map(|value| format!(r#"{{"a":{value}}}"#)).boxed());
    object(vec![("matchLabels", labels), ("matchExpressions", list(requirement))])
}

fn peer() -> Text {
    let block = object(vec![
        ("cidr", one_of(&["10.0.0.0/8", "::ffff:10.0.0.0/104", "fd00::/8"])),
        ("except", list(one_of(&["10.1.0.0/16", "::ffff:10.0.0.0/104", "fd00::/16"]))),
    ]);
    object(vec![("podSelector", selector()), ("namespaceSelector", selector()), ("ipBlock", block)])
}

fn port() -> Text {
    let number = || prop_oneof![Just(80i64), 0i64..70_000, any::<i64>()];
    let number = || number().prop_map(|number| number.to_string()).boxed();
    let port = prop_oneof![number(), one_of(&["http"])].boxed();
    let protocol = one_of(&["TCP", "UDP", "SCTP"]);
    object(vec![("port", port), ("endPort", number()), ("protocol", protocol)])
}

/// A string, mostly one of these.
fn one_of(words: &'static [&'static str]) -> Text {
    let known = select(words).prop_map(str::to_owned);
    prop_oneof![20 => known, 1 => word()].prop_map(|word| quoted(&word)).boxed()
}

fn list(items: Text) -> Text {
    odd(vec(items, 0..3).prop_map(|items| format!("[{}]", items.join(","))).boxed())
}

/// An object with each of the fields or without it, and one that nobody knows.
fn object(fields: Vec<(&'static str, Text)>) -> Text {
    let fields: Vec<_> = fields
        .into_iter()
        .map(|(key, value)| {
            let written = value.prop_map(move |value| format!("{}:{value},", quoted(key)));
            prop_oneof![2 => written, 1 => Just(String::new())]
        })
        .collect();
    odd(fields.prop_map(|fields| format!("{{{}\"unknown\":[{{}}]}}", fields.concat())).boxed())
}

/// Mostly this value; else null, or a value of another type.
fn odd(value: Text) -> Text {
    let other = select(&["{}", "[]", "7", "\"\"", "false", "1.5"]).prop_map(str::to_owned);
    prop_oneof![600 => value, 6 => Just("null".to_owned()), 1 => other].boxed()
}

fn quoted(text: &str) -> String {
    let escaped = text.chars().map(|c| match c {
        '"' | '\\' => format!("\\{c}"),
        c if c.is_control() => format!("\\u{:04x}", u32::from(c)),
        c => c.to_string(),
    });
    format!("\"{}\"", escaped.collect::<String>())
}
