//! What may happen on a side of a flow, and the questions that this depends on.

use crate::expected::{Direction, Unspecified};

/// What may happen, given what the API leaves open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Outcomes {
    passes: bool,
    stops: bool,
}

impl Outcomes {
    pub(super) const NONE: Self = Self { passes: false, stops: false };
    pub(super) const PASSES: Self = Self { passes: true, stops: false };
    pub(super) const STOPS: Self = Self { passes: false, stops: true };

    pub(super) fn of(passes: bool) -> Self {
        if passes { Self::PASSES } else { Self::STOPS }
    }

    /// Either of both.
    pub(super) fn or(self, other: Self) -> Self {
        Self { passes: self.passes || other.passes, stops: self.stops || other.stops }
    }

    /// What both sides together come to: a flow passes if it passes both.
    pub(super) fn and(self, other: Self) -> Self {
        Self { passes: self.passes && other.passes, stops: self.stops || other.stops }
    }

    /// Whether there is no one answer.
    pub(super) fn differ(self) -> bool {
        self.passes && self.stops
    }
}

/// The answer that one question is to have, where it is to be seen what it turns.
#[derive(Clone, Copy)]
pub(super) struct Forced {
    pub(super) direction: Direction,
    /// The place among the questions of that direction.
    pub(super) number: usize,
    pub(super) answer: bool,
}

/// The open questions that come up on one side, in the order in which they do.
pub(super) struct Questions {
    pub(super) asked: Vec<Unspecified>,
    forced: Option<Forced>,
}

/// How a question may be answered.
pub(super) enum Answer {
    /// Only so.
    Only(bool),
    /// Either way.
    Open,
}

impl Questions {
    pub(super) fn new(forced: Option<Forced>) -> Self {
        Self { asked: Vec::new(), forced }
    }

    pub(super) fn ask(&mut self, why: Unspecified) -> Answer {
        let number = self.asked.len();
        self.asked.push(why);
        match self.forced {
            Some(forced) if forced.number == number => Answer::Only(forced.answer),
            Some(_) | None => Answer::Open,
        }
    }
}
