//! Looks for a start-up leak: attempts a newcomer again and again from before its address answers,
//! and says for how long it accepted what the policies deny it.
//!
//! Assumption: the policies deny the flows to the newcomer all the while, as each [`Sender`] says.
//!
//! Caveat: the clock is read where the attempts are asked for. The delay of a stream makes the
//! bounds of a window wider, never wrong.

mod found;
mod newcomer;
mod senders;
mod told;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures::{StreamExt, future::join_all, stream::FuturesUnordered};
use netproof_conformance::verdict::Outcome;
use netproof_probe::wire::{Op, Reply};
use tokio::{
    sync::watch,
    time::{Instant, sleep, sleep_until, timeout_at},
};

pub use found::{Found, StartUpDoubt, Window};
pub use newcomer::Newcomer;
pub use senders::choose;
pub use told::{ObservedStart, Started, sign, tally};

use crate::engine::{
    round::{FlowAttempt, Timed, silence, timed},
    session::{Session, unexpected},
};

/// The time between two checks whether the newcomer's listeners answer.
const LOOK: Duration = Duration::from_millis(20);

/// How long a newcomer may take to reply to such a check.
const LISTENER_CHECK: Duration = Duration::from_secs(2);

/// How many attempts of one sender are under way at a time, so that a slow stream is not flooded.
const IN_FLIGHT: usize = 16;

/// A newcomer that accepted has to be quiet for this many times [`Pace::quiet_for`], and for twice
/// as long as it accepted: one that accepts by turns is not to be taken for one that was isolated
/// late.
const AFTER_A_LEAK: u32 = 5;

/// A sender that attempts the newcomer.
pub struct Sender {
    /// The flow: its target, and the newcomer's identity.
    pub flow: FlowAttempt,
    /// The session of the sender's probe.
    pub session: Arc<Session>,
    /// Whether the policies deny the flow, as far as is known.
    pub denied: watch::Receiver<bool>,
}

/// How often and for how long the newcomer is attempted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// The time from the start of one attempt to the start of the next.
    pub every: Duration,
    /// The deadline of one attempt.
    pub timeout: Duration,
    /// How many attempts in a row must not connect, once the newcomer's listener is proved, before
    /// the search ends.
    pub quiet: usize,
    /// The shortest time over which these attempts must begin.
    pub quiet_for: Duration,
    /// When the search ends, whatever was seen.
    pub limit: Duration,
}

impl Pace {
    /// A pace of one attempt every 10 ms, for `limit` at most.
    pub fn within(limit: Duration) -> Self {
        Self {
            every: Duration::from_millis(10),
            timeout: Duration::from_millis(50),
            quiet: 50,
            quiet_for: Duration::from_secs(1),
            limit,
        }
    }
}

/// Attempts the newcomer from all senders, and returns what each found, in their order. `arrival`
/// brings the newcomer's session as soon as its probe speaks.
///
/// Begins no attempt after [`Pace::limit`]; attempts under way then, and a last check of the
/// newcomer's listener, end by deadlines of their own. Dropping the future ends the search;
/// attempts under way end in the probes.
pub async fn search(
    senders: Vec<Sender>,
    arrival: watch::Receiver<Option<Arc<Session>>>,
    pace: Pace,
) -> Vec<Found> {
    let Some(first) = senders.first() else { return vec![] };
    let port = first.flow.cell.port;
    let began = Instant::now();
    let end = began + pace.limit;
    let (tell, opened) = watch::channel(None);
    // Polled in turn within one task: the first attempt of each sender starts at once.
    let proving = prove(arrival, port, tell, end);
    let attempting =
        join_all(senders.into_iter().map(|sender| attempt_all(sender, opened.clone(), pace, end)));
    let (newcomer, seen) = tokio::join!(proving, attempting);
    let listening = match &newcomer {
        Ok((session, _)) => check(session, port).await.map(drop),
        Err(why) => Err(why.clone()),
    };
    let opened = newcomer.ok().and_then(|(_, opening)| opening.since);
    seen.into_iter().map(|seen| seen.weigh(began, opened, &listening, pace)).collect()
}

/// A check in which the newcomer's listener answered.
#[derive(Clone, Copy)]
struct ListenerOpening {
    /// The earliest and the latest moment at which the listener was opened; none if the newcomer
    /// does not say.
    since: Option<(Instant, Instant)>,
    /// When the check had ended.
    proved: Instant,
}

