//! Puts what is known of a test into its status: pure, so that every situation is a test.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use k8s_openapi::{
    apimachinery::pkg::apis::meta::v1::{Condition, Time},
    jiff::Timestamp,
};
use netproof_conformance::{
    coverage::Coverage,
    diagnosis::{Candidate, Diagnosis, Manner},
    expected::Expected,
    matrix::{Cell, Matrix},
    plan::Intent,
    report::{Line, Place, references},
    verdict::{Outcome, Steadiness, Verdict, VerdictKind},
};
use netproof_crds::{
    ConditionStatus, ConditionType, ConnectivityTestStatus, ExistingConnections, Expectation,
    Finding, FindingEnd, FindingVerdict, FlowOutcome, FlowSummary, LastRound, MAX_FINDINGS,
    MAX_GAPS, MAX_NODES, MAX_REASONS, ProbeCount, Reason, RuleCoverage, StartUpCounts,
    UncoveredNode,
};

use crate::{
    diagnosing::Diagnosed,
    scenario::{Problem, to_crd},
};

/// What a test does at the moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It cannot be carried out.
    NotAccepted(Problem),
    /// It is suspended.
    Suspended,
    /// It is carried out.
    Active,
}

/// One flow, with what only people need.
#[derive(Clone, Debug, PartialEq)]
pub struct Detail {
    /// What is expected, what was seen, and what that means.
    pub line: Line,
    /// The finding as a sentence.
    pub sentence: String,
    /// Where the two ends are.
    pub places: [Place; 2],
    /// When the verdict turned to what it is.
    pub since: Timestamp,
    /// How many of the last attempts agree with the very last one.
    pub agreeing: usize,
    /// What the user wants of it.
    pub intents: BTreeSet<Intent>,
}

/// All that a status says.
#[derive(Clone, Debug, PartialEq)]
pub struct View {
    /// The generation of the spec that it is about.
    pub generation: i64,
    /// What the test does at the moment.
    pub phase: Phase,
    /// Whether it ends with its first verdict.
    pub once: bool,
    /// Its flows.
    pub details: Matrix<Detail>,
    /// How many probes it takes.
    pub wanted: usize,
    /// How many of them speak.
    pub attached: usize,
    /// Why the first of the others does not.
    pub missing: Option<Problem>,
    /// The nodes that it is meant for and does not cover, and why.
    pub uncovered: BTreeMap<String, String>,
    /// The last round over all flows in which every probe spoke.
    pub last_round: Option<LastRound>,
    /// Why there is no recent round; none if there is.
    pub stale: Option<Problem>,
    /// What the flows with a verdict show of the policies; none while nothing is attempted.
    pub coverage: Option<Arc<Coverage>>,
    /// How many flows the test names beyond its budget, which are not attempted.
    pub left_out: usize,
    /// The start-up leaks that stand.
    pub start_ups: Vec<Finding>,
    /// Whether they count against the network.
    pub strict: bool,
    /// How the stand-ins started to which the policies deny something, where that is looked at.
    pub starts: Option<StartUpCounts>,
    /// What became of connections that existed when they were denied, once that was seen.
    pub existing: Option<ExistingConnections>,
    /// What the network does wrong, as far as that has been worked out.
    pub diagnosis: Option<Arc<Diagnosed>>,
    /// Whether attempts are to be made that may change that.
    pub undecided: bool,
    /// How many flows were seen to leak by turns, whether they do at this moment or not.
    pub by_turns: usize,
    /// In which manner it denies.
    pub manner: Option<Manner>,
}

type Said = (ConditionType, ConditionStatus, Reason, String);

impl View {
    /// How many flows have each verdict.
    pub fn counts(&self) -> BTreeMap<VerdictKind, u32> {
        let mut counts: BTreeMap<VerdictKind, u32> =
            VerdictKind::ALL.into_iter().map(|kind| (kind, 0)).collect();
        for (_, detail) in self.details.iter() {
            *counts.entry(detail.line.verdict.kind()).or_default() += 1;
        }
        counts
    }

    /// The flows with a verdict, which are the ones that show something of the network.
    pub fn judged(&self) -> BTreeSet<&Cell> {
        let judged = self.details.iter().filter(|(_, detail)| match detail.line.verdict {
            Verdict::Conforms | Verdict::Leak(_) | Verdict::Blocked(_) => true,
            Verdict::Settling | Verdict::Unspecified(_) | Verdict::Inconclusive(_) => false,
        });
        judged.map(|(cell, _)| cell).collect()
    }

