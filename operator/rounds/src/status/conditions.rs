//! Says what a test shows of the network as the conditions of its status.

use k8s_openapi::{
    apimachinery::pkg::apis::meta::v1::{Condition, Time},
    jiff::Timestamp,
};
use netproof_conformance::{expected::Expected, plan::Intent, report::references};
use netproof_crds::{ConditionStatus, ConditionType, Reason};

use super::{Phase, StatusView};

/// How many nodes a condition's message names.
const NAMED_NODES: usize = 3;

/// The longest message of a condition that is not cut, in bytes. The API's limit is 32768; people
/// read less.
const MESSAGE: usize = 1024;

/// A condition without its time and generation: type, status, reason and message.
type ConditionText = (ConditionType, ConditionStatus, Reason, String);

impl StatusView {
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

fn said(
    type_: ConditionType,
    status: ConditionStatus,
    reason: Reason,
    message: &str,
) -> ConditionText {
    (type_, status, reason, message.to_owned())
}

/// A condition of this generation. Its transition time is kept where its status is that `before`.
pub(super) fn condition(
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
