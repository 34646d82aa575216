//! What came of a lab, for people and for programs.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};
use netproof_conformance::{
    coverage::Coverage,
    diagnosis::{Candidate, Diagnosis, Manner, TimeFault},
    expected::Expected,
    flow::Family,
    matrix::{Actor, Cell, Matrix},
    report::{Line, Place, references},
    verdict::{self, Steadiness, Verdict, VerdictKind},
};
use netproof_crds::{ConditionStatus, ConditionType, LastRound, StartUp};
use serde_json::{Value, json};

use super::rounds::Rounds;
use netproof_rounds::{
    diagnosing::{Basis, Diagnosed},
    measurements::{
        existing::{Fate, Fates},
        start_up::{Found, ObservedStart, sign, tally},
    },
    reports::matrix_text,
    status::{Detail, Phase, View},
};

/// What a run of the lab says of the network, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conclusion {
    /// It does what the policies say, and that is proven.
    Conforms,
    /// It does something else.
    Violates,
    /// There is not enough evidence for either.
    CannotTell,
}

/// What came of it.
pub struct LabVerdict {
    /// For each family of addresses.
    pub families: Vec<OfFamily>,
    /// What the network does wrong.
    pub diagnosis: Diagnosis,
    /// In which manner it denies: a remark.
    pub manner: Option<Manner>,
    /// How new pods started, as far as that was tried.
    pub start_ups: Vec<ObservedStart>,
    /// How long it took, from the start of the lab.
    pub took: Duration,
}

/// What came of it in a family of addresses.
pub struct OfFamily {
    family: Option<Family>,
    view: View,
    /// Whether the test asks that starts be established.
    is_strict: bool,
    /// Flows that were attempted to tell candidates of a diagnosis apart.
    beside: Matrix<Detail>,
}

impl OfFamily {
    /// What is known.
    pub fn of(rounds: &mut Rounds) -> Self {
        let stand_ins = rounds.whole().stand_ins.len();
        let [details, beside] = rounds.details();
        let view = View {
            generation: 1,
            phase: Phase::Active,
            once: false,
            details,
            wanted: stand_ins,
            attached: stand_ins,
            missing: None,
            uncovered: BTreeMap::new(),
            last_round: Some(LastRound { time: Time(Timestamp::now()), duration_ms: 0 }),
            stale: None,
            coverage: Some(rounds.coverage()),
            left_out: 0,
            start_ups: Vec::new(),
            strict: true,
            starts: None,
            existing: None,
            diagnosis: None,
            undecided: false,
            by_turns: 0,
            manner: None,
        };
        let is_strict = rounds.whole().scenario.start_up == StartUp::Strict;
        Self { family: rounds.family(), view, is_strict, beside }
    }

    /// Says what the network does wrong, which is one thing for all families, with this one.
    pub fn tell(
        &mut self,
        diagnosis: Diagnosis,
        ruled_out_by: Vec<String>,
        manner: Option<Manner>,
    ) {
        let basis = Basis::default();
        self.view.by_turns = match diagnosis {
            Diagnosis::OfTime(TimeFault::Flapping { flows }) => flows,
            _ => 0,
        };
        self.view.diagnosis = Some(Arc::new(Diagnosed { diagnosis, basis, ruled_out_by }));
        self.view.manner = manner;
    }

    /// What the Conformant condition says.
    fn conclusion(&self) -> Conclusion {
        let conditions = self.view.conditions();
        let found = conditions.iter().find(|(type_, ..)| *type_ == ConditionType::Conformant);
        match found.map(|(_, status, ..)| *status) {
            Some(ConditionStatus::True) => Conclusion::Conforms,
            Some(ConditionStatus::False) => Conclusion::Violates,
            Some(ConditionStatus::Unknown) | None => Conclusion::CannotTell,
        }
    }

