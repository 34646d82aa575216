//! Holds a few connections that the policies allow, and finds out what becomes of them under a new
//! deny.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use netproof_conformance::{expected::Expected, matrix::Cell};
use tokio::time::Instant;
use tracing::{debug, info};

use super::{Done, Timing, stand_in};
use crate::assignment::Assignment;
use netproof_rounds::{
    engine::round::Receiver,
    measurements::{
        existing::{Fate, Fates, HeldConnection, is_holdable},
        latency::spread,
    },
    predict::asked,
    scenario::Scenario,
};

/// How many connections a test holds at most.
const FLOWS: usize = 8;

/// How often a connection is asked whether it is alive. One that dies by itself within this time
/// before a deny is taken for one that the deny has cut.
const REFRESH: Duration = Duration::from_secs(20);

/// How long after a connection could not be opened the flow is tried again.
const RETRY: Duration = Duration::from_secs(60);

/// The connections of a test, and what became of those that were denied.
#[derive(Default)]
pub(super) struct Connections {
    slots: BTreeMap<Cell, Slot>,
    fates: Fates,
}

struct Slot {
    /// The UIDs of the pods at both ends of the connection.
    pods: [String; 2],
    state: ConnectionState,
}

enum ConnectionState {
    /// The connection is being opened, or asked whether it is alive.
    Busy,
    Open(HeldConnection),
    /// The connection could not be opened, and is not tried again before then.
    Failed(Instant),
}

impl Connections {
    pub(super) fn clear(&mut self) {
        self.slots.clear();
    }

    pub(super) fn is_held(&self, cell: &Cell) -> bool {
        self.slots.get(cell).is_some_and(|slot| matches!(slot.state, ConnectionState::Open(_)))
    }

    pub(super) fn opened(&mut self, cell: &Cell, held: Result<HeldConnection, String>) {
        let Some(slot) = self.slots.get_mut(cell) else { return };
        slot.state = match held {
            Ok(held) => ConnectionState::Open(held),
            Err(error) => {
                debug!(%cell, error, "No connection to hold");
                ConnectionState::Failed(Instant::now() + RETRY)
            }
        };
    }

    pub(super) fn refreshed(&mut self, cell: &Cell, held: Option<HeldConnection>) {
        let Some(slot) = self.slots.get_mut(cell) else { return };
        match held {
            Some(held) => slot.state = ConnectionState::Open(held),
            // The connection has ended by itself, and another may be opened.
            None => drop(self.slots.remove(cell)),
        }
    }
}

impl Timing {
    /// Opens connections up to [`FLOWS`], asks those that are due whether they are alive, and lets
    /// go of those that are of no use any more.
    pub(super) fn keep_connections(&mut self, scenario: &Scenario, assignment: &Assignment) {
        let pods = |cell: &Cell| -> Option<[String; 2]> {
            let uid = |actor| Some(stand_in(actor, assignment)?.pod.as_ref()?.1.uid.clone());
            Some([uid(&cell.from)?, uid(&cell.to)?])
        };
        let now = Instant::now();
        let (expected, following) = (&self.expected, &self.following);
        self.connections.slots.retain(|cell, slot| {
            let denied_now =
                following.contains_key(cell) || matches!(slot.state, ConnectionState::Busy);
            let of_use = matches!(expected.get(cell), Some(Expected::Allow(_))) || denied_now;
            let over = matches!(slot.state, ConnectionState::Failed(until) if now >= until);
            of_use && !over && pods(cell).as_ref() == Some(&slot.pods)
        });
        self.refresh(scenario);
        let room = FLOWS.saturating_sub(self.connections.slots.len());
        if room == 0 {
            return;
        }
        let holdable = self.expected.iter().filter(|(cell, expected)| is_holdable(cell, expected));
        let free = holdable.map(|(cell, _)| cell.clone()).filter(|cell| {
            !self.connections.slots.contains_key(cell)
                && self.is_settled(cell, scenario, assignment)
        });
        for cell in spread(free.collect(), room) {
            let Some(pods) = pods(&cell) else { continue };
            self.open(cell, pods, scenario, assignment);
        }
    }

    fn open(
        &mut self,
        cell: Cell,
        pods: [String; 2],
        scenario: &Scenario,
        assignment: &Assignment,
    ) {
        let Ok(flow) = asked(&cell, scenario, &assignment.stand_ins) else { return };
        let Receiver::Probe { identity } = flow.receiver else { return };
        let sender = stand_in(&cell.from, assignment).and_then(|sender| self.session(sender));
        let Some(sender) = sender else { return };
        let (timeout, of) = (scenario.timeout, cell.clone());
        self.jobs.spawn(async move {
            let held = HeldConnection::open(sender, flow.target, &identity, timeout).await;
            Done::Opened { cell: of, held }
        });
        self.connections.slots.insert(cell, Slot { pods, state: ConnectionState::Busy });
    }

    fn refresh(&mut self, scenario: &Scenario) {
        let timeout = scenario.timeout;
        for (cell, slot) in &mut self.connections.slots {
            let due = match &slot.state {
                ConnectionState::Open(held) => held.alive.elapsed() >= REFRESH,
                ConnectionState::Busy | ConnectionState::Failed(_) => false,
            };
            if !due || self.following.contains_key(cell) {
                continue;
            }
            if let ConnectionState::Open(held) =
                std::mem::replace(&mut slot.state, ConnectionState::Busy)
            {
                let cell = cell.clone();
                self.jobs.spawn(async move {
                    Done::Refreshed { cell, held: held.refresh(timeout).await }
                });
            }
        }
    }

    /// Asks what became of the held connection of a flow that the policies now deny. `denied` says
    /// whether new attempts were seen to be denied; if not, the fate stays unknown.
    pub(super) fn ask_fate(&mut self, cell: &Cell, denied: bool) {
        let Some(Slot { state: ConnectionState::Open(held), .. }) =
            self.connections.slots.remove(cell)
        else {
            return;
        };
        let Some((assignment, _)) = self.seen.clone() else { return };
        let Ok(scenario) = &assignment.scenario else { return };
        let receiver = stand_in(&cell.to, &assignment).and_then(|to| self.session(to));
        let (cell, timeout) = (cell.clone(), scenario.timeout);
        self.jobs.spawn(async move {
            let fate = match receiver {
                Some(receiver) if denied => held.fate(&receiver, cell.port, timeout).await,
                Some(_) | None => {
                    held.release().await;
                    Fate::Unknown("new attempts were not seen to be denied".into())
                }
            };
            Done::Fated { cell, fate }
        });
    }

    pub(super) fn note_fate(&mut self, cell: &Cell, fate: Fate) {
        info!(%cell, ?fate, "Connection under a new deny");
        self.connections.fates.count(&fate);
        drop(fate);
        let fates = self.connections.fates;
        let Some(existing) = fates.fact() else { return };
        self.metrics().existing_connections(fates);
        let mut measurements = self.sources.measurements.borrow().as_ref().clone();
        measurements.existing = Some(existing);
        self.sources.measurements.send_if_modified(|known| {
            let differs = **known != measurements;
            *known = Arc::new(measurements);
            differs
        });
    }
}
