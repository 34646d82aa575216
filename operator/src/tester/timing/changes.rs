//! Times how fast the network follows changes of what the policies say, by a few flows of each
//! change.

use std::time::Duration;

use netproof_conformance::{
    ledger::{ExpectationChange, Followed},
    matrix::{Actor, Cell},
};
use tokio::time::Instant;
use tracing::debug;

use super::{Done, Timing, stand_in};
use crate::assignment::Assignment;
use netproof_rounds::{
    measurements::latency::{self, ChangedFlow, spread},
    scenario::Scenario,
};

/// How many flows are timed for each direction of a change, tightening or loosening. Each flow
/// takes 40 attempts a second.
const FLOWS: usize = 8;

impl Timing {
    /// Times a few of the flows that changed, and each tightened one that has a held connection.
    pub(super) fn follow(
        &mut self,
        changed: Vec<(Cell, ExpectationChange)>,
        scenario: &Scenario,
        assignment: &Assignment,
    ) {
        let at = Instant::now();
        for (cell, _) in &changed {
            // The change that was being timed is no longer what the policies say.
            if let Some(former) = self.following.remove(cell) {
                former.abort();
            }
        }
        let (held, others): (Vec<_>, Vec<_>) = changed.into_iter().partition(|(cell, change)| {
            *change == ExpectationChange::Tightening && self.connections.is_held(cell)
        });
        let settled =
            |flow: &(Cell, ExpectationChange)| self.is_settled(&flow.0, scenario, assignment);
        let (tightened, loosened): (Vec<_>, Vec<_>) = others
            .into_iter()
            .filter(settled)
            .partition(|(_, change)| *change == ExpectationChange::Tightening);
        let room = FLOWS.saturating_sub(held.len());
        let chosen = held
            .into_iter()
            .chain(spread(tightened, room).into_iter().take(room))
            .chain(spread(loosened, FLOWS));
        for (cell, change) in chosen {
            let measured = self.is_settled(&cell, scenario, assignment);
            if let Some(changed) = self.changed(&cell, change, at, scenario, assignment) {
                let end = at + scenario.patience.settle;
                let timeout = scenario.timeout;
                let of = cell.clone();
                let task = self.jobs.spawn(async move {
                    let latency = latency::time(&changed, timeout, end).await;
                    Done::Followed { cell: of, change, latency, measured }
                });
                self.following.insert(cell, task);
            }
        }
    }

    fn changed(
        &self,
        cell: &Cell,
        change: ExpectationChange,
        at: Instant,
        scenario: &Scenario,
        assignment: &Assignment,
    ) -> Option<ChangedFlow> {
        let session = |actor: &Actor| self.session(stand_in(actor, assignment)?);
        ChangedFlow::of((cell, change), at, (scenario, &assignment.stand_ins), session)
    }

    pub(super) fn note_followed(
        &mut self,
        cell: &Cell,
        change: ExpectationChange,
        latency: Option<Duration>,
        measured: bool,
    ) {
        self.following.remove(cell);
        debug!(%cell, change = change.word(), ?latency, "Network followed");
        if let Some(latency) = latency
            && measured
        {
            self.metrics().followed(Followed { change, latency });
        }
        if change == ExpectationChange::Tightening {
            self.ask_fate(cell, latency.is_some());
        }
    }
}
