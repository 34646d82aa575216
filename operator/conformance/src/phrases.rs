//! The phrases for selectors, peers, ports and rules that explanations and findings share.

use crate::{
    flow::Direction,
    near_miss::NearLabel,
    pod::NamedPort,
    policy::{
        IpBlock, MatchedPorts, Namespaces, Peer, Peers, PortMatch, Ports, Rule,
        cluster::{Action, ClusterPeer, ClusterPort, ClusterPorts, ClusterRule, PodsOf},
    },
    select::{Labels, NAMESPACE_NAME, Requirement, Selector},
};

/// The list of peers of a direction's rules, as the API calls it.
pub(crate) fn peer_list(direction: Direction) -> &'static str {
    match direction {
        Direction::Ingress => "from",
        Direction::Egress => "to",
    }
}

/// The way to a rule, such as `spec.ingress[1]`.
pub(crate) fn rule_field(direction: Direction, rule: usize) -> String {
    format!("spec.{direction}[{rule}]")
}

/// The way to a peer of a rule, such as `spec.ingress[1].from[0]`.
pub(crate) fn peer_field(direction: Direction, rule: usize, peer: usize) -> String {
    format!("{}.{}[{peer}]", rule_field(direction, rule), peer_list(direction))
}

/// Some of a list, the last two joined by a word: `a, b and c`.
pub(crate) fn joined(items: &[String], word: &str) -> String {
    match items {
        [] => String::new(),
        [one] => one.clone(),
        [all @ .., last] => format!("{} {word} {last}", all.join(", ")),
    }
}

/// Labels as people write them: `app=web, tier=front`.
pub(crate) fn labels(labels: &Labels) -> String {
    if labels.is_empty() {
        return "no labels".to_owned();
    }
    let all: Vec<String> = labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    all.join(", ")
}

/// `app=web`, `app=web or db`, `label app`
pub(crate) fn requirement(requirement: &Requirement) -> String {
    let any = |values: &std::collections::BTreeSet<String>| {
        let values: Vec<String> = values
            .iter()
            .map(|value| if value.is_empty() { "\"\"".to_owned() } else { value.clone() })
            .collect();
        joined(&values, "or")
    };
    match requirement {
        Requirement::In(key, values) => format!("{key}={}", any(values)),
        Requirement::NotIn(key, values) => format!("{key} not {}", any(values)),
        Requirement::Exists(key) => format!("a label {key}"),
        Requirement::DoesNotExist(key) => format!("no label {key}"),
    }
}

/// All requirements of a selector that has some.
pub(crate) fn selector(selector: &Selector) -> String {
    let all: Vec<String> = selector.requirements().map(requirement).collect();
    joined(&all, "and")
}

fn is_everything(selector: &Selector) -> bool {
    selector.requirements().len() == 0
}

/// `pods with app=web`, `all pods`
pub(crate) fn pods(pods: &Selector) -> String {
    if is_everything(pods) {
        "all pods".to_owned()
    } else {
        format!("pods with {}", selector(pods))
    }
}

fn in_namespaces(namespaces: &Selector) -> String {
    if is_everything(namespaces) {
        "in all namespaces".to_owned()
    } else {
        format!("in namespaces with {}", selector(namespaces))
    }
}

/// Pods by their labels and those of their namespaces.
pub(crate) fn pods_of(wanted: &PodsOf) -> String {
    format!("{} {}", pods(&wanted.pods), in_namespaces(&wanted.namespaces))
}

/// A peer of a policy of the namespace `own`.
pub(crate) fn peer(peer: &Peer, own: &str) -> String {
    match peer {
        Peer::Addresses(one) => block(one),
        Peer::Pods { namespaces: Namespaces::Own, pods: selector } => {
            format!("{} in namespace {own}", pods(selector))
        }
        Peer::Pods { namespaces: Namespaces::Matching(namespaces), pods: selector } => {
            format!("{} {}", pods(selector), in_namespaces(namespaces))
        }
    }
}

/// A block of addresses.
pub(crate) fn block(block: &IpBlock) -> String {
    let except: Vec<String> = block.except.iter().map(ToString::to_string).collect();
    if except.is_empty() {
        format!("addresses in {}", block.cidr)
    } else {
        format!("addresses in {} except {}", block.cidr, joined(&except, "and"))
    }
}

/// The peers of a rule of the namespace `own`.
pub(crate) fn peers(peers: &Peers, own: &str) -> String {
    match peers {
        Peers::Everyone => "everyone".to_owned(),
        Peers::Only(all) => joined(&all.iter().map(|one| peer(one, own)).collect::<Vec<_>>(), "or"),
    }
}

