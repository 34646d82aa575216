//! The figures of the operator among others: whether it acts, and what is here of others.

use prometheus::{IntGauge, IntGaugeVec, Opts, Registry};

use super::Metrics;
use crate::installation::Foreign;

/// All of them.
pub(super) struct Installed {
    leader: IntGauge,
    foreign: IntGaugeVec,
}

impl Installed {
    pub(super) fn register(registry: &Registry) -> Self {
        let leader = IntGauge::new(
            "netproof_leader",
            "1 if this operator acts, 0 if it waits for another one.",
        )
        .expect("the name is valid");
        registry.register(Box::new(leader.clone())).expect("names are unique");
        let foreign = IntGaugeVec::new(
            Opts::new(
                "netproof_foreign_stand_ins",
                "Pods with the label of stand-ins that this installation has not made and leaves alone.",
            ),
            &["why"],
        )
        .expect("the name is valid");
        registry.register(Box::new(foreign.clone())).expect("names are unique");
        for why in Foreign::ALL {
            foreign.with_label_values(&[why.word()]).set(0);
        }
        Self { leader, foreign }
    }
}

impl Metrics {
    /// Whether this operator acts.
    pub fn leader(&self, acts: bool) {
        self.installed.leader.set(i64::from(acts));
    }

    /// How many pods only look like stand-ins of this installation.
    pub fn foreign(&self, why: Foreign, count: usize) {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        self.installed.foreign.with_label_values(&[why.word()]).set(count);
    }
}