    /// What the network does wrong, as far as it can be claimed. On old evidence, or without a picture
    /// of the policies, nothing is; and that nothing is wrong only if nothing is missing. What is
    /// wrong is, on half of the evidence too, and then says what it rests on.
    pub fn diagnosed(&self) -> Option<&Diagnosed> {
        let diagnosed = self.diagnosis.as_deref().filter(|_| self.is_sighted())?;
        let is_whole = self.stale.is_none() && self.missing.is_none() && diagnosed.basis.is_whole();
        let is_claimed = match diagnosed.diagnosis {
            Diagnosis::NoEvidence => false,
            // A leak that has ceased stands for its time all the same.
            Diagnosis::Conforms { .. } => is_whole && !self.has_ceased(),
            Diagnosis::Explained(_) | Diagnosis::OfTime(_) | Diagnosis::Unexplained(_) => true,
        };
        is_claimed.then_some(diagnosed)
    }

    /// In which manner the network denies, if that is worth a remark.
    pub fn remark(&self) -> Option<Manner> {
        self.manner.filter(|manner| self.is_sighted() && manner.name().is_some())
    }

    /// Whether there is evidence that is not old, and a picture of the policies to hold it against.
    fn is_sighted(&self) -> bool {
        let is_blind = |problem: &Problem| problem.reason != Reason::NoRoundYet;
        self.phase == Phase::Active && !self.stale.as_ref().is_some_and(is_blind)
    }

