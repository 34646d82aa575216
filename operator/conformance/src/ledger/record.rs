//! The record of one flow: how attempts, changes and time turn into its verdict.

use std::{collections::VecDeque, time::Duration};

use super::{ExpectationChange, Followed, Interval, Patience};
use crate::{
    expected::Expected,
    verdict::{Outcome, Sighting, Steadiness, Verdict, Why},
};

/// Why a flow is not judged yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PendingCause {
    /// A stand-in at one of its ends is new: a network may deny it everything at first, so that
    /// even a denial proves nothing yet.
    NewStandIn,
    /// The expectation changed; `followed` says whether the network was seen to follow.
    Changed { change: ExpectationChange, followed: bool },
}

/// The proof that a denied flow connected, with nonce and UID: no silence before or after takes
/// that back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ConnectionProof {
    /// When the flow last connected.
    last: Duration,
    /// How many attempts connected since the first proof that still counts.
    connected: usize,
    /// How many attempts were made since that first proof.
    attempts: usize,
    /// How many attempts in a row connected up to the last proof.
    run: usize,
    /// How many attempts have not connected since the last proof.
    quiet: usize,
}

/// How many attempts in a row have to have connected before silences look like a network that was
/// mended, rather than one that leaks by turns.
const RUN: usize = 3;

impl ConnectionProof {
    fn first(now: Duration) -> Self {
        Self { last: now, connected: 1, attempts: 1, run: 1, quiet: 0 }
    }

    fn again(self, now: Duration) -> Self {
        let run = if self.quiet > 0 { 1 } else { self.run + 1 };
        let (connected, attempts) = (self.connected + 1, self.attempts + 1);
        Self { last: now, connected, attempts, run, quiet: 0 }
    }

    fn followed_by_silence(self) -> Self {
        Self { attempts: self.attempts + 1, quiet: self.quiet + 1, ..self }
    }

    fn stands(&self, patience: &Patience, now: Duration) -> bool {
        now.saturating_sub(self.last) <= patience.leak_retention
    }

    /// What the attempts since the first proof say, once there are enough of them.
    fn verdict(&self, patience: &Patience) -> Verdict {
        let Self { connected: bad, attempts: of, run, quiet, .. } = *self;
        if of < patience.confirm {
            return Verdict::Inconclusive(Why::Unconfirmed);
        }
        let unbroken = run == bad && bad + quiet == of || run >= patience.memory();
        Verdict::Leak(if unbroken && quiet == 0 {
            Steadiness::Steady
        } else if unbroken && run >= RUN.max(patience.confirm) {
            Steadiness::Ceased { bad, of, quiet }
        } else {
            Steadiness::Flapping { bad, of }
        })
    }
}

/// All that a ledger knows of one flow.
#[derive(Clone, Debug)]
pub struct FlowRecord {
    /// What the policies say now.
    pub expected: Expected,
    /// What was seen last, and when.
    pub seen: Option<(Outcome, Duration)>,
    /// When the verdict last turned to its present kind.
    pub since: Duration,
    pub(super) verdict: Verdict,
    /// Since when the flow has to settle, and why.
    pub(super) unsettled: Option<(Duration, PendingCause)>,
    /// Whether each of the last judged attempts conformed, oldest first.
    pub(super) sights: VecDeque<bool>,
    /// The proof that the flow connected while it was denied, as long as that stands.
    pub(super) proof: Option<ConnectionProof>,
}

impl FlowRecord {
    /// How many of the last attempts agree with the very last one.
    pub fn agreeing(&self) -> usize {
        self.sights.iter().rev().take_while(|sight| Some(*sight) == self.sights.back()).count()
    }

    pub(super) fn new(expected: Expected, now: Duration, since: Duration) -> Self {
        Self {
            verdict: Verdict::Settling,
            expected,
            seen: None,
            since: now,
            unsettled: Some((since, PendingCause::NewStandIn)),
            sights: VecDeque::new(),
            proof: None,
        }
    }

