//! What the controller hands to a test's tester.

use netproof_rounds::{
    predict::StandIn,
    scenario::{Problem, Scenario},
};

/// What the controller has arranged for a test.
#[derive(Clone, Debug, PartialEq)]
pub struct Assignment {
    /// The generation of the spec that this is about.
    pub generation: i64,
    /// Whether the test ends with its first verdict.
    pub once: bool,
    /// Whether it is not to run for now.
    pub suspended: bool,
    /// What it takes; or why it cannot be carried out.
    pub scenario: Result<Scenario, Problem>,
    /// Its stand-ins, one for each that the scenario desires.
    pub stand_ins: Vec<StandIn>,
}