    fn coverage(&self) -> Value {
        let family = self.family.map(Family::word);
        match self.view.coverage.as_deref() {
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

    fn flows(&self, of: &Matrix<Detail>) -> Vec<Value> {
        of.iter().map(|(cell, detail)| flow(cell, detail, self.family)).collect()
    }

    /// What was found beside the flows that were asked for.
    fn findings_beside(&self) -> impl Iterator<Item = &str> {
        let wrong = |detail: &&Detail| {
            matches!(detail.line.verdict.kind(), VerdictKind::Leak | VerdictKind::Blocked)
        };
        let details = self.beside.iter().map(|(_, detail)| detail);
        details.filter(wrong).map(|detail| detail.sentence.as_str())
    }
}

impl LabVerdict {
    /// What is wrong for certain is wrong, whatever else cannot be told.
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

    /// Takes over how new pods started. Where nothing else is wrong, a start-up leak is what is.
    pub fn start(&mut self, start_ups: Vec<ObservedStart>) {
        for OfFamily { family, view, is_strict, .. } in &mut self.families {
            let of_family =
                start_ups.iter().filter(|one| family.is_none() || one.family == *family);
            let of_family: Vec<&ObservedStart> = of_family.collect();
            let now = Timestamp::now();
            view.start_ups = of_family.iter().filter_map(|one| one.finding(now)).collect();
            let starts = ObservedStart::by_stand_in(of_family).into_values().map(Some);
            view.starts = (*is_strict && starts.len() > 0).then(|| tally(starts));
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
        // It is said once, whatever the families.
        if let Some(family) = self.families.last_mut() {
            family.view.existing = fates.fact();
        }
    }

    /// Whether nobody needs to be told anew.
    pub fn says_the_same(&self, other: &Self) -> bool {
        let said = |verdict: &Self| {
            let views = verdict.families.iter();
            let said = views.map(|family| family.view.details.map(|_, detail| gist(&detail.line)));
            (said.collect::<Vec<_>>(), verdict.diagnosis.clone(), verdict.start_ups.clone())
        };
        said(self) == said(other)
    }

    /// The matrix, a sentence for each finding, and the diagnosis.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for OfFamily { family, view, .. } in &self.families {
            if self.families.len() > 1 {
                text.push_str(family.map_or("", Family::word));
                text.push('\n');
            }
            text.push_str(&matrix_text(view));
        }
        let beside = self.families.iter().flat_map(OfFamily::findings_beside);
        text.extend(beside.map(|sentence| format!("Beside the flows asked for: {sentence}\n")));
        // Leaks are among the findings.
        let told = self.start_ups.iter().filter(|one| one.leak().is_none());
        text.extend(told.map(|one| format!("{}\n", one.sentence)));
        text + &format!("The verdict took {} ms.\n", self.took.as_millis())
    }

    /// The same as one object.
    pub fn json(&self, network: &str) -> Value {
        let families = self.families.iter();
        let flows: Vec<Value> =
            families.clone().flat_map(|family| family.flows(&family.view.details)).collect();
        let beside: Vec<Value> = families.flat_map(|family| family.flows(&family.beside)).collect();
        let is_finding = |flow: &&Value| {
            let words = [VerdictKind::Leak, VerdictKind::Blocked, VerdictKind::Inconclusive];
            words.iter().any(|kind| flow["verdict"] == kind.word())
        };
        let start_ups: Vec<Value> = self.start_ups.iter().filter_map(start_up_leak).collect();
        let findings: Vec<&Value> = flows.iter().filter(is_finding).chain(&start_ups).collect();
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
            "startUps": self.start_ups.iter().map(start_up).collect::<Vec<_>>(),
            "existingConnections": self.families.last().and_then(|family| family.view.existing),
            "diagnosis": diagnosis(&self.diagnosis),
            "remark": self.manner.and_then(Manner::name),
            "tookMs": u64::try_from(self.took.as_millis()).unwrap_or(u64::MAX),
        })
    }
}

/// What is said of a flow, but for how often it went right and wrong, which changes with each attempt.
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

fn end(actor: &Actor, place: &Place) -> Value {
    json!({"endpoint": actor.to_string(), "at": place.at, "node": place.node})
}

fn flow(cell: &Cell, detail: &Detail, family: Option<Family>) -> Value {
    let [from, to] = &detail.places;
    json!({
        "from": end(&cell.from, from),
        "to": end(&cell.to, to),
        "port": cell.port.number,
        "protocol": cell.port.protocol,
        "family": family.map(Family::word),
        "expected": detail.line.expected.word(),
        "by": references(&detail.line.expected),
        "outcome": detail.line.outcome.as_ref().map(ToString::to_string),
        "verdict": detail.line.verdict.kind().word(),
        "message": detail.sentence,
    })
}

/// As a finding, if it is one.
fn start_up_leak(start_up: &ObservedStart) -> Option<Value> {
    let finding = start_up.finding(Timestamp::now())?;
    let ObservedStart { cell, family, places: [from, to], .. } = start_up;
    Some(json!({
        "from": end(&cell.from, from),
        "to": end(&cell.to, to),
        "port": cell.port.number,
        "protocol": cell.port.protocol,
        "family": family.map(Family::word),
        "expected": "Deny",
        "by": finding.by,
        "outcome": verdict::Outcome::Connected.to_string(),
        "verdict": "startupLeak",
        "message": finding.message,
    }))
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
