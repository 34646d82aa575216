//! Compiles rules in terms of shapes: each peer is a row of the shapes that it matches, and equal
//! peers of all policies are one row.

use std::collections::HashMap;

use super::{
    bits::{self, BitTable},
    shapes::Shapes,
    terms::Terms,
};
use crate::{
    flow::{Direction, Protocol},
    policy::{
        self, IpBlock, Isolation, MatchedPorts, Namespaces, Peer, Peers, PortMatch, Ports,
        cluster::{Action, ClusterPeer, ClusterPort, ClusterPorts, Tier},
    },
    select::Selector,
    snapshot::Snapshot,
};

/// What a peer matches, as the number of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CompiledPeer {
    /// Pods: a row of [`Rules::pods`].
    Pods(u32),
    /// Addresses: a row of both tables of [`Shapes::blocks`].
    Block(u32),
}

/// A port, its names as numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CompiledPort {
    Range {
        protocol: Protocol,
        first: u16,
        last: u16,
    },
    /// A name: of this protocol, or of the protocol that the receiver declares.
    Named {
        protocol: Option<Protocol>,
        name: u32,
    },
    /// A port of a later version of the API, which may match any port.
    Unknown,
}

/// A rule of a `NetworkPolicy`. No list of peers means everyone, no list of ports all ports.
#[derive(Clone, Debug)]
pub(super) struct CompiledRule {
    pub(super) peers: Option<Vec<CompiledPeer>>,
    pub(super) ports: Option<Vec<CompiledPort>>,
}

/// A rule of a policy of the cluster.
#[derive(Clone, Debug)]
pub(super) struct CompiledClusterRule {
    pub(super) action: Action,
    pub(super) peers: Vec<CompiledPeer>,
    /// The peers that may match: any pod, or addresses in a block.
    pub(super) doubtful: Vec<Option<CompiledPeer>>,
    pub(super) ports: Option<Vec<CompiledPort>>,
}

/// A policy of the cluster.
#[derive(Clone, Debug)]
pub(super) struct CompiledClusterPolicy {
    pub(super) tier: Tier,
    pub(super) priority: policy::cluster::Priority,
    /// The rules of each direction in the order of the object: the first that matches decides.
    pub(super) rules: [Vec<CompiledClusterRule>; 2],
}

/// All policies of a snapshot, in its order.
#[derive(Clone, Debug)]
pub(super) struct Rules {
    /// The rules of each `NetworkPolicy` in each direction; none where it does not isolate.
    pub(super) network: Vec<[Option<Vec<CompiledRule>>; 2]>,
    pub(super) cluster: Vec<CompiledClusterPolicy>,
    /// The shapes that each peer of pods matches, a row a peer.
    pub(super) pods: BitTable,
}

/// The place of a direction in what is kept for both.
pub(super) fn side(direction: Direction) -> usize {
    match direction {
        Direction::Egress => 0,
        Direction::Ingress => 1,
    }
}

/// The labels, port names and blocks that the policies mention.
pub(super) fn terms(snapshot: &Snapshot) -> Terms {
    let mut terms = Terms::default();
    for policy in &snapshot.policies {
        terms.mention(&policy.subjects);
        for direction in Direction::BOTH {
            let Isolation::Isolated(rules) = policy.isolation(direction) else { continue };
            for rule in rules {
                mention_peers(&rule.peers, &mut terms);
                mention_ports(&rule.ports, &mut terms);
            }
        }
    }
    for policy in &snapshot.cluster_policies {
        terms.mention(&policy.subjects.pods);
        for rule in policy.ingress.iter().chain(&policy.egress) {
            for peer in &rule.peers {
                match peer {
                    ClusterPeer::Pods(wanted) => terms.mention(&wanted.pods),
                    ClusterPeer::Networks(ranges) => ranges.iter().for_each(|range| {
                        terms.blocks.intern(&whole(range));
                    }),
                    ClusterPeer::Nodes(_)
                    | ClusterPeer::DomainNames(_)
                    | ClusterPeer::Unknown(_) => {}
                }
            }
            if let ClusterPorts::Only(ports) = &rule.ports {
                for port in ports {
                    if let ClusterPort::Named(name) = port {
                        terms.name(name);
                    }
                }
            }
        }
    }
    terms
}

