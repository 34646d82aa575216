//! The figures of what is measured in time: changes, new stand-ins, connections.

use std::time::Duration;

use netproof_conformance::ledger::{Change, Followed};
use prometheus::{HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec, Opts, Registry};

use super::{TEST, TestMetrics};
use netproof_rounds::measurements::{existing::Fates, start_up::Started};

/// What can become of a connection that exists when the policies begin to deny it.
const FATES: [&str; 2] = ["survive", "cut"];

/// All of them.
pub(super) struct Measurements {
    enforcement_latency: HistogramVec,
    startup_leak: HistogramVec,
    startups: IntCounterVec,
    existing_connections: IntGaugeVec,
}

impl Measurements {
    pub(super) fn register(registry: &Registry) -> Self {
        let labels = |more: &'static str| [TEST[0], TEST[1], more];
        // Attempts begin every 25 ms: steps of 50 ms as far as people will look closely.
        let follow: Vec<f64> = [0.025]
            .into_iter()
            .chain((1..=20).map(|step| f64::from(step) / 20.0))
            .chain([1.25, 1.5, 2.0, 3.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0])
            .collect();
        let leak = vec![
            0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0,
            3.0, 5.0, 10.0, 15.0, 30.0, 60.0,
        ];
        let seconds = |name: &str, help: &str, labels: &[&str], buckets: Vec<f64>| {
            HistogramVec::new(HistogramOpts::new(name, help).buckets(buckets), labels)
                .expect("names are valid")
        };
        let all = Self {
            enforcement_latency: seconds(
                "netproof_enforcement_latency_seconds",
                "From a change of what the policies say to the start of the first attempt that conformed, of a few flows a change.",
                &labels("change"),
                follow,
            ),
            startup_leak: seconds(
                "netproof_startup_leak_seconds",
                "How long new stand-ins accepted connections that the policies deny; only those that did.",
                &TEST,
                leak,
            ),
            startups: IntCounterVec::new(
                Opts::new(
                    "netproof_startups_total",
                    "New stand-ins that were attempted under a deny, by what was seen of their start.",
                ),
                &labels("result"),
            )
            .expect("the name is valid"),
            existing_connections: IntGaugeVec::new(
                Opts::new(
                    "netproof_existing_connections",
                    "Connections that existed when the policies began to deny them, by what became of them.",
                ),
                &labels("fate"),
            )
            .expect("the name is valid"),
        };
        let unique = "names are unique";
        registry.register(Box::new(all.enforcement_latency.clone())).expect(unique);
        registry.register(Box::new(all.startup_leak.clone())).expect(unique);
        registry.register(Box::new(all.startups.clone())).expect(unique);
        registry.register(Box::new(all.existing_connections.clone())).expect(unique);
        all
    }

    /// The test is gone: so are its series.
    pub(super) fn forget(&self, namespace: &str, test: &str) {
        // A series that was never written is not there to be removed.
        for change in [Change::Tightening, Change::Loosening] {
            let labels = [namespace, test, change.word()];
            drop(self.enforcement_latency.remove_label_values(&labels));
        }
        for result in Started::ALL {
            drop(self.startups.remove_label_values(&[namespace, test, result.word()]));
        }
        for fate in FATES {
            drop(self.existing_connections.remove_label_values(&[namespace, test, fate]));
        }
        drop(self.startup_leak.remove_label_values(&[namespace, test]));
    }
}

impl TestMetrics<'_> {
    /// The network was seen to follow a change.
    pub fn followed(&self, followed: Followed) {
        let [namespace, test] = self.labels;
        self.metrics
            .measurements
            .enforcement_latency
            .with_label_values(&[namespace, test, followed.change.word()])
            .observe(followed.latency.as_secs_f64());
    }

    /// A new stand-in was attempted under a deny; how long it leaked, if it did.
    pub fn startup(&self, result: Started, leaked: Option<Duration>) {
        let [namespace, test] = self.labels;
        let measurements = &self.metrics.measurements;
        measurements.startups.with_label_values(&[namespace, test, result.word()]).inc();
        if let Some(leaked) = leaked {
            measurements.startup_leak.with_label_values(&self.labels).observe(leaked.as_secs_f64());
        }
    }

    /// How many connections that existed survived a new deny, and how many were cut.
    pub fn existing_connections(&self, fates: Fates) {
        let [namespace, test] = self.labels;
        let family = &self.metrics.measurements.existing_connections;
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
