//! Remembers which policies isolate an end, which rules have it among their peers and which the
//! port among theirs. Each is asked once for an end, and kept as bits, one for each clause.

use std::collections::HashMap;

use crate::{
    compiled::{Answer, Compiled, bits::BitTable},
    evaluate::{Applying, Ends, Reading, Side},
    flow::{Direction, End, Family, Flow, PodId, Port},
    pod::ContainerKind,
    policy::{MatchedPorts, Peers, PortMatch, Ports},
    snapshot::Snapshot,
};

use super::clauses::Clauses;

/// What each clause says of the ends of flows.
#[derive(Clone, Debug)]
pub(super) struct Tables {
    rows: BitTable,
    isolating: HashMap<(Direction, PodId), usize>,
    peers: HashMap<(Direction, End, Family), usize>,
    ports: HashMap<(End, Port), PortRows>,
}

/// What is known of one flow, by the letter.
#[derive(Clone, Copy, Debug)]
pub(super) struct KnownFlow {
    pub(super) answer: Answer,
    /// Whether the letter is the whole truth: no reading of the API differs from it, and no policy
    /// of the cluster has a say.
    pub(super) exact: bool,
    /// The sides that policies apply to, in the order of [`Direction::BOTH`].
    pub(super) sides: [Option<Sided>; 2],
    /// What rules say of the flow's port; none where the flow has no ends to be asked about.
    ports: Option<PortRows>,
}

/// One side of a flow: rows of bits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sided {
    pub(super) direction: Direction,
    /// The clauses of the policies that isolate the subject.
    isolating: usize,
    /// The rules that have the other end among their peers.
    peers: usize,
}

/// What rules say of the port of a flow: rows of bits.
#[derive(Clone, Copy, Debug)]
struct PortRows {
    /// The rules that have the port among theirs.
    fit: usize,
    /// The rules that would have it with another number.
    number: usize,
    /// The rules that would have it with another protocol.
    protocol: usize,
}

/// What alone keeps a rule from admitting a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Respect {
    /// The other end, which is none of the rule's peers.
    Peer,
    /// The port, which differs in its number or its protocol, and not in both.
    Port,
}

impl Tables {
    pub(super) fn new(clauses: usize) -> Self {
        Self {
            rows: BitTable::new(clauses),
            isolating: HashMap::new(),
            peers: HashMap::new(),
            ports: HashMap::new(),
        }
    }

    /// Looks at one flow.
    pub(super) fn look(
        &mut self,
        compiled: &Compiled,
        clauses: &Clauses,
        flow: &Flow,
    ) -> KnownFlow {
        let snapshot = compiled.snapshot();
        let answer = compiled.answer(flow);
        let Ok(ends) = Ends::resolve(snapshot, flow, |_| Applying::default()) else {
            return KnownFlow { answer, exact: false, sides: [None; 2], ports: None };
        };
        let sides = Direction::BOTH.map(|direction| {
            let side = Side::of(&ends, Reading::LITERAL, direction)?;
            let (subject, peer) = match direction {
                Direction::Egress => (flow.from, flow.to),
                Direction::Ingress => (flow.to, flow.from),
            };
            let End::Pod(subject) = subject else { return None };
            let isolating = self.isolating_row(compiled, clauses, direction, subject);
            let peers = self.peers_row(clauses, snapshot, &side, peer);
            Some(Sided { direction, isolating, peers })
        });
        let exact = super::is_plain(&ends) && snapshot.cluster_policies.is_empty();
        let any = Direction::BOTH.iter().find_map(|d| Side::of(&ends, Reading::LITERAL, *d));
        let ports = any.map(|side| self.port_rows(clauses, snapshot, &side, flow.to));
        KnownFlow { answer, exact, sides, ports }
    }

    fn isolating_row(
        &mut self,
        compiled: &Compiled,
        clauses: &Clauses,
        direction: Direction,
        subject: PodId,
    ) -> usize {
        if let Some(row) = self.isolating.get(&(direction, subject)) {
            return *row;
        }
        let row = self.rows.add();
        for policy in compiled.applying(subject).network {
            let all = &compiled.snapshot().policies;
            let place = all.iter().position(|one| std::ptr::eq(one, policy));
            let place = place.expect("what applies is of the snapshot");
            for clause in clauses.of_policy(place, direction) {
                self.rows.set(row, *clause);
            }
        }
        self.isolating.insert((direction, subject), row);
        row
    }

    fn peers_row(
        &mut self,
        clauses: &Clauses,
        snapshot: &Snapshot,
        side: &Side<'_>,
        peer: End,
    ) -> usize {
        let key = (side.direction, peer, Family::of(side.peer_address()));
        if let Some(row) = self.peers.get(&key) {
            return *row;
        }
        let row = self.rows.add();
        for (number, clause) in clauses.all.iter().enumerate() {
            let Some((policy, rule)) = clause.rule(snapshot) else { continue };
            let is_peer = clause.direction() == side.direction
                && match &rule.peers {
                    Peers::Everyone => true,
                    Peers::Only(peers) => {
                        peers.iter().any(|peer| side.is_peer(peer, &policy.name.namespace))
                    }
                };
            if is_peer {
                self.rows.set(row, number);
            }
        }
        self.peers.insert(key, row);
        row
    }