    /// The record of this flow with another stand-in at one of its ends. It inherits nothing but a
    /// leak that stands.
    pub(super) fn reborn(&self, patience: &Patience, now: Duration, since: Duration) -> Self {
        let new = Self::new(self.expected.clone(), now, since);
        match self.proof.filter(|proof| proof.stands(patience, now)) {
            None => new,
            proof @ Some(_) => Self {
                proof,
                verdict: self.verdict.clone(),
                since: self.since,
                seen: self.seen.clone(),
                ..new
            },
        }
    }

    /// Takes over what the policies say now; returns whether the answer differs.
    pub(super) fn expect(&mut self, expected: &Expected, now: Duration) -> bool {
        let change = match (&self.expected, expected) {
            (Expected::Allow(_), Expected::Allow(_)) | (Expected::Deny(_), Expected::Deny(_)) => {
                None
            }
            (Expected::Unspecified(_) | Expected::Allow(_), Expected::Deny(_)) => {
                Some(ExpectationChange::Tightening)
            }
            (Expected::Unspecified(_) | Expected::Deny(_), Expected::Allow(_)) => {
                Some(ExpectationChange::Loosening)
            }
            (_, Expected::Unspecified(why)) => {
                let differs = self.expected != *expected;
                self.expected = expected.clone();
                // A verdict that nobody can attempt the flow stands until there is another one.
                if differs || self.verdict == Verdict::Settling {
                    self.turn(Verdict::Unspecified(*why), now);
                }
                self.sights.clear();
                self.proof = None;
                return differs;
            }
        };
        self.expected = expected.clone();
        let Some(change) = change else { return false };
        // A stand-in that was new and has not settled stays new: its age says less than nothing
        // about how fast the network follows changes.
        let cause = match self.unsettled {
            Some((_, PendingCause::NewStandIn)) if self.verdict == Verdict::Settling => {
                PendingCause::NewStandIn
            }
            _ => PendingCause::Changed { change, followed: false },
        };
        self.unsettled = Some((now, cause));
        self.sights.clear();
        self.proof = None;
        self.turn(Verdict::Settling, now);
        true
    }

    /// Has the flow settle from now on, as after a change that the network has followed.
    pub(super) fn settle_anew(&mut self, now: Duration) {
        let change = match self.expected {
            Expected::Allow(_) => ExpectationChange::Loosening,
            Expected::Deny(_) => ExpectationChange::Tightening,
            Expected::Unspecified(_) => return,
        };
        let cause = match self.unsettled {
            Some((_, cause)) if self.verdict == Verdict::Settling => cause,
            Some(_) | None => PendingCause::Changed { change, followed: true },
        };
        self.unsettled = Some((now, cause));
    }

    pub(super) fn observe(
        &mut self,
        sighting: Sighting,
        patience: &Patience,
        during: Interval,
    ) -> Option<Followed> {
        let Interval { began, ended: now } = during;
        let settling = self.settling(patience, began);
        // However long the attempt took: a proof that stood when it began is confirmed by it.
        self.proof = self.proof.filter(|proof| proof.stands(patience, began));
        match sighting {
            Sighting::Moved => None,
            Sighting::Unspecified(why) => {
                self.turn(Verdict::Unspecified(why), now);
                None
            }
            // An attempt that proves nothing does not take back a proof.
            Sighting::Inconclusive(_) if self.proof.is_some() => None,
            Sighting::Inconclusive(why @ Why::NoProbe(_)) => {
                self.turn(Verdict::Inconclusive(why), now);
                None
            }
            Sighting::Inconclusive(why) => {
                let verdict = if settling { Verdict::Settling } else { Verdict::Inconclusive(why) };
                self.turn(verdict, now);
                None
            }
            Sighting::Leak | Sighting::Blocked if settling => {
                self.turn(self.proven(patience).unwrap_or(Verdict::Settling), now);
                None
            }
            Sighting::Leak | Sighting::Blocked => {
                self.remember(false, patience, now);
                None
            }
            Sighting::Conforms => {
                let new = matches!(self.unsettled, Some((_, PendingCause::NewStandIn)));
                if settling && new && matches!(self.expected, Expected::Deny(_)) {
                    self.turn(self.proven(patience).unwrap_or(Verdict::Settling), now);
                    return None;
                }
                self.remember(true, patience, now);
                self.followed(now)
            }
        }
    }

