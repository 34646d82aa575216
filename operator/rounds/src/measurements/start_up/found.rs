//! What came of looking for a start-up leak.

use std::time::Duration;

/// What one sender found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// The newcomer never accepted, although its listener was there.
    Isolated {
        /// How many attempts did not connect.
        attempts: usize,
        /// The longest time between two of them: a shorter leak may have passed unseen.
        resolution: Duration,
    },
    /// It accepted what the policies deny.
    Leaked(Window),
    /// No evidence either way.
    Inconclusive(StartUpDoubt),
}

/// When a newcomer accepted what the policies deny it. Times count from the first attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// The start of the first attempt that connected.
    pub first_accepted: Duration,
    /// The start of the last one.
    pub last_accepted: Duration,
    /// The start of the first one after it that did not connect, while the newcomer's listener was
    /// there; none if it accepted to the end, or that was not proved.
    pub closed: Option<Duration>,
    /// Whether it denied for a while in between, which is not how late isolation looks.
    pub by_turns: bool,
    /// How many attempts were made.
    pub attempts: usize,
    /// It accepted at least so long.
    pub at_least: Duration,
    /// It accepted at most so long; none if there is no bound.
    pub at_most: Option<Duration>,
}

impl Window {
    /// How long it accepted: from the first attempt that connected to the first that did not any
    /// more, or to the last that did.
    pub fn accepted(&self) -> Duration {
        self.closed.unwrap_or(self.last_accepted).saturating_sub(self.first_accepted)
    }

    /// For how long it accepted, if it was isolated then and stayed so.
    pub fn isolated_after(&self) -> Option<Duration> {
        self.closed.filter(|_| !self.by_turns).map(|_| self.accepted())
    }

    /// How exactly that is known; none if there is no bound.
    pub fn resolution(&self) -> Option<Duration> {
        Some(self.at_most?.saturating_sub(self.at_least))
    }

    /// How long it accepted, for people.
    pub fn in_words(&self) -> String {
        let accepted = self.accepted().as_millis();
        if self.by_turns {
            let until = if self.closed.is_some() { "" } else { " and to the end of the search" };
            return format!("by turns, within {accepted} ms{until}");
        }
        match (self.closed, self.resolution()) {
            (Some(_), Some(resolution)) => format!(
                "for {accepted} ms (resolution {} ms) after it began to answer",
                resolution.as_millis().max(1)
            ),
            (Some(_), None) => {
                format!("for at least {} ms after it began to answer", self.at_least.as_millis())
            }
            (None, _) => format!("for {accepted} ms and to the end of the search"),
        }
    }
}

/// Why there is no evidence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StartUpDoubt {
    /// A leak may have been over before the first attempt.
    #[error("the newcomer could have answered {} ms before the first attempt", .0.as_millis())]
    BeganLate(Duration),
    /// Nothing tells when the newcomer began to answer.
    #[error("the newcomer does not say since when it listens")]
    UnknownAge,
    /// The sender's stream.
    #[error("the sender was lost: {0}")]
    SenderLost(String),
    /// The newcomer's word.
    #[error("the newcomer's listener was not proved: {0}")]
    NotListening(String),
    /// The policies.
    #[error("the policies ceased to deny the flow meanwhile")]
    Moved,
    /// The attempts.
    #[error("too few attempts say anything: {0}")]
    TooFew(String),
}
