//! Predicts what a network with some faults does with a flow, and on both of its sides.

use super::scope::Path;
use crate::{
    compiled::{Answer, Compiled},
    expected::Expected,
    flow::Flow,
    snapshot::Snapshot,
};

/// What a network with some faults makes of a snapshot.
pub(super) struct Mutated {
    pub(super) snapshot: Snapshot,
    /// The path on which the rewriting holds; none if it holds everywhere.
    pub(super) path: Option<Path>,
}

impl Mutated {
    /// Prepares the network for many questions.
    pub(super) fn predict(self) -> FaultyNetwork {
        FaultyNetwork { mutated: Compiled::new(self.snapshot), path: self.path }
    }
}

/// What a network with some faults does.
pub(super) struct FaultyNetwork {
    mutated: Compiled,
    path: Option<Path>,
}

impl FaultyNetwork {
    /// What the network does with a flow; `truth` is what it should do.
    pub(super) fn answer(&self, flow: &Flow, truth: Answer) -> Answer {
        let is_faulty =
            self.path.as_ref().is_none_or(|path| path.has(flow, self.mutated.snapshot()));
        if is_faulty { self.mutated.answer(flow) } else { truth }
    }

    /// What the network makes of both sides of a flow, on whichever path.
    pub(super) fn sides(&self, flow: &Flow) -> Sides {
        Sides::of(&self.mutated.expect(flow))
    }
}

/// Whether a flow passes each of its sides; both, where that is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sides {
    pub(super) egress: bool,
    pub(super) ingress: bool,
}

impl Sides {
    pub(super) fn of(expected: &Expected) -> Self {
        match expected {
            Expected::Allow(because) | Expected::Deny(because) => {
                Self { egress: because.egress.allows(), ingress: because.ingress.allows() }
            }
            Expected::Unspecified(_) => Self { egress: true, ingress: true },
        }
    }
}
