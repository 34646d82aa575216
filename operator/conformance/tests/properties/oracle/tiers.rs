//! Evaluates the tiers of cluster policies, from the policies as they are written. A tape of
//! choices settles what is open, which is who matches of those that may, which of equals comes
//! next, and where the baseline stands; and every tape is played.

use std::collections::BTreeMap;

use netproof_conformance::{
    flow::Port,
    pod::{Pod, PodNetwork},
    policy::{
        admin_network_policy::PortMatch,
        cluster_network_policy::{Peer, PortNumbers, ProtocolMatch, Subject},
        label_selector::LabelSelector,
    },
};

use super::{Reading, Seen, covers, matches};

/// Answers to the open questions, in the order in which they come up.
#[derive(Default)]
pub struct Tape {
    /// Each answer so far, and how many there are to its question.
    answers: Vec<(usize, usize)>,
    at: usize,
}

impl Tape {
    /// Plays every tape, and returns which results `attempt` may have.
    pub fn play(mut attempt: impl FnMut(&mut Self) -> bool) -> [bool; 2] {
        let mut tape = Self::default();
        let mut seen = [false; 2];
        loop {
            tape.at = 0;
            seen[usize::from(attempt(&mut tape))] = true;
            while let Some(&(answer, of)) = tape.answers.last() {
                if answer + 1 < of {
                    break;
                }
                tape.answers.pop();
            }
            match tape.answers.last_mut() {
                Some((answer, _)) => *answer += 1,
                None => return seen,
            }
        }
    }

    fn choose(&mut self, of: usize) -> usize {
        if self.at == self.answers.len() {
            self.answers.push((0, of));
        }
        self.at += 1;
        self.answers[self.at - 1].0
    }

    fn maybe(&mut self) -> bool {
        self.choose(2) == 1
    }
}

/// One side of a flow: its subject and the other end.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    pub subject: &'a Pod,
    pub is_egress: bool,
    /// The other end, as it is before a reading makes anything of its pod.
    pub other: Seen<'a>,
    /// The receiver as the reading has it, by which names of ports resolve.
    pub receiver: Seen<'a>,
    pub port: Port,
}

#[derive(Clone)]
struct Written<'a> {
    subject: &'a Subject,
    rules: Vec<(&'a str, &'a [Peer], Ports<'a>)>,
}

