//! The figures that Prometheus asks for. Labels are bounded by what users created: tests.

mod installed;
mod measurements;

use k8s_openapi::jiff::Timestamp;
use netproof_conformance::{coverage::Coverage, diagnosis::Diagnosis, verdict::VerdictKind};
use netproof_crds::{ConditionStatus, ConditionType};
use prometheus::{
    Encoder, Gauge, GaugeVec, HistogramOpts, HistogramVec, IntGauge, IntGaugeVec, Opts, Registry,
    TextEncoder,
};

use netproof_rounds::{kind::Kind, world::World};

use installed::Installed;
use measurements::Measurements;

const TEST: [&str; 2] = ["namespace", "test"];

/// All of them.
pub struct Metrics {
    registry: Registry,
    flows: IntGaugeVec,
    rules: IntGaugeVec,
    diagnosis: IntGaugeVec,
    last_round: GaugeVec,
    stale_after: GaugeVec,
    created: GaugeVec,
    condition: IntGaugeVec,
    suspended: IntGaugeVec,
    round_duration: HistogramVec,
    measurements: Measurements,
    installed: Installed,
    probes_attached: IntGaugeVec,
    probes_wanted: IntGaugeVec,
    watch_age: GaugeVec,
    rejected: IntGaugeVec,
    status_failures: IntGauge,
}

/// Registers which version this is.
fn register_build(registry: &Registry) {
    let build = Gauge::with_opts(
        Opts::new("netproof_build_info", "Always 1; the version is a label.")
            .const_label("version", env!("CARGO_PKG_VERSION")),
    )
    .expect("the name is valid");
    build.set(1.0);
    registry.register(Box::new(build)).expect("names are unique");
}

impl Metrics {
    /// Registers all of them.
    pub fn new() -> Self {
        let registry = Registry::new();
        let ints = |name: &str, help: &str, more: &[&str]| {
            let labels: Vec<&str> = TEST.iter().chain(more).copied().collect();
            let family = IntGaugeVec::new(Opts::new(name, help), &labels).expect("names are valid");
            registry.register(Box::new(family.clone())).expect("names are unique");
            family
        };
        let floats = |name: &str, help: &str, labels: &[&str]| {
            let family = GaugeVec::new(Opts::new(name, help), labels).expect("names are valid");
            registry.register(Box::new(family.clone())).expect("names are unique");
            family
        };
        let seconds = |name: &str, help: &str, more: &[&str], buckets: &[f64]| {
            let labels: Vec<&str> = TEST.iter().chain(more).copied().collect();
            let opts = HistogramOpts::new(name, help).buckets(buckets.to_vec());
            let family = HistogramVec::new(opts, &labels).expect("names are valid");
            registry.register(Box::new(family.clone())).expect("names are unique");
            family
        };
        register_build(&registry);
        // By the name that Prometheus knows of every process: alerts count restarts by it.
        let started = Gauge::new(
            "process_start_time_seconds",
            "When the process began, in seconds since 1970.",
        )
        .expect("the name is valid");
        started.set(Timestamp::now().as_duration().as_secs_f64());
        registry.register(Box::new(started)).expect("names are unique");
        let status_failures = IntGauge::new(
            "netproof_status_failures",
            "Writes of a status that failed since the last one that did not.",
        )
        .expect("the name is valid");
        registry.register(Box::new(status_failures.clone())).expect("names are unique");
        let rejected = IntGaugeVec::new(
            Opts::new(
                "netproof_rejected_objects",
                "Objects that were not understood and are left out.",
            ),
            &["resource"],
        )
        .expect("the name is valid");
        registry.register(Box::new(rejected.clone())).expect("names are unique");
        let pass = [0.05, 0.1, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 20.0, 30.0, 60.0];
        Self {
            flows: ints("netproof_flows", "Flows under test, by verdict.", &["verdict"]),
            rules: ints(
                "netproof_rules",
                "Rules of the policies, by whether flows with a verdict exercise them.",
                &["state"],
            ),
            diagnosis: ints(
                "netproof_diagnosis",
                "1 for the name of what the network does wrong, none included; nothing while that is not known.",
                &["name"],
            ),
            last_round: floats(
                "netproof_last_round_timestamp_seconds",
                "When the last round over all flows ended in which every probe spoke; 0 before the first.",
                &TEST,
            ),
            stale_after: floats(
                "netproof_stale_after_seconds",
                "The age at which the last round is worth nothing any more.",
                &TEST,
            ),
            created: floats(
                "netproof_test_created_timestamp_seconds",
                "When the test was created.",
                &TEST,
            ),
            condition: ints(
                "netproof_condition",
                "1 for the status that a condition of the test has, 0 for the others.",
                &["condition", "status"],
            ),
            suspended: ints("netproof_suspended", "1 if the test is suspended or has ended.", &[]),
            round_duration: seconds(
                "netproof_round_duration_seconds",
                "How long rounds over all flows took.",
                &[],
                &pass,
            ),
            measurements: Measurements::register(&registry),
            installed: Installed::register(&registry),
            probes_attached: ints("netproof_probes_attached", "Probes that speak.", &[]),
            probes_wanted: ints("netproof_probes_wanted", "Probes that the test takes.", &[]),
            watch_age: floats(
                "netproof_watch_age_seconds",
                "How long ago the API server last gave a sign of life about this kind.",
                &["resource"],
            ),
            rejected,
            status_failures,
            registry,
        }
    }

