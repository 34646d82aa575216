//! Looks for a start-up leak: attempts a newcomer again and again from before its address answers,
//! and says for how long it accepted what the policies deny it.
//!
//! Assumption: the policies deny the senders the newcomer all the time, as each [`Sender`] says.
//!
//! Caveat: a clock is read where the attempts are asked for. What a stream adds to an attempt makes
//! the bounds of a window wider, never wrong.

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

/// Between two questions whether the newcomer's listeners answer.
const LOOK: Duration = Duration::from_millis(20);

/// How long a newcomer may take to say whether its listeners answer.
const LISTENER_CHECK: Duration = Duration::from_secs(2);

/// Attempts of one sender under way at a time, so that a slow stream is not flooded.
const IN_FLIGHT: usize = 16;

/// Once it accepted, a newcomer has to be quiet for so many times as long, and for twice as long as
/// it accepted: one that accepts by turns is not to be taken for one that was isolated late.
const AFTER_A_LEAK: u32 = 5;

/// Who attempts.
pub struct Sender {
    /// The flow: its target, and the newcomer's identity.
    pub flow: FlowAttempt,
    /// The sender's probe.
    pub session: Arc<Session>,
    /// Whether the policies deny the flow, as far as is known.
    pub denied: watch::Receiver<bool>,
}

/// How often and how long is attempted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// From the start of one attempt to the start of the next.
    pub every: Duration,
    /// One attempt.
    pub timeout: Duration,
    /// How many attempts in a row must not connect, once the newcomer's listener is proved.
    pub quiet: usize,
    /// Over what time at least.
    pub quiet_for: Duration,
    /// When the search ends whatever was seen.
    pub limit: Duration,
}

impl Pace {
    /// Attempts every 10 ms for as long as this.
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

/// Attempts the newcomer from all senders; what each found, in their order. The newcomer's own
/// conversation comes by `arrival` as soon as it speaks.
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
    // One after the other within a beat: the first attempt of each starts at once.
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

/// The newcomer's listener was found answering.
#[derive(Clone, Copy)]
struct ListenerOpening {
    /// Between which moments it was opened; none if the newcomer does not say.
    since: Option<(Instant, Instant)>,
    /// When that was known.
    proved: Instant,
}

/// Asks the newcomer until its listener answers.
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
                // Nobody will bring it any more.
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

/// One attempt that says something: it began between two moments.
#[derive(Clone, Copy, Debug)]
struct Sight {
    earliest: Instant,
    latest: Instant,
    connected: bool,
}

/// All that one sender saw, by the order in which it began to look.
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
            Outcome::Connected => true,
            Outcome::Refused | Outcome::TimedOut | Outcome::Unreachable(_) => false,
            // Another pod that had the address before, or the probe's own trouble: no evidence.
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

    /// Whether it was denied for some time between two attempts that connected.
    fn is_by_turns(&self, pace: Pace) -> bool {
        let connected = self.connected().zip(self.connected().skip(1));
        // An attempt or two that are lost are no turn.
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
            // Where the listener may be gone, silence does not end the window.
            let after = sights.get(last + 1).filter(|_| listening.is_ok());
            let from = match (first.checked_sub(1).map(|n| sights[n].earliest), opened) {
                // It can have accepted no sooner than it listened, nor before it did not.
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

    /// Whether the newcomer was attempted all the time from before it answered; returns the longest
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
        // From the last attempt before it listened.
        let before = sights.iter().rposition(|sight| sight.latest <= earliest).unwrap_or(0);
        let starts = sights[before..].iter().zip(&sights[before + 1..]);
        let gaps = starts.map(|(one, next)| next.latest.saturating_duration_since(one.earliest));
        Ok(gaps.max().unwrap_or_default())
    }
}

#[cfg(test)]
#[path = "start_up_tests.rs"]
mod tests;
