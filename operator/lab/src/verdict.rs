//! The verdict of a lab, for people and for programs.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use k8s_openapi::jiff::Timestamp;
use netproof_conformance::{
    coverage::Coverage,
    diagnosis::{Candidate, Diagnosis, RefusalManner},
    expected::Expected,
    flow::Family,
    matrix::Matrix,
    report::{FlowReport, Line},
    verdict::{self, Steadiness, Verdict, VerdictKind},
};
use netproof_crds::{ConditionStatus, StartUp, StartUpCounts};
use serde_json::{Value, json};

use super::rounds::Rounds;
use netproof_rounds::{
    diagnosing::{Basis, Diagnosed},
    measurements::{
        existing::{Fate, Fates},
        start_up::{Found, ObservedStart, sign, tally},
    },
    report::{Detail, Report},
    reports::conclusive_text,
};

/// What a run of the lab says of the network, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conclusion {
    /// The network does what the policies say, and that is proven.
    Conforms,
    /// The network does something that the policies do not say.
    Violates,
    /// There is not enough evidence for either.
    CannotTell,
}

/// The verdict of a lab.
pub struct LabVerdict {
    /// The verdict in each family of addresses.
    pub families: Vec<OfFamily>,
    /// The ports that were not attempted, since no probe speaks their protocol.
    pub unspoken: BTreeSet<String>,
    /// What the network does wrong.
    pub diagnosis: Diagnosis,
    /// The manner in which the network denies, as a remark.
    pub manner: Option<RefusalManner>,
    /// How new pods started, as far as that was tried.
    pub start_ups: Vec<ObservedStart>,
    /// How long the verdict took, from the start of the lab.
    pub took: Duration,
}

/// The verdict in one family of addresses.
pub struct OfFamily {
    family: Option<Family>,
    report: Report,
    /// The extra flows, which were attempted to tell candidates of a diagnosis apart.
    extra: Matrix<Detail>,
}

impl OfFamily {
    /// The verdict of what these rounds know.
    pub fn of(rounds: &mut Rounds) -> Self {
        let [details, extra] = rounds.details();
        let coverage = Some(rounds.coverage());
        // Starts are counted only if the test asks that every start be established.
        let is_asked = rounds.whole().scenario.start_up == StartUp::Strict;
        let starts = is_asked.then(StartUpCounts::default);
        let report = Report { details, coverage, strict: true, starts, ..Report::default() };
        Self { family: rounds.family(), report, extra }
    }

    /// Puts the diagnosis, which is one for all families, into the report of this family.
    pub fn tell(
        &mut self,
        diagnosis: Diagnosis,
        ruled_out_by: Vec<String>,
        manner: Option<RefusalManner>,
    ) {
        let basis = Basis::default();
        self.report.diagnosis = Some(Arc::new(Diagnosed { diagnosis, basis, ruled_out_by }));
        self.report.manner = manner;
    }

    /// The conclusion that the Conformant condition would have.
    fn conclusion(&self) -> Conclusion {
        match self.report.conformance().0 {
            ConditionStatus::True => Conclusion::Conforms,
            ConditionStatus::False => Conclusion::Violates,
            ConditionStatus::Unknown => Conclusion::CannotTell,
        }
    }

    fn coverage(&self) -> Value {
        let family = self.family.map(Family::word);
        match self.report.coverage.as_deref() {
            None => Value::Null,
            Some(Coverage { rules, exercised, half_exercised, gaps }) => {
                let gaps: Vec<String> = gaps.iter().map(ToString::to_string).collect();
                json!({
                    "family": family, "rules": rules, "exercised": exercised,
                    "halfExercised": half_exercised, "gaps": gaps,
                })
            }
        }
    }

    /// Flows in the form of [`FlowReport`], with the kind of each verdict.
    fn flows<'a>(
        &'a self,
        of: &'a Matrix<Detail>,
    ) -> impl Iterator<Item = (FlowReport, VerdictKind)> + 'a {
        of.iter().map(|(cell, Detail { line, places, sentence, .. })| {
            (FlowReport::new(cell, line, places, self.family, sentence), line.verdict.kind())
        })
    }

    /// The sentences of extra flows that leak or are blocked.
    fn extra_findings(&self) -> impl Iterator<Item = &str> {
        let wrong = |detail: &&Detail| {
            matches!(detail.line.verdict.kind(), VerdictKind::Leak | VerdictKind::Blocked)
        };
        let details = self.extra.iter().map(|(_, detail)| detail);
        details.filter(wrong).map(|detail| detail.sentence.as_str())
    }
}

