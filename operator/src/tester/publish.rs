//! Publishes what is known of a test: its status, its figures, its report, and an Event when the
//! verdict or the diagnosis turns.

use std::{sync::Arc, time::Duration};

use k8s_openapi::{api::core::v1::ObjectReference, jiff::Timestamp};
use kube::{
    Api,
    api::{Patch, PatchParams},
    runtime::events::{Event, EventType, Recorder, Reporter},
};
use netproof_conformance::{coverage::Coverage, reference::ObjectRef};
use netproof_crds::{
    ConditionStatus, ConditionType, ConnectivityTest, ConnectivityTestStatus, DIAGNOSED, Finding,
    FindingVerdict, Reason, TestRef,
};
use serde_json::json;
use tokio::time::Instant;
use tracing::warn;

use super::news::{LastTold, News};
use crate::{FIELD_MANAGER, backoff::Backoff, metrics::TestMetrics, shared::Shared};
use netproof_rounds::{
    reports::verdict_line,
    status::{Phase, StatusView},
};

/// A status that differs only in when the last round was is written this seldom.
const ROUTINE: Duration = Duration::from_secs(25);

/// An operator that has just started waits this long for evidence before it says that it has none.
const PATIENCE: Duration = Duration::from_secs(8);

/// Between two writes of a status, on average: one that changes all the time is not written all the
/// time.
const PACE: Duration = Duration::from_secs(1);

/// So many writes may come at once before that counts.
const BURST: u32 = 5;

/// The API's limit for the note of an Event, in bytes.
const NOTE: usize = 1024;

/// The one writer of a test's status.
pub struct Publisher {
    test: TestRef,
    created: Option<Timestamp>,
    shared: Arc<Shared>,
    recorder: Recorder,
    /// What the API server has, as far as we know.
    written: ConnectivityTestStatus,
    written_at: Option<Instant>,
    began: Instant,
    retry: Option<Instant>,
    backoff: Backoff,
    /// When all writes so far are made up for, at their pace.
    paid: Instant,
    /// The last verdict that said something.
    turned: Option<(ConditionStatus, Reason)>,
    /// The start-up leaks that stand and were told of.
    told: Vec<Finding>,
    /// What was told of the diagnosis.
    diagnosed: LastTold,
}

impl Publisher {
    /// Publishes for one test, of which an earlier operator left this status.
    pub fn new(
        test: TestRef,
        created: Option<Timestamp>,
        before: ConnectivityTestStatus,
        shared: Arc<Shared>,
    ) -> Self {
        let reporter = Reporter { controller: "netproof.dev/operator".into(), instance: None };
        Self {
            recorder: Recorder::new(shared.client.clone(), reporter),
            turned: turned(&before),
            told: start_ups(&before),
            diagnosed: LastTold::left_by(&before),
            test,
            created,
            shared,
            written: before,
            written_at: None,
            began: Instant::now(),
            retry: None,
            backoff: Backoff::default(),
            paid: Instant::now(),
        }
    }