    /// Marks the change as followed; returns it the first time.
    fn followed(&mut self, now: Duration) -> Option<Followed> {
        match &mut self.unsettled {
            Some((since, PendingCause::Changed { change, followed })) if !*followed => {
                *followed = true;
                Some(Followed { change: *change, latency: now.saturating_sub(*since) })
            }
            Some((_, PendingCause::Changed { .. } | PendingCause::NewStandIn)) | None => None,
        }
    }

    pub(super) fn settling(&self, patience: &Patience, now: Duration) -> bool {
        self.unsettled.is_some_and(|(since, _)| now < since + patience.settle)
    }

    fn remember(&mut self, conformed: bool, patience: &Patience, now: Duration) {
        self.sights.push_back(conformed);
        while self.sights.len() > patience.memory() {
            self.sights.pop_front();
        }
        if matches!(self.expected, Expected::Deny(_)) {
            self.prove(conformed, now);
        }
        let verdict = self.proven(patience).unwrap_or_else(|| self.weigh(patience));
        self.turn(verdict, now);
    }

    /// Counts an attempt of a denied flow, if it is a proof or comes after one.
    fn prove(&mut self, conformed: bool, now: Duration) {
        self.proof = match (self.proof, conformed) {
            (None, true) => None,
            (None, false) => Some(ConnectionProof::first(now)),
            (Some(proof), true) => Some(proof.followed_by_silence()),
            (Some(proof), false) => Some(proof.again(now)),
        };
    }

    /// What the proof of a leak says, if there is one that stands.
    fn proven(&self, patience: &Patience) -> Option<Verdict> {
        self.proof.map(|proof| proof.verdict(patience))
    }

    /// What the remembered attempts say together where no leak is proven. One switch from right to
    /// wrong, or back, is a network that broke or recovered; more are flapping.
    fn weigh(&self, patience: &Patience) -> Verdict {
        let of = self.sights.len();
        let bad = self.sights.iter().filter(|conformed| !**conformed).count();
        if bad == 0 {
            return Verdict::Conforms;
        }
        let pairs = self.sights.iter().zip(self.sights.iter().skip(1));
        let switches = pairs.filter(|(earlier, later)| earlier != later).count();
        let steady = self.agreeing() >= patience.confirm;
        match (switches, steady) {
            (0 | 1, true) if self.sights.back() == Some(&true) => Verdict::Conforms,
            (0 | 1, true) => self.accuse(Steadiness::Steady),
            (0 | 1, false) => Verdict::Inconclusive(Why::Unconfirmed),
            _ if bad >= patience.confirm => self.accuse(Steadiness::Flapping { bad, of }),
            _ => Verdict::Inconclusive(Why::Flapping { bad, of }),
        }
    }

    fn accuse(&self, steadiness: Steadiness) -> Verdict {
        match self.expected {
            Expected::Deny(_) => Verdict::Leak(steadiness),
            Expected::Allow(_) => Verdict::Blocked(steadiness),
            Expected::Unspecified(why) => Verdict::Unspecified(why),
        }
    }

    fn turn(&mut self, verdict: Verdict, now: Duration) {
        if verdict.kind() != self.verdict.kind() {
            self.since = now;
        }
        self.verdict = verdict;
    }

    /// The verdict, with old evidence counted as none.
    pub(super) fn verdict(&self, patience: &Patience, now: Duration) -> Verdict {
        let fresh = |at: Duration| now.saturating_sub(at) <= patience.stale_after;
        match &self.verdict {
            Verdict::Conforms | Verdict::Leak(_) | Verdict::Blocked(_)
                if !self.seen.as_ref().is_some_and(|(_, at)| fresh(*at)) =>
            {
                Verdict::Inconclusive(Why::Stale)
            }
            Verdict::Settling if !self.settling(patience, now) && !fresh(self.since) => {
                Verdict::Inconclusive(Why::Stale)
            }
            verdict => verdict.clone(),
        }
    }
}
