//! The outcomes that are possible on a side of a flow, and the questions that they depend on.

use crate::{expected::Unspecified, flow::Direction};

/// What may happen, given what the API leaves open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Outcomes {
    passes: bool,
    stops: bool,
}

impl Outcomes {
    pub(crate) const NONE: Self = Self { passes: false, stops: false };
    pub(crate) const PASSES: Self = Self { passes: true, stops: false };
    pub(crate) const STOPS: Self = Self { passes: false, stops: true };

    pub(crate) fn of(passes: bool) -> Self {
        if passes { Self::PASSES } else { Self::STOPS }
    }

    /// The outcomes where either of two readings may hold.
    pub(crate) fn or(self, other: Self) -> Self {
        Self { passes: self.passes || other.passes, stops: self.stops || other.stops }
    }

    /// The outcomes of both sides together: a flow passes if it passes both.
    pub(crate) fn and(self, other: Self) -> Self {
        Self { passes: self.passes && other.passes, stops: self.stops || other.stops }
    }

    /// Whether the flow may pass and may be stopped.
    pub(crate) fn differ(self) -> bool {
        self.passes && self.stops
    }
}

/// The answer that one question is to have, to see what it turns.
#[derive(Clone, Copy)]
pub(crate) struct Forced {
    pub(crate) direction: Direction,
    /// The place among the questions of that direction.
    pub(crate) number: usize,
    pub(crate) answer: bool,
}

/// The open questions that come up on one side, in the order in which they do.
pub(crate) struct Questions {
    pub(crate) asked: Vec<Unspecified>,
    forced: Option<Forced>,
}

/// How a question may be answered.
pub(crate) enum Certainty {
    /// With the one answer that is forced.
    Only(bool),
    /// With either answer: both are followed.
    Open,
}

impl Questions {
    pub(crate) fn new(forced: Option<Forced>) -> Self {
        Self { asked: Vec::new(), forced }
    }

    pub(crate) fn ask(&mut self, why: Unspecified) -> Certainty {
        let number = self.asked.len();
        self.asked.push(why);
        match self.forced {
            Some(forced) if forced.number == number => Certainty::Only(forced.answer),
            Some(_) | None => Certainty::Open,
        }
    }
}
