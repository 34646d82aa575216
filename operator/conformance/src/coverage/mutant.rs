//! Describes a faulty network by what it does with flows.

use std::fmt;

use crate::{compiled::Answer, compiled::Compiled, flow::Flow, snapshot::Snapshot};

/// How a faulty network would treat flows: to be told from a sound one by at least one flow.
pub struct Mutant<'a> {
    name: String,
    answer: Box<dyn Fn(&Flow) -> Answer + Send + Sync + 'a>,
}

impl<'a> Mutant<'a> {
    /// A mutant with the answers of this function, which is given flows of the survey's snapshot.
    pub fn new(
        name: impl Into<String>,
        answer: impl Fn(&Flow) -> Answer + Send + Sync + 'a,
    ) -> Self {
        Self { name: name.into(), answer: Box::new(answer) }
    }

    /// A mutant with the answers of another snapshot, which has the same pods in the same places.
    pub fn of(name: impl Into<String>, snapshot: Snapshot) -> Self {
        let compiled = Compiled::new(snapshot);
        Self::new(name, move |flow| compiled.answer(flow))
    }

    /// The name by which gaps call the mutant.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether this flow tells the mutant from a network with this answer. An open answer of either
    /// tells nothing.
    pub(super) fn differs(&self, flow: &Flow, answer: Answer) -> bool {
        match (answer, (self.answer)(flow)) {
            (Answer::Allow, Answer::Deny) | (Answer::Deny, Answer::Allow) => true,
            (Answer::Allow | Answer::Deny | Answer::Unspecified(_), _) => false,
        }
    }
}

impl fmt::Debug for Mutant<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mutant").field("name", &self.name).finish_non_exhaustive()
    }
}
