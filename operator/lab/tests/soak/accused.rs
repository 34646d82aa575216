//! The verdicts that ought not to be: every one that is ever reported, those that vanish too.

use std::collections::BTreeSet;

use netproof_conformance::matrix::Cell;
use netproof_lab::rounds::Rounds;

/// Whom rounds call wrong.
#[derive(Default)]
pub struct Accused {
    now: BTreeSet<Cell>,
    /// What was said, each with what was known.
    pub said: Vec<String>,
}

impl Accused {
    /// Takes down whoever is accused anew.
    pub fn note(&mut self, rounds: &Rounds) {
        let wrong = rounds.book.ledger().wrong();
        for cell in wrong.difference(&self.now) {
            let [details, _] = rounds.details();
            let sentence = details.get(cell).map(|detail| detail.sentence.clone());
            let record = rounds.book.ledger().records().find(|(one, _)| *one == cell);
            self.said.push(format!("{:?} {sentence:?} {record:?}", rounds.family()));
        }
        self.now = wrong;
    }
}
