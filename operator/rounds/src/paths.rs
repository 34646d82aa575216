//! The round trips between nodes, as far as attempts that connected show them. A silence says
//! nothing of a path on which an answer may take longer than the attempt waited.

use std::{collections::BTreeMap, time::Duration};

use netproof_conformance::{
    flow::Protocol,
    matrix::{Actor, Cell},
    verdict::{Outcome, ROUND_TRIPS, SlowPath},
};

use crate::{engine::round::AttemptResult, predict::StandIn};

/// What is known of the path between each pair of nodes, in the direction of the attempts.
#[derive(Clone, Debug, Default)]
pub struct Paths(BTreeMap<String, BTreeMap<String, Path>>);

/// What is known of one path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Path {
    /// The shortest round trip of the last pass in which an attempt connected.
    RoundTrip(Duration),
    /// Attempts were made, and none has ever connected.
    Unknown,
}

impl Paths {
    /// Takes note of what a pass measured: for each pair of nodes of which an attempt connected,
    /// the shortest round trip takes the place of what an earlier pass measured.
    pub fn measure(&mut self, seen: &[AttemptResult], stand_ins: &[StandIn]) {
        let nodes = Nodes::of(stand_ins);
        let mut measured: BTreeMap<[&str; 2], Option<Duration>> = BTreeMap::new();
        for attempt in seen {
            let Some(pair) = nodes.pair(&attempt.cell) else { continue };
            let shortest = measured.entry(pair).or_default();
            *shortest = shortest.iter().copied().chain(round_trip(attempt)).min();
        }
        for ([from, to], shortest) in measured {
            let receivers = self.0.entry(from.to_owned()).or_default();
            match shortest {
                Some(shortest) => drop(receivers.insert(to.to_owned(), Path::RoundTrip(shortest))),
                None => drop(receivers.entry(to.to_owned()).or_insert(Path::Unknown)),
            }
        }
    }

    /// What is known of the paths between these stand-ins.
    pub fn among<'a>(&'a self, stand_ins: &'a [StandIn]) -> PathsAmong<'a> {
        PathsAmong { paths: self, nodes: Nodes::of(stand_ins) }
    }
}

/// What is known of the paths between some stand-ins.
pub struct PathsAmong<'a> {
    paths: &'a Paths,
    nodes: Nodes<'a>,
}

impl PathsAmong<'_> {
    /// Why the silence of an attempt that waited so long is no evidence: the path is too slow for
    /// it, or may be. None where the silence counts, and where the nodes are not known.
    pub fn too_slow(&self, cell: &Cell, waited: Duration) -> Option<SlowPath> {
        let [from, to] = self.nodes.pair(cell)?;
        let round_trip = match *self.paths.0.get(from)?.get(to)? {
            Path::Unknown => None,
            Path::RoundTrip(round_trip) if round_trip * ROUND_TRIPS > waited => Some(round_trip),
            Path::RoundTrip(_) => return None,
        };
        Some(SlowPath { from: from.to_owned(), to: to.to_owned(), round_trip, waited })
    }
}

/// The node of each stand-in that has a pod.
struct Nodes<'a>(BTreeMap<&'a Actor, &'a str>);

impl<'a> Nodes<'a> {
    fn of(stand_ins: &'a [StandIn]) -> Self {
        let placed = stand_ins.iter().filter_map(|stand_in| {
            let (_, pod) = stand_in.pod.as_ref()?;
            Some((&stand_in.desired.actor, pod.node.as_deref()?))
        });
        Self(placed.collect())
    }

    /// The sender's node and the receiver's.
    fn pair(&self, cell: &Cell) -> Option<[&'a str; 2]> {
        let node = |actor| self.0.get(actor).copied();
        Some([node(&cell.from)?, node(&cell.to)?])
    }
}

/// The round trip of an attempt that connected to another probe: over TCP, the handshake and the
/// question take one each.
fn round_trip(attempt: &AttemptResult) -> Option<Duration> {
    let took = attempt.took?;
    let is_proven = attempt.outcome == Ok(Outcome::Connected);
    match attempt.cell.port.protocol {
        Protocol::Tcp if is_proven => Some(took / 2),
        Protocol::Udp if is_proven => Some(took),
        Protocol::Tcp | Protocol::Udp | Protocol::Sctp => None,
    }
}