    /// The conditions.
    pub fn conditions(&self) -> Vec<Said> {
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

    fn accepted(&self) -> Said {
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

    /// What keeps every other condition from being known.
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

    fn probes_ready(&self) -> Said {
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

    fn fresh(&self) -> Said {
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

    fn conformant(&self) -> Said {
        let type_ = ConditionType::Conformant;
        let unknown =
            |reason, message: &str| said(type_, ConditionStatus::Unknown, reason, message);
        if let Some((reason, message)) = self.obstacle() {
            return unknown(reason, &message);
        }
        let counts = self.counts();
        let [conforms, leaks, blocked, settling, unspecified, inconclusive] =
            VerdictKind::ALL.map(|kind| counts[&kind]);
        let total = self.details.len();
        let message = format!(
            "{conforms} of {total} flows conform, {leaks} leak, {blocked} are blocked, {settling} are settling, {inconclusive} are inconclusive, {unspecified} are left open by the API{}",
            self.beyond()
        );
        let bad = |reason| said(type_, ConditionStatus::False, reason, &message);
        match (leaks, blocked) {
            (1.., 1..) => return bad(Reason::LeaksAndBlocks),
            (1.., 0) => return bad(Reason::Leaks),
            (0, 1..) => return bad(Reason::Blocks),
            (0, 0) => {}
        }
        if self.strict && !self.start_ups.is_empty() {
            let message = format!("{message}; {} start-up leaks", self.start_ups.len());
            return said(type_, ConditionStatus::False, Reason::StartupLeak, &message);
        }
        if self.by_turns > 0 {
            let message = format!("{message}; {} leak by turns", self.by_turns);
            return said(type_, ConditionStatus::False, Reason::Leaks, &message);
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
        match (inconclusive, settling, conforms) {
            (1.., _, _) => return unknown(Reason::Inconclusive, &message),
            (0, 1.., _) => return unknown(Reason::Settling, &message),
            (0, 0, 0) => return unknown(Reason::NothingToJudge, &message),
            (0, 0, 1..) => {}
        }
        if let Some(lacking) = self.proof_lacking() {
            return unknown(Reason::NothingProved, &format!("{message}; {lacking}"));
        }
        match self.starts {
            Some(starts) if self.strict && starts.not_established > 0 => {
                let of = starts.isolated + starts.leaked + starts.not_established;
                let message = format!(
                    "{message}; of {of} stand-ins under a deny, {} have started in a way that was not established, and startUp is Strict; with spec.renew they are replaced and tried again",
                    starts.not_established
                );
                unknown(Reason::StartsNotEstablished, &message)
            }
            Some(_) | None => said(type_, ConditionStatus::True, Reason::AllConform, &message),
        }
    }

    /// What there is to add before silences on denied flows say anything: a network that carries
    /// nothing keeps every deny. None where the policies deny nothing, or that is there.
    fn proof_lacking(&self) -> Option<&'static str> {
        let lines = || self.details.iter().map(|(_, detail)| &detail.line);
        if !lines().any(|line| matches!(line.expected, Expected::Deny(_))) {
            return None;
        }
        let is_proven = |line: &Line| {
            matches!(line.expected, Expected::Allow(_))
                && line.verdict == Verdict::Conforms
                && line.outcome == Some(Outcome::Connected)
        };
        if !lines().any(is_proven) {
            return Some(
                "nothing that is allowed has connected, so that a network which carries nothing would look the same: add an endpoint that the policies let these reach, or be reached by, such as one in a namespace without policies",
            );
        }
        let shows_nothing = |coverage: &Coverage| {
            coverage.rules > 0 && coverage.exercised == 0 && coverage.half_exercised == 0
        };
        self.coverage.as_deref().is_some_and(shows_nothing).then_some(
            "no rule of any policy is exercised, from neither side: add endpoints or checks by which one policy alone decides, as the coverage lists",
        )
    }

    /// Whether a leak stands that was not seen in the last attempts.
    fn has_ceased(&self) -> bool {
        let is_so = |line: &Line| matches!(line.verdict, Verdict::Leak(Steadiness::Ceased { .. }));
        self.details.iter().any(|(_, detail)| is_so(&detail.line))
    }

    /// Whether there is a picture of the cluster to judge by.
    fn has_picture(&self) -> bool {
        self.stale.as_ref().is_none_or(|problem| problem.reason != Reason::SnapshotIncomplete)
    }

    /// The nodes that are not covered, if there are any.
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

    /// What is not attempted, if that is something.
    fn beyond(&self) -> String {
        match self.left_out {
            0 => String::new(),
            flows => format!("; {flows} more are not attempted, as maxFlows has it"),
        }
    }

    fn intended(&self) -> Said {
        let type_ = ConditionType::Intended;
        if let Some((reason, message)) = self.obstacle() {
            return said(type_, ConditionStatus::Unknown, reason, &message);
        }
        let asked: Vec<_> =
            self.details.iter().filter(|(_, detail)| !detail.intents.is_empty()).collect();
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

    /// The status, with transition times kept from the one before.
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
            coverage: self.coverage.as_deref().map(|coverage| covered(coverage, self.left_out)),
            findings,
            truncated: (truncated > 0).then_some(u32::try_from(truncated).unwrap_or(u32::MAX)),
            start_ups: self.starts.filter(|_| active),
            existing_connections: self.existing,
            diagnosis: self.diagnosed().and_then(told),
            remark: self.remark().and_then(Manner::name).map(str::to_owned),
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
        let counts = self.counts();
        let [conforms, leaks, blocked, settling, unspecified, inconclusive] =
            VerdictKind::ALL.map(|kind| counts[&kind]);
        let flows = u32::try_from(self.details.len()).unwrap_or(u32::MAX);
        FlowSummary { flows, conforms, leaks, blocked, settling, unspecified, inconclusive }
    }

    /// Leaks first, then those of new stand-ins, then blocked flows, then what could not be judged.
    fn findings(&self) -> Vec<Finding> {
        let mut findings: Vec<Finding> =
            self.details.iter().filter_map(|(cell, detail)| finding(cell, detail)).collect();
        findings.extend(self.start_ups.iter().cloned());
        findings.sort_by_key(|finding| (finding.verdict, finding.flapping));
        findings
    }
}

/// A diagnosis as it is told: that nothing is wrong is not, for the conditions say it.
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
        // Nothing is expected of it, so nothing about it is a finding.
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
        Outcome::Refused => FlowOutcome::Refused,
        Outcome::TimedOut => FlowOutcome::TimedOut,
        Outcome::Unreachable(_) => FlowOutcome::Unreachable,
        Outcome::Failed(_) => FlowOutcome::Failed,
    }
}

fn said(type_: ConditionType, status: ConditionStatus, reason: Reason, message: &str) -> Said {
    (type_, status, reason, message.to_owned())
}

/// How many nodes a condition's message names.
const NAMED_NODES: usize = 3;

/// The API's limit for a condition's message is 32768 bytes; people read less.
const MESSAGE: usize = 1024;

fn condition(
    (type_, status, reason, mut message): Said,
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
