//! A second evaluation, written from the law and from the policies as they are written: it compiles
//! nothing, tries every reading whether the flow touches it or not, and says no more than the
//! verdict.

mod tiers;

use std::net::IpAddr;

use netproof_conformance::{
    flow::{End, Family, Flow, Port},
    pod::{ContainerKind, Lifecycle, Pod, PodNetwork},
    policy::{
        label_selector::LabelSelector,
        network_policy::{
            IntOrString, IpBlock, NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort,
        },
    },
    select::Labels,
};

use crate::{Verdict, world::World};
use tiers::{Place, Tape};

pub fn verdict(world: &World, flow: &Flow) -> Verdict {
    let mut seen = [false; 2];
    for bits in 0..32 {
        let [stops, passes] = Reading { world, bits }.results(flow);
        seen = [seen[0] || stops, seen[1] || passes];
    }
    match seen {
        [false, true] => Verdict::Allow,
        [true, false] => Verdict::Deny,
        [true, true] | [false, false] => Verdict::Unspecified,
    }
}

/// Whether a flow may be stopped, and whether it may pass.
type Results = [bool; 2];

const PASSES: Results = [false, true];

/// One bit for each open question of the law (`operator/cases/LAW.md`), in its order.
struct Reading<'a> {
    world: &'a World,
    bits: u8,
}

/// One end of a flow, as a reading sees it.
#[derive(Clone, Copy)]
struct Seen<'a> {
    pod: Option<&'a Pod>,
    address: IpAddr,
}

impl Reading<'_> {
    fn host_pods_are_nodes(&self) -> bool {
        self.bits & 1 != 0
    }
    fn itself_is_exempt(&self) -> bool {
        self.bits & 2 != 0
    }
    fn own_node_is_exempt(&self) -> bool {
        self.bits & 4 != 0
    }
    fn names_match_elsewhere(&self) -> bool {
        self.bits & 8 != 0
    }
    fn init_ports_resolve(&self) -> bool {
        self.bits & 16 != 0
    }

    /// What may become of a flow by this reading; neither result where there is nothing to say.
    fn results(&self, flow: &Flow) -> Results {
        self.of_ends(flow).unwrap_or_default()
    }

    fn of_ends(&self, flow: &Flow) -> Option<Results> {
        let (sender, receiver) = (self.pod(flow.from), self.pod(flow.to));
        if [sender, receiver].iter().flatten().any(|pod| pod.lifecycle == Lifecycle::Finished) {
            return None;
        }
        let theirs = addresses(flow.from, sender);
        let ours = addresses(flow.to, receiver);
        let mut usable = ours.iter().copied();
        let to_address = usable.find(|to| {
            let asked = flow.family.is_none_or(|family| (family == Family::IPv4) == to.is_ipv4());
            asked && theirs.iter().any(|from| from.is_ipv4() == to.is_ipv4())
        })?;
        let from_address =
            theirs.iter().copied().find(|from| from.is_ipv4() == to_address.is_ipv4())?;

        let from = Seen { pod: sender, address: from_address };
        let to = Seen { pod: receiver, address: to_address };
        let itself = matches!(flow.from, End::Pod(_)) && flow.from == flow.to;
        if itself && self.itself_is_exempt() {
            return Some(PASSES);
        }
        let from_own_node = receiver.is_some_and(|pod| self.is_node_of(pod, sender, from_address));
        let to_own_node = sender.is_some_and(|pod| self.is_node_of(pod, receiver, to_address));
        let ingress =
            if from_own_node { PASSES } else { self.side(to, from, to, flow.port, false) };
        let egress = if to_own_node && self.own_node_is_exempt() {
            PASSES
        } else {
            self.side(from, to, to, flow.port, true)
        };
        // Each side settles what is open on it without regard to the other.
        Some([ingress[0] || egress[0], ingress[1] && egress[1]])
    }

    fn side(&self, own: Seen<'_>, other: Seen<'_>, to: Seen<'_>, port: Port, out: bool) -> Results {
        let Some(subject) = self.unless_node(own.pod) else { return PASSES };
        let receiver = Seen { pod: self.unless_node(to.pod), ..to };
        let place = Place { subject, is_egress: out, other, receiver, port };
        let peer = Seen { pod: self.unless_node(other.pod), ..other };
        let between = self.admitted(subject, out, peer, receiver, port);
        Tape::play(|tape| {
            self.tier("Admin", place, tape)
                .or(between)
                .or_else(|| self.tier("Baseline", place, tape))
                .unwrap_or(true)
        })
    }

    fn pod(&self, end: End) -> Option<&Pod> {
        match end {
            End::Pod(id) => Some(&self.world.pods[id.0 as usize]),
            End::Address(_) => None,
        }
    }

    fn unless_node<'p>(&self, pod: Option<&'p Pod>) -> Option<&'p Pod> {
        match pod {
            Some(pod) if pod.network == PodNetwork::Host && self.host_pods_are_nodes() => None,
            other => other,
        }
    }

    fn is_node_of(&self, pod: &Pod, other: Option<&Pod>, address: IpAddr) -> bool {
        let Some(node) = &pod.node else { return false };
        if let Some(other) = other {
            return other.network == PodNetwork::Host && other.node.as_ref() == Some(node);
        }
        let known = self.world.nodes.get(node).into_iter().flatten();
        known.map(IpAddr::to_canonical).any(|one| one == address)
    }

    /// What the `NetworkPolicies` say of a side; none where they do not isolate the subject.
    fn admitted(
        &self,
        subject: &Pod,
        is_egress: bool,
        peer: Seen<'_>,
        receiver: Seen<'_>,
        port: Port,
    ) -> Option<bool> {
        let mut isolated = false;
        for policy in &self.world.policies {
            if policy.metadata.namespace == subject.name.namespace
                && matches(&policy.spec.pod_selector, &subject.labels)
                && isolates(policy, is_egress)
            {
                isolated = true;
                let mut rules = rules(policy, is_egress).into_iter();
                if rules.any(|(ports, peers)| {
                    let by_port = ports.is_empty()
                        || ports.iter().any(|one| self.is_port(one, receiver, port));
                    let by_peer =
                        peers.is_empty() || peers.iter().any(|one| self.is_peer(policy, one, peer));
                    by_port && by_peer
                }) {
                    return Some(true);
                }
            }
        }
        isolated.then_some(false)
    }

    fn is_peer(&self, policy: &NetworkPolicy, wanted: &NetworkPolicyPeer, peer: Seen<'_>) -> bool {
        if let Some(block) = &wanted.ip_block {
            return within(block, peer.address);
        }
        let Some(pod) = peer.pod else { return false };
        let namespace = &pod.name.namespace;
        let in_namespace = match &wanted.namespace_selector {
            Some(selector) => self.is_in(selector, namespace),
            None => *namespace == policy.metadata.namespace,
        };
        in_namespace
            && wanted.pod_selector.as_ref().is_none_or(|selector| matches(selector, &pod.labels))
    }

    fn is_in(&self, selector: &LabelSelector, namespace: &str) -> bool {
        let mut labels = self.world.namespaces.get(namespace).cloned().unwrap_or_default();
        labels.insert("kubernetes.io/metadata.name".to_owned(), namespace.to_owned());
        matches(selector, &labels)
    }

    fn is_port(&self, wanted: &NetworkPolicyPort, receiver: Seen<'_>, port: Port) -> bool {
        if wanted.protocol.as_deref().unwrap_or("TCP") != port.protocol.to_string() {
            return false;
        }
        let number = i64::from(port.number);
        match (&wanted.port, wanted.end_port) {
            (None, _) => true,
            (Some(IntOrString::Int(first)), None) => *first == number,
            (Some(IntOrString::Int(first)), Some(last)) => *first <= number && number <= last,
            (Some(IntOrString::String(name)), _) => self.is_named(name, receiver, port),
        }
    }

    fn is_named(&self, name: &str, receiver: Seen<'_>, port: Port) -> bool {
        let Some(pod) = receiver.pod else { return self.names_match_elsewhere() };
        pod.named_ports.iter().any(|one| {
            (one.name.as_str(), one.number, one.protocol) == (name, port.number, port.protocol)
                && (one.container == ContainerKind::Regular || self.init_ports_resolve())
        })
    }
}