    fn port_rows(
        &mut self,
        clauses: &Clauses,
        snapshot: &Snapshot,
        side: &Side<'_>,
        to: End,
    ) -> PortRows {
        let key = (to, side.ends.port);
        if let Some(rows) = self.ports.get(&key) {
            return *rows;
        }
        let [fit, number, protocol] = [(); 3].map(|()| self.rows.add());
        for (place, clause) in clauses.all.iter().enumerate() {
            let Some((_, rule)) = clause.rule(snapshot) else { continue };
            let ports = match &rule.ports {
                Ports::All => {
                    self.rows.set(fit, place);
                    continue;
                }
                Ports::Only(ports) => ports,
            };
            if ports.iter().any(|port| side.is_port(port)) {
                self.rows.set(fit, place);
                continue;
            }
            if ports.iter().any(|port| port.protocol == side.ends.port.protocol) {
                self.rows.set(number, place);
            }
            if ports.iter().any(|port| has_number(port, side)) {
                self.rows.set(protocol, place);
            }
        }
        let rows = PortRows { fit, number, protocol };
        self.ports.insert(key, rows);
        rows
    }

    /// Whether the subject of this side is isolated.
    pub(super) fn isolates(&self, side: &Sided) -> bool {
        self.rows.row(side.isolating).iter().any(|word| *word != 0)
    }

    /// The clauses of the policies that isolate the subject of this side.
    pub(super) fn isolating(&self, side: &Sided) -> impl Iterator<Item = usize> {
        places(self.rows.row(side.isolating).iter().copied())
    }

    /// The rules that admit the flow on this side.
    pub(super) fn admitting(&self, side: &Sided, seen: &KnownFlow) -> impl Iterator<Item = usize> {
        let rows = seen.ports.map(|ports| [side.isolating, side.peers, ports.fit]);
        let rows = rows.map(|rows| rows.map(|row| self.rows.row(row)));
        let words = rows.into_iter().flat_map(|[isolating, peers, fit]| {
            isolating.iter().zip(peers).zip(fit).map(|((a, b), c)| a & b & c)
        });
        places(words)
    }

    /// Whether a clause is of a policy that isolates the subject of this side.
    pub(super) fn is_isolating(&self, clause: usize, side: &Sided) -> bool {
        self.rows.get(side.isolating, clause)
    }

    /// Whether the other end of this side is among the rule's peers.
    pub(super) fn is_peer(&self, clause: usize, side: &Sided) -> bool {
        self.rows.get(side.peers, clause)
    }

    /// Whether the flow's port is one of the rule's.
    pub(super) fn is_port(&self, clause: usize, seen: &KnownFlow) -> bool {
        seen.ports.is_some_and(|ports| self.rows.get(ports.fit, clause))
    }

    /// What alone keeps a rule from admitting the flow; none if the rule admits the flow, or lacks
    /// more than one thing.
    pub(super) fn just_misses(
        &self,
        clause: usize,
        side: &Sided,
        seen: &KnownFlow,
    ) -> Option<Respect> {
        let ports = seen.ports?;
        let near = || [ports.number, ports.protocol].iter().any(|row| self.rows.get(*row, clause));
        match (self.is_peer(clause, side), self.is_port(clause, seen)) {
            (false, true) => Some(Respect::Peer),
            (true, false) => near().then_some(Respect::Port),
            (true, true) | (false, false) => None,
        }
    }
}

/// Whether a port that is not the flow's has its number, so that only the protocol differs.
fn has_number(port: &PortMatch, side: &Side<'_>) -> bool {
    let asked = side.ends.port.number;
    match &port.numbers {
        MatchedPorts::Any => true,
        MatchedPorts::Range { first, last } => (*first..=*last).contains(&asked),
        MatchedPorts::Named(name) => side.receiver().is_some_and(|receiver| {
            receiver.named_ports.iter().any(|declared| {
                declared.name == *name
                    && (declared.number, declared.protocol) == (asked, port.protocol)
                    && declared.container == ContainerKind::Regular
            })
        }),
    }
}

/// The places of the bits that are set.
fn places(words: impl Iterator<Item = u64>) -> impl Iterator<Item = usize> {
    let some = |word: u64| (word != 0).then_some(word);
    words.enumerate().flat_map(move |(number, word)| {
        std::iter::successors(some(word), move |word| some(word & (word - 1)))
            .map(move |word| number * 64 + word.trailing_zeros() as usize)
    })
}
