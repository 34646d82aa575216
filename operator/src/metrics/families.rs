//! Holds the table of metric families: each has its row here, and is written elsewhere.
//!
//! Families with both labels of [`TEST`] are about tests, and their series go with the test.

use std::collections::HashMap;

use prometheus::{
    GaugeVec, HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec, Opts, Registry,
    core::{Collector, MetricVec, MetricVecBuilder},
    proto::MetricFamily,
};

/// The labels of a family with a single series.
pub(super) const NONE: [&str; 0] = [];

/// The labels that tell tests apart.
pub(super) const TEST: [&str; 2] = ["namespace", "test"];

/// The buckets of the duration of rounds, in seconds.
const ROUND: [f64; 13] = [0.05, 0.1, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 20.0, 30.0, 60.0];

/// The buckets of enforcement latency, in seconds. Attempts begin every 25 ms; up to 1 s, where
/// people look closely, buckets are 50 ms wide.
const LATENCY: [f64; 31] = [
    0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8,
    0.85, 0.9, 0.95, 1.0, 1.25, 1.5, 2.0, 3.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0,
];

/// The buckets of the time for which new stand-ins leak, in seconds.
const LEAK: [f64; 21] = [
    0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0,
    10.0, 15.0, 30.0, 60.0,
];

/// Turns rows of `field: Kind(name, labels, help)`, or of `(name, labels, help, buckets)` for
/// histograms, into a struct of these fields and the functions that concern every field.
macro_rules! families {
    ($($field:ident: $kind:ident($name:literal, $labels:expr, $help:literal
        $(, $buckets:expr)?);)*) => {
        /// All metric families, one a field.
        pub(super) struct Families {
            $(pub(super) $field: $kind,)*
        }

        impl Families {
            /// Registers all families.
            pub(super) fn register(registry: &Registry) -> Self {
                $(
                    let options = Opts::new($name, $help);
                    $(let options = HistogramOpts::from(options).buckets($buckets.to_vec());)?
                    let $field = $kind::new(options, &$labels).expect("names are valid");
                    begin(registry, &$field, &$labels);
                )*
                Self { $($field,)* }
            }

            /// Removes all series of a test.
            pub(super) fn forget(&self, test: [&str; 2]) {
                $(forget(&self.$field, test);)*
            }
        }
    };
}

families! {
    build: IntGaugeVec(
        "netproof_build_info",
        ["version"],
        "Always 1; the version is a label."
    );
    // The name that client libraries give every process; alerts count restarts by it.
    started: GaugeVec(
        "process_start_time_seconds",
        NONE,
        "When the process began, in seconds since 1970."
    );
    leader: IntGaugeVec(
        "netproof_leader",
        NONE,
        "1 if this operator acts, 0 if it waits for another one."
    );
    foreign: IntGaugeVec(
        "netproof_foreign_stand_ins",
        ["why"],
        "Pods with the label of stand-ins that this installation has not made and leaves alone."
    );
    status_failures: IntGaugeVec(
        "netproof_status_failures",
        NONE,
        "Writes of a status that failed since the last one that did not."
    );
    watch_age: GaugeVec(
        "netproof_watch_age_seconds",
        ["resource"],
        "How long ago the API server last gave a sign of life about this kind."
    );
    rejected: IntGaugeVec(
        "netproof_rejected_objects",
        ["resource"],
        "Objects that were not understood and are left out."
    );

    created: GaugeVec(
        "netproof_test_created_timestamp_seconds",
        TEST,
        "When the test was created."
    );
    suspended: IntGaugeVec(
        "netproof_suspended",
        TEST,
        "1 if the test is suspended or has ended."
    );
    condition: IntGaugeVec(
        "netproof_condition",
        ["namespace", "test", "condition", "status"],
        "1 for the status that a condition of the test has, 0 for the others."
    );
    probes_attached: IntGaugeVec("netproof_probes_attached", TEST, "Probes that speak.");
    probes_wanted: IntGaugeVec("netproof_probes_wanted", TEST, "Probes that the test takes.");
    last_round: GaugeVec(
        "netproof_last_round_timestamp_seconds",
        TEST,
        "When the last round over all flows ended in which every probe spoke; 0 before the first."
    );
    stale_after: GaugeVec(
        "netproof_stale_after_seconds",
        TEST,
        "The age at which the last round is worth nothing any more."
    );
    round_duration: HistogramVec(
        "netproof_round_duration_seconds",
        TEST,
        "How long rounds over all flows took.",
        ROUND
    );

    flows: IntGaugeVec(
        "netproof_flows",
        ["namespace", "test", "verdict"],
        "Flows under test, by verdict."
    );
    rules: IntGaugeVec(
        "netproof_rules",
        ["namespace", "test", "state"],
        "Rules of the policies, by whether flows with a verdict exercise them."
    );
    diagnosis: IntGaugeVec(
        "netproof_diagnosis",
        ["namespace", "test", "name"],
        "1 for the name of what the network does wrong, none included; nothing while that is not \
         known."
    );
    enforcement_latency: HistogramVec(
        "netproof_enforcement_latency_seconds",
        ["namespace", "test", "change"],
        "From a change of what the policies say to the start of the first attempt that conformed, \
         of a few flows a change.",
        LATENCY
    );
    startup_leak: HistogramVec(
        "netproof_startup_leak_seconds",
        TEST,
        "How long new stand-ins accepted connections that the policies deny; only those that did.",
        LEAK
    );
    startups: IntCounterVec(
        "netproof_startups_total",
        ["namespace", "test", "result"],
        "New stand-ins that were attempted under a deny, by what was seen of their start."
    );
    existing_connections: IntGaugeVec(
        "netproof_existing_connections",
        ["namespace", "test", "fate"],
        "Connections that existed when the policies began to deny them, by what became of them."
    );
}

/// Registers a family. The single series of a family without labels is there from the start.
fn begin<K>(registry: &Registry, family: &MetricVec<K>, labels: &[&str])
where
    K: MetricVecBuilder + 'static,
{
    registry.register(Box::new(family.clone())).expect("names are unique");
    if labels.is_empty() {
        family.with_label_values(&NONE);
    }
}

/// Removes the series of a test from a family; leaves a family that is not about tests as it is.
fn forget<K: MetricVecBuilder>(family: &MetricVec<K>, test: [&str; 2]) {
    for metric in family.collect().iter().flat_map(MetricFamily::get_metric) {
        let labels: HashMap<_, _> =
            metric.get_label().iter().map(|label| (label.name(), label.value())).collect();
        if TEST.iter().zip(test).all(|(name, value)| labels.get(name) == Some(&value)) {
            // An error says that another thread removed the series meanwhile, as was wanted.
            drop(family.remove(&labels));
        }
    }
}
