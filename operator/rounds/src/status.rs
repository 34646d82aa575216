//! Renders what is known of a test as its status. Pure, so that tests can build every situation.

use std::collections::BTreeMap;

use k8s_openapi::{
    apimachinery::pkg::apis::meta::v1::{Condition, Time},
    jiff::Timestamp,
};
use netproof_conformance::{
    coverage::Coverage,
    diagnosis::{Candidate, Diagnosis, RefusalManner},
    expected::Expected,
    matrix::Cell,
    plan::Intent,
    report::{Place, references},
    verdict::{Outcome, Steadiness, Verdict, VerdictKind},
};
use netproof_crds::{
    ConditionStatus, ConditionType, ConnectivityTestStatus, Expectation, Finding, FindingEnd,
    FindingVerdict, FlowOutcome, FlowSummary, LastRound, MAX_FINDINGS, MAX_GAPS, MAX_NODES,
    MAX_REASONS, ProbeCount, Reason, RuleCoverage, UncoveredNode,
};

use crate::{
    diagnosing::Diagnosed,
    report::{Detail, Report},
    scenario::{Problem, to_crd},
};

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

type ConditionText = (ConditionType, ConditionStatus, Reason, String);

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

    /// All conditions of the status; Complete only if the test ends with its first verdict.
    pub fn conditions(&self) -> Vec<ConditionText> {
        let mut conditions = vec![
            self.accepted(),
            self.probes_ready(),
            self.fresh(),
            self.conformant(),
            self.intended(),
        ];
        if self.once {
            let (_, status, ..) = &conditions[3];
            let decided = *status != ConditionStatus::Unknown;
            conditions.push(if decided {
                let message = "the verdict stands; the probes are removed";
                said(ConditionType::Complete, ConditionStatus::True, Reason::Finished, message)
            } else {
                let message = "the verdict is not there yet";
                said(ConditionType::Complete, ConditionStatus::False, Reason::Running, message)
            });
        }
        conditions
    }

    fn accepted(&self) -> ConditionText {
        match &self.phase {
            Phase::NotAccepted(problem) => {
                let status = match problem.reason {
                    Reason::ApiUnavailable
                    | Reason::SnapshotIncomplete
                    | Reason::OperatorRemoved => ConditionStatus::Unknown,
                    _ => ConditionStatus::False,
                };
                said(ConditionType::Accepted, status, problem.reason, &problem.message)
            }
            Phase::Suspended | Phase::Active => said(
                ConditionType::Accepted,
                ConditionStatus::True,
                Reason::Valid,
                "everything that the test names is there",
            ),
        }
    }

    /// The reason for which every condition but Accepted is Unknown; none while the test is active.
    fn obstacle(&self) -> Option<(Reason, String)> {
        match &self.phase {
            Phase::NotAccepted(problem) => {
                let reason = match problem.reason {
                    Reason::OperatorRemoved => Reason::OperatorRemoved,
                    _ => Reason::NotAccepted,
                };
                Some((reason, problem.message.clone()))
            }
            Phase::Suspended => Some((Reason::Suspended, "the test is suspended".into())),
            Phase::Active => None,
        }
    }

    fn probes_ready(&self) -> ConditionText {
        let type_ = ConditionType::ProbesReady;
        if let Some((reason, message)) = self.obstacle() {
            return said(type_, ConditionStatus::Unknown, reason, &message);
        }
        let count = format!("{} of {} attached", self.attached, self.wanted);
        if let Some(problem) = &self.missing {
            let message = format!("{count}; {}", problem.message);
            return said(type_, ConditionStatus::False, problem.reason, &message);
        }
        said(type_, ConditionStatus::True, Reason::AllAttached, &count)
    }

    fn fresh(&self) -> ConditionText {
        let type_ = ConditionType::Fresh;
        if let Some((reason, message)) = self.obstacle() {
            return said(type_, ConditionStatus::Unknown, reason, &message);
        }
        match &self.stale {
            None => said(
                type_,
                ConditionStatus::True,
                Reason::RecentRound,
                "a round with all probes ended recently",
            ),
            Some(problem) => {
                let status = match problem.reason {
                    Reason::Stale => ConditionStatus::False,
                    _ => ConditionStatus::Unknown,
                };
                said(type_, status, problem.reason, &problem.message)
            }
        }
    }

    fn conformant(&self) -> ConditionText {
        let type_ = ConditionType::Conformant;
        let unknown =
            |reason, message: &str| said(type_, ConditionStatus::Unknown, reason, message);
        if let Some((reason, message)) = self.obstacle() {
            return unknown(reason, &message);
        }
        let message = self.report.summary();
        if let Some((reason, message)) = self.report.violation() {
            return said(type_, ConditionStatus::False, reason, &message);
        }
        if let Some(gaps) = self.gaps()
            && self.has_picture()
        {
            return unknown(Reason::NodesNotCovered, &format!("{gaps}; {message}"));
        }
        if let Some(problem) = &self.stale {
            return unknown(problem.reason, &problem.message);
        }
        if self.missing.is_some() {
            return unknown(Reason::ProbesNotReady, &message);
        }
        match self.report.lacking() {
            Some((reason, message)) => unknown(reason, &message),
            None => said(type_, ConditionStatus::True, Reason::AllConform, &message),
        }
    }

    /// Whether there is a picture of the cluster to judge by.
    fn has_picture(&self) -> bool {
        self.stale.as_ref().is_none_or(|problem| problem.reason != Reason::SnapshotIncomplete)
    }

    /// The nodes that are not covered, for people; none if there are none.
    fn gaps(&self) -> Option<String> {
        let count = self.uncovered.len();
        let mut named: Vec<String> = self
            .uncovered
            .iter()
            .take(NAMED_NODES)
            .map(|(node, why)| format!("{node} ({why})"))
            .collect();
        if count > NAMED_NODES {
            named.push(format!("{} more", count - NAMED_NODES));
        }
        let nodes = if count == 1 { "1 node is" } else { &format!("{count} nodes are") };
        (count > 0).then(|| format!("{nodes} not covered: {}", named.join(", ")))
    }

    fn intended(&self) -> ConditionText {
        let type_ = ConditionType::Intended;
        if let Some((reason, message)) = self.obstacle() {
            return said(type_, ConditionStatus::Unknown, reason, &message);
        }
        let asked: Vec<_> =
            self.report.details.iter().filter(|(_, detail)| !detail.intents.is_empty()).collect();
        let contradicted = asked.iter().find(|(_, detail)| {
            detail.intents.iter().any(|intent| contradicts(*intent, &detail.line.expected))
        });
        let open = asked
            .iter()
            .find(|(_, detail)| matches!(detail.line.expected, Expected::Unspecified(_)));
        let (status, reason, message) = match (asked.len(), contradicted, open) {
            (0, _, _) => {
                let message = "no check says what it expects".to_owned();
                (ConditionStatus::Unknown, Reason::NoIntent, message)
            }
            (_, Some((cell, detail)), _) => {
                let message = format!("{cell}: {}", contradiction(&detail.line.expected));
                (ConditionStatus::False, Reason::ContradictsIntent, message)
            }
            (_, None, Some((cell, _))) => {
                let message = format!("{cell}: the API leaves open what the policies say");
                (ConditionStatus::Unknown, Reason::IntentUndecided, message)
            }
            (flows, None, None) => {
                let message = format!("the policies say what the checks expect of {flows} flows");
                (ConditionStatus::True, Reason::MatchesIntent, message)
            }
        };
        said(type_, status, reason, &message)
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

fn contradicts(intent: Intent, expected: &Expected) -> bool {
    match (intent, expected) {
        (Intent::Allow, Expected::Deny(_)) | (Intent::Deny, Expected::Allow(_)) => true,
        (Intent::Allow, Expected::Allow(_))
        | (Intent::Deny, Expected::Deny(_))
        | (_, Expected::Unspecified(_)) => false,
    }
}

fn contradiction(expected: &Expected) -> String {
    let by = references(expected).join(", ");
    let by = if by.is_empty() { "no policy isolates either end".to_owned() } else { by };
    match expected {
        Expected::Allow(_) => format!("a check expects Deny, the policies allow it ({by})"),
        Expected::Deny(_) => format!("a check expects Allow, the policies deny it ({by})"),
        Expected::Unspecified(why) => why.to_string(),
    }
}

fn finding(cell: &Cell, detail: &Detail) -> Option<Finding> {
    let (verdict, flapping) = match &detail.line.verdict {
        Verdict::Leak(steadiness) => (FindingVerdict::Leak, is_flapping(*steadiness)),
        Verdict::Blocked(steadiness) => (FindingVerdict::Blocked, is_flapping(*steadiness)),
        Verdict::Inconclusive(_) => (FindingVerdict::Inconclusive, false),
        Verdict::Conforms | Verdict::Settling | Verdict::Unspecified(_) => return None,
    };
    let expected = match detail.line.expected {
        Expected::Allow(_) => Expectation::Allow,
        Expected::Deny(_) => Expectation::Deny,
        // Nothing is expected of the flow, so that no outcome of it is a finding.
        Expected::Unspecified(_) => return None,
    };
    Some(Finding {
        verdict,
        from: end(&cell.from.endpoint, &detail.places[0]),
        to: end(&cell.to.endpoint, &detail.places[1]),
        port: cell.port.number,
        protocol: to_crd(cell.port.protocol),
        expected,
        by: references(&detail.line.expected),
        outcome: detail.line.outcome.as_ref().map(outcome),
        flapping,
        since: Some(Time(detail.since)),
        confirmations: u32::try_from(detail.agreeing).unwrap_or(u32::MAX),
        message: detail.sentence.clone(),
    })
}

fn is_flapping(steadiness: Steadiness) -> bool {
    match steadiness {
        Steadiness::Steady | Steadiness::Ceased { .. } => false,
        Steadiness::Flapping { .. } => true,
    }
}

/// The finding that a new stand-in accepted what the policies deny.
pub fn startup_finding(
    cell: &Cell,
    expected: &Expected,
    places: &[Place; 2],
    message: String,
    since: Timestamp,
) -> Finding {
    Finding {
        verdict: FindingVerdict::StartupLeak,
        from: end(&cell.from.endpoint, &places[0]),
        to: end(&cell.to.endpoint, &places[1]),
        port: cell.port.number,
        protocol: to_crd(cell.port.protocol),
        expected: Expectation::Deny,
        by: references(expected),
        outcome: Some(FlowOutcome::Connected),
        flapping: false,
        since: Some(Time(since)),
        confirmations: 1,
        message,
    }
}

fn end(endpoint: &str, place: &Place) -> FindingEnd {
    let mut end = FindingEnd { endpoint: endpoint.into(), ..FindingEnd::default() };
    match place.at.split_once('/') {
        Some((namespace, pod)) => {
            end.namespace = Some(namespace.into());
            end.pod = Some(pod.into());
        }
        None => end.address = Some(place.at.clone()),
    }
    end.node.clone_from(&place.node);
    end
}

fn outcome(outcome: &Outcome) -> FlowOutcome {
    match outcome {
        Outcome::Connected => FlowOutcome::Connected,
        Outcome::Arrived => FlowOutcome::Arrived,
        Outcome::Refused => FlowOutcome::Refused,
        Outcome::TimedOut => FlowOutcome::TimedOut,
        Outcome::Unreachable(_) => FlowOutcome::Unreachable,
        Outcome::Failed(_) => FlowOutcome::Failed,
    }
}

fn said(
    type_: ConditionType,
    status: ConditionStatus,
    reason: Reason,
    message: &str,
) -> ConditionText {
    (type_, status, reason, message.to_owned())
}

/// How many nodes a condition's message names.
const NAMED_NODES: usize = 3;

/// The longest message of a condition that is not cut, in bytes. The API's limit is 32768; people
/// read less.
const MESSAGE: usize = 1024;

fn condition(
    (type_, status, reason, mut message): ConditionText,
    generation: i64,
    before: &[Condition],
    now: Timestamp,
) -> Condition {
    if message.len() > MESSAGE {
        message = message.chars().take(MESSAGE / 4).collect::<String>() + " …";
    }
    let same = before
        .iter()
        .find(|old| old.type_ == type_.as_str() && old.status == status.as_str())
        .map(|old| old.last_transition_time.clone());
    Condition {
        type_: type_.as_str().into(),
        status: status.as_str().into(),
        reason: reason.as_str().into(),
        message,
        observed_generation: Some(generation),
        last_transition_time: same.unwrap_or(Time(now)),
    }
}

#[cfg(any(test, feature = "testing"))]
pub mod testing;

#[cfg(test)]
#[path = "status_tests.rs"]
mod tests;