/// Whether a policy mentions nothing new.
pub(super) fn knows(terms: &Terms, policy: &policy::Policy) -> bool {
    let rules =
        Direction::BOTH.into_iter().filter_map(|direction| match policy.isolation(direction) {
            Isolation::Open => None,
            Isolation::Isolated(rules) => Some(rules),
        });
    terms.knows(&policy.subjects)
        && rules.flatten().all(|rule| {
            let peers = match &rule.peers {
                Peers::Everyone => &[][..],
                Peers::Only(peers) => peers,
            };
            let ports = match &rule.ports {
                Ports::All => &[][..],
                Ports::Only(ports) => ports,
            };
            peers.iter().all(|peer| match peer {
                Peer::Addresses(block) => terms.blocks.knows(block),
                Peer::Pods { pods, .. } => terms.knows(pods),
            }) && ports.iter().all(|port| match &port.numbers {
                MatchedPorts::Named(name) => terms.names.contains_key(name),
                MatchedPorts::Any | MatchedPorts::Range { .. } => true,
            })
        })
}

fn mention_peers(peers: &Peers, terms: &mut Terms) {
    let Peers::Only(peers) = peers else { return };
    for peer in peers {
        match peer {
            Peer::Addresses(block) => {
                terms.blocks.intern(block);
            }
            Peer::Pods { pods, .. } => terms.mention(pods),
        }
    }
}

fn mention_ports(ports: &Ports, terms: &mut Terms) {
    let Ports::Only(ports) = ports else { return };
    for port in ports {
        if let MatchedPorts::Named(name) = &port.numbers {
            terms.name(name);
        }
    }
}

fn whole(range: &ipnet::IpNet) -> IpBlock {
    IpBlock { cidr: *range, except: Vec::new() }
}

/// Which namespaces a peer of pods looks at.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Where<'a> {
    Own(&'a str),
    Matching(&'a Selector),
}

/// Turns peers into rows.
pub(super) struct Peering<'a> {
    snapshot: &'a Snapshot,
    terms: &'a mut Terms,
    shapes: &'a Shapes,
    rows: BitTable,
    known: HashMap<(Where<'a>, &'a Selector), u32>,
    namespaces: HashMap<&'a Selector, Vec<u64>>,
    own: HashMap<&'a str, Vec<u64>>,
}

impl<'a> Peering<'a> {
    /// Begins with the rows that there are, to add others.
    pub(super) fn new(
        snapshot: &'a Snapshot,
        terms: &'a mut Terms,
        shapes: &'a Shapes,
        rows: BitTable,
    ) -> Self {
        Self {
            snapshot,
            terms,
            shapes,
            rows,
            known: HashMap::new(),
            namespaces: HashMap::new(),
            own: HashMap::new(),
        }
    }

    /// The rules of one `NetworkPolicy`, and all rows.
    pub(super) fn of(
        mut self,
        policy: &'a policy::Policy,
    ) -> ([Option<Vec<CompiledRule>>; 2], BitTable) {
        let rules = Direction::BOTH.map(|direction| self.isolation(policy, direction));
        (rules, self.rows)
    }

    /// The rules of all policies of the snapshot.
    pub(super) fn all(mut self) -> Rules {
        let snapshot = self.snapshot;
        let network = snapshot.policies.iter();
        let network = network
            .map(|policy| Direction::BOTH.map(|direction| self.isolation(policy, direction)))
            .collect();
        let cluster = snapshot.cluster_policies.iter();
        let cluster = cluster
            .map(|policy| CompiledClusterPolicy {
                tier: policy.tier,
                priority: policy.priority,
                rules: Direction::BOTH.map(|direction| {
                    policy.rules(direction).iter().map(|rule| self.cluster_rule(rule)).collect()
                }),
            })
            .collect();
        Rules { network, cluster, pods: self.rows }
    }

    fn isolation(
        &mut self,
        policy: &'a policy::Policy,
        direction: Direction,
    ) -> Option<Vec<CompiledRule>> {
        match policy.isolation(direction) {
            Isolation::Open => None,
            Isolation::Isolated(rules) => {
                Some(rules.iter().map(|rule| self.rule(rule, &policy.name.namespace)).collect())
            }
        }
    }

    fn rule(&mut self, rule: &'a policy::Rule, own: &'a str) -> CompiledRule {
        let peers = match &rule.peers {
            Peers::Everyone => None,
            Peers::Only(peers) => Some(peers.iter().map(|peer| self.peer(peer, own)).collect()),
        };
        let ports = match &rule.ports {
            Ports::All => None,
            Ports::Only(ports) => Some(ports.iter().map(|port| self.port(port)).collect()),
        };
        CompiledRule { peers, ports }
    }

