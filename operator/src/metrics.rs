//! Keeps the metrics that Prometheus reads. The number of series is bounded by the number of tests.

mod families;
mod installed;
mod measurements;

use k8s_openapi::jiff::Timestamp;
use netproof_conformance::{coverage::Coverage, diagnosis::Diagnosis, verdict::VerdictKind};
use netproof_crds::{ConditionStatus, ConditionType};
use prometheus::{Encoder, Registry, TextEncoder};

use netproof_rounds::{kind::Kind, world::World};

use crate::foreign::Foreign;
use families::{Families, NONE};

/// All metrics of this operator, in a registry of their own.
pub struct Metrics {
    registry: Registry,
    families: Families,
}

impl Metrics {
    /// Registers all families, and sets those that do not change.
    pub fn new() -> Self {
        let registry = Registry::new();
        let families = Families::register(&registry);
        families.build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        let now = Timestamp::now().as_duration().as_secs_f64();
        families.started.with_label_values(&NONE).set(now);
        for why in Foreign::ALL {
            families.foreign.with_label_values(&[why.word()]).set(0);
        }
        Self { registry, families }
    }

    /// The metrics of one test.
    pub fn of<'m>(&'m self, namespace: &'m str, test: &'m str) -> TestMetrics<'m> {
        TestMetrics { families: &self.families, labels: [namespace, test] }
    }

    /// Counts a write of a status: `fine` sets the failures in a row to 0, else they grow by 1.
    pub fn status_written(&self, fine: bool) {
        let failures = self.families.status_failures.with_label_values(&NONE);
        if fine { failures.set(0) } else { failures.inc() }
    }

    /// All metrics in the text format of Prometheus, with ages and counts taken from `world` now.
    pub fn text(&self, world: &World) -> String {
        for kind in Kind::all() {
            if let Some(alive) = world.alive.get(&kind) {
                let age = alive.elapsed().as_secs_f64();
                self.families.watch_age.with_label_values(&[kind.word()]).set(age);
            }
            let rejected = i64::try_from(world.rejected(kind)).unwrap_or(i64::MAX);
            self.families.rejected.with_label_values(&[kind.word()]).set(rejected);
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

/// Writes the metrics of one test.
#[derive(Clone, Copy)]
pub struct TestMetrics<'m> {
    families: &'m Families,
    labels: [&'m str; 2],
}

impl TestMetrics<'_> {
    /// Sets how many flows have this verdict.
    pub fn flows(&self, verdict: VerdictKind, count: u32) {
        let [namespace, test] = self.labels;
        let labels = [namespace, test, verdict.word()];
        self.families.flows.with_label_values(&labels).set(i64::from(count));
    }

    /// Sets how many rules are exercised, on one side or both, or not.
    pub fn rules(&self, coverage: &Coverage) {
        let [namespace, test] = self.labels;
        for state in RuleState::ALL {
            let count = i64::try_from(state.count(coverage)).unwrap_or(i64::MAX);
            self.families.rules.with_label_values(&[namespace, test, state.word()]).set(count);
        }
    }

    /// Sets the name of the diagnosis, which is the only one of this test from now on; none while
    /// there is no diagnosis.
    pub fn diagnosis(&self, name: Option<&'static str>) {
        let [namespace, test] = self.labels;
        let family = &self.families.diagnosis;
        for other in Diagnosis::names().filter(|other| Some(*other) != name) {
            // An error says that the series was never written.
            drop(family.remove_label_values(&[namespace, test, other]));
        }
        if let Some(name) = name {
            family.with_label_values(&[namespace, test, name]).set(1);
        }
    }

    /// Sets when the test was created, in seconds since 1970, and how old its last round may be, in
    /// seconds.
    pub fn ages(&self, created: f64, stale_after: f64) {
        self.families.created.with_label_values(&self.labels).set(created);
        self.families.stale_after.with_label_values(&self.labels).set(stale_after);
    }

    /// Sets when the last whole round ended, in seconds since 1970; 0 before the first.
    pub fn last_round(&self, ended: f64) {
        self.families.last_round.with_label_values(&self.labels).set(ended);
    }

    /// Adds how long a round took, in seconds.
    pub fn round(&self, seconds: f64) {
        self.families.round_duration.with_label_values(&self.labels).observe(seconds);
    }

    /// Sets how many probes speak, and how many the test takes.
    pub fn probes(&self, attached: usize, wanted: usize) {
        let [attached, wanted] = [attached, wanted].map(|n| i64::try_from(n).unwrap_or(i64::MAX));
        self.families.probes_attached.with_label_values(&self.labels).set(attached);
        self.families.probes_wanted.with_label_values(&self.labels).set(wanted);
    }

    /// Sets the status of a condition.
    pub fn condition(&self, condition: ConditionType, status: ConditionStatus) {
        let [namespace, test] = self.labels;
        for other in ConditionStatus::ALL {
            self.families
                .condition
                .with_label_values(&[namespace, test, condition.as_str(), other.as_str()])
                .set(i64::from(*other == status));
        }
    }

    /// Sets whether the test is suspended or has ended, so that no rounds are to be expected.
    pub fn suspended(&self, suspended: bool) {
        self.families.suspended.with_label_values(&self.labels).set(i64::from(suspended));
    }

    /// Removes all series of the test, which is gone.
    pub fn forget(&self) {
        self.families.forget(self.labels);
    }
}

/// From how many sides a rule is exercised: both, one or none.
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
