//! Faults about blocks of addresses.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use ipnet::IpNet;

use super::{
    mark,
    rewrite::{and, only, peers},
};
use crate::{
    evaluate::is_host,
    flow::Direction,
    pod::Pod,
    policy::{IpBlock, Isolation, Namespaces, Peer, Peers, Policy, Rule},
    select::Requirement,
    snapshot::Snapshot,
};

pub(super) fn ignores_ip_block(snapshot: &Snapshot) -> Snapshot {
    peers(snapshot, |peers| {
        peers.iter().filter(|peer| matches!(peer, Peer::Pods { .. })).cloned().collect()
    })
}

pub(super) fn ignores_except(snapshot: &Snapshot) -> Snapshot {
    let whole = |peer: &Peer| match peer {
        Peer::Addresses(block) => Peer::Addresses(IpBlock { cidr: block.cidr, except: Vec::new() }),
        Peer::Pods { .. } => peer.clone(),
    };
    peers(snapshot, |peers| peers.iter().map(whole).collect())
}

/// The addresses that exceptions of rules leave out for a pod.
type Holes = BTreeSet<IpNet>;

pub(super) fn spreads_except(snapshot: &Snapshot) -> Snapshot {
    let spread = |snapshot: Snapshot, direction| spreads(&snapshot, direction);
    Direction::BOTH.into_iter().fold(snapshot.clone(), spread)
}

/// Takes the exceptions of each rule for those of all rules that apply to a pod. Pods of the same
/// holes are of one group, and each policy that isolates some of them is split by their groups.
fn spreads(snapshot: &Snapshot, direction: Direction) -> Snapshot {
    let holes: Vec<Holes> =
        snapshot.pods.iter().map(|pod| holes(pod, snapshot, direction)).collect();
    let groups: BTreeSet<&Holes> = holes.iter().filter(|holes| !holes.is_empty()).collect();
    if groups.is_empty() {
        return snapshot.clone();
    }
    let groups: BTreeMap<&Holes, String> =
        groups.into_iter().zip(0..).map(|(holes, n): (_, u32)| (holes, n.to_string())).collect();
    let group: BTreeMap<_, _> = snapshot.pods.iter().map(|pod| &pod.name).zip(&holes).collect();
    let mut mutated = snapshot.clone();
    let key = mark(&mut mutated, "holes", |pod| {
        Some(group.get(&pod.name).and_then(|holes| groups.get(holes)).cloned().unwrap_or_default())
    });
    let pierced: Vec<(&String, Pierced<'_>)> = groups
        .iter()
        .map(|(holes, group)| (group, Pierced::new(holes, &mut mutated, snapshot)))
        .collect();
    mutated.policies = snapshot
        .policies
        .iter()
        .flat_map(|policy| {
            let Isolation::Isolated(rules) = policy.isolation(direction) else {
                return vec![policy.clone()];
            };
            let of = |group: &String, rules| {
                let only = [Requirement::In(key.clone(), [group.clone()].into())];
                let mut policy = Policy { subjects: and(&policy.subjects, only), ..policy.clone() };
                match direction {
                    Direction::Ingress => policy.ingress = Isolation::Isolated(rules),
                    Direction::Egress => policy.egress = Isolation::Isolated(rules),
                }
                policy
            };
            let whole = of(&String::new(), rules.clone());
            let own = &policy.name.namespace;
            let split = pierced.iter().map(|(group, pierced)| {
                of(group, rules.iter().map(|rule| pierced.rule(rule, own)).collect())
            });
            [whole].into_iter().chain(split).collect()
        })
        .collect();
    mutated
}

/// The exceptions of all rules that apply to a pod in one direction.
fn holes(pod: &Pod, snapshot: &Snapshot, direction: Direction) -> Holes {
    let policies = snapshot.policies.iter().filter(|policy| policy.selects(pod));
    let rules = policies.flat_map(|policy| match policy.isolation(direction) {
        Isolation::Open => &[][..],
        Isolation::Isolated(rules) => rules,
    });
    let peers = rules.flat_map(|rule| match &rule.peers {
        Peers::Everyone => &[][..],
        Peers::Only(peers) => peers,
    });
    let excepts = peers.flat_map(|peer| match peer {
        Peer::Pods { .. } => &[][..],
        Peer::Addresses(block) => &block.except,
    });
    excepts.copied().collect()
}

/// How rules are rewritten to leave some addresses out.
struct Pierced<'a> {
    holes: &'a Holes,
    snapshot: &'a Snapshot,
    /// Marks the pods that have an address in a hole: selectors leave them out, and where they have
    /// another one, it is admitted as an address.
    key: String,
    /// The pods that are marked so.
    touched: Vec<&'a Pod>,
}

