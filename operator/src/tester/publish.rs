//! Publishes what is known of a test: its status, its metrics, its report, and an Event when the
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
use crate::{FIELD_MANAGER, backoff::Rest, metrics::TestMetrics, shared::Shared};
use netproof_rounds::{
    reports::verdict_line,
    status::{Phase, StatusView},
};

/// How long at least after the last write a status is written that differs only in routine: in the
/// time of the last round, and in how often flows were seen.
const ROUTINE: Duration = Duration::from_secs(25);

/// How long a new tester waits for evidence before its status says that there is none.
const PATIENCE: Duration = Duration::from_secs(8);

/// The least average time between two writes of a status that changes all the time.
const PACE: Duration = Duration::from_secs(1);

/// How many writes may come at once before [`PACE`] holds.
const BURST: u32 = 5;

/// The API's limit for the note of an Event, in bytes.
const NOTE: usize = 1024;

/// The one writer of a test's status.
pub struct Publisher {
    test: TestRef,
    created: Option<Timestamp>,
    shared: Arc<Shared>,
    recorder: Recorder,
    /// The status that the API server has, as far as is known.
    written: ConnectivityTestStatus,
    written_at: Option<Instant>,
    began: Instant,
    /// The rest after writes that failed.
    rest: Rest,
    /// When all writes so far are made up for, at one each [`PACE`].
    paid: Instant,
    /// The last verdict that an Event told.
    turned: Option<(ConditionStatus, Reason)>,
    /// The start-up leaks that stand, each told by an Event.
    told: Vec<Finding>,
    /// What Events have told of the diagnosis.
    diagnosed: LastTold,
}

impl Publisher {
    /// A publisher for one test, of which an earlier operator left the status `before`.
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
            rest: Rest::default(),
            paid: Instant::now(),
        }
    }

    /// The metrics of this test.
    pub fn metrics(&self) -> TestMetrics<'_> {
        self.shared.metrics.of(&self.test.namespace, &self.test.name)
    }

    /// Whether the test was to run once, and has a verdict for this generation in its status.
    pub fn is_final(&self, generation: i64) -> bool {
        self.written.conditions.iter().any(|condition| {
            condition.type_ == ConditionType::Complete.as_str()
                && condition.status == ConditionStatus::True.as_str()
                && condition.observed_generation == Some(generation)
        })
    }

    /// Publishes `view`: metrics and report at once, the status if it is worth a write. Returns
    /// when to publish again if the write failed or was put off; none otherwise.
    pub async fn publish(&mut self, view: StatusView, stale_after: Duration) -> Option<Instant> {
        self.measure(&view, stale_after);
        let view = Arc::new(view);
        let name =
            ObjectRef { namespace: self.test.namespace.clone(), name: self.test.name.clone() };
        self.shared.reports.put(name, Arc::clone(&view));
        if let Some(retry) = self.rest.until() {
            return Some(retry);
        }
        let status = view.status(&self.written, Timestamp::now());
        if !self.worth_writing(&view, &status) {
            // A diagnosis that was written may have become certain since.
            self.announce_diagnosis(&view, &status).await;
            return None;
        }
        let now = Instant::now();
        if self.paid > now + BURST * PACE {
            return Some(self.paid - BURST * PACE);
        }
        self.paid = self.paid.max(now) + PACE;
        let retry = match self.write(&status).await {
            Ok(()) => {
                self.rest.end();
                self.written.clone_from(&status);
                self.written_at = Some(Instant::now());
                self.announce(&view).await;
                self.announce_start_ups(&view).await;
                self.announce_diagnosis(&view, &status).await;
                None
            }
            // The test is gone or made anew, and the controller will end this tester. Until then it
            // does not ask at every step.
            Err(kube::Error::Api(error)) if error.code == 404 || error.code == 409 => {
                return Some(self.rest.begin());
            }
            Err(error) => {
                warn!(%error, "Status not written");
                Some(self.rest.begin())
            }
        };
        self.shared.metrics.status_written(retry.is_none());
        retry
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
            // How often a flow connected changes with each attempt, which is routine.
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

    /// Writes an Event if the verdict has turned to one that says more than "wait".
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

    /// Writes an Event for each start-up leak that was not told yet.
    async fn announce_start_ups(&mut self, view: &StatusView) {
        for finding in view.report.start_ups.iter().filter(|finding| !self.told.contains(finding)) {
            let reason = Reason::StartupLeak.as_str();
            self.event(EventType::Warning, reason, finding.message.clone()).await;
        }
        self.told.clone_from(&view.report.start_ups);
    }

    /// Writes an Event if there is news of the diagnosis that the status has already.
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
        // An Event that is lost is not repeated: the status says the same.
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

/// The Conformant condition of a status; none if it is missing or has a word that is not known.
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
