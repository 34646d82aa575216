//! The question that a diagnosis answers, and the answer with the evidence that it rests on.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
};

use netproof_conformance::{
    compiled::Answer as Said,
    diagnosis::{Diagnosis, Evidence, Observation, TimeFault, diagnose, mutation::Past},
    evaluate::expect,
    flow::Flow,
    matrix::Cell,
    snapshot::Snapshot,
};

use crate::flow_budget::is_same_picture;

/// All that a diagnosis is made from.
#[derive(Clone, Debug)]
pub struct Question {
    /// The snapshot by which the flows were judged.
    pub snapshot: Snapshot,
    /// What was seen of the test's flows.
    pub observed: BTreeMap<Cell, Observation>,
    /// What was seen of extra flows.
    pub beside: BTreeMap<Cell, Observation>,
    /// Flows that could be attempted and were not, as the snapshot names them and by cell.
    pub unprobed: BTreeMap<Flow, Cell>,
    /// Earlier states of the snapshot, for faults of memory.
    pub pasts: Vec<Past>,
    /// The fault of time that explains what went wrong lately, if one does.
    pub time: Option<TimeFault>,
    /// How many flows of the test the policies decide, with allow or deny.
    pub decided: usize,
    /// Whether flows of the test are reported as wrong, observed or not.
    pub is_wrong: bool,
    /// How many observations were left out for being older than the last change of the policies.
    pub outdated: usize,
}

/// The answer to a [`Question`].
#[derive(Clone, Debug)]
pub struct DiagnosisAnswer {
    /// What the network does wrong, with its evidence.
    pub diagnosed: Arc<Diagnosed>,
    /// Flows to attempt next, which would tell the remaining candidates apart.
    pub telling: BTreeSet<Cell>,
}

/// A diagnosis, with the evidence that it rests on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnosed {
    /// What the network does wrong.
    pub diagnosis: Diagnosis,
    /// How many flows the diagnosis rests on.
    pub basis: Basis,
    /// A smallest set of observations that no single fault fits, a sentence each. Empty unless the
    /// diagnosis is [`Diagnosis::Unexplained`].
    pub ruled_out_by: Vec<String>,
}

/// How many flows a diagnosis rests on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Basis {
    /// How many flows of the test were observed.
    pub judged: usize,
    /// How many flows of the test the policies decide.
    pub of: usize,
    /// How many extra flows were observed.
    pub beside: usize,
}

impl Basis {
    /// Whether every flow of the test that the policies decide was observed.
    pub fn is_whole(self) -> bool {
        self.judged == self.of
    }
}

impl fmt::Display for Basis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { judged, of, beside } = self;
        match (self.is_whole(), beside) {
            (true, 0) => Ok(()),
            (true, _) => write!(f, "; rests on {of} flows"),
            (false, _) => write!(f, "; rests on {judged} of {of} flows"),
        }?;
        match beside {
            0 => Ok(()),
            more => write!(f, " and on {more} more that were attempted to tell"),
        }
    }
}

/// The diagnosis as a sentence, with its basis where that is not exactly the test's flows.
impl fmt::Display for Diagnosed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.diagnosis, self.basis)
    }
}

impl Question {
    /// Whether the answers to both are certainly the same. The manner in which something did not
    /// connect is ignored, since it alternates.
    pub fn is_same(&self, other: &Self) -> bool {
        let seen = |(cell, one): (&Cell, &Observation), (other, two): (&Cell, &Observation)| {
            let does = |seen: &Observation| (seen.flow, seen.connected(), seen.flaps);
            cell == other && does(one) == does(two)
        };
        let are_seen = |all: &BTreeMap<Cell, Observation>, others: &BTreeMap<Cell, Observation>| {
            all.len() == others.len() && all.iter().zip(others).all(|(one, two)| seen(one, two))
        };
        self.is_wrong == other.is_wrong
            && self.outdated == other.outdated
            && self.decided == other.decided
            && self.time == other.time
            && are_seen(&self.observed, &other.observed)
            && are_seen(&self.beside, &other.beside)
            && self.unprobed == other.unprobed
            && self.pasts == other.pasts
            && is_same_picture(&self.snapshot, &other.snapshot)
    }

    /// Works the answer out, which takes from a millisecond to some seconds of one thread.
    pub fn answer(&self) -> DiagnosisAnswer {
        let observed = || self.observed.iter().chain(&self.beside);
        let diagnosis = diagnose(&Evidence {
            snapshot: &self.snapshot,
            observations: observed().map(|(_, one)| one.clone()).collect(),
            unprobed: self.unprobed.keys().copied().collect(),
            pasts: self.pasts.clone(),
            time: self.time.clone(),
        });
        let telling = diagnosis.next_probes().iter().filter_map(|flow| self.unprobed.get(flow));
        let telling = telling.cloned().collect();
        let ruled_out_by = match &diagnosis {
            Diagnosis::Unexplained(unexplained) => {
                let by = |flow: &Flow| observed().find(|(_, one)| one.flow == *flow);
                let by = unexplained.ruled_out_by.iter().filter_map(by);
                by.map(|(cell, one)| sentence(&self.snapshot, cell, one)).collect()
            }
            Diagnosis::NoEvidence
            | Diagnosis::Conforms { .. }
            | Diagnosis::Explained(_)
            | Diagnosis::OfTime(_) => Vec::new(),
        };
        let (judged, beside) = (self.observed.len(), self.beside.len());
        let basis = Basis { judged, of: self.decided, beside };
        DiagnosisAnswer {
            diagnosed: Arc::new(Diagnosed { diagnosis, basis, ruled_out_by }),
            telling,
        }
    }
}

/// A sentence: what the policies say of a flow, and what it does.
pub fn sentence(snapshot: &Snapshot, cell: &Cell, seen: &Observation) -> String {
    let says = match Said::from(&expect(snapshot, &seen.flow)) {
        Said::Allow => "is allowed",
        Said::Deny => "is denied",
        Said::Unspecified(_) => "is left open",
    };
    let does = match (seen.flaps, seen.connected()) {
        (true, _) => "connects by turns",
        (false, true) => "connects",
        (false, false) => "does not connect",
    };
    format!("{cell} {says} and {does}")
}

#[cfg(test)]
#[path = "question_tests.rs"]
mod tests;
