//! What came of a lab, for people and for programs.

use std::{sync::Arc, time::Duration};

use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};
use netproof_conformance::{
    coverage::Coverage,
    diagnosis::{Candidate, Diagnosis, Manner},
    expected::Expected,
    flow::Family,
    matrix::Cell,
    report::references,
    verdict::VerdictKind,
};
use netproof_crds::{ConditionStatus, ConditionType, LastRound};
use serde_json::{Value, json};

use super::rounds::Rounds;
use crate::{
    diagnosing::{Basis, Diagnosed},
    offline::outcome::Outcome,
    reports::matrix_text,
    status::{Detail, Phase, View},
};

/// What came of it.
pub struct LabVerdict {
    /// For each family of addresses.
    pub families: Vec<OfFamily>,
    /// What the network does wrong.
    pub diagnosis: Diagnosis,
    /// In which manner it denies: a remark.
    pub manner: Option<Manner>,
    /// How long it took, from the start of the lab.
    pub took: Duration,
}

/// What came of it in a family of addresses.
pub struct OfFamily {
    family: Option<Family>,
    view: View,
}

impl OfFamily {
    /// What is known.
    pub fn of(rounds: &Rounds) -> Self {
        let stand_ins = rounds.whole().stand_ins.len();
        let view = View {
            generation: 1,
            phase: Phase::Active,
            once: false,
            details: rounds.details(),
            wanted: stand_ins,
            attached: stand_ins,
            missing: None,
            last_round: Some(LastRound { time: Time(Timestamp::now()), duration_ms: 0 }),
            stale: None,
            coverage: Some(rounds.coverage()),
            left_out: 0,
            start_ups: Vec::new(),
            strict: false,
            existing: None,
            diagnosis: None,
            undecided: false,
            manner: None,
        };
        Self { family: rounds.family(), view }
    }

    /// Says what the network does wrong, which is one thing for all families, with this one.
    pub fn tell(
        &mut self,
        diagnosis: Diagnosis,
        ruled_out_by: Vec<String>,
        manner: Option<Manner>,
    ) {
        let basis = Basis::default();
        self.view.diagnosis = Some(Arc::new(Diagnosed { diagnosis, basis, ruled_out_by }));
        self.view.manner = manner;
    }

    /// What the Conformant condition says.
    fn outcome(&self) -> Outcome {
        let conditions = self.view.conditions();
        let found = conditions.iter().find(|(type_, ..)| *type_ == ConditionType::Conformant);
        match found.map(|(_, status, ..)| *status) {
            Some(ConditionStatus::True) => Outcome::Fine,
            Some(ConditionStatus::False) => Outcome::No,
            Some(ConditionStatus::Unknown) | None => Outcome::CannotTell,
        }
    }

    fn coverage(&self) -> Value {
        let family = self.family.map(family_word);
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

    fn flows(&self) -> impl Iterator<Item = Value> {
        self.view.details.iter().map(|(cell, detail)| flow(cell, detail, self.family))
    }
}

impl LabVerdict {
    /// As an exit code: what is wrong for certain is wrong, whatever else cannot be told.
    pub fn outcome(&self) -> Outcome {
        let has = |outcome| self.families.iter().any(|family| family.outcome() == outcome);
        if has(Outcome::No) {
            Outcome::No
        } else if has(Outcome::CannotTell) || self.families.is_empty() {
            Outcome::CannotTell
        } else {
            Outcome::Fine
        }
    }

    /// Whether nobody needs to be told anew.
    pub fn says_the_same(&self, other: &Self) -> bool {
        let said = |verdict: &Self| {
            let views = verdict.families.iter();
            let said = views.map(|family| family.view.details.map(|_, detail| detail.line.clone()));
            (said.collect::<Vec<_>>(), verdict.diagnosis.clone())
        };
        said(self) == said(other)
    }

    /// The matrix, a sentence for each finding, and the diagnosis.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for OfFamily { family, view } in &self.families {
            if self.families.len() > 1 {
                text.push_str(family.map_or("", family_word));
                text.push('\n');
            }
            text.push_str(&matrix_text(view));
        }
        text + &format!("The verdict took {} ms.\n", self.took.as_millis())
    }

    /// The same as one object.
    pub fn json(&self, network: &str) -> Value {
        let flows: Vec<Value> = self.families.iter().flat_map(OfFamily::flows).collect();
        let is_finding = |flow: &&Value| {
            let words = [VerdictKind::Leak, VerdictKind::Blocked, VerdictKind::Inconclusive];
            words.iter().any(|kind| flow["verdict"] == kind.word())
        };
        let findings: Vec<&Value> = flows.iter().filter(is_finding).collect();
        let verdict = match self.outcome() {
            Outcome::Fine => "conforms",
            Outcome::No => "violates",
            Outcome::CannotTell => "cannotTell",
        };
        let coverage: Vec<Value> = self.families.iter().map(OfFamily::coverage).collect();
        json!({
            "network": network,
            "verdict": verdict,
            "findings": findings,
            "matrix": flows,
            "coverage": coverage,
            "diagnosis": diagnosis(&self.diagnosis),
            "remark": self.manner.and_then(Manner::name),
            "tookMs": u64::try_from(self.took.as_millis()).unwrap_or(u64::MAX),
        })
    }
}

fn family_word(family: Family) -> &'static str {
    match family {
        Family::IPv4 => "IPv4",
        Family::IPv6 => "IPv6",
    }
}

fn flow(cell: &Cell, detail: &Detail, family: Option<Family>) -> Value {
    let expected = match detail.line.expected {
        Expected::Allow(_) => "Allow",
        Expected::Deny(_) => "Deny",
        Expected::Unspecified(_) => "Unspecified",
    };
    let end = |actor: String, place: &netproof_conformance::report::Place| json!({"endpoint": actor, "at": place.at, "node": place.node});
    json!({
        "from": end(cell.from.to_string(), &detail.places[0]),
        "to": end(cell.to.to_string(), &detail.places[1]),
        "port": cell.port.number,
        "protocol": cell.port.protocol,
        "family": family.map(family_word),
        "expected": expected,
        "by": references(&detail.line.expected),
        "outcome": detail.line.outcome.as_ref().map(ToString::to_string),
        "verdict": detail.line.verdict.kind().word(),
        "message": detail.sentence,
    })
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
        object["unprobedThatWouldTell"] = json!(explained.telling_count);
    }
    object
}
