//! Times how fast the network follows a change: attempts a flow every few milliseconds, and says
//! when the first attempt began that went as the policies say now.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures::{StreamExt, stream::FuturesUnordered};
use netproof_conformance::{
    expected::Expected,
    flow::Port,
    ledger::ExpectationChange,
    matrix::{Actor, Cell, Matrix},
    verdict::Outcome,
};
use tokio::time::{Instant, sleep_until};

use crate::{
    engine::{
        round::{FlowAttempt, Receiver, Timed, silence, timed},
        session::Session,
    },
    predict::{StandIn, asked},
    scenario::Scenario,
};

/// From the start of one attempt to the start of the next: this bounds how finely latency is
/// measured.
pub const EVERY: Duration = Duration::from_millis(25);

/// The longest attempt. One that begins under a deny must have ended before its SYN is repeated,
/// a second later: by then it may connect.
const ATTEMPT: Duration = Duration::from_millis(300);

/// Attempts of a flow under way at a time: as many as begin within one. A few flows at once have to
/// stay below what a probe works on at a time.
const IN_FLIGHT: usize = 12;

/// How many attempts in a row have to go as the policies say: one silence may be a packet lost.
const AGREEING: usize = 2;

/// The flows of which the policies say the opposite of what they said.
pub fn turned(
    before: &Matrix<Expected>,
    after: &Matrix<Expected>,
) -> Vec<(Cell, ExpectationChange)> {
    let turned = after.iter().filter_map(|(cell, after)| {
        Some((cell.clone(), ExpectationChange::between(before.get(cell)?, after)?))
    });
    turned.collect()
}

/// Picks so many out of them, from all over.
pub fn spread<T>(all: Vec<T>, limit: usize) -> Vec<T> {
    let step = all.len().div_ceil(limit.max(1)).max(1);
    all.into_iter().step_by(step).collect()
}

/// A flow whose expectation changed.
pub struct ChangedFlow {
    /// The flow.
    pub flow: FlowAttempt,
    /// Which way.
    pub change: ExpectationChange,
    /// When.
    pub at: Instant,
    /// The sender's probe.
    pub sender: Arc<Session>,
    /// The receiver's; none where it is an address outside.
    pub receiver: Option<Arc<Session>>,
}

impl ChangedFlow {
    /// A flow of a test that turned at this moment, if its ends can be asked. Of an address outside
    /// there is no probe, and a silence is no evidence.
    pub fn of(
        (cell, change): (&Cell, ExpectationChange),
        at: Instant,
        (scenario, stand_ins): (&Scenario, &[StandIn]),
        session: impl Fn(&Actor) -> Option<Arc<Session>>,
    ) -> Option<Self> {
        let flow = asked(cell, scenario, stand_ins).ok()?;
        let sender = session(&cell.from)?;
        let receiver = match flow.receiver {
            Receiver::Probe { .. } => Some(session(&cell.to)?),
            Receiver::External => None,
        };
        Some(Self { flow, change, at, sender, receiver })
    }
}

/// Attempts the flow until the network follows, and returns how long that took: from the change to
/// the start of the first of two attempts in a row that conform. None if it did not until `end`, or
/// if nothing shows that the receiver listened.
pub async fn time(changed: &ChangedFlow, timeout: Duration, end: Instant) -> Option<Duration> {
    let ChangedFlow { flow, sender, .. } = changed;
    let mut under_way = FuturesUnordered::new();
    let mut seen: BTreeMap<usize, (Instant, bool)> = BTreeMap::new();
    let (mut next, mut number) = (Instant::now(), 0);
    loop {
        let now = Instant::now();
        if now >= end || sender.over().is_some() {
            return None;
        }
        if now >= next && under_way.len() < IN_FLIGHT {
            let this = number;
            under_way.push(async move {
                let began = Instant::now();
                let Timed { outcome, took, .. } = timed(flow, sender, timeout.min(ATTEMPT)).await;
                // It began when it arrived, which is later than when it was asked for.
                (this, Instant::now() - took.unwrap_or_default().min(began.elapsed()), outcome)
            });
            number += 1;
            next = (next + EVERY).max(now);
        }
        let full = under_way.len() >= IN_FLIGHT;
        tokio::select! {
            Some((this, began, outcome)) = under_way.next(), if !under_way.is_empty() => {
                if let Some(conforms) = conforms(changed.change, &outcome) {
                    seen.insert(this, (began, conforms));
                }
                if let Some(began) = first(&seen) && changed.listens().await {
                    return Some(began.saturating_duration_since(changed.at));
                }
            }
            () = sleep_until(next.min(end)), if !full => {}
        }
    }
}

/// Whether an outcome is what a change led to; none if it says nothing.
fn conforms(change: ExpectationChange, outcome: &Outcome) -> Option<bool> {
    let connected = match outcome {
        Outcome::Connected => true,
        Outcome::Refused | Outcome::TimedOut | Outcome::Unreachable(_) => false,
        Outcome::Failed(_) => return None,
    };
    Some(match change {
        ExpectationChange::Tightening => !connected,
        ExpectationChange::Loosening => connected,
    })
}

/// When the first of enough attempts in a row that conform began, by the order of their starts.
/// Later ones come back first where they connect and earlier ones are silent: an answer that is
/// still to come does not hold up what is known.
fn first(seen: &BTreeMap<usize, (Instant, bool)>) -> Option<Instant> {
    let all: Vec<_> = seen.values().collect();
    let row = all.windows(AGREEING).find(|row| row.iter().all(|(_, conforms)| *conforms))?;
    row.first().map(|(began, _)| *began)
}

impl ChangedFlow {
    /// A silence is evidence only where somebody listens; who connected needs no more.
    async fn listens(&self) -> bool {
        match (self.change, &self.receiver, &self.flow.receiver) {
            (ExpectationChange::Loosening, _, _) => true,
            (ExpectationChange::Tightening, Some(session), Receiver::Probe { .. }) => {
                let port: Port = self.flow.cell.port;
                let listeners = session.listeners().await;
                silence(Some(&listeners.map_err(|error| error.to_string())), port).is_none()
            }
            (ExpectationChange::Tightening, _, _) => false,
        }
    }
}

#[cfg(test)]
#[path = "latency_tests.rs"]
mod tests;
