//! Names what a network does wrong: the simplest rewriting of the snapshot under which all that was
//! seen is as the policies say.
//!
//! The evaluator has no branch for a faulty network; a fault is a mutation of its input. A
//! diagnosis is never surer than its evidence: what predicts the same on all that was seen is named
//! beside it, and which flows would tell them apart.

pub mod mutation;

pub mod scope;

mod prediction;

mod candidate;

mod trial;

mod tried;

mod fit;

mod search;

mod next_probes;

mod contradiction;

mod time;

pub mod history;

pub mod manner;

mod sentence;

use crate::{flow::Flow, snapshot::Snapshot, verdict::Outcome};
use candidate::COMBINATION;
use mutation::Past;
use trial::Trial;

pub use candidate::{Candidate, Fault};
pub use manner::RefusalManner;
pub use time::TimeFault;

/// All that is known when a network is to be judged.
#[derive(Clone, Debug)]
pub struct Evidence<'a> {
    /// What the policies say now.
    pub snapshot: &'a Snapshot,
    /// What was seen, confirmed and settled: one observation a flow.
    pub observations: Vec<Observation>,
    /// Flows that could be probed and were not.
    pub unprobed: Vec<Flow>,
    /// Earlier states of objects; faults of memory are tried with each.
    pub pasts: Vec<Past>,
    /// The fault of time that is known ([`History::time_fault`](history::History::time_fault)). It
    /// is the diagnosis only if nothing is wrong now.
    pub time: Option<TimeFault>,
}

/// What was seen of a flow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    /// The flow that was attempted, by the pods of the evidence's snapshot.
    pub flow: Flow,
    /// What came of it last. [`Outcome::Failed`] is never evidence, and left out.
    pub outcome: Outcome,
    /// Whether the flow goes wrong and right by turns, so that both answers were seen.
    pub flaps: bool,
}

impl Observation {
    /// Whether the last attempt connected; anything else is no connection.
    pub fn connected(&self) -> bool {
        self.outcome == Outcome::Connected
    }
}

/// What a network does wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Diagnosis {
    /// Nothing was seen of which the policies say anything.
    NoEvidence,
    /// All that was seen is as the policies say.
    Conforms {
        /// How many flows were seen.
        observations: usize,
    },
    /// A fault explains everything.
    Explained(Explained),
    /// All that was seen is as the policies say in the end, but not always, or not at once.
    OfTime(TimeFault),
    /// Nothing that is known explains everything.
    Unexplained(Unexplained),
}

/// A fault that explains everything that was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explained {
    /// The simplest candidate; among equals, the one that changes least.
    pub chosen: Candidate,
    /// How many findings the chosen candidate predicts. It leaves the others open, as the API does
    /// once the fault is taken into account, so that they speak neither for nor against it.
    pub explains: usize,
    /// How many findings there are.
    pub findings: usize,
    /// Other candidates that explain everything that was seen, and that flows which were not probed
    /// would tell from the chosen one; simplest first.
    pub rivals: Vec<Candidate>,
    /// Other candidates that differ from the chosen one in no flow that was probed or could be, so
    /// that here they are the same; simplest first.
    pub equivalents: Vec<Candidate>,
    /// Flows to probe next, which tell the chosen candidate from rivals: at most [`NEXT_PROBES`],
    /// those first that split the candidates most evenly.
    pub next_probes: Vec<Flow>,
    /// How many flows there are that tell the chosen candidate from rivals.
    pub next_probes_count: usize,
    /// Whether not all combinations of two were tried.
    pub capped: bool,
}

/// Nothing that is known explains everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unexplained {
    /// The candidate that comes nearest, if any explains any finding.
    pub best: Option<Nearest>,
    /// How many findings there are.
    pub findings: usize,
    /// A smallest set of observations that no single fault fits: without any one of them, one
    /// would.
    pub ruled_out_by: Vec<Flow>,
    /// Whether not all combinations of two were tried.
    pub capped: bool,
}

