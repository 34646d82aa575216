//! The false accusations of a soak: every one that is ever reported, those that vanish again
//! included.

use std::collections::BTreeSet;

use netproof_conformance::matrix::Cell;
use netproof_lab::rounds::Rounds;

/// The flows that are reported as wrong, and those that ever were.
#[derive(Default)]
pub struct Accused {
    now: BTreeSet<Cell>,
    /// A line for each flow that was ever reported as wrong, with what was known of it then.
    pub said: Vec<String>,
}

impl Accused {
    /// Takes down the flows that are newly reported as wrong.
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