fn addresses(end: End, pod: Option<&Pod>) -> Vec<IpAddr> {
    let all = match (end, pod) {
        (End::Address(address), _) => vec![address],
        (End::Pod(_), Some(pod)) => pod.addresses.clone(),
        (End::Pod(_), None) => vec![],
    };
    all.iter().map(IpAddr::to_canonical).collect()
}

fn isolates(policy: &NetworkPolicy, is_egress: bool) -> bool {
    let types = &policy.spec.policy_types;
    match (types.is_empty(), is_egress) {
        (true, false) => true,
        (true, true) => !policy.spec.egress.is_empty(),
        (false, false) => types.iter().any(|one| one == "Ingress"),
        (false, true) => types.iter().any(|one| one == "Egress"),
    }
}

fn rules(
    policy: &NetworkPolicy,
    is_egress: bool,
) -> Vec<(&[NetworkPolicyPort], &[NetworkPolicyPeer])> {
    if is_egress {
        policy.spec.egress.iter().map(|rule| (&rule.ports[..], &rule.to[..])).collect()
    } else {
        policy.spec.ingress.iter().map(|rule| (&rule.ports[..], &rule.from[..])).collect()
    }
}

fn matches(selector: &LabelSelector, labels: &Labels) -> bool {
    let equal = selector
        .match_labels
        .iter()
        .all(|(key, value)| labels.get(key) == Some(&value.clone().unwrap_or_default()));
    equal
        && selector.match_expressions.iter().all(|one| {
            let value = labels.get(&one.key);
            let listed = value.is_some_and(|value| one.values.contains(value));
            match one.operator.as_str() {
                "In" => listed,
                "NotIn" => !listed,
                "Exists" => value.is_some(),
                "DoesNotExist" => value.is_none(),
                other => panic!("{other} is no operator"),
            }
        })
}

fn within(block: &IpBlock, address: IpAddr) -> bool {
    covers(&block.cidr, address) && !block.except.iter().any(|hole| covers(hole, address))
}

/// Whether a range covers an address, compared bit by bit: `1.2.3.4/n` as 32 bits, everything else
/// as 128.
fn covers(cidr: &str, address: IpAddr) -> bool {
    let (text, length) = cidr.split_once('/').expect("a CIDR");
    let length: u32 = length.parse().expect("a length");
    let (range, length) = match text.strip_prefix("::ffff:") {
        Some(mapped) if mapped.contains('.') => (bits_of_v4(mapped), length - 96),
        _ if text.contains(':') => {
            (text.parse::<std::net::Ipv6Addr>().expect("IPv6").to_bits(), length)
        }
        _ => (bits_of_v4(text), length),
    };
    let is_v4 = text.contains('.');
    let (bits, width) = match address {
        IpAddr::V4(address) => (u128::from(address.to_bits()), 32),
        IpAddr::V6(address) => (address.to_bits(), 128),
    };
    is_v4 == (width == 32)
        && (0..length).all(|place| {
            let bit = width - 1 - place;
            bits >> bit & 1 == range >> bit & 1
        })
}

fn bits_of_v4(text: &str) -> u128 {
    text.split('.').fold(0, |bits, part| bits << 8 | part.parse::<u128>().expect("a number"))
}