/// The candidate that comes nearest to an explanation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nearest {
    /// The fault that fewest observations contradict; among equals, the simplest.
    pub candidate: Candidate,
    /// How many findings the candidate predicts.
    pub explains: usize,
    /// The observations that contradict the candidate, findings first; any one of them rules it
    /// out.
    pub contradicted_by: Vec<Flow>,
}

/// The name of a diagnosis by which nothing is wrong.
const NONE: &str = "none";

/// The name of a diagnosis without an explanation.
const UNEXPLAINED: &str = "unexplained";

/// How many flows are named to be probed next.
pub const NEXT_PROBES: usize = 16;

impl Diagnosis {
    /// A stable word of a bounded set, for metrics and statuses.
    pub fn name(&self) -> &'static str {
        match self {
            Self::NoEvidence => "no-evidence",
            Self::Conforms { .. } => NONE,
            Self::Explained(explained) => explained.chosen.name(),
            Self::OfTime(fault) => fault.name(),
            Self::Unexplained(_) => UNEXPLAINED,
        }
    }

    /// Every name that [`name`](Self::name) can return for evidence: the faults of meaning and of
    /// memory, those of time, a combination, an unexplained one, and none.
    pub fn names() -> impl Iterator<Item = &'static str> {
        let faults = mutation::MUTATIONS.iter().map(|one| one.name).chain(TimeFault::NAMES);
        faults.chain([COMBINATION, UNEXPLAINED, NONE])
    }

    /// The place of the fault that explains everything; none if there is no such fault, or if it is
    /// everywhere.
    pub fn place(&self) -> Option<String> {
        match self {
            Self::Explained(explained) => explained.chosen.place(),
            Self::NoEvidence | Self::Conforms { .. } | Self::OfTime(_) | Self::Unexplained(_) => {
                None
            }
        }
    }

    /// The flows to probe next; none unless the diagnosis is [`Diagnosis::Explained`].
    pub fn next_probes(&self) -> &[Flow] {
        match self {
            Self::Explained(explained) => &explained.next_probes,
            Self::NoEvidence | Self::Conforms { .. } | Self::OfTime(_) | Self::Unexplained(_) => {
                &[]
            }
        }
    }
}

/// Names what the network does wrong.
///
/// # Panics
///
/// If a flow is of another snapshot.
///
/// # Example
///
/// ```
/// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/shop.rs")); }
/// # use example::*;
/// use netproof_conformance::{
///     diagnosis::{Diagnosis, Evidence, Observation, diagnose},
///     verdict::Outcome,
/// };
///
/// // `job` should not reach `db`, and does.
/// let shop = shop();
/// let connected = |from| {
///     Observation { flow: flow(from, "db"), outcome: Outcome::Connected, flaps: false }
/// };
/// let diagnosis = diagnose(&Evidence {
///     snapshot: &shop,
///     observations: vec![connected("web"), connected("job")],
///     unprobed: vec![],
///     pasts: vec![],
///     time: None,
/// });
/// let Diagnosis::Explained(explained) = &diagnosis else { panic!("{diagnosis}") };
/// assert_eq!((explained.explains, explained.findings), (1, 1));
/// assert!(Diagnosis::names().any(|name| name == diagnosis.name()));
/// println!("{diagnosis}");
/// ```
pub fn diagnose(evidence: &Evidence<'_>) -> Diagnosis {
    let trial = Trial::new(evidence);
    if trial.observed.is_empty() {
        return Diagnosis::NoEvidence;
    }
    if trial.findings().is_empty() {
        return match &evidence.time {
            Some(fault) => Diagnosis::OfTime(fault.clone()),
            None => Diagnosis::Conforms { observations: trial.observed.len() },
        };
    }
    if trial.only_flaps() {
        return Diagnosis::OfTime(TimeFault::Flapping { flows: trial.findings().len() });
    }
    search::search(&trial)
}

#[cfg(test)]
#[path = "diagnosis_tests.rs"]
mod tests;
