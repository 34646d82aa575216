//! Times how fast the network follows changes of what the policies say, by a few flows a change.

use std::time::Duration;

use netproof_conformance::{
    expected::Expected,
    ledger::{Change, Followed},
    matrix::{Cell, Matrix},
};
use tokio::time::Instant;
use tracing::debug;

use super::{Done, Scout, stand_in};
use crate::tester::Assignment;
use netproof_rounds::{
    engine::{
        follow::{self, Changed},
        round::Receiver,
    },
    predict::asked,
    scenario::Scenario,
};

/// How many flows are attempted at that pace for each way in which a change goes: each of them is
/// 40 attempts a second.
const FLOWS: usize = 8;

/// The flows of which the policies say the opposite of what they said.
pub(super) fn between(before: &Matrix<Expected>, after: &Matrix<Expected>) -> Vec<(Cell, Change)> {
    after
        .iter()
        .filter_map(|(cell, after)| {
            Some((cell.clone(), Change::between(before.get(cell)?, after)?))
        })
        .collect()
}

/// Picks so many out of them, from all over.
pub(super) fn spread<T>(all: Vec<T>, limit: usize) -> Vec<T> {
    let step = all.len().div_ceil(limit.max(1)).max(1);
    all.into_iter().step_by(step).collect()
}

impl Scout {
    /// Times a few of the flows that changed, and each that a connection is held of.
    pub(super) fn follow(
        &mut self,
        changed: Vec<(Cell, Change)>,
        scenario: &Scenario,
        assignment: &Assignment,
    ) {
        let at = Instant::now();
        for (cell, _) in &changed {
            // What was being timed is not what the policies say any more.
            if let Some(former) = self.following.remove(cell) {
                former.abort();
            }
        }
        let (held, others): (Vec<_>, Vec<_>) = changed.into_iter().partition(|(cell, change)| {
            *change == Change::Tightening && self.connections.is_held(cell)
        });
        let settled = |flow: &(Cell, Change)| self.is_settled(&flow.0, scenario, assignment);
        let (tightened, loosened): (Vec<_>, Vec<_>) = others
            .into_iter()
            .filter(settled)
            .partition(|(_, change)| *change == Change::Tightening);
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
                    let latency = follow::time(&changed, timeout, end).await;
                    Done::Followed { cell: of, change, latency, measured }
                });
                self.following.insert(cell, task);
            }
        }
    }

    fn changed(
        &self,
        cell: &Cell,
        change: Change,
        at: Instant,
        scenario: &Scenario,
        assignment: &Assignment,
    ) -> Option<Changed> {
        let flow = asked(cell, scenario, &assignment.stand_ins).ok()?;
        let sender = self.session(stand_in(&cell.from, assignment)?)?;
        let receiver = match flow.receiver {
            Receiver::Probe { .. } => Some(self.session(stand_in(&cell.to, assignment)?)?),
            Receiver::External => None,
        };
        Some(Changed { flow, change, at, sender, receiver })
    }

    pub(super) fn note_followed(
        &mut self,
        cell: &Cell,
        change: Change,
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
        if change == Change::Tightening {
            self.ask_fate(cell, latency.is_some());
        }
    }
}

#[cfg(test)]
mod tests {
    use netproof_conformance::{
        expected::{Because, Decision, Unspecified},
        flow::{Port, Protocol},
        matrix::Actor,
    };

    use super::*;

    fn cell(number: u16) -> Cell {
        let port = Port { number, protocol: Protocol::Tcp };
        Cell { from: Actor::sole("web"), to: Actor::sole("db"), port }
    }

    fn because() -> Because {
        Because { egress: Decision::NotIsolated, ingress: Decision::NotIsolated }
    }

    #[test]
    fn only_a_turn_from_allow_to_deny_or_back_is_a_change() {
        let allow = || Expected::Allow(because());
        let deny = || Expected::Deny(because());
        let open = || Expected::Unspecified(Unspecified::ToItself);
        let all = [allow(), deny(), open()];
        let matrix = |pick: fn(usize) -> usize| -> Matrix<Expected> {
            (0..9u16).map(|n| (cell(n + 1), all[pick(n.into())].clone())).collect()
        };
        let mut changed = between(&matrix(|n| n / 3), &matrix(|n| n % 3));
        changed.sort_by_key(|(cell, _)| cell.port.number);
        assert_eq!(changed, [(cell(2), Change::Tightening), (cell(4), Change::Loosening)]);
        assert_eq!(between(&Matrix::default(), &matrix(|n| n % 3)), [], "what is new is no change");
    }

    #[test]
    fn a_few_are_picked_from_all_over() {
        assert_eq!(spread((0..100).collect(), 4), [0, 25, 50, 75]);
        assert_eq!(spread(vec![1, 2], 8), [1, 2]);
        assert_eq!(spread(Vec::<u8>::new(), 8), Vec::<u8>::new());
        assert!((1..200).all(|n| spread((0..n).collect(), 8).len() <= 8));
    }
}
