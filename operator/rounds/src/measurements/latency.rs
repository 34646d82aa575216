//! Times how fast the network follows a change: attempts a flow every few milliseconds until two
//! attempts in a row go as the policies say now.

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

/// The time from the start of one attempt to the start of the next, which bounds the resolution of
/// the latency.
pub const EVERY: Duration = Duration::from_millis(25);

/// The longest attempt. An attempt that begins under a deny must have ended before its SYN is
/// repeated, after a second: that one may connect.
const ATTEMPT: Duration = Duration::from_millis(300);

/// How many attempts of one flow are under way at a time: as many as begin within [`ATTEMPT`]. A
/// few flows at once have to stay below
/// [`wire::MAX_IN_FLIGHT`](netproof_probe::wire::MAX_IN_FLIGHT).
const IN_FLIGHT: usize = 12;

/// How many attempts in a row have to go as the policies say: one silence may be a packet lost.
const AGREEING: usize = 2;

/// The flows of which the policies say the opposite of what they said before: allow for deny, or
/// deny for allow.
pub fn turned(
    before: &Matrix<Expected>,
    after: &Matrix<Expected>,
) -> Vec<(Cell, ExpectationChange)> {
    let turned = after.iter().filter_map(|(cell, after)| {
        Some((cell.clone(), ExpectationChange::between(before.get(cell)?, after)?))
    });
    turned.collect()
}

/// Picks at most `limit` items, evenly spread over all.
pub fn spread<T>(all: Vec<T>, limit: usize) -> Vec<T> {
    let step = all.len().div_ceil(limit.max(1)).max(1);
    all.into_iter().step_by(step).collect()
}

/// A flow of which the expectation changed.
pub struct ChangedFlow {
    /// The flow to attempt.
    pub flow: FlowAttempt,
    /// Whether the policies deny it now, or allow it.
    pub change: ExpectationChange,
    /// When the change was known.
    pub at: Instant,
    /// The session of the sender's probe.
    pub sender: Arc<Session>,
    /// The session of the receiver's probe; none for an external address.
    pub receiver: Option<Arc<Session>>,
}

impl ChangedFlow {
    /// A changed flow of a test, or none if a probe of its ends cannot be asked. An external
    /// address has no probe, so that only the sender's is needed.
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
/// the start of the first of two attempts in a row that conform. None if that has not happened at
/// `end`, if the sender's session is over, or if nothing shows that the receiver listens. Cancel
/// safe.
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
                // The probe's own time, since the attempt began when it arrived there, later than
                // it was asked for.
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

/// Whether an outcome is what the change led to; none for [`Outcome::Failed`], which is no
/// evidence.
fn conforms(change: ExpectationChange, outcome: &Outcome) -> Option<bool> {
    let connected = match outcome {
        Outcome::Connected | Outcome::Arrived => true,
        Outcome::Refused | Outcome::TimedOut | Outcome::Unreachable(_) => false,
        Outcome::Failed(_) => return None,
    };
    Some(match change {
        ExpectationChange::Tightening => !connected,
        ExpectationChange::Loosening => connected,
    })
}

/// When the first of [`AGREEING`] attempts in a row began that conform, in the order of their
/// starts. Attempts that connect end before earlier ones that time out: only those that have ended
/// count, so that no pending one holds the result up.
fn first(seen: &BTreeMap<usize, (Instant, bool)>) -> Option<Instant> {
    let all: Vec<_> = seen.values().collect();
    let row = all.windows(AGREEING).find(|row| row.iter().all(|(_, conforms)| *conforms))?;
    row.first().map(|(began, _)| *began)
}

impl ChangedFlow {
    /// Whether what was seen is evidence: a connection always is, a silence only where the
    /// receiver's listener answers.
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
