//! The figures of the operator among others: whether it acts, and what is here of others.

use super::{Metrics, families::NONE};
use crate::foreign::Foreign;

impl Metrics {
    /// Whether this operator acts.
    pub fn leader(&self, acts: bool) {
        self.families.leader.with_label_values(&NONE).set(i64::from(acts));
    }

    /// How many pods only look like stand-ins of this installation.
    pub fn foreign(&self, why: Foreign, count: usize) {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        self.families.foreign.with_label_values(&[why.word()]).set(count);
    }
}
