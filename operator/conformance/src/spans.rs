//! Joins ports that no policy and no pod tells apart into spans, of which one port is asked.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use crate::{
    flow::{Port, Protocol},
    policy::{
        Isolation, MatchedPorts, Ports,
        cluster::{ClusterPort, ClusterPorts},
    },
    snapshot::Snapshot,
};

/// Ports of one protocol that behave alike, from `first` to `last`, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    protocol: Protocol,
    first: u16,
    last: u16,
}

impl Span {
    /// The span of a single port.
    pub fn one(port: Port) -> Self {
        Self { protocol: port.protocol, first: port.number, last: port.number }
    }

    /// The port of the span that speaks for all.
    pub fn port(self) -> Port {
        Port { number: self.first, protocol: self.protocol }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { protocol, first, last } = self;
        match (first, last) {
            (1, &u16::MAX) => write!(f, "all {protocol} ports"),
            (first, last) if first == last => write!(f, "{first}/{protocol}"),
            (first, last) => write!(f, "{first}-{last}/{protocol}"),
        }
    }
}

/// The same ports in as few spans as there can be, sorted by protocol and number.
///
/// ```
/// use netproof_conformance::{
///     flow::{Port, Protocol},
///     spans::{Span, joined},
/// };
///
/// let one = |number| Span::one(Port { number, protocol: Protocol::Tcp });
/// let spans = joined(vec![one(80), one(82), one(81)]);
/// assert_eq!(spans[0].to_string(), "80-82/TCP");
/// ```
pub fn joined(mut spans: Vec<Span>) -> Vec<Span> {
    spans.sort_unstable();
    let mut all: Vec<Span> = Vec::new();
    for span in spans {
        match all.last_mut() {
            Some(before)
                if before.protocol == span.protocol
                    && before.last.checked_add(1) == Some(span.first) =>
            {
                before.last = span.last;
            }
            Some(_) | None => all.push(span),
        }
    }
    all
}

/// All ports, in spans that nothing in these snapshots tells apart.
///
/// ```
/// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/shop.rs")); }
/// # use example::*;
/// use netproof_conformance::spans::spans;
///
/// let spans: Vec<String> = spans(&[&shop()]).iter().map(ToString::to_string).collect();
/// assert_eq!(
///     spans,
///     ["1-5431/TCP", "5432/TCP", "5433-65535/TCP", "all UDP ports", "all SCTP ports"]
/// );
/// ```
pub fn spans(snapshots: &[&Snapshot]) -> Vec<Span> {
    let mut begins: BTreeMap<Protocol, BTreeSet<u16>> =
        [Protocol::Tcp, Protocol::Udp, Protocol::Sctp].map(|one| (one, [1].into())).into();
    let mut mark = |protocol: Protocol, first: u16, last: u16| {
        let begins = begins.entry(protocol).or_default();
        begins.insert(first.max(1));
        begins.extend(last.checked_add(1));
    };
    for snapshot in snapshots {
        for pod in &snapshot.pods {
            for port in &pod.named_ports {
                mark(port.protocol, port.number, port.number);
            }
        }
        for policy in &snapshot.policies {
            for isolation in [&policy.ingress, &policy.egress] {
                let Isolation::Isolated(rules) = isolation else { continue };
                for rule in rules {
                    let Ports::Only(ports) = &rule.ports else { continue };
                    for port in ports {
                        if let MatchedPorts::Range { first, last } = port.numbers {
                            mark(port.protocol, first, last);
                        }
                    }
                }
            }
        }
        for policy in &snapshot.cluster_policies {
            for rule in policy.ingress.iter().chain(&policy.egress) {
                let ClusterPorts::Only(ports) = &rule.ports else { continue };
                for port in ports {
                    if let ClusterPort::Range { protocol, first, last } = port {
                        mark(*protocol, *first, *last);
                    }
                }
            }
        }
    }
    let spans = begins.into_iter().flat_map(|(protocol, begins)| {
        let ends: Vec<u16> = begins.iter().skip(1).map(|next| next - 1).chain([u16::MAX]).collect();
        let both = begins.into_iter().zip(ends);
        both.map(move |(first, last)| Span { protocol, first, last })
    });
    spans.collect()
}
