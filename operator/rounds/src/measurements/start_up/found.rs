//! What a search for a start-up leak found.

use std::time::Duration;

/// What one sender found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// The newcomer's listener was there, and no attempt connected.
    Isolated {
        /// How many attempts did not connect.
        attempts: usize,
        /// The longest time between two of them: a shorter leak may have passed unseen.
        resolution: Duration,
    },
    /// The newcomer accepted what the policies deny.
    Leaked(Window),
    /// There is no evidence either way, and why.
    Inconclusive(StartUpDoubt),
}

/// The time in which a newcomer accepted what the policies deny it. Moments count from the start of
/// the search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// The start of the first attempt that connected.
    pub first_accepted: Duration,
    /// The start of the last attempt that connected.
    pub last_accepted: Duration,
    /// The start of the first attempt after that one that did not connect, while the newcomer's
    /// listener was there; none if it accepted to the end of the search, or if the listener was not
    /// proved.
    pub closed: Option<Duration>,
    /// Whether it denied for a while in between, which is not how late isolation looks.
    pub by_turns: bool,
    /// How many attempts were made.
    pub attempts: usize,
    /// The lower bound of how long it accepted.
    pub at_least: Duration,
    /// The upper bound of how long it accepted; none if it is not known.
    pub at_most: Option<Duration>,
}

impl Window {
    /// How long it accepted: from the first attempt that connected to the first that did not any
    /// more, or else to the last that did.
    pub fn accepted(&self) -> Duration {
        self.closed.unwrap_or(self.last_accepted).saturating_sub(self.first_accepted)
    }

    /// How long it accepted, if it was isolated then and stayed so.
    pub fn isolated_after(&self) -> Option<Duration> {
        self.closed.filter(|_| !self.by_turns).map(|_| self.accepted())
    }

    /// The width of the bounds of [`accepted`](Self::accepted); none without an upper bound.
    pub fn resolution(&self) -> Option<Duration> {
        Some(self.at_most?.saturating_sub(self.at_least))
    }

    /// How long it accepted, in words that follow "accepted".
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
    /// The newcomer's probe does not say since when it listens.
    #[error("the newcomer does not say since when it listens")]
    UnknownAge,
    /// The session of the sender ended; why.
    #[error("the sender was lost: {0}")]
    SenderLost(String),
    /// No check found the newcomer's listener answering; why.
    #[error("the newcomer's listener was not proved: {0}")]
    NotListening(String),
    /// The policies ceased to deny the flow during the search.
    #[error("the policies ceased to deny the flow meanwhile")]
    Moved,
    /// Too few attempts connected or were denied; why the last of the others failed.
    #[error("too few attempts say anything: {0}")]
    TooFew(String),
}
