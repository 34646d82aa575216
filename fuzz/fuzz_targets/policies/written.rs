//! Policies as the API writes them, with fields and words that the input chooses.

use arbitrary::{Result, Unstructured};
use serde_json::{Map, Value, json};

const KEYS: [&str; 3] = ["app", "kubernetes.io/metadata.name", "-"];
const VALUES: [&str; 4] = ["a", "b", "x", ""];
const OPERATORS: [&str; 5] = ["In", "NotIn", "Exists", "DoesNotExist", "in"];
const RANGES: [&str; 8] = [
    "10.0.0.0/8",
    "10.0.0.1/32",
    "0.0.0.0/0",
    "::/0",
    "fd00::1/128",
    "::ffff:10.0.0.0/104",
    "010.0.0.0/8",
    "10.0.0.0/99",
];
const NAMES: [&str; 4] = ["a.b", "*.a.b", "a", "*.*.b"];
const PROTOCOLS: [&str; 4] = ["TCP", "UDP", "SCTP", "ICMP"];
const PORTS: [&str; 3] = ["http", "dns", ""];
const NUMBERS: [i64; 8] = [0, 1, 5, 80, 81, 1000, 65_535, 65_536];

/// A `NetworkPolicy`, or one that the API server would refuse.
pub fn network_policy(u: &mut Unstructured<'_>, index: usize) -> Result<Value> {
    let rule = |u: &mut Unstructured<'_>, peers: &str| {
        fields(u, &[(peers, &|u| list(u, peer)), ("ports", &|u| list(u, port))])
    };
    let namespace = *u.choose(&["x", "w"])?;
    let spec = fields(
        u,
        &[
            ("podSelector", &selector),
            ("policyTypes", &|u| list(u, |u| word(u, &["Ingress", "Egress", "Both"]))),
            ("ingress", &|u| list(u, |u| rule(u, "from"))),
            ("egress", &|u| list(u, |u| rule(u, "to"))),
        ],
    )?;
    Ok(json!({"metadata": {"name": format!("n{index}"), "namespace": namespace}, "spec": spec}))
}

/// A policy of the cluster, in the words of all its kinds at once.
pub fn cluster_policy(u: &mut Unstructured<'_>, index: usize) -> Result<Value> {
    let name = if u.ratio(1, 3)? { "default".to_owned() } else { format!("c{index}") };
    let mut spec = Map::new();
    spec.insert("tier".to_owned(), word(u, &["Admin", "Baseline"])?);
    spec.insert("priority".to_owned(), number(u)?);
    spec.insert("subject".to_owned(), one_field(u, &[("namespaces", &selector), ("pods", &pods)])?);
    spec.insert("ingress".to_owned(), list(u, |u| cluster_rule(u, "from"))?);
    spec.insert("egress".to_owned(), list(u, |u| cluster_rule(u, "to"))?);
    Ok(json!({"metadata": {"name": name}, "spec": spec}))
}

fn cluster_rule(u: &mut Unstructured<'_>, peers: &str) -> Result<Value> {
    let mut rule = Map::new();
    rule.insert("action".to_owned(), word(u, &["Accept", "Allow", "Deny", "Deny", "Pass"])?);
    rule.insert(peers.to_owned(), some(u, |u| cluster_peer(u, peers == "to"))?);
    if u.arbitrary()? {
        rule.insert("protocols".to_owned(), some(u, protocol)?);
    }
    if u.arbitrary()? {
        rule.insert("ports".to_owned(), some(u, admin_port)?);
    }
    Ok(rule.into())
}

