//! Renders what is known of a test as its status. Pure, so that tests can build every situation.

mod conditions;
pub mod findings;

use std::collections::BTreeMap;

use k8s_openapi::jiff::Timestamp;
use netproof_conformance::{
    coverage::Coverage,
    diagnosis::{Candidate, Diagnosis, RefusalManner},
    verdict::VerdictKind,
};
use netproof_crds::{
    ConnectivityTestStatus, Finding, FlowSummary, LastRound, MAX_FINDINGS, MAX_GAPS, MAX_NODES,
    MAX_REASONS, ProbeCount, Reason, RuleCoverage, UncoveredNode,
};

use crate::{diagnosing::Diagnosed, report::Report, scenario::Problem};
use conditions::condition;
use findings::finding;

/// Whether a test is carried out at the moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The test cannot be carried out, and why.
    NotAccepted(Problem),
    /// The test is suspended by `spec.suspend`.
    Suspended,
    /// The test is carried out.
    Active,
}

/// All that a status says.
#[derive(Clone, Debug, PartialEq)]
pub struct StatusView {
    /// The generation of the spec that it is about.
    pub generation: i64,
    /// Whether the test is carried out at the moment.
    pub phase: Phase,
    /// Whether the test ends with its first verdict (`spec.runPolicy` is Once).
    pub once: bool,
    /// How many probes it takes.
    pub wanted: usize,
    /// How many of the wanted probes speak.
    pub attached: usize,
    /// Why the first of the other probes does not speak.
    pub missing: Option<Problem>,
    /// The nodes that the test is meant for and does not cover, and why.
    pub uncovered: BTreeMap<String, String>,
    /// The last round over all flows in which every probe spoke.
    pub last_round: Option<LastRound>,
    /// Why there is no recent round; none if there is.
    pub stale: Option<Problem>,
    /// Whether attempts are due that may change the Conformant condition.
    pub undecided: bool,
    /// What the test shows of the network.
    pub report: Report,
}

impl StatusView {
    /// The diagnosis, as far as it can be claimed; none if the evidence is old, or without a
    /// picture of the policies.
    pub fn diagnosed(&self) -> Option<&Diagnosed> {
        let is_whole = self.stale.is_none() && self.missing.is_none();
        self.report.claimed(is_whole).filter(|_| self.is_sighted())
    }

    /// The manner in which the network denies, if it is worth a remark and the evidence is not old.
    pub fn remark(&self) -> Option<RefusalManner> {
        self.report.remark().filter(|_| self.is_sighted())
    }

    /// Whether the evidence is not old, and there is a picture of the policies to hold it against.
    fn is_sighted(&self) -> bool {
        let is_blind = |problem: &Problem| problem.reason != Reason::NoRoundYet;
        self.phase == Phase::Active && !self.stale.as_ref().is_some_and(is_blind)
    }

    /// The status. Transition times are kept from the status `before` where a condition's status is
    /// the same.
    pub fn status(
        &self,
        before: &ConnectivityTestStatus,
        now: Timestamp,
    ) -> ConnectivityTestStatus {
        let conditions = self
            .conditions()
            .into_iter()
            .map(|said| condition(said, self.generation, &before.conditions, now))
            .collect();
        let mut findings = self.findings();
        let truncated = findings.len().saturating_sub(MAX_FINDINGS);
        findings.truncate(MAX_FINDINGS);
        let active = self.phase == Phase::Active;
        ConnectivityTestStatus {
            observed_generation: Some(self.generation),
            conditions,
            summary: active.then(|| self.summary()),
            coverage: self
                .report
                .coverage
                .as_deref()
                .map(|coverage| covered(coverage, self.report.left_out)),
            findings,
            truncated: (truncated > 0).then_some(u32::try_from(truncated).unwrap_or(u32::MAX)),
            start_ups: self.report.starts.filter(|_| active),
            existing_connections: self.report.existing,
            diagnosis: self.diagnosed().and_then(told),
            remark: self.remark().and_then(RefusalManner::name).map(str::to_owned),
            uncovered_nodes: self
                .uncovered
                .iter()
                .take(MAX_NODES)
                .map(|(name, why)| UncoveredNode { name: name.clone(), message: why.clone() })
                .collect(),
            last_round: self.last_round.clone(),
            probes: Some(ProbeCount {
                wanted: u32::try_from(self.wanted).unwrap_or(u32::MAX),
                attached: u32::try_from(self.attached).unwrap_or(u32::MAX),
            }),
        }
    }

    fn summary(&self) -> FlowSummary {
        let counts = self.report.counts();
        let [conforms, leaks, blocked, settling, unspecified, inconclusive] =
            VerdictKind::ALL.map(|kind| counts[&kind]);
        let flows = u32::try_from(self.report.details.len()).unwrap_or(u32::MAX);
        FlowSummary { flows, conforms, leaks, blocked, settling, unspecified, inconclusive }
    }

    /// The findings: leaks first, then start-up leaks, then blocked flows, then what could not be
    /// judged.
    fn findings(&self) -> Vec<Finding> {
        let mut findings: Vec<Finding> =
            self.report.details.iter().filter_map(|(cell, detail)| finding(cell, detail)).collect();
        findings.extend(self.report.start_ups.iter().cloned());
        findings.sort_by_key(|finding| (finding.verdict, finding.flapping));
        findings
    }
}

/// A diagnosis as the status has it; none where nothing is wrong, which the conditions say already.
fn told(diagnosed: &Diagnosed) -> Option<netproof_crds::Diagnosis> {
    let count = |number: usize| Some(u32::try_from(number).unwrap_or(u32::MAX));
    let some = netproof_crds::Diagnosis {
        name: diagnosed.diagnosis.name().to_owned(),
        scope: diagnosed.diagnosis.place(),
        message: diagnosed.to_string(),
        ..netproof_crds::Diagnosis::default()
    };
    match &diagnosed.diagnosis {
        Diagnosis::NoEvidence | Diagnosis::Conforms { .. } => None,
        Diagnosis::OfTime(_) => Some(some),
        Diagnosis::Explained(explained) => Some(netproof_crds::Diagnosis {
            explains: count(explained.explains),
            findings: count(explained.findings),
            rivals: explained.rivals.iter().take(MAX_REASONS).map(Candidate::to_string).collect(),
            unprobed: count(explained.next_probes_count).filter(|flows| *flows > 0),
            ..some
        }),
        Diagnosis::Unexplained(unexplained) => Some(netproof_crds::Diagnosis {
            explains: count(unexplained.best.as_ref().map_or(0, |nearest| nearest.explains)),
            findings: count(unexplained.findings),
            ruled_out_by: diagnosed.ruled_out_by.iter().take(MAX_REASONS).cloned().collect(),
            ..some
        }),
    }
}

fn covered(coverage: &Coverage, left_out: usize) -> RuleCoverage {
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    let truncated = coverage.gaps.len().saturating_sub(MAX_GAPS);
    RuleCoverage {
        rules: count(coverage.rules),
        exercised: count(coverage.exercised),
        half_exercised: count(coverage.half_exercised),
        flows_left_out: (left_out > 0).then_some(count(left_out)),
        gaps: coverage.gaps.iter().take(MAX_GAPS).map(ToString::to_string).collect(),
        truncated: (truncated > 0).then_some(count(truncated)),
    }
}

#[cfg(any(test, feature = "testing"))]
pub mod testing;

#[cfg(test)]
#[path = "status_tests.rs"]
mod tests;
