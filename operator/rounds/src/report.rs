//! What a test shows of the network: its flows with their verdicts, what was measured, and the
//! diagnosis. The operator's status, its reports and the lab are filled from it.

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

/// One flow with its verdict, and what only people need of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Detail {
    /// What is expected, what was seen, and the verdict.
    pub line: Line,
    /// The verdict as a sentence.
    pub sentence: String,
    /// The places of the sender and the receiver.
    pub places: [Place; 2],
    /// When the verdict turned to what it is.
    pub since: Timestamp,
    /// How many of the last attempts agree with the very last one.
    pub agreeing: usize,
    /// What the checks of the user want of it; empty if none does.
    pub intents: BTreeSet<Intent>,
}

/// What a test shows of the network.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// Every flow that the test attempts.
    pub details: Matrix<Detail>,
    /// What the flows with a verdict show of the policies; none while nothing is attempted.
    pub coverage: Option<Arc<Coverage>>,
    /// How many flows the test names beyond its budget, which are not attempted.
    pub left_out: usize,
    /// The start-up leaks that have not been refuted by a later start.
    pub start_ups: Vec<Finding>,
    /// Whether start-up leaks count against the network.
    pub strict: bool,
    /// How the stand-ins started to which the policies deny something; none if starts are not
    /// looked at.
    pub starts: Option<StartUpCounts>,
    /// What became of connections that existed when they were denied, once that was seen.
    pub existing: Option<ExistingConnections>,
    /// What the network does wrong, as far as that has been worked out.
    pub diagnosis: Option<Arc<Diagnosed>>,
    /// The manner in which the network denies; none if nothing was denied lately.
    pub manner: Option<RefusalManner>,
}

/// A reason for programs, and its message for people.
pub type StatedReason = (Reason, String);

impl Report {
    /// How many flows have each verdict, with every kind of verdict as a key.
    pub fn counts(&self) -> BTreeMap<VerdictKind, u32> {
        let mut counts: BTreeMap<VerdictKind, u32> =
            VerdictKind::ALL.into_iter().map(|kind| (kind, 0)).collect();
        for (_, detail) in self.details.iter() {
            *counts.entry(detail.line.verdict.kind()).or_default() += 1;
        }
        counts
    }

    /// The flows with a verdict of conforms, leak or blocked, which alone show something of the
    /// network.
    pub fn judged(&self) -> BTreeSet<&Cell> {
        let judged = self.details.iter().filter(|(_, detail)| match detail.line.verdict {
            Verdict::Conforms | Verdict::Leak(_) | Verdict::Blocked(_) => true,
            Verdict::Settling | Verdict::Unspecified(_) | Verdict::Inconclusive(_) => false,
        });
        judged.map(|(cell, _)| cell).collect()
    }

    /// A sentence that counts the flows by their verdicts.
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

    /// What the network certainly does against the policies, whatever else is unknown; none if
    /// nothing is seen.
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

    /// What is missing before it is proven that the network keeps the policies, where it is not
    /// seen to break them; none if nothing is.
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

    /// How many flows were seen to leak by turns, whether or not they do at this moment.
    fn by_turns(&self) -> usize {
        match self.diagnosis.as_ref().map(|diagnosed| &diagnosed.diagnosis) {
            Some(Diagnosis::OfTime(TimeFault::Flapping { flows })) => *flows,
            Some(_) | None => 0,
        }
    }

    /// The diagnosis, as far as it can be claimed. `is_whole` says whether the evidence is recent
    /// and complete: that nothing is wrong is claimed only then. A fault is claimed on incomplete
    /// evidence too, and its text says what it rests on.
    pub fn claimed(&self, is_whole: bool) -> Option<&Diagnosed> {
        let diagnosed = self.diagnosis.as_deref()?;
        let is_claimed = match diagnosed.diagnosis {
            Diagnosis::NoEvidence => false,
            // A leak that has ceased still counts for its retention time.
            Diagnosis::Conforms { .. } => {
                is_whole && diagnosed.basis.is_whole() && !self.has_ceased()
            }
            Diagnosis::Explained(_) | Diagnosis::OfTime(_) | Diagnosis::Unexplained(_) => true,
        };
        is_claimed.then_some(diagnosed)
    }

    /// The manner in which the network denies, if it is worth a remark.
    pub fn remark(&self) -> Option<RefusalManner> {
        self.manner.filter(|manner| manner.name().is_some())
    }

    /// The Conformant condition, where no probe is missing and nothing is too old.
    pub fn conformance(&self) -> (ConditionStatus, Reason, String) {
        match (self.violation(), self.lacking()) {
            (Some((reason, message)), _) => (ConditionStatus::False, reason, message),
            (None, Some((reason, message))) => (ConditionStatus::Unknown, reason, message),
            (None, None) => (ConditionStatus::True, Reason::AllConform, self.summary()),
        }
    }

    /// What there is to add before silences on denied flows say anything, since a network that
    /// carries nothing keeps every deny. None if the policies deny nothing, or if nothing is
    /// missing.
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

    /// Whether a flow is still reported as a leak although its last attempts did not connect.
    pub fn has_ceased(&self) -> bool {
        let is_so = |line: &Line| matches!(line.verdict, Verdict::Leak(Steadiness::Ceased { .. }));
        self.details.iter().any(|(_, detail)| is_so(&detail.line))
    }

    /// Words for how many flows are not attempted; empty if there are none.
    fn beyond(&self) -> String {
        match self.left_out {
            0 => String::new(),
            flows => format!("; {flows} more are not attempted, as maxFlows has it"),
        }
    }
}