    fn peer(&mut self, peer: &'a Peer, own: &'a str) -> CompiledPeer {
        match peer {
            Peer::Addresses(block) => CompiledPeer::Block(self.terms.blocks.intern(block)),
            Peer::Pods { namespaces: Namespaces::Own, pods } => {
                CompiledPeer::Pods(self.pods(Where::Own(own), pods))
            }
            Peer::Pods { namespaces: Namespaces::Matching(selector), pods } => {
                CompiledPeer::Pods(self.pods(Where::Matching(selector), pods))
            }
        }
    }

    fn port(&mut self, port: &PortMatch) -> CompiledPort {
        let protocol = port.protocol;
        match &port.numbers {
            MatchedPorts::Any => CompiledPort::Range { protocol, first: 0, last: u16::MAX },
            MatchedPorts::Range { first, last } => {
                CompiledPort::Range { protocol, first: *first, last: *last }
            }
            MatchedPorts::Named(name) => {
                CompiledPort::Named { protocol: Some(protocol), name: self.terms.name(name) }
            }
        }
    }

    fn cluster_rule(&mut self, rule: &'a policy::cluster::ClusterRule) -> CompiledClusterRule {
        let (mut peers, mut doubtful) = (Vec::new(), Vec::new());
        for peer in &rule.peers {
            match peer {
                ClusterPeer::Pods(wanted) => {
                    let row = self.pods(Where::Matching(&wanted.namespaces), &wanted.pods);
                    peers.push(CompiledPeer::Pods(row));
                }
                ClusterPeer::Networks(ranges) => doubtful.extend(ranges.iter().map(|range| {
                    Some(CompiledPeer::Block(self.terms.blocks.intern(&whole(range))))
                })),
                // No pod of a shape is a node.
                ClusterPeer::Nodes(_) => {}
                ClusterPeer::DomainNames(_) | ClusterPeer::Unknown(_) => doubtful.push(None),
            }
        }
        let ports = match &rule.ports {
            ClusterPorts::All => None,
            ClusterPorts::Only(ports) => {
                Some(ports.iter().map(|port| self.cluster_port(port)).collect())
            }
        };
        CompiledClusterRule { action: rule.action, peers, doubtful, ports }
    }

    fn cluster_port(&mut self, port: &ClusterPort) -> CompiledPort {
        match port {
            ClusterPort::Range { protocol, first, last } => {
                CompiledPort::Range { protocol: *protocol, first: *first, last: *last }
            }
            ClusterPort::Named(name) => {
                CompiledPort::Named { protocol: None, name: self.terms.name(name) }
            }
            ClusterPort::Unknown(_) => CompiledPort::Unknown,
        }
    }

    /// The row of the pods with these labels in these namespaces.
    fn pods(&mut self, place: Where<'a>, pods: &'a Selector) -> u32 {
        if let Some(row) = self.known.get(&(place, pods)) {
            return *row;
        }
        let number = self.rows.add();
        let (within, words) = match place {
            Where::Own(name) => {
                let range = self.shapes.namespaces.get(name).cloned().unwrap_or(0..0);
                let words = range.start / 64..bits::words(range.end);
                let width = self.shapes.width();
                (&*self.own.entry(name).or_insert_with(|| bits::range(&range, width)), words)
            }
            Where::Matching(selector) => {
                let within = self.namespaces.entry(selector);
                let within =
                    within.or_insert_with(|| in_namespaces(selector, self.snapshot, self.shapes));
                (&*within, 0..self.shapes.width())
            }
        };
        let row = self.rows.row_mut(number);
        self.shapes.select(pods, self.terms, within, words, row);
        let number = u32::try_from(number).unwrap_or(u32::MAX);
        self.known.insert((place, pods), number);
        number
    }
}

/// The shapes in the namespaces that a selector matches.
pub(super) fn in_namespaces(selector: &Selector, snapshot: &Snapshot, shapes: &Shapes) -> Vec<u64> {
    let mut row = vec![0; shapes.width()];
    for (name, range) in &shapes.namespaces {
        if selector.matches_namespace(name, snapshot.namespaces.get(name)) {
            bits::or(&mut row, &bits::range(range, shapes.width()));
        }
    }
    row
}
