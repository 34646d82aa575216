//! Writes the metrics of measurements: changes of policies, new stand-ins, existing connections.

use std::time::Duration;

use netproof_conformance::ledger::Followed;
use netproof_rounds::measurements::{existing::Fates, start_up::Started};

use super::TestMetrics;

/// The fates of a connection that exists when the policies begin to deny it, as a label.
const FATES: [&str; 2] = ["survive", "cut"];

impl TestMetrics<'_> {
    /// Adds how long the network took to follow a change.
    pub fn followed(&self, followed: Followed) {
        let [namespace, test] = self.labels;
        self.families
            .enforcement_latency
            .with_label_values(&[namespace, test, followed.change.word()])
            .observe(followed.latency.as_secs_f64());
    }

    /// Counts a new stand-in that was attempted under a deny, and adds how long it leaked, if it
    /// did.
    pub fn startup(&self, result: Started, leaked: Option<Duration>) {
        let [namespace, test] = self.labels;
        self.families.startups.with_label_values(&[namespace, test, result.word()]).inc();
        if let Some(leaked) = leaked {
            self.families
                .startup_leak
                .with_label_values(&self.labels)
                .observe(leaked.as_secs_f64());
        }
    }

    /// Sets how many existing connections survived the last new deny, and how many were cut.
    pub fn existing_connections(&self, fates: Fates) {
        let [namespace, test] = self.labels;
        let family = &self.families.existing_connections;
        for (fate, count) in FATES.into_iter().zip([fates.survived, fates.cut]) {
            family.with_label_values(&[namespace, test, fate]).set(count.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Metrics;
    use netproof_rounds::world::World;

    #[test]
    fn what_a_test_measured_goes_with_it() {
        let metrics = Metrics::new();
        let of = metrics.of("shop", "three-tier");
        of.startup(Started::Leaked, Some(Duration::from_millis(120)));
        of.startup(Started::Isolated, None);
        of.existing_connections(Fates { survived: 1, cut: 2 });
        let text = metrics.text(&World::default());
        for line in [
            r#"netproof_startups_total{namespace="shop",result="leaked",test="three-tier"} 1"#,
            r#"netproof_startup_leak_seconds_bucket{namespace="shop",test="three-tier",le="0.1"} 0"#,
            r#"netproof_startup_leak_seconds_bucket{namespace="shop",test="three-tier",le="0.15"} 1"#,
            r#"netproof_existing_connections{fate="cut",namespace="shop",test="three-tier"} 2"#,
        ] {
            assert!(text.contains(line), "no {line} in {text}");
        }
        of.forget();
        assert!(!metrics.text(&World::default()).contains("three-tier"));
    }
}