    /// The figures of one test.
    pub fn of<'m>(&'m self, namespace: &'m str, test: &'m str) -> TestMetrics<'m> {
        TestMetrics { metrics: self, labels: [namespace, test] }
    }

    /// How many writes of a status failed in a row.
    pub fn status_written(&self, fine: bool) {
        if fine { self.status_failures.set(0) } else { self.status_failures.inc() }
    }

    /// The text that Prometheus reads, with the picture of the cluster as it is now.
    pub fn text(&self, world: &World) -> String {
        for kind in Kind::ALL {
            if let Some(alive) = world.alive.get(&kind) {
                let age = alive.elapsed().as_secs_f64();
                self.watch_age.with_label_values(&[kind.word()]).set(age);
            }
            let rejected = i64::try_from(world.rejected(kind)).unwrap_or(i64::MAX);
            self.rejected.with_label_values(&[kind.word()]).set(rejected);
        }
        let mut text = Vec::new();
        TextEncoder::new()
            .encode(&self.registry.gather(), &mut text)
            .expect("gathered families can be written to memory");
        String::from_utf8(text).expect("the text format is UTF-8")
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

/// The figures of one test.
#[derive(Clone, Copy)]
pub struct TestMetrics<'m> {
    metrics: &'m Metrics,
    labels: [&'m str; 2],
}

impl TestMetrics<'_> {
    fn with<'a>(&'a self, more: &'a [&'a str]) -> Vec<&'a str> {
        self.labels.iter().chain(more).copied().collect()
    }

    /// How many flows have a verdict.
    pub fn flows(&self, verdict: VerdictKind, count: u32) {
        let labels =
            self.with(&[verdict.word()]).iter().map(ToString::to_string).collect::<Vec<_>>();
        self.metrics.flows.with_label_values(&labels).set(i64::from(count));
    }

    /// How many rules are exercised; none of any while nothing is attempted.
    pub fn rules(&self, coverage: &Coverage) {
        let [namespace, test] = self.labels;
        for state in RuleState::ALL {
            let count = i64::try_from(state.count(coverage)).unwrap_or(i64::MAX);
            self.metrics.rules.with_label_values(&[namespace, test, state.word()]).set(count);
        }
    }

    /// What the network does wrong, by its name; none while that is not known.
    pub fn diagnosis(&self, name: Option<&'static str>) {
        let [namespace, test] = self.labels;
        let family = &self.metrics.diagnosis;
        for other in Diagnosis::names().filter(|other| Some(*other) != name) {
            // A series that was never written is not there to be removed.
            drop(family.remove_label_values(&[namespace, test, other]));
        }
        if let Some(name) = name {
            family.with_label_values(&[namespace, test, name]).set(1);
        }
    }

    /// When the test was created, and how old a round may be; in seconds.
    pub fn ages(&self, created: f64, stale_after: f64) {
        self.metrics.created.with_label_values(&self.labels).set(created);
        self.metrics.stale_after.with_label_values(&self.labels).set(stale_after);
    }

    /// When the last whole round ended, in seconds since 1970; 0 for never.
    pub fn last_round(&self, ended: f64) {
        self.metrics.last_round.with_label_values(&self.labels).set(ended);
    }

    /// How long a round took.
    pub fn round(&self, seconds: f64) {
        self.metrics.round_duration.with_label_values(&self.labels).observe(seconds);
    }

    /// How many probes speak, of how many.
    pub fn probes(&self, attached: usize, wanted: usize) {
        let [attached, wanted] = [attached, wanted].map(|n| i64::try_from(n).unwrap_or(i64::MAX));
        self.metrics.probes_attached.with_label_values(&self.labels).set(attached);
        self.metrics.probes_wanted.with_label_values(&self.labels).set(wanted);
    }

    /// A condition.
    pub fn condition(&self, condition: ConditionType, status: ConditionStatus) {
        let [namespace, test] = self.labels;
        for other in ConditionStatus::ALL {
            self.metrics
                .condition
                .with_label_values(&[namespace, test, condition.as_str(), other.as_str()])
                .set(i64::from(*other == status));
        }
    }

    /// Whether no rounds are to be expected.
    pub fn suspended(&self, suspended: bool) {
        self.metrics.suspended.with_label_values(&self.labels).set(i64::from(suspended));
    }

    /// The test is gone: so are its series.
    pub fn forget(&self) {
        let metrics = self.metrics;
        let [namespace, test] = self.labels;
        // A series that was never written is not there to be removed.
        for kind in VerdictKind::ALL {
            drop(metrics.flows.remove_label_values(&[namespace, test, kind.word()]));
        }
        for state in RuleState::ALL {
            drop(metrics.rules.remove_label_values(&[namespace, test, state.word()]));
        }
        for condition in ConditionType::ALL {
            for status in ConditionStatus::ALL {
                let labels = [namespace, test, condition.as_str(), status.as_str()];
                drop(metrics.condition.remove_label_values(&labels));
            }
        }
        self.diagnosis(None);
        metrics.measurements.forget(namespace, test);
        for family in [&metrics.last_round, &metrics.stale_after, &metrics.created] {
            drop(family.remove_label_values(&self.labels));
        }
        for family in [&metrics.suspended, &metrics.probes_attached, &metrics.probes_wanted] {
            drop(family.remove_label_values(&self.labels));
        }
        drop(metrics.round_duration.remove_label_values(&self.labels));
    }
}