/// Checks the newcomer until its listener answers, until `end` at the latest; an error says why it
/// did not.
async fn prove(
    mut arrival: watch::Receiver<Option<Arc<Session>>>,
    port: netproof_conformance::flow::Port,
    tell: watch::Sender<Option<ListenerOpening>>,
    end: Instant,
) -> Result<(Arc<Session>, ListenerOpening), String> {
    let mut why = "its probe did not speak in time".to_owned();
    let proving = async {
        loop {
            let arrived = arrival.wait_for(Option::is_some).await.map(|session| session.clone());
            let Ok(Some(session)) = arrived else {
                // The channel is closed: no session will come any more.
                std::future::pending::<()>().await;
                continue;
            };
            match check(&session, port).await {
                Ok(opening) => {
                    tell.send_replace(Some(opening));
                    return (session, opening);
                }
                Err(silent) => why = silent,
            }
            sleep(LOOK).await;
        }
    };
    timeout_at(end, proving).await.map_err(|_| why)
}

async fn check(
    session: &Session,
    port: netproof_conformance::flow::Port,
) -> Result<ListenerOpening, String> {
    let asked = Instant::now();
    let reply = session.request(Op::CheckListeners, asked + LISTENER_CHECK).await;
    let proved = Instant::now();
    match reply.map_err(|error| error.to_string())? {
        Reply::Listeners { listeners, open_us, .. } => {
            silence(Some(&Ok(listeners)), port).map_or(Ok(()), Err)?;
            let since = open_us
                .map(Duration::from_micros)
                .and_then(|age| Some((asked.checked_sub(age)?, proved.checked_sub(age)?)));
            Ok(ListenerOpening { since, proved })
        }
        other => Err(unexpected(&other).to_string()),
    }
}

/// One attempt that is evidence. It began between `earliest` and `latest`.
#[derive(Clone, Copy, Debug)]
struct Sight {
    earliest: Instant,
    latest: Instant,
    connected: bool,
}

/// All that one sender saw; the sights are in the order in which the attempts were begun.
struct SenderSights {
    sights: BTreeMap<usize, Sight>,
    attempts: usize,
    failed: Option<String>,
    moved: bool,
    lost: Option<String>,
}

async fn attempt_all(
    sender: Sender,
    opened: watch::Receiver<Option<ListenerOpening>>,
    pace: Pace,
    end: Instant,
) -> SenderSights {
    let Sender { flow, session, denied } = sender;
    let mut seen = SenderSights {
        sights: BTreeMap::new(),
        attempts: 0,
        failed: None,
        moved: false,
        lost: None,
    };
    let mut under_way = FuturesUnordered::new();
    let mut next = Instant::now();
    loop {
        let now = Instant::now();
        seen.moved |= !*denied.borrow();
        seen.lost = session.over().map(|error| error.to_string());
        let done = seen.moved || seen.lost.is_some() || now >= end;
        if done || seen.is_quiet(*opened.borrow(), pace) {
            break;
        }
        if now >= next && under_way.len() < IN_FLIGHT {
            let (flow, session, number) = (&flow, &session, seen.attempts);
            under_way.push(async move {
                let began = Instant::now();
                let Timed { outcome, took, .. } = timed(flow, session, pace.timeout).await;
                let latest = Instant::now() - took.unwrap_or_default().min(began.elapsed());
                (number, began, latest, outcome)
            });
            seen.attempts += 1;
            next = (next + pace.every).max(now);
        }
        let full = under_way.len() >= IN_FLIGHT;
        tokio::select! {
            Some(attempt) = under_way.next(), if !under_way.is_empty() => {
                let (number, earliest, latest, outcome) = attempt;
                seen.note(number, earliest, latest, outcome);
            }
            () = sleep_until(next.min(end)), if !full => {}
        }
    }
    seen
}

impl SenderSights {
    fn note(&mut self, number: usize, earliest: Instant, latest: Instant, outcome: Outcome) {
        let connected = match outcome {
            Outcome::Connected | Outcome::Arrived => true,
            Outcome::Refused | Outcome::TimedOut | Outcome::Unreachable(_) => false,
            // No evidence: another pod had the address before, or the probe failed.
            Outcome::Failed(why) => {
                self.failed = Some(why);
                return;
            }
        };
        self.sights.insert(number, Sight { earliest, latest, connected });
    }

