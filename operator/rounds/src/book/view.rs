//! What a book knows of each flow, for people: details and coverage.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use netproof_conformance::{
    coverage::Coverage,
    ledger::Ledger,
    matrix::{Cell, Matrix},
    report::{Line, sentence},
    verdict::Verdict,
};

use super::Book;
use crate::{clock::time_of_day, flow_budget::Moment, predict::place, report::Detail};

impl Book {
    /// What is known of every flow of the test, with a sentence for each.
    pub fn details(&self, moment: Moment<'_>) -> Matrix<Detail> {
        details(&self.ledger, moment)
    }

    /// What is known of every extra flow, with a sentence for each.
    pub fn extra_details(&self, moment: Moment<'_>) -> Matrix<Detail> {
        details(self.extra.ledger(), moment)
    }

    /// What the flows with a verdict show of the policies. `attempted` are the flows that the test
    /// attempts, with a verdict or not.
    pub fn coverage(&mut self, moment: Moment<'_>, attempted: BTreeSet<Cell>) -> Arc<Coverage> {
        let judged = judged(&self.ledger, moment.now);
        self.budget.coverage(moment, &judged, attempted, self.changed)
    }
}

/// The flows with a verdict, confirmed and recent, and when each was last seen.
fn judged(ledger: &Ledger, now: Duration) -> BTreeMap<&Cell, Duration> {
    let has_verdict = |cell: &Cell| match ledger.verdict(cell, now) {
        Some(Verdict::Conforms | Verdict::Leak(_) | Verdict::Blocked(_)) => true,
        Some(Verdict::Settling | Verdict::Unspecified(_) | Verdict::Inconclusive(_)) | None => {
            false
        }
    };
    let records = ledger.records().filter(|(cell, _)| has_verdict(cell));
    records.filter_map(|(cell, record)| Some((cell, record.seen.as_ref()?.1))).collect()
}

fn details(ledger: &Ledger, moment: Moment<'_>) -> Matrix<Detail> {
    let Moment { scenario, stand_ins, world, now } = moment;
    let policies = world.understood_policies();
    ledger
        .records()
        .filter_map(|(cell, record)| {
            let line = Line {
                expected: record.expected.clone(),
                outcome: record.seen.as_ref().map(|(outcome, _)| outcome.clone()),
                verdict: ledger.verdict(cell, now)?,
            };
            let places = [&cell.from, &cell.to].map(|actor| place(actor, scenario, stand_ins));
            let sentence = sentence(cell, &line, [&places[0], &places[1]], &policies);
            let detail = Detail {
                line,
                sentence,
                places,
                since: time_of_day(record.since),
                agreeing: record.agreeing(),
                intents: scenario.flows.get(cell).cloned().unwrap_or_default(),
            };
            Some((cell.clone(), detail))
        })
        .collect()
}