/// How much of a rule is exercised.
#[derive(Clone, Copy)]
enum RuleState {
    Exercised,
    HalfExercised,
    NotExercised,
}

impl RuleState {
    const ALL: [Self; 3] = [Self::Exercised, Self::HalfExercised, Self::NotExercised];

    fn word(self) -> &'static str {
        match self {
            Self::Exercised => "exercised",
            Self::HalfExercised => "half_exercised",
            Self::NotExercised => "not_exercised",
        }
    }

    fn count(self, coverage: &Coverage) -> usize {
        match self {
            Self::Exercised => coverage.exercised,
            Self::HalfExercised => coverage.half_exercised,
            Self::NotExercised => coverage.rules - coverage.exercised - coverage.half_exercised,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_diagnosis_is_present_at_a_time_and_it_goes_with_its_test() {
        let metrics = Metrics::new();
        let present = |test: &str| {
            let text = metrics.text(&World::default());
            let begins = format!("netproof_diagnosis{{name=\"{test}");
            text.lines()
                .filter(|line| line.starts_with(&begins))
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        let of = metrics.of("shop", "three-tier");
        for name in Diagnosis::names() {
            of.diagnosis(Some(name));
            let line = format!(
                "netproof_diagnosis{{name=\"{name}\",namespace=\"shop\",test=\"three-tier\"}} 1"
            );
            assert_eq!(present(""), [line]);
        }
        of.diagnosis(None);
        assert_eq!(present(""), Vec::<String>::new());
        of.diagnosis(Some("unexplained"));
        of.forget();
        assert_eq!(present(""), Vec::<String>::new());
    }

    #[test]
    fn rules_are_counted_by_state_and_go_with_their_test() {
        let metrics = Metrics::new();
        let coverage = Coverage { rules: 12, exercised: 9, half_exercised: 2, gaps: vec![] };
        metrics.of("shop", "three-tier").rules(&coverage);
        let text = metrics.text(&World::default());
        for line in [
            "netproof_rules{namespace=\"shop\",state=\"exercised\",test=\"three-tier\"} 9",
            "netproof_rules{namespace=\"shop\",state=\"half_exercised\",test=\"three-tier\"} 2",
            "netproof_rules{namespace=\"shop\",state=\"not_exercised\",test=\"three-tier\"} 1",
        ] {
            assert!(text.contains(line), "{text}");
        }
        metrics.of("shop", "three-tier").forget();
        assert!(!metrics.text(&World::default()).contains("three-tier"));
    }
}