    /// Whether enough attempts in a row did not connect after the listener was proved.
    fn is_quiet(&self, opened: Option<ListenerOpening>, pace: Pace) -> bool {
        let Some(opening) = opened else { return false };
        let mut tail = self
            .sights
            .values()
            .rev()
            .take_while(|sight| !sight.connected && sight.earliest >= opening.proved);
        let Some(last) = tail.next() else { return false };
        let (count, first) = tail.fold((1, last), |(count, _), sight| (count + 1, sight));
        let ends = self.connected().next().zip(self.connected().next_back());
        let quiet_for = ends.map_or(pace.quiet_for, |(one, other)| {
            (AFTER_A_LEAK * pace.quiet_for).max(2 * (other.earliest - one.earliest))
        });
        count >= pace.quiet && last.earliest - first.earliest >= quiet_for
    }

    fn connected(&self) -> impl DoubleEndedIterator<Item = &Sight> {
        self.sights.values().filter(|sight| sight.connected)
    }

    /// Whether the newcomer denied for some time between two attempts that connected.
    fn is_by_turns(&self, pace: Pace) -> bool {
        let connected = self.connected().zip(self.connected().skip(1));
        // An attempt or two that are lost do not make a turn.
        connected.into_iter().any(|(one, next)| next.earliest - one.earliest >= pace.quiet_for / 2)
    }

    fn weigh(
        self,
        began: Instant,
        opened: Option<(Instant, Instant)>,
        listening: &Result<(), String>,
        pace: Pace,
    ) -> Found {
        let sights: Vec<Sight> = self.sights.values().copied().collect();
        let first = sights.iter().position(|sight| sight.connected);
        if let Some(first) = first {
            if self.moved {
                return Found::Inconclusive(StartUpDoubt::Moved);
            }
            let last = sights.iter().rposition(|sight| sight.connected).unwrap_or(first);
            // Where the listener may be gone, a silence does not end the window.
            let after = sights.get(last + 1).filter(|_| listening.is_ok());
            let from = match (first.checked_sub(1).map(|n| sights[n].earliest), opened) {
                // The newcomer accepted no sooner than it listened, and not before an attempt that
                // did not connect.
                (Some(denied), Some((earliest, _))) => Some(denied.max(earliest)),
                (Some(denied), None) => Some(denied),
                (None, Some((earliest, _))) => Some(earliest),
                (None, None) => None,
            };
            let window = Window {
                first_accepted: sights[first].earliest - began,
                last_accepted: sights[last].earliest - began,
                closed: after.map(|sight| sight.earliest - began),
                by_turns: self.is_by_turns(pace),
                attempts: self.attempts,
                at_least: sights[last].earliest.saturating_duration_since(sights[first].latest),
                at_most: after.zip(from).map(|(sight, from)| sight.latest.duration_since(from)),
            };
            return Found::Leaked(window);
        }
        let attempts = self.attempts;
        match self.isolated(&sights, opened, listening, pace) {
            Ok(resolution) => Found::Isolated { attempts, resolution },
            Err(why) => Found::Inconclusive(why),
        }
    }

    /// Whether the newcomer was attempted all the time from before it answered. Returns the longest
    /// time between two attempts.
    fn isolated(
        self,
        sights: &[Sight],
        opened: Option<(Instant, Instant)>,
        listening: &Result<(), String>,
        pace: Pace,
    ) -> Result<Duration, StartUpDoubt> {
        if self.moved {
            return Err(StartUpDoubt::Moved);
        }
        if let Some(why) = self.lost {
            return Err(StartUpDoubt::SenderLost(why));
        }
        listening.clone().map_err(StartUpDoubt::NotListening)?;
        let (earliest, latest) = opened.ok_or(StartUpDoubt::UnknownAge)?;
        let few =
            || StartUpDoubt::TooFew(self.failed.unwrap_or_else(|| "the time was over".into()));
        let Some(first) = sights.first() else { return Err(few()) };
        if first.latest > earliest {
            return Err(StartUpDoubt::BeganLate(first.latest - earliest));
        }
        if sights.iter().filter(|sight| sight.earliest >= latest).count() < pace.quiet {
            return Err(few());
        }
        // Gaps count from the last attempt before the newcomer listened.
        let before = sights.iter().rposition(|sight| sight.latest <= earliest).unwrap_or(0);
        let starts = sights[before..].iter().zip(&sights[before + 1..]);
        let gaps = starts.map(|(one, next)| next.latest.saturating_duration_since(one.earliest));
        Ok(gaps.max().unwrap_or_default())
    }
}

#[cfg(test)]
#[path = "start_up_tests.rs"]
mod tests;
