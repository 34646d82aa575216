//! Carries a test out over any pair of byte streams: predicts, attempts, judges, explains, and
//! reports.

pub mod clock;

pub mod change;
pub mod decode;
pub mod desired;
pub mod journal;
pub mod kind;
pub mod world;

pub mod nodes;
pub mod predict;
pub mod scenario;

pub mod engine;
pub mod pass;
pub mod paths;

pub mod book;

pub mod measurements;

pub mod diagnosing;
pub mod flow_budget;

pub mod report;
pub mod reports;
pub mod status;

#[cfg(any(test, feature = "testing"))]
pub mod fixtures;