    /// The figures of this test.
    pub fn metrics(&self) -> TestMetrics<'_> {
        self.shared.metrics.of(&self.test.namespace, &self.test.name)
    }

    /// Whether the verdict stands for good: the test was to run once, and has, as it is written.
    pub fn is_final(&self, generation: i64) -> bool {
        self.written.conditions.iter().any(|condition| {
            condition.type_ == ConditionType::Complete.as_str()
                && condition.status == ConditionStatus::True.as_str()
                && condition.observed_generation == Some(generation)
        })
    }

    /// Publishes what is known; returns when to try again if that failed.
    pub async fn publish(&mut self, view: StatusView, stale_after: Duration) -> Option<Instant> {
        self.measure(&view, stale_after);
        let view = Arc::new(view);
        let name =
            ObjectRef { namespace: self.test.namespace.clone(), name: self.test.name.clone() };
        self.shared.reports.put(name, Arc::clone(&view));
        if self.retry.is_some_and(|retry| Instant::now() < retry) {
            return self.retry;
        }
        let status = view.status(&self.written, Timestamp::now());
        if !self.worth_writing(&view, &status) {
            // That it is settled may be all that is new.
            self.announce_diagnosis(&view, &status).await;
            return None;
        }
        let now = Instant::now();
        if self.paid > now + BURST * PACE {
            return Some(self.paid - BURST * PACE);
        }
        self.paid = self.paid.max(now) + PACE;
        match self.write(&status).await {
            Ok(()) => {
                self.backoff.reset();
                self.retry = None;
                self.written.clone_from(&status);
                self.written_at = Some(Instant::now());
                self.announce(&view).await;
                self.announce_start_ups(&view).await;
                self.announce_diagnosis(&view, &status).await;
            }
            // The test is gone, or made anew: whoever comes after this one writes. Until then it is
            // not asked at every turn whether that is so.
            Err(kube::Error::Api(error)) if error.code == 404 || error.code == 409 => {
                self.retry = Some(Instant::now() + self.backoff.next());
                return self.retry;
            }
            Err(error) => {
                warn!(%error, "Status not written");
                self.retry = Some(Instant::now() + self.backoff.next());
            }
        }
        self.shared.metrics.status_written(self.retry.is_none());
        self.retry
    }

    fn worth_writing(&self, view: &StatusView, status: &ConnectivityTestStatus) -> bool {
        let waiting = match &view.phase {
            Phase::Active => view.stale.is_some(),
            Phase::NotAccepted(problem) => {
                matches!(problem.reason, Reason::SnapshotIncomplete | Reason::ApiUnavailable)
            }
            Phase::Suspended => false,
        };
        if self.written_at.is_none()
            && waiting
            && self.written.observed_generation == status.observed_generation
            && self.began.elapsed() < PATIENCE
        {
            return false;
        }
        let gist = |status: &ConnectivityTestStatus| {
            let mut gist = status.clone();
            gist.last_round = None;
            // How often a flow connected changes with each attempt: that is told as a matter of
            // routine.
            for finding in &mut gist.findings {
                (finding.outcome, finding.confirmations) = (None, 0);
                finding.message.clear();
            }
            gist
        };
        let routine = self.written_at.is_none_or(|at| at.elapsed() >= ROUTINE);
        gist(status) != gist(&self.written) || (routine && *status != self.written)
    }

    async fn write(&self, status: &ConnectivityTestStatus) -> Result<(), kube::Error> {
        let api =
            Api::<ConnectivityTest>::namespaced(self.shared.client.clone(), &self.test.namespace);
        let patch = json!({
            "apiVersion": "netproof.dev/v1alpha1",
            "kind": "ConnectivityTest",
            // With the UID, a test made anew under this name refuses this status.
            "metadata": {"name": self.test.name, "uid": self.test.uid},
            "status": status,
        });
        let params = PatchParams::apply(FIELD_MANAGER).force();
        api.patch_status(&self.test.name, &params, &Patch::Apply(patch)).await.map(drop)
    }

    /// An Event, if the verdict has turned to something that says more than "wait".
    async fn announce(&mut self, view: &StatusView) {
        let turned = turned(&self.written);
        if turned == self.turned {
            return;
        }
        let Some((status, reason)) = turned else { return };
        if matches!(reason, Reason::Settling | Reason::NoRoundYet) {
            return;
        }
        self.turned = turned;
        let message = verdict_line(view).trim_end().to_owned();
        let type_ = match status {
            ConditionStatus::True => EventType::Normal,
            ConditionStatus::False | ConditionStatus::Unknown => EventType::Warning,
        };
        self.event(type_, reason.as_str(), message).await;
    }

    /// An Event for each start-up leak that is new.
    async fn announce_start_ups(&mut self, view: &StatusView) {
        for finding in view.report.start_ups.iter().filter(|finding| !self.told.contains(finding)) {
            let reason = Reason::StartupLeak.as_str();
            self.event(EventType::Warning, reason, finding.message.clone()).await;
        }
        self.told.clone_from(&view.report.start_ups);
    }

    /// An Event, if what is wrong has become something else, or nothing, as is written.
    async fn announce_diagnosis(&mut self, view: &StatusView, status: &ConnectivityTestStatus) {
        if status.diagnosis != self.written.diagnosis {
            return;
        }
        match self.diagnosed.news(view) {
            Some(News::Wrong(said)) => self.event(EventType::Warning, DIAGNOSED, said).await,
            Some(News::Right(said)) => self.event(EventType::Normal, DIAGNOSED, said).await,
            None => {}
        }
    }

    async fn event(&self, type_: EventType, reason: &str, mut note: String) {
        if note.len() > NOTE {
            note = note.chars().take(NOTE / 4).collect::<String>() + " …";
        }
        let event = Event {
            type_,
            reason: reason.into(),
            note: Some(note),
            action: "Judge".into(),
            secondary: None,
        };
        let reference = ObjectReference {
            api_version: Some("netproof.dev/v1alpha1".into()),
            kind: Some("ConnectivityTest".into()),
            namespace: Some(self.test.namespace.clone()),
            name: Some(self.test.name.clone()),
            uid: Some(self.test.uid.clone()),
            ..ObjectReference::default()
        };
        // An Event is a courtesy: the status says the same.
        if let Err(error) = self.recorder.publish(&event, &reference).await {
            warn!(%error, "Event not written");
        }
    }

    fn measure(&self, view: &StatusView, stale_after: Duration) {
        let metrics = self.metrics();
        for (kind, count) in view.report.counts() {
            metrics.flows(kind, count);
        }
        metrics.diagnosis(view.diagnosed().map(|diagnosed| diagnosed.diagnosis.name()));
        metrics.rules(view.report.coverage.as_deref().unwrap_or(&Coverage::default()));
        for (condition, status, ..) in view.conditions() {
            metrics.condition(condition, status);
        }
        metrics.probes(view.attached, view.wanted);
        metrics.suspended(view.phase == Phase::Suspended);
        let seconds = |at: Timestamp| at.as_duration().as_secs_f64();
        metrics.ages(self.created.map_or(0.0, seconds), stale_after.as_secs_f64());
        metrics.last_round(view.last_round.as_ref().map_or(0.0, |round| seconds(round.time.0)));
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.metrics().forget();
        let name =
            ObjectRef { namespace: self.test.namespace.clone(), name: self.test.name.clone() };
        self.shared.reports.forget(&name);
    }
}

/// The start-up leaks that a status lists.
pub fn start_ups(status: &ConnectivityTestStatus) -> Vec<Finding> {
    let found = status.findings.iter().filter(|f| f.verdict == FindingVerdict::StartupLeak);
    found.cloned().collect()
}

/// What the Conformant condition of a status says.
fn turned(status: &ConnectivityTestStatus) -> Option<(ConditionStatus, Reason)> {
    let condition =
        status.conditions.iter().find(|c| c.type_ == ConditionType::Conformant.as_str())?;
    let of = |word: &str| ConditionStatus::ALL.iter().find(|s| s.as_str() == word).copied();
    let reason = Reason::ALL.iter().find(|r| r.as_str() == condition.reason).copied();
    Some((of(&condition.status)?, reason?))
}

#[cfg(test)]
#[path = "publish_tests.rs"]
mod tests;