/// What is said where no flow can be attempted.
const NO_FLOW: &str = "Conformant=Unknown (NothingProved): no pod can reach another by an address \
                       of its family, so that nothing was attempted; add a pod, or a \
                       ConnectivityTest with an external endpoint\n";

impl LabVerdict {
    /// The conclusion over all families: a violation in one of them outweighs what cannot be told
    /// in another.
    pub fn conclusion(&self) -> Conclusion {
        let has = |one| self.families.iter().any(|family| family.conclusion() == one);
        if has(Conclusion::Violates) {
            Conclusion::Violates
        } else if has(Conclusion::CannotTell) || self.families.is_empty() {
            Conclusion::CannotTell
        } else {
            Conclusion::Conforms
        }
    }

    /// Takes over how new pods started. Where nothing else is wrong, a start-up leak becomes the
    /// diagnosis.
    pub fn start(&mut self, start_ups: Vec<ObservedStart>) {
        for OfFamily { family, report, .. } in &mut self.families {
            let of_family =
                start_ups.iter().filter(|one| family.is_none() || one.family == *family);
            let of_family: Vec<&ObservedStart> = of_family.collect();
            let now = Timestamp::now();
            report.start_ups = of_family.iter().filter_map(|one| one.finding(now)).collect();
            if let Some(counts) = &mut report.starts {
                *counts = tally(ObservedStart::by_stand_in(of_family).into_values().map(Some));
            }
        }
        if let Diagnosis::Conforms { .. } = self.diagnosis
            && let Some(fault) = sign(start_ups.iter().filter_map(ObservedStart::leak))
        {
            self.diagnosis = Diagnosis::OfTime(fault);
            if let Some(family) = self.families.last_mut() {
                family.tell(self.diagnosis.clone(), Vec::new(), self.manner);
            }
        }
        self.start_ups = start_ups;
    }

    /// Takes over what became of a connection that existed when it was denied.
    pub fn existing(&mut self, fate: &Fate) {
        let mut fates = Fates::default();
        fates.count(fate);
        // It is reported once, whatever the number of families.
        if let Some(family) = self.families.last_mut() {
            family.report.existing = fates.fact();
        }
    }

    /// Whether another verdict says the same, so that it need not be told again.
    pub fn says_the_same(&self, other: &Self) -> bool {
        let said = |verdict: &Self| {
            let views = verdict.families.iter();
            let said =
                views.map(|family| family.report.details.map(|_, detail| gist(&detail.line)));
            (said.collect::<Vec<_>>(), verdict.diagnosis.clone(), verdict.start_ups.clone())
        };
        said(self) == said(other)
    }

    /// The matrix, a sentence for each finding, and the diagnosis.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for OfFamily { family, report, .. } in &self.families {
            if self.families.len() > 1 {
                text.push_str(family.map_or("", Family::word));
                text.push('\n');
            }
            text.push_str(&conclusive_text(report));
        }
        if self.families.is_empty() {
            text.push_str(NO_FLOW);
        }
        let unspoken = self.unspoken.iter();
        text.extend(unspoken.map(|port| {
            format!(
                "Not attempted: {port}; this version of the probe does not speak its protocol.\n"
            )
        }));
        let beside = self.families.iter().flat_map(OfFamily::extra_findings);
        text.extend(beside.map(|sentence| format!("Beside the flows asked for: {sentence}\n")));
        // Starts that leaked are among the findings.
        let told = self.start_ups.iter().filter(|one| one.leak().is_none());
        text.extend(told.map(|one| format!("{}\n", one.sentence)));
        text + &format!("The verdict took {} ms.\n", self.took.as_millis())
    }

    /// The verdict as one JSON object. `network` says what enforced the policies.
    pub fn json(&self, network: &str) -> Value {
        let families = self.families.iter();
        let all = || families.clone().flat_map(|one| one.flows(&one.report.details));
        let flows: Vec<FlowReport> = all().map(|(flow, _)| flow).collect();
        let beside = families.clone().flat_map(|one| one.flows(&one.extra));
        let beside: Vec<FlowReport> = beside.map(|(flow, _)| flow).collect();
        let is_finding = |kind| match kind {
            VerdictKind::Leak | VerdictKind::Blocked | VerdictKind::Inconclusive => true,
            VerdictKind::Conforms | VerdictKind::Settling | VerdictKind::Unspecified => false,
        };
        let findings = all().filter(|(_, kind)| is_finding(*kind)).map(|(flow, _)| flow);
        let findings = findings.chain(self.start_ups.iter().filter_map(start_up_leak));
        let findings: Vec<FlowReport> = findings.collect();
        let verdict = match self.conclusion() {
            Conclusion::Conforms => "conforms",
            Conclusion::Violates => "violates",
            Conclusion::CannotTell => "cannotTell",
        };
        let coverage: Vec<Value> = self.families.iter().map(OfFamily::coverage).collect();
        json!({
            "network": network,
            "verdict": verdict,
            "findings": findings,
            "matrix": flows,
            "beside": beside,
            "coverage": coverage,
            "notAttempted": self.unspoken,
            "startUps": self.start_ups.iter().map(start_up).collect::<Vec<_>>(),
            "existingConnections": self.families.last().and_then(|family| family.report.existing),
            "diagnosis": diagnosis(&self.diagnosis),
            "remark": self.manner.and_then(RefusalManner::name),
            "tookMs": u64::try_from(self.took.as_millis()).unwrap_or(u64::MAX),
        })
    }
}

