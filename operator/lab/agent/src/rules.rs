//! Decides what a node must program: all of the `NetworkPolicy` API, applied to the present
//! cluster.

mod ports;
#[cfg(test)]
mod tests;

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use self::ports::{first_ports, named, numbered};
use crate::{
    effect::{self, Case, Effect},
    fault::Fault,
    policy::{Direction, Namespaces, Peer, Peers, Policy, Ports, Rule},
    ruleset::{
        Allow, Isolated, Isolation, Numbers, PeerSet, PortSet, Ruleset, Side, Strangers, Subject,
    },
    setting::Setting,
    world::{NamedPort, NodeView, ObjectName, Pod, World},
};

/// The rules of one node, with the faults of the setting.
pub fn rules(world: &World, node: &NodeView, setting: &Setting) -> Ruleset {
    let view = View::new(world, node, setting);
    Ruleset { ingress: view.side(Direction::Ingress), egress: view.side(Direction::Egress) }
}

/// The pod that is reached at each address.
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

/// The world as one node sees it, with addresses resolved to pods.
struct View<'a> {
    world: &'a World,
    node: &'a NodeView,
    setting: &'a Setting,
    holders: Holders<'a>,
    /// Of each name and protocol, the port of the first pod that declares it.
    first_ports: Vec<NamedPort>,
    same_node: Allow,
    cross_node: Allow,
}

/// A pod of this node, with what decides about it.
struct Local<'a> {
    pod: &'a Pod,
    addresses: &'a BTreeSet<IpAddr>,
    /// The faults that concern it.
    faults: &'a [Fault],
}

impl<'a> View<'a> {
    fn new(world: &'a World, node: &'a NodeView, setting: &'a Setting) -> Self {
        let holders = holders(world);
        let of = |meant: fn(&str, &str) -> bool| {
            let held = holders.iter().filter(|(_, (_, pod))| meant(&pod.node, &node.name));
            everything_of(held.map(|(address, _)| *address).collect())
        };
        Self {
            first_ports: first_ports(world),
            same_node: of(|one, other| one == other),
            cross_node: of(|one, other| one != other),
            world,
            node,
            setting,
            holders,
        }
    }

    fn side(&self, direction: Direction) -> Side {
        let subjects = self.local_pods().into_iter().map(|((name, pod), addresses)| {
            let faults = self.setting.of_pod(&self.node.name, name);
            let local = Local { pod, addresses: &addresses, faults: &faults };
            let isolation = self.isolation(&local, direction);
            Subject { name: name.clone(), isolation, addresses }
        });
        let side = Side { subjects: subjects.collect(), strangers: self.strangers(direction) };
        let mut isolations = side.subjects.iter().map(|subject| &subject.isolation);
        let is_open = |isolation: &Isolation| *isolation == Isolation::Open;
        if is_open(&side.strangers.isolation) && isolations.all(is_open) {
            Side::default()
        } else {
            side
        }
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

    /// Addresses without a known pod are isolated where any policy isolates, since nothing tells
    /// which policies select their pods.
    fn strangers(&self, direction: Direction) -> Strangers {
        let faults = self.setting.of_node(&self.node.name);
        let is_late = faults.iter().any(|fault| matches!(fault, Fault::LateIsolation(_)));
        let covers = |policy| effect::read(policy, &faults).rules(direction).is_some();
        let isolation = if !is_late && self.world.policies.values().any(covers) {
            Isolation::Isolated(Isolated::default())
        } else {
            Isolation::Open
        };
        let isolation = effect::judge(isolation, &faults, &self.case(&[]));
        Strangers { ranges: self.node.pod_ranges.clone(), isolation }
    }

    fn isolation(&self, local: &Local, direction: Direction) -> Isolation {
        let applying = self.applying(local);
        let covering: Vec<(&Policy, &[Rule])> = applying
            .iter()
            .filter_map(|policy| Some((policy.as_ref(), policy.rules(direction)?)))
            .collect();
        let rules =
            || covering.iter().flat_map(|(policy, rules)| rules.iter().map(|rule| (*policy, rule)));
        let isolation = if covering.is_empty() {
            Isolation::Open
        } else {
            Isolation::Isolated(Isolated {
                // A pod cannot be cut off from itself, not even by way of a Service.
                exempt: vec![everything_of(local.addresses.clone())],
                allowed: rules()
                    .flat_map(|(policy, rule)| self.allows(policy, rule, local, direction))
                    .collect(),
                ..Isolated::default()
            })
        };
        let rules: Vec<_> = rules().map(|(_, rule)| rule).collect();
        effect::judge(isolation, local.faults, &self.case(&rules))
    }

    /// The policies that select a pod and count.
    fn applying(&self, local: &Local) -> Vec<Cow<'a, Policy>> {
        let near = self
            .world
            .policies
            .iter()
            .filter(|(_, policy)| policy.namespace == local.pod.namespace);
        let mut applying: Vec<_> = near
            .map(|(name, policy)| (name, effect::read(policy, local.faults)))
            .filter(|(_, policy)| policy.subjects.matches(&local.pod.labels))
            .collect();
        effect::choose(&mut applying, local.faults);
        applying.into_iter().map(|(_, policy)| policy).collect()
    }

