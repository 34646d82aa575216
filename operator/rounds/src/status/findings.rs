//! Says which flows and starts a status has to list, as findings.

use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};
use netproof_conformance::{
    expected::Expected,
    matrix::Cell,
    report::{Place, references},
    verdict::{Outcome, Steadiness, Verdict},
};
use netproof_crds::{Expectation, Finding, FindingEnd, FindingVerdict, FlowOutcome};

use crate::{report::Detail, scenario::to_crd};

/// The finding about a flow; none if it conforms, is settling, or is left open by the API.
pub(super) fn finding(cell: &Cell, detail: &Detail) -> Option<Finding> {
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