/// What a verdict says of a flow, without how often it went right and wrong, which changes with
/// each attempt.
fn gist(line: &Line) -> (Expected, Option<verdict::Outcome>, Verdict) {
    let (outcome, verdict) = (line.outcome.clone(), line.verdict.clone());
    let (outcome, verdict) = match verdict {
        Verdict::Leak(Steadiness::Flapping { .. }) => {
            (None, Verdict::Leak(Steadiness::Flapping { bad: 0, of: 0 }))
        }
        Verdict::Leak(Steadiness::Ceased { .. }) => {
            (None, Verdict::Leak(Steadiness::Ceased { bad: 0, of: 0, quiet: 0 }))
        }
        verdict => (outcome, verdict),
    };
    (line.expected.clone(), outcome, verdict)
}

/// A start-up leak as a finding; none if the start was no leak.
fn start_up_leak(start: &ObservedStart) -> Option<FlowReport> {
    start.leak()?;
    let line = Line {
        expected: start.expected.clone(),
        outcome: Some(verdict::Outcome::Connected),
        verdict: Verdict::Leak(Steadiness::Steady),
    };
    let report = FlowReport::new(&start.cell, &line, &start.places, start.family, &start.sentence);
    Some(report.called("startupLeak"))
}

fn start_up(start_up: &ObservedStart) -> Value {
    let ObservedStart { cell, family, found, sentence, .. } = start_up;
    let mut object = json!({
        "from": cell.from.to_string(),
        "to": cell.to.to_string(),
        "port": cell.port.number,
        "protocol": cell.port.protocol,
        "family": family.map(Family::word),
        "message": sentence,
    });
    let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    match found {
        Found::Isolated { attempts, resolution } => {
            object["result"] = json!("isolated");
            object["attempts"] = json!(attempts);
            object["resolutionMs"] = json!(millis(*resolution));
        }
        Found::Leaked(window) => {
            object["result"] = json!("leaked");
            object["attempts"] = json!(window.attempts);
            object["acceptedMs"] = json!(millis(window.accepted()));
            object["resolutionMs"] = json!(window.resolution().map(millis));
        }
        Found::Inconclusive(_) => object["result"] = json!("inconclusive"),
    }
    object
}

fn diagnosis(diagnosis: &Diagnosis) -> Value {
    let mut object = json!({"name": diagnosis.name(), "message": diagnosis.to_string()});
    if let Diagnosis::Explained(explained) = diagnosis {
        let words = |candidates: &[Candidate]| -> Vec<String> {
            candidates.iter().map(ToString::to_string).collect()
        };
        object["explains"] = json!(explained.explains);
        object["findings"] = json!(explained.findings);
        object["rivals"] = json!(words(&explained.rivals));
        object["equivalents"] = json!(words(&explained.equivalents));
        object["unprobedThatWouldTell"] = json!(explained.next_probes_count);
    }
    object
}