#[derive(Clone, Copy)]
enum Ports<'a> {
    Protocols(Option<&'a [ProtocolMatch]>),
    Ports(Option<&'a [PortMatch]>),
}

impl Reading<'_> {
    /// Whether the tier accepts the flow or denies it; none where it says nothing, or to pass.
    pub fn tier(&self, tier: &str, place: Place<'_>, tape: &mut Tape) -> Option<bool> {
        let (mut numbered, mut unnumbered) = self.written(tier, place.is_egress);
        let applies = |one: &Written<'_>| self.is_subject(one.subject, place.subject);
        for equals in numbered.values_mut() {
            equals.retain(applies);
        }
        unnumbered.retain(applies);
        let mut order: Vec<Vec<Written<'_>>> = numbered.into_values().collect();
        if !unnumbered.is_empty() {
            let last = order.len();
            order.insert([0, last][tape.choose(2)], unnumbered);
        }
        for mut equals in order {
            while !equals.is_empty() {
                let next = equals.remove(tape.choose(equals.len()));
                match self.action(&next, place, tape) {
                    None => {}
                    Some("Accept" | "Allow") => return Some(true),
                    Some("Deny") => return Some(false),
                    Some("Pass") => return None,
                    Some(other) => panic!("{other} is no action"),
                }
            }
        }
        None
    }

    /// The policies of a tier, by priority, and those without one.
    fn written(
        &self,
        tier: &str,
        is_egress: bool,
    ) -> (BTreeMap<i64, Vec<Written<'_>>>, Vec<Written<'_>>) {
        let all = &self.world.cluster_policies;
        let mut numbered = BTreeMap::<i64, Vec<Written<'_>>>::new();
        let mut unnumbered = vec![];
        for spec in all.cluster.iter().map(|policy| &policy.spec) {
            if spec.tier.as_deref() != Some(tier) {
                continue;
            }
            let rules = if is_egress {
                let rules = spec.egress.iter();
                rules.map(|one| (&one.action, &one.to, &one.protocols)).collect::<Vec<_>>()
            } else {
                spec.ingress.iter().map(|one| (&one.action, &one.from, &one.protocols)).collect()
            };
            let rules = rules.into_iter().map(|(action, peers, ports)| {
                (action.as_deref().unwrap(), &peers[..], Ports::Protocols(ports.as_deref()))
            });
            let rules = rules.collect();
            let subject = spec.subject.as_ref().unwrap();
            numbered.entry(spec.priority.unwrap()).or_default().push(Written { subject, rules });
        }
        let admin = all.admin.iter().filter(|_| tier == "Admin").map(|policy| {
            let spec = &policy.spec;
            (spec.priority, &spec.subject, &spec.ingress, &spec.egress)
        });
        let baseline = all.baseline.iter().filter(|_| tier == "Baseline").map(|policy| {
            let spec = &policy.spec;
            (None, &spec.subject, &spec.ingress, &spec.egress)
        });
        for (priority, subject, ingress, egress) in admin.chain(baseline) {
            let rules = if is_egress {
                let rules = egress.iter();
                rules.map(|one| (&one.action, &one.to, &one.ports)).collect::<Vec<_>>()
            } else {
                ingress.iter().map(|one| (&one.action, &one.from, &one.ports)).collect()
            };
            let rules = rules.into_iter().map(|(action, peers, ports)| {
                (action.as_deref().unwrap(), &peers[..], Ports::Ports(ports.as_deref()))
            });
            let one = Written { subject: subject.as_ref().unwrap(), rules: rules.collect() };
            match priority {
                Some(priority) => numbered.entry(priority).or_default().push(one),
                None => unnumbered.push(one),
            }
        }
        (numbered, unnumbered)
    }

    fn action<'w>(
        &self,
        policy: &Written<'w>,
        place: Place<'_>,
        tape: &mut Tape,
    ) -> Option<&'w str> {
        let first = policy.rules.iter().find(|(_, peers, ports)| {
            peers.iter().any(|peer| self.is_cluster_peer(peer, place, tape))
                && match ports {
                    Ports::Protocols(None) | Ports::Ports(None) => true,
                    Ports::Protocols(Some(ports)) => {
                        ports.iter().any(|port| self.is_protocol(port, place, tape))
                    }
                    Ports::Ports(Some(ports)) => {
                        ports.iter().any(|port| self.is_admin_port(port, place, tape))
                    }
                }
        });
        first.map(|(action, ..)| *action)
    }

    fn is_subject(&self, subject: &Subject, pod: &Pod) -> bool {
        let pods = subject.pods.as_ref();
        self.is_one_of(subject.namespaces.as_ref(), None, pod)
            || pods.is_some_and(|pods| {
                self.is_one_of(pods.namespace_selector.as_ref(), pods.pod_selector.as_ref(), pod)
            })
    }

    /// Whether a pod is one of those selected. A pod of the host's network never is.
    fn is_one_of(
        &self,
        namespaces: Option<&LabelSelector>,
        pods: Option<&LabelSelector>,
        pod: &Pod,
    ) -> bool {
        pod.network == PodNetwork::Own
            && namespaces.is_some_and(|one| self.is_in(&without_nulls(one), &pod.name.namespace))
            && pods.is_none_or(|one| matches(&without_nulls(one), &pod.labels))
    }

    fn is_cluster_peer(&self, wanted: &Peer, place: Place<'_>, tape: &mut Tape) -> bool {
        let Seen { pod, address } = place.other;
        let has_own_network = pod.is_some_and(|pod| pod.network == PodNetwork::Own);
        if wanted.namespaces.is_some() {
            return pod.is_some_and(|pod| self.is_one_of(wanted.namespaces.as_ref(), None, pod));
        }
        if let Some(pods) = &wanted.pods {
            let (namespaces, pods) = (pods.namespace_selector.as_ref(), pods.pod_selector.as_ref());
            return pod.is_some_and(|pod| self.is_one_of(namespaces, pods, pod));
        }
        if let Some(ranges) = &wanted.networks {
            return ranges.iter().any(|range| covers(range, address)) && tape.maybe();
        }
        if wanted.nodes.is_some() {
            return !has_own_network && tape.maybe();
        }
        tape.maybe()
    }

    fn is_protocol(&self, wanted: &ProtocolMatch, place: Place<'_>, tape: &mut Tape) -> bool {
        let protocol = place.port.protocol.to_string();
        let all = [("TCP", &wanted.tcp), ("UDP", &wanted.udp), ("SCTP", &wanted.sctp)];
        if let Some((name, ports)) = all.iter().find(|(_, ports)| ports.is_some()) {
            let numbers = ports.as_ref().and_then(|ports| ports.destination_port.clone());
            let PortNumbers { number, range } = numbers.unwrap();
            let number = number.map(|number| (Some(number), Some(number)));
            let (first, last) = number.or(range.map(|range| (range.start, range.end))).unwrap();
            return protocol == *name && is_between(first, last, place.port);
        }
        match &wanted.destination_named_port {
            Some(name) => self.is_named(name, place.receiver, place.port),
            None => tape.maybe(),
        }
    }

    fn is_admin_port(&self, wanted: &PortMatch, place: Place<'_>, tape: &mut Tape) -> bool {
        let is_of = |protocol: &Option<String>| {
            protocol.as_deref().unwrap_or("TCP") == place.port.protocol.to_string()
        };
        if let Some(one) = &wanted.port_number {
            return is_of(&one.protocol) && is_between(one.port, one.port, place.port);
        }
        if let Some(range) = &wanted.port_range {
            return is_of(&range.protocol) && is_between(range.start, range.end, place.port);
        }
        match &wanted.named_port {
            Some(name) => self.is_named(name, place.receiver, place.port),
            None => tape.maybe(),
        }
    }
}

/// The selector without labels that are null, which count as absent in a custom resource.
fn without_nulls(selector: &LabelSelector) -> LabelSelector {
    let mut selector = selector.clone();
    selector.match_labels.retain(|_, value| value.is_some());
    selector
}

fn is_between(first: Option<i64>, last: Option<i64>, port: Port) -> bool {
    let number = Some(i64::from(port.number));
    first <= number && number <= last
}