/// `3306/TCP`, `80-90/TCP`, `port http/TCP`, `all TCP ports`
pub(crate) fn port(port: &PortMatch) -> String {
    let protocol = port.protocol;
    match &port.numbers {
        MatchedPorts::Any => format!("all {protocol} ports"),
        MatchedPorts::Range { first, last } if first == last => format!("{first}/{protocol}"),
        MatchedPorts::Range { first, last } => format!("{first}-{last}/{protocol}"),
        MatchedPorts::Named(name) => format!("the port named {name} ({protocol})"),
    }
}

/// The ports of a rule.
pub(crate) fn ports(ports: &Ports) -> String {
    match ports {
        Ports::All => "every port".to_owned(),
        Ports::Only(all) => joined(&all.iter().map(port).collect::<Vec<_>>(), "or"),
    }
}

/// What a rule of a policy of the namespace `own` admits.
pub(crate) fn rule(rule: &Rule, own: &str) -> String {
    format!("{} on {}", peers(&rule.peers, own), ports(&rule.ports))
}

/// The ports that a pod names.
pub(crate) fn named_ports(ports: &[NamedPort]) -> String {
    let all: Vec<String> = ports
        .iter()
        .map(|port| format!("{} ({}/{})", port.name, port.number, port.protocol))
        .collect();
    if all.is_empty() { "none".to_owned() } else { joined(&all, "and") }
}

/// A peer of a policy of the cluster.
pub(crate) fn cluster_peer(peer: &ClusterPeer) -> String {
    match peer {
        ClusterPeer::Pods(wanted) => pods_of(wanted),
        ClusterPeer::Networks(ranges) => {
            let ranges: Vec<String> = ranges.iter().map(ToString::to_string).collect();
            format!("addresses in {}", joined(&ranges, "or"))
        }
        ClusterPeer::Nodes(nodes) if is_everything(nodes) => "all nodes".to_owned(),
        ClusterPeer::Nodes(nodes) => format!("nodes with {}", selector(nodes)),
        ClusterPeer::DomainNames(names) => format!("addresses of {}", joined(names, "or")),
        ClusterPeer::Unknown(field) => format!("peers by {field}"),
    }
}

/// A port of a policy of the cluster.
pub(crate) fn cluster_port(port: &ClusterPort) -> String {
    match port {
        ClusterPort::Range { protocol, first: 0 | 1, last: u16::MAX } => {
            format!("all {protocol} ports")
        }
        ClusterPort::Range { protocol, first, last } if first == last => {
            format!("{first}/{protocol}")
        }
        ClusterPort::Range { protocol, first, last } => format!("{first}-{last}/{protocol}"),
        ClusterPort::Named(name) => format!("the port named {name}"),
        ClusterPort::Unknown(field) => format!("what {field} says"),
    }
}

/// What a rule of a policy of the cluster says.
pub(crate) fn cluster_rule(rule: &ClusterRule) -> String {
    let peers: Vec<String> = rule.peers.iter().map(cluster_peer).collect();
    let ports = match &rule.ports {
        ClusterPorts::All => "every port".to_owned(),
        ClusterPorts::Only(all) => joined(&all.iter().map(cluster_port).collect::<Vec<_>>(), "or"),
    };
    format!("{} {} on {ports}", action(rule.action), joined(&peers, "or"))
}

/// What a rule of a policy of the cluster does with what it matches.
pub(crate) fn action(action: Action) -> &'static str {
    match action {
        Action::Accept => "accepts",
        Action::Deny => "denies",
        Action::Pass => "passes on",
    }
}

/// How a label almost meets a condition on that key.
pub(crate) fn near_label(near: &NearLabel, key: &str) -> String {
    match near {
        NearLabel::ValueCase { wanted, found } => {
            format!("{found} and {wanted} differ in upper and lower case")
        }
        NearLabel::ValueTypo { wanted, found } => {
            format!("{found} and {wanted} differ in one letter")
        }
        NearLabel::KeyCase { found } => {
            format!("but {found}, which differs from {key} in upper and lower case")
        }
        NearLabel::KeyTypo { found } => {
            format!("but {found}, which differs from {key} in one letter")
        }
        NearLabel::OtherKey { found, value } => format!("but {found}={value}"),
        NearLabel::NamespaceName { value } => format!("but {NAMESPACE_NAME}={value}"),
    }
}

/// What to write instead of a condition that is almost met.
pub(crate) fn instead(near: &NearLabel, key: &str) -> String {
    match near {
        NearLabel::ValueCase { found, .. } | NearLabel::ValueTypo { found, .. } => {
            format!("{key}={found}")
        }
        NearLabel::KeyCase { found } | NearLabel::KeyTypo { found } => {
            format!("the key {found}")
        }
        NearLabel::OtherKey { found, value } => format!("{found}={value}"),
        NearLabel::NamespaceName { value } => format!("{NAMESPACE_NAME}={value}"),
    }
}