    fn case<'b>(&'b self, rules: &'b [&'b Rule]) -> Case<'b> {
        Case { rules, same_node: &self.same_node, cross_node: &self.cross_node }
    }

    /// One rule in terms of packets: for each peer, the ports given by number, then those by name.
    fn allows(
        &self,
        policy: &Policy,
        rule: &Rule,
        subject: &Local,
        direction: Direction,
    ) -> Vec<Allow> {
        let mut allows = Vec::new();
        for peers in self.peer_sets(policy, &rule.peers) {
            let named = match direction {
                Direction::Ingress => vec![Allow {
                    peers: peers.clone(),
                    ports: PortSet::OneOf(named(
                        &rule.ports,
                        self.names(subject.pod, subject.faults),
                    )),
                }],
                Direction::Egress => self.named_at_receivers(&peers, &rule.ports, subject.faults),
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
                let held = self.ends().filter(|(_, pod)| meant(pod));
                PeerSet::Addresses(held.map(|(address, _)| address).collect())
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

    /// All addresses at which a pod can be a peer, dead pods included.
    fn ends(&self) -> impl Iterator<Item = (IpAddr, &Pod)> {
        let living = self.holders.iter().map(|(address, (_, pod))| (*address, *pod));
        let dead = self.world.dead.iter().map(|(_, pod)| pod);
        living.chain(dead.flat_map(|pod| pod.addresses.iter().map(move |one| (*one, pod))))
    }

    /// Ports by name towards each pod among the peers, which may give the same name to different
    /// numbers. A receiver that is no pod gives no names: there a name matches nothing.
    fn named_at_receivers(&self, peers: &PeerSet, ports: &Ports, faults: &[Fault]) -> Vec<Allow> {
        let mut receivers = BTreeMap::<Numbers, BTreeSet<IpAddr>>::new();
        for (address, pod) in self.ends().filter(|(address, _)| peers.contains(*address)) {
            receivers.entry(named(ports, self.names(pod, faults))).or_default().insert(address);
        }
        let allow = |(numbers, addresses)| Allow {
            peers: PeerSet::Addresses(addresses),
            ports: PortSet::OneOf(numbers),
        };
        receivers.into_iter().map(allow).collect()
    }

    /// The numbers that a receiver gives to names.
    fn names<'b>(&'b self, receiver: &'b Pod, faults: &[Fault]) -> &'b [NamedPort] {
        let are_the_firsts = |fault: &Fault| matches!(effect::effect(*fault), Effect::Naming);
        if faults.iter().any(are_the_firsts) { &self.first_ports } else { &receiver.ports }
    }
}

fn everything_of(addresses: BTreeSet<IpAddr>) -> Allow {
    Allow { peers: PeerSet::Addresses(addresses), ports: PortSet::All }
}
