//! What a test shows of the network: the flows with their verdicts, what was measured, and what the
//! network does wrong. The operator's status, its reports and the lab are filled from it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use k8s_openapi::jiff::Timestamp;
use netproof_conformance::{
    coverage::Coverage,
    diagnosis::{Diagnosis, RefusalManner, TimeFault},
    expected::Expected,
    matrix::{Cell, Matrix},
    plan::Intent,
    report::{Line, Place},
    verdict::{Outcome, Steadiness, Verdict, VerdictKind},
};
use netproof_crds::{ConditionStatus, ExistingConnections, Finding, Reason, StartUpCounts};

use crate::diagnosing::Diagnosed;

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

/// What a test shows of the network.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// Its flows.
    pub details: Matrix<Detail>,
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
    /// In which manner it denies.
    pub manner: Option<RefusalManner>,
}

/// Why something is said, for programs and for people.
pub type StatedReason = (Reason, String);

impl Report {
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

    /// Counts the flows by their verdicts, in a sentence.
    pub fn summary(&self) -> String {
        let counts = self.counts();
        let [conforms, leaks, blocked, settling, unspecified, inconclusive] =
            VerdictKind::ALL.map(|kind| counts[&kind]);
        let total = self.details.len();
        format!(
            "{conforms} of {total} flows conform, {leaks} leak, {blocked} are blocked, {settling} are settling, {inconclusive} are inconclusive, {unspecified} are left open by the API{}",
            self.beyond()
        )
    }

    /// What the network does for certain that the policies do not say, whatever else is not known.
    pub fn violation(&self) -> Option<StatedReason> {
        let counts = self.counts();
        let reason = match (counts[&VerdictKind::Leak], counts[&VerdictKind::Blocked]) {
            (1.., 1..) => Reason::LeaksAndBlocks,
            (1.., 0) => Reason::Leaks,
            (0, 1..) => Reason::Blocks,
            (0, 0) if self.strict && !self.start_ups.is_empty() => {
                let leaks = self.start_ups.len();
                let message = format!("{}; {leaks} start-up leaks", self.summary());
                return Some((Reason::StartupLeak, message));
            }
            (0, 0) if self.by_turns() > 0 => {
                let flows = self.by_turns();
                let message = format!("{}; {flows} leak by turns", self.summary());
                return Some((Reason::Leaks, message));
            }
            (0, 0) => return None,
        };
        Some((reason, self.summary()))
    }

    /// What is lacking before it is proven that the network keeps the policies, where it is not
    /// seen to break them.
    pub fn lacking(&self) -> Option<StatedReason> {
        let counts = self.counts();
        let of = |kind| counts[&kind];
        let reason = match (
            of(VerdictKind::Inconclusive),
            of(VerdictKind::Settling),
            of(VerdictKind::Conforms),
        ) {
            (1.., _, _) => Some(Reason::Inconclusive),
            (0, 1.., _) => Some(Reason::Settling),
            (0, 0, 0) => Some(Reason::NothingToJudge),
            (0, 0, 1..) => None,
        };
        if let Some(reason) = reason {
            return Some((reason, self.summary()));
        }
        if let Some(lacking) = self.proof_lacking() {
            return Some((Reason::NothingProved, format!("{}; {lacking}", self.summary())));
        }
        let starts = self.starts.filter(|starts| self.strict && starts.not_established > 0)?;
        let of = starts.isolated + starts.leaked + starts.not_established;
        let message = format!(
            "{}; of {of} stand-ins under a deny, {} have started in a way that was not established, and startUp is Strict; with spec.renew they are replaced and tried again",
            self.summary(),
            starts.not_established
        );
        Some((Reason::StartsNotEstablished, message))
    }

    /// How many flows were seen to leak by turns, whether they do at this moment or not.
    fn by_turns(&self) -> usize {
        match self.diagnosis.as_ref().map(|diagnosed| &diagnosed.diagnosis) {
            Some(Diagnosis::OfTime(TimeFault::Flapping { flows })) => *flows,
            Some(_) | None => 0,
        }
    }

    /// What the network does wrong, as far as it can be claimed on evidence that is recent, and all
    /// there or not. That nothing is wrong is claimed only if nothing is missing; what is wrong is,
    /// on half of the evidence too, and then says what it rests on.
    pub fn claimed(&self, is_whole: bool) -> Option<&Diagnosed> {
        let diagnosed = self.diagnosis.as_deref()?;
        let is_claimed = match diagnosed.diagnosis {
            Diagnosis::NoEvidence => false,
            // A leak that has ceased stands for its time all the same.
            Diagnosis::Conforms { .. } => {
                is_whole && diagnosed.basis.is_whole() && !self.has_ceased()
            }
            Diagnosis::Explained(_) | Diagnosis::OfTime(_) | Diagnosis::Unexplained(_) => true,
        };
        is_claimed.then_some(diagnosed)
    }

    /// In which manner the network denies, if that is worth a remark.
    pub fn remark(&self) -> Option<RefusalManner> {
        self.manner.filter(|manner| manner.name().is_some())
    }

    /// Whether the network keeps the policies, where all evidence is in: with no probe missing, and
    /// nothing too old.
    pub fn conformance(&self) -> (ConditionStatus, Reason, String) {
        match (self.violation(), self.lacking()) {
            (Some((reason, message)), _) => (ConditionStatus::False, reason, message),
            (None, Some((reason, message))) => (ConditionStatus::Unknown, reason, message),
            (None, None) => (ConditionStatus::True, Reason::AllConform, self.summary()),
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
    pub fn has_ceased(&self) -> bool {
        let is_so = |line: &Line| matches!(line.verdict, Verdict::Leak(Steadiness::Ceased { .. }));
        self.details.iter().any(|(_, detail)| is_so(&detail.line))
    }

    /// What is not attempted, if that is something.
    fn beyond(&self) -> String {
        match self.left_out {
            0 => String::new(),
            flows => format!("; {flows} more are not attempted, as maxFlows has it"),
        }
    }
}