fn cluster_peer(u: &mut Unstructured<'_>, is_egress: bool) -> Result<Value> {
    let everywhere: [Field<'_>; 3] =
        [("namespaces", &selector), ("pods", &pods), ("newer", &selector)];
    let outside: [Field<'_>; 3] = [
        ("networks", &|u| some(u, |u| word(u, &RANGES))),
        ("nodes", &selector),
        ("domainNames", &|u| some(u, |u| word(u, &NAMES))),
    ];
    if is_egress && u.arbitrary()? { one_field(u, &outside) } else { one_field(u, &everywhere) }
}

fn pods(u: &mut Unstructured<'_>) -> Result<Value> {
    fields(u, &[("namespaceSelector", &selector), ("podSelector", &selector)])
}

fn protocol(u: &mut Unstructured<'_>) -> Result<Value> {
    let range = |u: &mut Unstructured<'_>| fields(u, &[("start", &number), ("end", &number)]);
    let numbers =
        |u: &mut Unstructured<'_>| one_field(u, &[("number", &number), ("range", &range)]);
    let ports = |u: &mut Unstructured<'_>| one_field(u, &[("destinationPort", &numbers)]);
    let named = |u: &mut Unstructured<'_>| word(u, &PORTS);
    one_field(
        u,
        &[
            ("tcp", &ports),
            ("udp", &ports),
            ("sctp", &ports),
            ("destinationNamedPort", &named),
            ("newer", &number),
        ],
    )
}

fn admin_port(u: &mut Unstructured<'_>) -> Result<Value> {
    let protocol = |u: &mut Unstructured<'_>| word(u, &PROTOCOLS);
    one_field(
        u,
        &[
            ("portNumber", &|u| fields(u, &[("port", &number), ("protocol", &protocol)])),
            ("portRange", &|u| {
                fields(u, &[("start", &number), ("end", &number), ("protocol", &protocol)])
            }),
            ("namedPort", &|u| word(u, &PORTS)),
            ("newer", &number),
        ],
    )
}

fn peer(u: &mut Unstructured<'_>) -> Result<Value> {
    let block: Field<'_> = ("ipBlock", &|u| {
        fields(
            u,
            &[("cidr", &|u| word(u, &RANGES)), ("except", &|u| list(u, |u| word(u, &RANGES)))],
        )
    });
    let selectors: [Field<'_>; 2] = [("podSelector", &selector), ("namespaceSelector", &selector)];
    if u.ratio(1, 3)? { one_field(u, &[block]) } else { fields(u, &selectors) }
}

fn port(u: &mut Unstructured<'_>) -> Result<Value> {
    fields(
        u,
        &[
            ("protocol", &|u| word(u, &PROTOCOLS)),
            ("port", &|u| if u.arbitrary()? { number(u) } else { word(u, &PORTS) }),
            ("endPort", &number),
        ],
    )
}

fn selector(u: &mut Unstructured<'_>) -> Result<Value> {
    let labels = |u: &mut Unstructured<'_>| Ok(json!({*u.choose(&KEYS)?: word(u, &VALUES)?}));
    let requirement = |u: &mut Unstructured<'_>| {
        fields(
            u,
            &[
                ("key", &|u| word(u, &KEYS)),
                ("operator", &|u| word(u, &OPERATORS)),
                ("values", &|u| list(u, |u| word(u, &VALUES))),
            ],
        )
    };
    if u.arbitrary()? {
        return Ok(json!({}));
    }
    fields(u, &[("matchLabels", &labels), ("matchExpressions", &|u| list(u, requirement))])
}

fn number(u: &mut Unstructured<'_>) -> Result<Value> {
    if u.ratio(1, 16)? {
        Ok(u.arbitrary::<i64>()?.into())
    } else {
        Ok((*u.choose(&NUMBERS)?).into())
    }
}

fn word(u: &mut Unstructured<'_>, words: &[&str]) -> Result<Value> {
    if u.ratio(1, 64)? { Ok(u.arbitrary::<&str>()?.into()) } else { Ok((*u.choose(words)?).into()) }
}

/// At most three elements.
fn list(
    u: &mut Unstructured<'_>,
    mut element: impl FnMut(&mut Unstructured<'_>) -> Result<Value>,
) -> Result<Value> {
    (0..u.int_in_range(0..=3)?).map(|_| element(u)).collect()
}

/// One to three elements.
fn some(
    u: &mut Unstructured<'_>,
    mut element: impl FnMut(&mut Unstructured<'_>) -> Result<Value>,
) -> Result<Value> {
    (0..u.int_in_range(1..=3)?).map(|_| element(u)).collect()
}

type Field<'a> = (&'a str, &'a dyn Fn(&mut Unstructured<'_>) -> Result<Value>);

/// An object that has each of the fields, or has it not, or null.
fn fields(u: &mut Unstructured<'_>, all: &[Field<'_>]) -> Result<Value> {
    let mut object = Map::new();
    for (key, value) in all {
        match u.int_in_range(0..=15)? {
            0 => {
                object.insert((*key).to_owned(), Value::Null);
            }
            1..=4 => {}
            _ => {
                object.insert((*key).to_owned(), value(u)?);
            }
        }
    }
    Ok(object.into())
}

/// An object of one of the fields.
fn one_field(u: &mut Unstructured<'_>, all: &[Field<'_>]) -> Result<Value> {
    let (key, value) = u.choose(all)?;
    Ok(json!({*key: value(u)?}))
}
