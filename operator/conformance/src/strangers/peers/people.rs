//! Makes the snapshots in which a subject meets strangers.

use std::net::IpAddr;

use super::homes::StrangerNamespace;
use crate::{
    flow::{Direction, Port},
    pod::NamedPort,
    select::Labels,
    snapshot::Snapshot,
    spans::{Span, joined},
    strangers::{
        normal::Selecting,
        subjects::{ChangedSubject, SubjectIdentity, stranger},
    },
};

/// A subject, and the strangers that may be at the other end of its flows.
pub(super) struct People<'a> {
    pub(super) subject: &'a ChangedSubject,
    pub(super) direction: Direction,
    /// The labels of each stranger.
    pub(super) labels: &'a [Labels],
    /// Addresses, one for the subject and for each stranger.
    pub(super) free: &'a [IpAddr],
    /// The named ports of receivers that are made up.
    pub(super) names: &'a [NamedPort],
}

impl People<'_> {
    /// Whether receivers are made up, and so have the ports in `names`.
    fn are_named(&self) -> bool {
        match (&self.subject.who, self.direction) {
            (SubjectIdentity::Here(_), Direction::Ingress) => false,
            (SubjectIdentity::Stranger(_), Direction::Ingress) | (_, Direction::Egress) => true,
        }
    }

    /// Ports in words. A port that was made up for a name is told by the name.
    pub(super) fn words(&self, spans: Vec<Span>) -> Vec<String> {
        let named = |span: &Span| {
            let is_it = |one: &&NamedPort| {
                Span::one(Port { number: one.number, protocol: one.protocol }) == *span
            };
            self.names.iter().filter(|_| self.are_named()).find(is_it)
        };
        let words = |span: &Span| match named(span) {
            Some(NamedPort { name, protocol, .. }) => format!("{name}/{protocol}"),
            None => span.to_string(),
        };
        joined(spans).iter().map(words).collect()
    }

    /// A snapshot of the subject with its policies, and of all strangers in one namespace.
    pub(super) fn snapshot(
        &self,
        n: usize,
        selecting: &Selecting<'_>,
        home: &StrangerNamespace,
    ) -> Snapshot {
        let mut free = self.free.iter().copied();
        let mut own = self.subject.pods[n].clone();
        own.addresses = free.next().into_iter().collect();
        // The subject has addresses of both families, so that it shares one with every stranger.
        own.addresses.extend(other_family(own.addresses.first().copied()));
        if self.are_named() && self.direction == Direction::Ingress {
            own.named_ports = self.names.to_vec();
        }
        let own_home = (own.name.namespace.clone(), self.subject.namespaces[n].clone());
        let mut pods = vec![own];
        for labels in self.labels {
            let mut pod = stranger(&home.name, labels.clone());
            pod.name.name = format!("{}-{}", pod.name.name, pods.len());
            pod.addresses = free.next().into_iter().collect();
            if self.direction == Direction::Egress {
                pod.named_ports = self.names.to_vec();
            }
            pods.push(pod);
        }
        let homes = [own_home, (home.name.clone(), home.labels[n].clone())];
        Snapshot {
            namespaces: homes
                .into_iter()
                .filter_map(|(name, labels)| Some((name, labels?)))
                .collect(),
            pods,
            policies: selecting.policies.iter().map(|one| (*one).clone()).collect(),
            cluster_policies: selecting.cluster_policies.iter().map(|one| (*one).clone()).collect(),
            ..Snapshot::default()
        }
    }
}

/// An address that nobody else has, of the family that this one is not of.
fn other_family(address: Option<IpAddr>) -> Option<IpAddr> {
    match address? {
        IpAddr::V4(_) => "100::ffff".parse().ok(),
        IpAddr::V6(_) => "100.127.255.254".parse().ok(),
    }
}
