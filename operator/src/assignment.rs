//! An assignment: what the controller hands to a test's tester.

use netproof_rounds::{
    predict::StandIn,
    scenario::{Problem, Scenario},
};

/// What the controller has arranged for a test.
#[derive(Clone, Debug, PartialEq)]
pub struct Assignment {
    /// The generation of the test's spec that was read for this.
    pub generation: i64,
    /// Whether the test ends with its first verdict.
    pub once: bool,
    /// Whether the test is not to run for now.
    pub suspended: bool,
    /// What the test takes, or why it cannot be carried out.
    pub scenario: Result<Scenario, Problem>,
    /// The test's stand-ins, one for each that the scenario desires and in that order; none for a
    /// test that is suspended, finished or cannot be carried out.
    pub stand_ins: Vec<StandIn>,
}
