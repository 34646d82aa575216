//! The round trips between nodes, as far as attempts that connected show them. A silence says
//! nothing of a path on which an answer may take longer than the attempt waited.

use std::{collections::BTreeMap, time::Duration};

use netproof_conformance::{
    flow::Protocol,
    matrix::{Actor, Cell},
    verdict::{Outcome, SlowPath},
};

use crate::{engine::round::AttemptResult, predict::StandIn};

/// How many round trips an attempt has to wait for before its silence counts: a handshake takes one
/// and the question another, and the third is for what stands in queues.
const ROUND_TRIPS: u32 = 3;

/// The sender's node and the receiver's.
type NodePair = [String; 2];

/// The round trip of each pair of nodes, in the direction of the attempts.
#[derive(Clone, Debug, Default)]
pub struct Paths {
    round_trips: BTreeMap<NodePair, Duration>,
}

impl Paths {
    /// Takes note of what a pass measured: for each pair of nodes of which an attempt connected,
    /// the shortest round trip takes the place of what an earlier pass measured.
    pub fn measure(&mut self, seen: &[AttemptResult], stand_ins: &[StandIn]) {
        let nodes = Nodes::of(stand_ins);
        let mut shortest: BTreeMap<NodePair, Duration> = BTreeMap::new();
        for attempt in seen {
            let (Some(round_trip), Some(pair)) = (round_trip(attempt), nodes.pair(&attempt.cell))
            else {
                continue;
            };
            let known = shortest.entry(pair).or_insert(round_trip);
            *known = round_trip.min(*known);
        }
        self.round_trips.append(&mut shortest);
    }

    /// Why the silence of an attempt that waited for `timeout` is no evidence: the path is too slow
    /// for it. None if nothing is known of the path.
    pub fn too_slow(
        &self,
        cell: &Cell,
        timeout: Duration,
        stand_ins: &[StandIn],
    ) -> Option<SlowPath> {
        let pair = Nodes::of(stand_ins).pair(cell)?;
        let round_trip = *self.round_trips.get(&pair)?;
        let [from, to] = pair;
        let least = round_trip * ROUND_TRIPS;
        (least > timeout).then_some(SlowPath { from, to, round_trip, timeout, least })
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

    fn pair(&self, cell: &Cell) -> Option<NodePair> {
        let node = |actor| self.0.get(actor).map(|node| (*node).to_owned());
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
