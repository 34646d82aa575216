//! Decides which of a cluster's operators acts, by one Lease: a state machine without a clock, a
//! socket or a client of its own. `lease/keep.rs` does what it decides.
//!
//! Guarantees, as long as clocks run equally fast: who acts has stopped before another one begins.
//! An operator acts until [`DEADLINE`] after it last *asked* for a renewal that was granted;
//! another one takes over [`DURATION`] after it has *seen* the last renewal. Each measures on its
//! own monotonic clock: the times in a Lease are for people and are never read. Each write names
//! the version of the Lease that it was decided on, so that of two that take it one is refused.

pub mod keep;

use std::time::{Duration, Instant};

/// A holder that has renewed nothing for this long may be succeeded.
pub const DURATION: Duration = Duration::from_secs(15);

/// Who acts renews this often: one more request, six times a minute.
pub const PERIOD: Duration = Duration::from_secs(10);

/// Who was not granted a renewal for this long acts no more: less than [`DURATION`] by what a
/// request that is under way may still take.
pub const DEADLINE: Duration = Duration::from_secs(13);

/// An answer about the Lease that takes longer is none.
pub const CALL: Duration = Duration::from_secs(2);

/// Between two looks at a Lease that another one holds, and after anything that went wrong.
pub const POLL: Duration = Duration::from_secs(1);

/// Who holds a Lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// One operator's process, by its pod.
    pub identity: String,
    /// What it is part of; unknown of a Lease that something else has written.
    pub installation: Option<String>,
}

/// A Lease as the API server has it, without its times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseRecord {
    /// Its `resourceVersion`.
    pub version: String,
    /// Who holds it; none if it was given back.
    pub holder: Option<Holder>,
    /// For how long after a renewal it is to be left to its holder.
    pub duration: Duration,
}

/// What has happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Nothing yet, or a rest is over.
    Rested,
    /// The API server has this Lease, or none.
    Found(Option<LeaseRecord>),
    /// It has taken the claim, which made this version.
    Granted(String),
    /// It has refused the claim: the Lease is not any more what the claim was decided on.
    Refused,
    /// It has said nothing, or that it cannot; a claim may have been granted all the same.
    Silent(String),
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Ask for the Lease.
    Look,
    /// Write ourselves into it, if it still has this version; if there was none, make it.
    Claim(Option<String>),
    /// Nothing, for this long.
    Rest(Duration),
    /// Nothing ever again: another operator has taken over.
    End,
}

/// How an operator stands to the Lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nobody knows yet who acts, and why.
    Unknown(String),
    /// Another one acts.
    Waiting(Holder),
    /// This one acts, until then.
    Acting {
        /// When it has to stop unless it is renewed.
        until: Instant,
    },
    /// Another one has taken over.
    Succeeded(Holder),
}

impl Standing {
    /// Whether this operator may act now.
    pub fn acts(&self, now: Instant) -> bool {
        match self {
            Self::Acting { until } => now < *until,
            Self::Unknown(_) | Self::Waiting(_) | Self::Succeeded(_) => false,
        }
    }
}

/// One candidate.
#[derive(Clone, Debug)]
pub struct Election {
    me: String,
    standing: Standing,
    /// The version that the last grant made, as long as nothing else was heard.
    granted: Option<String>,
    /// When the claim under way was decided.
    asked: Option<Instant>,
    /// Which version another one has written last, for how long it counts, and when it was first
    /// seen here.
    seen: Option<(String, Duration, Instant)>,
}

impl Election {
    /// A candidate of this identity that knows nothing yet.
    pub fn new(me: impl Into<String>) -> Self {
        let standing = Standing::Unknown("the Lease was not read yet".into());
        Self { me: me.into(), standing, granted: None, asked: None, seen: None }
    }

    /// How it stands.
    pub fn standing(&self) -> &Standing {
        &self.standing
    }

    /// The version of the Lease that it holds, as far as it knows.
    pub fn held(&self) -> Option<&str> {
        self.granted.as_deref()
    }

    /// Takes an event over; returns what to do next.
    pub fn next(&mut self, event: Event, now: Instant) -> Step {
        match event {
            Event::Rested => match &self.granted {
                Some(version) => self.claim(Some(version.clone()), now),
                None => Step::Look,
            },
            Event::Found(found) => self.found(found, now),
            Event::Granted(version) => {
                let asked = self.asked.take().unwrap_or(now);
                self.granted = Some(version);
                self.seen = None;
                self.standing = Standing::Acting { until: asked + DEADLINE };
                Step::Rest((asked + PERIOD).saturating_duration_since(now))
            }
            Event::Refused => {
                self.granted = None;
                Step::Rest(POLL)
            }
            Event::Silent(why) => {
                // Whether it was written is not known: to be looked up.
                self.granted = None;
                if let Standing::Unknown(said) = &mut self.standing {
                    *said = why;
                }
                Step::Rest(POLL)
            }
        }
    }

    fn claim(&mut self, version: Option<String>, now: Instant) -> Step {
        self.asked = Some(now);
        Step::Claim(version)
    }

    fn found(&mut self, found: Option<LeaseRecord>, now: Instant) -> Step {
        let Some(record) = found else {
            // Who removed it has not ended who held it.
            return if self.is_respected(now) { Step::Rest(POLL) } else { self.claim(None, now) };
        };
        let holder = match record.holder {
            None => return self.claim(Some(record.version), now),
            Some(holder) if holder.identity == self.me => {
                return self.claim(Some(record.version), now);
            }
            Some(holder) => holder,
        };
        match &self.standing {
            Standing::Acting { .. } | Standing::Succeeded(_) => {
                self.standing = Standing::Succeeded(holder);
                return Step::End;
            }
            Standing::Unknown(_) | Standing::Waiting(_) => {
                self.standing = Standing::Waiting(holder);
            }
        }
        if self.seen.as_ref().is_none_or(|(version, ..)| *version != record.version) {
            let duration = record.duration.max(DURATION);
            self.seen = Some((record.version.clone(), duration, now));
        }
        if self.is_respected(now) {
            Step::Rest(POLL)
        } else {
            self.claim(Some(record.version), now)
        }
    }

    /// Whether another one may still act by what was seen of it.
    fn is_respected(&self, now: Instant) -> bool {
        let seen = self.seen.as_ref();
        seen.is_some_and(|(_, duration, since)| now.saturating_duration_since(*since) < *duration)
    }
}

#[cfg(test)]
#[path = "lease_tests.rs"]
mod tests;
