//! Writes the metrics of this operator among others: whether it acts, and which stand-ins are
//! foreign.

use super::{Metrics, families::NONE};
use crate::foreign::Foreign;

impl Metrics {
    /// Sets whether this operator acts.
    pub fn leader(&self, acts: bool) {
        self.families.leader.with_label_values(&NONE).set(i64::from(acts));
    }

    /// Sets how many pods are foreign for this reason.
    pub fn foreign(&self, why: Foreign, count: usize) {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        self.families.foreign.with_label_values(&[why.word()]).set(count);
    }
}
