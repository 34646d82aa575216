//! Decides which of a cluster's operators acts, by one Lease: a state machine without a clock, a
//! socket or a client of its own. `lease/keep.rs` does what it decides.
//!
//! Guarantee, as long as clocks run equally fast: an operator that acts has stopped before another
//! begins. An operator acts until [`DEADLINE`] after it last *asked* for a renewal that was
//! granted; another takes over [`DURATION`] after it has *seen* the last renewal. Each measures on
//! its own monotonic clock: the times in a Lease are for people and are never read. Each write
//! names the version of the Lease that it was decided on, so that of two claims of one version one
//! is refused.

pub mod keep;

use std::time::{Duration, Instant};

/// How long after its last renewal was seen a holder may be succeeded.
pub const DURATION: Duration = Duration::from_secs(15);

/// How often the acting operator renews: six requests a minute.
pub const PERIOD: Duration = Duration::from_secs(10);

/// How long after it asked for its last granted renewal an operator acts: shorter than [`DURATION`]
/// by [`CALL`], the time that a request under way may still take.
pub const DEADLINE: Duration = Duration::from_secs(13);

/// How long an answer about the Lease may take; later ones are dropped.
pub const CALL: Duration = Duration::from_secs(2);

/// How long until the next look at a Lease that another operator holds, or after anything that went
/// wrong.
pub const POLL: Duration = Duration::from_secs(1);

/// The operator that holds a Lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The operator's pod, as `NAMESPACE/NAME`.
    pub identity: String,
    /// The installation that the operator is part of; none for a Lease without its label.
    pub installation: Option<String>,
}

/// A Lease as the API server has it, without its times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseRecord {
    /// The `resourceVersion` of the Lease.
    pub version: String,
    /// The operator that holds the Lease; none if it was given back.
    pub holder: Option<Holder>,
    /// How long after a renewal the Lease is to be left to its holder.
    pub duration: Duration,
}

/// What an election learns, one at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The election begins, or a rest is over.
    Rested,
    /// The API server has this Lease, or none.
    Found(Option<LeaseRecord>),
    /// The API server has granted the claim, which made this version.
    Granted(String),
    /// The API server has refused the claim: the Lease has another version than the claim names.
    Refused,
    /// The API server gave no answer, or an error. A claim may have been granted all the same.
    Silent(String),
}

/// What an operator is to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Get the Lease, and report [`Event::Found`] or [`Event::Silent`].
    Look,
    /// Write this operator into the Lease if that still has this version; none: create the Lease.
    Claim(Option<String>),
    /// Wait for this long, and report [`Event::Rested`].
    Rest(Duration),
    /// End for good: another operator has taken over.
    End,
}

/// How an operator stands to the Lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is not known which operator acts, and why not.
    Unknown(String),
    /// Another operator holds the Lease, and this one waits.
    Waiting(Holder),
    /// This operator acts.
    Acting {
        /// When the operator has to stop acting unless the Lease is renewed.
        until: Instant,
    },
    /// This operator acted, and another one has taken over.
    Succeeded(Holder),
}

impl Standing {
    /// Whether this operator may act at `now`.
    pub fn acts(&self, now: Instant) -> bool {
        match self {
            Self::Acting { until } => now < *until,
            Self::Unknown(_) | Self::Waiting(_) | Self::Succeeded(_) => false,
        }
    }
}

/// The state of one operator's candidacy.
#[derive(Clone, Debug)]
pub struct Election {
    me: String,
    standing: Standing,
    /// The version that the last granted claim made; none after a refusal or a silence.
    granted: Option<String>,
    /// When the claim that is under way was decided.
    asked: Option<Instant>,
    /// The last version that another operator has written, how long that is to be respected, and
    /// when it was first seen here.
    seen: Option<(String, Duration, Instant)>,
}

impl Election {
    /// A candidate of this identity, in [`Standing::Unknown`]. Its first event is
    /// [`Event::Rested`].
    pub fn new(me: impl Into<String>) -> Self {
        let standing = Standing::Unknown("the Lease was not read yet".into());
        Self { me: me.into(), standing, granted: None, asked: None, seen: None }
    }

    /// How this operator stands to the Lease after the last event.
    pub fn standing(&self) -> &Standing {
        &self.standing
    }

    /// The version of the Lease in which this operator is the holder, as far as is known.
    pub fn held(&self) -> Option<&str> {
        self.granted.as_deref()
    }

    /// Takes in an event that happened at `now`, and returns what to do next.
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
                // The claim may have been written: without `granted` the next step is a look.
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
            // Removing a Lease ends no holder: the one that was seen last may still act.
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

    /// Whether another operator may still act, by the last version that was seen of it.
    fn is_respected(&self, now: Instant) -> bool {
        let seen = self.seen.as_ref();
        seen.is_some_and(|(_, duration, since)| now.saturating_duration_since(*since) < *duration)
    }
}

#[cfg(test)]
#[path = "lease_tests.rs"]
mod tests;