impl<'a> Pierced<'a> {
    fn new(holes: &'a Holes, mutated: &mut Snapshot, snapshot: &'a Snapshot) -> Self {
        let touched = |pod: &&Pod| pod.addresses.iter().any(|one| lies_in(holes, *one));
        let key = mark(mutated, "hole", |pod| touched(&pod).then(String::new));
        let touched = snapshot.pods.iter().filter(touched).collect();
        Self { holes, snapshot, key, touched }
    }

    fn rule(&self, rule: &Rule, own_namespace: &str) -> Rule {
        let peers = match &rule.peers {
            Peers::Everyone => everyone().map(|block| self.block(&block)).to_vec(),
            Peers::Only(peers) => {
                peers.iter().flat_map(|peer| self.peer(peer, own_namespace)).collect()
            }
        };
        Rule { peers: only(peers), ports: rule.ports.clone() }
    }

    fn block(&self, block: &IpBlock) -> Peer {
        let except = block.except.iter().chain(self.holes).copied().collect();
        Peer::Addresses(IpBlock { cidr: block.cidr, except })
    }

    fn peer(&self, peer: &Peer, own_namespace: &str) -> Vec<Peer> {
        let (namespaces, pods) = match peer {
            Peer::Addresses(block) => return vec![self.block(block)],
            Peer::Pods { namespaces, pods } => (namespaces, pods),
        };
        let matches = |pod: &&&Pod| {
            pods.matches(&pod.labels)
                && match namespaces {
                    Namespaces::Own => pod.name.namespace == own_namespace,
                    Namespaces::Matching(selector) => {
                        pod.is_in(selector, &self.snapshot.namespaces)
                    }
                }
        };
        // By its address, a pod of the host's network would be a peer in every reading.
        let admitted = self.touched.iter().filter(matches).filter(|pod| !is_host(pod));
        let addresses = admitted.flat_map(|pod| &pod.addresses).map(IpAddr::to_canonical);
        let addresses = addresses.filter(|one| !lies_in(self.holes, *one));
        let untouched = [Requirement::DoesNotExist(self.key.clone())];
        let selected = Peer::Pods { namespaces: namespaces.clone(), pods: and(pods, untouched) };
        [selected].into_iter().chain(addresses.map(address)).collect()
    }
}

fn lies_in(holes: &Holes, address: IpAddr) -> bool {
    holes.iter().any(|hole| hole.contains(&address.to_canonical()))
}

/// One address as a peer.
pub(super) fn address(address: IpAddr) -> Peer {
    Peer::Addresses(IpBlock { cidr: address.into(), except: Vec::new() })
}

/// Every address of either family, as blocks.
fn everyone() -> [IpBlock; 2] {
    let unspecified = [IpAddr::from(Ipv4Addr::UNSPECIFIED), IpAddr::from(Ipv6Addr::UNSPECIFIED)];
    unspecified.map(|address| {
        let cidr = IpNet::new(address, 0).expect("a prefix of no bits is one of every family");
        IpBlock { cidr, except: Vec::new() }
    })
}
