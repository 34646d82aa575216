//! Clusters to measure with: deterministic, and with selectors, blocks, names and ranges mixed.

use std::{collections::BTreeMap, net::Ipv4Addr};

use netproof_conformance::{
    flow::Protocol,
    pod::{ContainerKind, Lifecycle, NamedPort, Pod, PodNetwork},
    policy::{
        IpBlock, Isolation, MatchedPorts, Namespaces, Peer, Peers, Policy, PolicyTypes, PortMatch,
        Ports, Rule,
    },
    reference::ObjectRef,
    select::{Labels, Requirement, Selector},
    snapshot::{Revision, Snapshot},
};

/// How large a cluster is.
#[derive(Clone, Copy)]
pub struct Size {
    pub pods: usize,
    pub policies: usize,
    pub namespaces: usize,
    /// Pods of one workload have labels and ports in common but for those that make them unique.
    pub workloads: usize,
}

/// Numbers in no order, the same ones each time (xorshift64*).
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(number).expect("31 bits") % limit.max(1)
    }
}

const TIERS: [&str; 4] = ["front", "middle", "back", "batch"];
const TEAMS: usize = 12;

fn labels<const N: usize>(labels: [(&str, String); N]) -> Labels {
    labels.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

fn namespace(number: usize) -> String {
    format!("team-{number}")
}

pub fn snapshot(size: Size) -> Snapshot {
    let mut random = Random::new(1);
    let namespaces: BTreeMap<String, Labels> = (0..size.namespaces)
        .map(|number| (namespace(number), labels([("team", (number % TEAMS).to_string())])))
        .collect();
    let pods = (0..size.pods).map(|number| pod(number, size)).collect();
    let policies = (0..size.policies).map(|number| policy(number, size, &mut random)).collect();
    Snapshot { revision: Revision(1), namespaces, pods, policies, ..Snapshot::default() }
}

/// A workload lives in one namespace.
fn pod(number: usize, size: Size) -> Pod {
    let workload = number % size.workloads;
    let home = workload % size.namespaces;
    let name = format!("app-{workload}-{number:x}");
    let [_, _, high, low] = u32::try_from(number).expect("few pods").to_be_bytes();
    let third = u8::try_from(number >> 16).expect("few pods");
    let named = |name: &str, port| NamedPort {
        name: name.to_owned(),
        number: port,
        protocol: Protocol::Tcp,
        container: ContainerKind::Regular,
    };
    Pod {
        labels: labels([
            ("app", format!("app-{}", workload / size.namespaces)),
            ("tier", TIERS[workload % TIERS.len()].to_owned()),
            ("version", (workload % 3).to_string()),
            ("pod-template-hash", format!("{workload:08x}")),
            ("statefulset.kubernetes.io/pod-name", name.clone()),
        ]),
        name: ObjectRef { namespace: namespace(home), name },
        addresses: vec![Ipv4Addr::new(10, 64 + third, high, low).into()],
        node: Some(format!("node-{}", number % 200)),
        network: PodNetwork::Own,
        lifecycle: Lifecycle::Live,
        named_ports: vec![
            named("http", if workload.is_multiple_of(5) { 8081 } else { 8080 }),
            named("metrics", 9090),
        ],
    }
}

fn equal(key: &str, value: String) -> Requirement {
    Requirement::In(key.to_owned(), [value].into())
}

fn policy(number: usize, size: Size, random: &mut Random) -> Policy {
    let home = number % size.namespaces;
    let app = |random: &mut Random| {
        format!("app-{}", random.below(size.workloads.div_ceil(size.namespaces)))
    };
    let subjects = match random.below(4) {
        0 => Selector::everything(),
        1 => [equal("tier", TIERS[random.below(TIERS.len())].to_owned())].into_iter().collect(),
        _ => [equal("app", app(random))].into_iter().collect(),
    };
    let rules = |random: &mut Random| {
        let count = random.below(4);
        Isolation::Isolated((0..count).map(|_| rule(random, &app)).collect())
    };
    let ingress = rules(random);
    let egress = if random.below(3) == 0 { rules(random) } else { Isolation::Open };
    let name = ObjectRef { namespace: namespace(home), name: format!("policy-{number}") };
    Policy { name, subjects, ingress, egress, types: PolicyTypes::Written, created: None }
}

fn rule(random: &mut Random, app: &impl Fn(&mut Random) -> String) -> Rule {
    let peers = (0..=random.below(3)).map(|_| peer(random, app)).collect();
    let port = |numbers| PortMatch { protocol: Protocol::Tcp, numbers };
    let ports = match random.below(5) {
        0 => Ports::All,
        1 => Ports::Only(vec![port(MatchedPorts::Named("http".to_owned()))]),
        2 => Ports::Only(vec![port(MatchedPorts::Range { first: 8000, last: 8999 })]),
        3 => Ports::Only(vec![port(MatchedPorts::Range { first: 443, last: 443 })]),
        _ => Ports::Only(vec![
            port(MatchedPorts::Range { first: 8080, last: 8080 }),
            port(MatchedPorts::Named("metrics".to_owned())),
        ]),
    };
    Rule { peers: if random.below(12) == 0 { Peers::Everyone } else { Peers::Only(peers) }, ports }
}

fn peer(random: &mut Random, app: &impl Fn(&mut Random) -> String) -> Peer {
    let team = |random: &mut Random| {
        let teams: Selector =
            [equal("team", random.below(TEAMS).to_string())].into_iter().collect();
        Namespaces::Matching(teams)
    };
    match random.below(6) {
        0 | 1 => Peer::Pods {
            namespaces: Namespaces::Own,
            pods: [equal("app", app(random))].into_iter().collect(),
        },
        2 => Peer::Pods { namespaces: team(random), pods: Selector::everything() },
        3 => Peer::Pods {
            namespaces: team(random),
            pods: [equal("tier", TIERS[random.below(TIERS.len())].to_owned())]
                .into_iter()
                .collect(),
        },
        4 => Peer::Pods {
            namespaces: Namespaces::Matching(Selector::everything()),
            pods: [Requirement::NotIn("version".to_owned(), [random.below(3).to_string()].into())]
                .into_iter()
                .collect(),
        },
        _ => {
            let high = u8::try_from(random.below(64)).expect("a byte");
            let net = |length| -> ipnet::IpNet {
                ipnet::Ipv4Net::new(Ipv4Addr::new(10, 64, high, 0), length)
                    .expect("a length")
                    .into()
            };
            let trunc = |length| -> ipnet::IpNet { net(length).trunc() };
            Peer::Addresses(IpBlock { cidr: trunc(20), except: vec![net(28)] })
        }
    }
}
