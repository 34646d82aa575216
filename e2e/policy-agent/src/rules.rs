//! Decides what a node must program: the whole of the API, applied to what the cluster holds now.

#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use crate::{
    policy::{Direction, Namespaces, Peer, Peers, Policy, PortRange, Ports, Rule, Target},
    ruleset::{Allow, Isolation, Numbers, PeerSet, PortSet, Ruleset, Side, Subject},
    world::{NodeView, ObjectName, Pod, World},
};

/// The whole answer of the API for one node.
pub fn rules(world: &World, node: &NodeView) -> Ruleset {
    let view = View { world, node, holders: holders(world) };
    Ruleset { ingress: view.side(Direction::Ingress), egress: view.side(Direction::Egress) }
}

/// Who is reached at each address.
type Holders<'a> = BTreeMap<IpAddr, (&'a ObjectName, &'a Pod)>;

fn holders(world: &World) -> Holders<'_> {
    let mut holders = Holders::new();
    for (name, pod) in &world.pods {
        for address in &pod.addresses {
            let holder = holders.entry(*address).or_insert((name, pod));
            if pod.claim > holder.1.claim {
                *holder = (name, pod);
            }
        }
    }
    holders
}

/// The world from one node, addresses resolved.
struct View<'a> {
    world: &'a World,
    node: &'a NodeView,
    holders: Holders<'a>,
}

impl View<'_> {
    fn side(&self, direction: Direction) -> Side {
        let covering: Vec<(&Policy, &[Rule])> = self
            .world
            .policies
            .values()
            .filter_map(|policy| Some((policy, policy.rules(direction)?)))
            .collect();
        if covering.is_empty() {
            return Side::default();
        }
        let subjects = self.local_pods().into_iter().map(|((name, pod), addresses)| Subject {
            name: name.clone(),
            isolation: self.isolation(&covering, pod, &addresses, direction),
            addresses,
        });
        Side { subjects: subjects.collect(), held: self.node.pod_ranges.clone() }
    }

    fn local_pods(&self) -> Vec<((&ObjectName, &Pod), BTreeSet<IpAddr>)> {
        let mut pods = BTreeMap::<&ObjectName, (&Pod, BTreeSet<IpAddr>)>::new();
        for (address, (name, pod)) in &self.holders {
            if pod.node == self.node.name {
                pods.entry(name).or_insert((pod, BTreeSet::new())).1.insert(*address);
            }
        }
        pods.into_iter().map(|(name, (pod, addresses))| ((name, pod), addresses)).collect()
    }

    fn isolation(
        &self,
        covering: &[(&Policy, &[Rule])],
        pod: &Pod,
        addresses: &BTreeSet<IpAddr>,
        direction: Direction,
    ) -> Isolation {
        let mut applying = covering
            .iter()
            .filter(|(policy, _)| {
                policy.namespace == pod.namespace && policy.subjects.matches(&pod.labels)
            })
            .peekable();
        if applying.peek().is_none() {
            return Isolation::Open;
        }
        // A pod cannot be cut off from itself, not even by way of a Service.
        let itself = Allow { peers: PeerSet::Addresses(addresses.clone()), ports: PortSet::All };
        let allowed = applying
            .flat_map(|(policy, rules)| rules.iter().map(move |rule| (policy, rule)))
            .flat_map(|(policy, rule)| self.allows(policy, rule, pod, direction));
        Isolation::Isolated(std::iter::once(itself).chain(allowed).collect())
    }

    /// One rule in terms of packets: for each peer, the ports given by number, then those by name.
    fn allows(
        &self,
        policy: &Policy,
        rule: &Rule,
        subject: &Pod,
        direction: Direction,
    ) -> Vec<Allow> {
        let mut allows = Vec::new();
        for peers in self.peer_sets(policy, &rule.peers) {
            let named = match direction {
                Direction::Ingress => vec![Allow {
                    peers: peers.clone(),
                    ports: PortSet::OneOf(named(&rule.ports, subject)),
                }],
                Direction::Egress => self.named_at_receivers(&peers, &rule.ports),
            };
            allows.push(Allow { peers, ports: numbered(&rule.ports) });
            allows.extend(named);
        }
        allows
    }

    fn peer_sets(&self, policy: &Policy, peers: &Peers) -> Vec<PeerSet> {
        match peers {
            Peers::Anyone => vec![PeerSet::Anyone],
            Peers::OneOf(peers) => peers.iter().map(|peer| self.peer_set(policy, peer)).collect(),
        }
    }

    fn peer_set(&self, policy: &Policy, peer: &Peer) -> PeerSet {
        match peer {
            Peer::Block(block) => PeerSet::Block(block.clone()),
            Peer::Pods { namespaces, pods } => {
                let meant = |pod: &Pod| {
                    pods.matches(&pod.labels)
                        && self.namespace_meant(policy, namespaces, &pod.namespace)
                };
                let held = self.holders.iter().filter(|(_, (_, pod))| meant(pod));
                PeerSet::Addresses(held.map(|(address, _)| *address).collect())
            }
        }
    }

    fn namespace_meant(&self, policy: &Policy, namespaces: &Namespaces, name: &str) -> bool {
        match namespaces {
            Namespaces::Own => policy.namespace == name,
            Namespaces::Selected(selector) => {
                self.world.namespace_labels(name).is_some_and(|labels| selector.matches(labels))
            }
        }
    }

    /// Ports by name towards each pod among the peers, which may give the same name to different
    /// numbers. Receivers that are no pods give no names: there the name matches nothing.
    fn named_at_receivers(&self, peers: &PeerSet, ports: &Ports) -> Vec<Allow> {
        let mut receivers = BTreeMap::<Numbers, BTreeSet<IpAddr>>::new();
        for (address, (_, pod)) in &self.holders {
            if peers.contains(*address) {
                receivers.entry(named(ports, pod)).or_default().insert(*address);
            }
        }
        let allow = |(numbers, addresses)| Allow {
            peers: PeerSet::Addresses(addresses),
            ports: PortSet::OneOf(numbers),
        };
        receivers.into_iter().map(allow).collect()
    }
}

/// The ports that stand by number in a rule.
fn numbered(ports: &Ports) -> PortSet {
    match ports {
        Ports::All => PortSet::All,
        Ports::OneOf(ports) => PortSet::OneOf(
            ports
                .iter()
                .filter_map(|port| match &port.target {
                    Target::Numbers(range) => Some((port.protocol, *range)),
                    Target::Named(_) => None,
                })
                .collect(),
        ),
    }
}

/// The ports that stand by name in a rule, as this receiver numbers them. The name must be given to
/// a port of the same protocol.
fn named(ports: &Ports, receiver: &Pod) -> Numbers {
    let entries = match ports {
        Ports::All => &[][..],
        Ports::OneOf(entries) => entries,
    };
    let numbers = entries.iter().flat_map(|entry| {
        let meant = receiver.ports.iter().filter(move |port| match &entry.target {
            Target::Numbers(_) => false,
            Target::Named(name) => *name == port.name && entry.protocol == port.protocol,
        });
        meant.map(|port| (port.protocol, PortRange::single(port.number)))
    });
    numbers.collect()
}
