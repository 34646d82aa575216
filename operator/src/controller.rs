//! Reconciles `ConnectivityTests`: works out what each test takes, places its stand-ins, and hands
//! it to its tester.

pub(crate) mod attempts;
pub(crate) mod perform;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures::{Stream, StreamExt, future::join_all};
use k8s_openapi::jiff::Timestamp;
use kube::{
    Api, ResourceExt,
    runtime::{
        controller::{Action, Config, Controller},
        watcher,
    },
};
use netproof_conformance::reference::ObjectRef;
use netproof_crds::{ConditionStatus, ConditionType, ConnectivityTest, Reason, RunPolicy, TestRef};
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{Instant, timeout},
};
use tracing::{Instrument, debug, info_span, warn};

use crate::{
    assignment::Assignment,
    placement::{Pods, decide},
    shared::Shared,
    stand_in_pod::PodSettings,
    tester::Tester,
};
use netproof_rounds::{
    desired::Desired,
    kind::Kind,
    predict::StandIn,
    scenario::{Problem, Scenario, resolve},
};

use attempts::Attempts;
use perform::Performer;

/// How many reconciliations are under way at once at most; kube's default has no bound.
const CONCURRENCY: u16 = 8;

/// How long until the next reconciliation while too little is known, if nothing changes.
const RETRY: Duration = Duration::from_secs(5);

/// How long testers have at the end to write their last status, attempts under way included.
const LAST_WORDS: Duration = Duration::from_secs(8);

/// What reconciliations share: clients and settings, past attempts, and the tests that run.
pub struct Context {
    /// Clients, World, metrics and reports, which all parts of the operator share.
    pub shared: Arc<Shared>,
    /// The settings that all stand-ins have in common.
    pub pod_settings: PodSettings,
    /// The operator's own namespace.
    namespace: String,
    closed: AtomicBool,
    /// How many flows one test may name at most.
    pub most_flows: usize,
    /// What the API server was asked to make or remove lately.
    pub(crate) attempts: Attempts,
    testers: Mutex<HashMap<ObjectRef, RunningTest>>,
}

/// A test that is being carried out.
struct RunningTest {
    uid: String,
    meant: MeantFor,
    assignment: watch::Sender<Arc<Assignment>>,
    task: JoinHandle<()>,
}

/// The nodes that a test was last meant for, and the generation of its spec then.
#[derive(Clone, Debug, Default)]
struct MeantFor {
    generation: i64,
    nodes: BTreeSet<String>,
}

impl MeantFor {
    /// Takes over the nodes of an assignment, unless that cannot be carried out.
    fn learn(&mut self, assignment: &Assignment) {
        if let Ok(Scenario { desired, .. }) = &assignment.scenario {
            let nodes = desired.iter().filter_map(|desired| desired.node.clone()).collect();
            *self = Self { generation: assignment.generation, nodes };
        }
    }
}

impl RunningTest {
    /// Ends the tester with this reason, and waits until it has written it. Has no deadline;
    /// dropping the future aborts the tester.
    async fn retire(mut self, why: Problem) {
        let last = Assignment {
            scenario: Err(why),
            stand_ins: vec![],
            ..Assignment::clone(&self.assignment.borrow())
        };
        // A tester takes the last assignment that was sent, and ends once the sender is gone.
        let unused = watch::Sender::new(Arc::new(last.clone()));
        let sender = std::mem::replace(&mut self.assignment, unused);
        sender.send_replace(Arc::new(last));
        drop(sender);
        if let Err(error) = (&mut self.task).await {
            warn!(%error, "Tester ended badly");
        }
    }
}

impl Drop for RunningTest {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Context {
    /// A context without running tests.
    pub fn new(
        shared: Arc<Shared>,
        pod_settings: PodSettings,
        namespace: String,
        most_flows: usize,
    ) -> Self {
        let (closed, attempts) = (AtomicBool::new(false), Attempts::default());
        Self {
            shared,
            pod_settings,
            namespace,
            closed,
            most_flows,
            attempts,
            testers: Mutex::default(),
        }
    }

    /// Hands an assignment to the test's tester. One is started if none runs for this UID, in place
    /// of that of an earlier test of the name.
    fn assign(&self, test: &ConnectivityTest, assignment: Assignment) {
        let reference = reference(test);
        let name =
            ObjectRef { namespace: reference.namespace.clone(), name: reference.name.clone() };
        let mut testers = self.testers.lock().expect("no holder of this lock can panic");
        if let Some(running) = testers.get_mut(&name)
            && running.uid == reference.uid
            && !running.task.is_finished()
        {
            running.meant.learn(&assignment);
            running.assignment.send_if_modified(|current| {
                let differs = **current != assignment;
                if differs {
                    tell(&name, &assignment, Some(current));
                    *current = Arc::new(assignment);
                }
                differs
            });
            return;
        }
        tell(&name, &assignment, None);
        // Metrics and report of the old tester go before those of the new one come.
        testers.remove(&name);
        let mut meant = MeantFor::default();
        meant.learn(&assignment);
        let (sender, receiver) = watch::channel(Arc::new(assignment));
        let created = test.creation_timestamp().map(|time| time.0);
        let before = test.status.clone().unwrap_or_default();
        let span = info_span!(parent: None, "test", test = %name);
        let uid = reference.uid.clone();
        let tester = Tester::new(reference, created, before, Arc::clone(&self.shared), receiver);
        let task = tokio::spawn(tester.run().instrument(span));
        testers.insert(name, RunningTest { uid, meant, assignment: sender, task });
    }

    /// The nodes that this generation of a test was meant for before: those of its last assignment,
    /// and those that its status, perhaps of an earlier operator, names as uncovered.
    fn meant_before(&self, test: &ConnectivityTest) -> BTreeSet<String> {
        let generation = test.metadata.generation;
        let status = test.status.iter().filter(|status| status.observed_generation == generation);
        let uncovered = status.flat_map(|status| &status.uncovered_nodes);
        let mut nodes: BTreeSet<String> = uncovered.map(|gap| gap.name.clone()).collect();
        let testers = self.testers.lock().expect("no holder of this lock can panic");
        let uid = test.uid();
        let running = testers.values().find(|running| Some(&running.uid) == uid.as_ref());
        if let Some(RunningTest { meant, .. }) = running
            && Some(meant.generation) == generation
        {
            nodes.extend(meant.nodes.iter().cloned());
        }
        nodes
    }

    /// Aborts the testers of all tests for which `exists`, given name and UID, is false.
    pub fn keep_only(&self, exists: impl Fn(&ObjectRef, &str) -> bool) {
        let mut testers = self.testers.lock().expect("no holder of this lock can panic");
        testers.retain(|name, running| exists(name, &running.uid));
    }

    /// The tests that have a tester, by name and UID, in no order.
    pub fn running(&self) -> Vec<(ObjectRef, String)> {
        let testers = self.testers.lock().expect("no holder of this lock can panic");
        testers.iter().map(|(name, running)| (name.clone(), running.uid.clone())).collect()
    }

    /// Aborts all testers, and begins no more. Statuses stay as they are.
    pub fn stop(&self) {
        self.close();
        self.keep_only(|_, _| false);
    }

    /// Ends reconciling for good: nothing new is placed, and no test is begun.
    pub fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
    }

    /// Whether nothing new may be placed: the operator ends, or its namespace is going.
    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst) || self.shared.world.borrow().is_going(&self.namespace)
    }

    /// Ends all testers for good. Together they have 8 s to write
    /// why into their tests' statuses.
    pub async fn retire(&self, why: &Problem) {
        self.close();
        let running = {
            let mut testers = self.testers.lock().expect("no holder of this lock can panic");
            std::mem::take(&mut *testers)
        };
        let last_words = running.into_values().map(|running| running.retire(why.clone()));
        if timeout(LAST_WORDS, join_all(last_words)).await.is_err() {
            warn!("Not every status says that nobody tests any more");
        }
    }
}

/// Logs that a test is not accepted, if it was before, or was not for another reason.
fn tell(test: &ObjectRef, now: &Assignment, before: Option<&Assignment>) {
    let problem = |assignment: &Assignment| assignment.scenario.as_ref().err().cloned();
    if let Some(Problem { reason, message }) = problem(now)
        && before.and_then(problem).is_none_or(|before| before.message != message)
    {
        warn!(%test, %reason, message, "Test not accepted");
    }
}

/// Why a test could not be reconciled.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    /// The World lacks stand-ins or their owners, so nothing may be decided.
    #[error("waiting for the picture of the cluster: {0}")]
    Incomplete(String),
}

/// Reconciles all tests until `shutdown` resolves and the reconciliations under way are done. Each
/// item of `news` makes all tests due.
pub async fn run(
    context: Arc<Context>,
    news: impl Stream<Item = ()> + Send + 'static,
    shutdown: impl Future<Output = ()> + Send + Sync + 'static,
) {
    let tests = Api::<ConnectivityTest>::all(context.shared.streaming.clone());
    Controller::new(tests, watcher::Config::default().timeout(180))
        .with_config(Config::default().concurrency(CONCURRENCY))
        .reconcile_all_on(news)
        .graceful_shutdown_on(shutdown)
        .run(reconcile, |_, error, _| retry(error), context)
        .for_each(|result| async move {
            match result {
                Ok((test, _)) => debug!(%test, "Reconciled"),
                Err(error) => debug!(%error, "Not reconciled"),
            }
        })
        .await;
}

fn retry(error: &ReconcileError) -> Action {
    match error {
        ReconcileError::Incomplete(_) => Action::requeue(Duration::from_secs(1)),
    }
}

async fn reconcile(
    test: Arc<ConnectivityTest>,
    context: Arc<Context>,
) -> Result<Action, ReconcileError> {
    if test.metadata.deletion_timestamp.is_some() || context.is_closed() {
        return Ok(Action::await_change());
    }
    let world = Arc::clone(&context.shared.world.borrow());
    for kind in [Kind::StandIns, Kind::StandInSets] {
        if !world.complete.contains(&kind) {
            // While existing stand-ins cannot be seen, no more of them may be made.
            let blind = world.blind.get(&kind);
            if let Some(why) = blind {
                let problem = Problem::new(Reason::Forbidden, format!("{}: {why}", kind.word()));
                context.assign(&test, assignment(&test, Err(problem), vec![]));
            }
            let why = blind.map(ToString::to_string).unwrap_or_default();
            return Err(ReconcileError::Incomplete(format!("{} {why}", kind.word())));
        }
    }
    let scenario = resolve(&test, &world, &context.meant_before(&test), context.most_flows);
    let reference = reference(&test);
    let wanted: Vec<Desired> = match &scenario {
        Ok(scenario) if !suspended(&test) => scenario.desired.clone(),
        // Stand-ins stay while too little is known.
        Err(problem) if problem.reason == Reason::SnapshotIncomplete => {
            context.assign(&test, assignment(&test, scenario, vec![]));
            return Ok(Action::requeue(RETRY));
        }
        Ok(_) | Err(_) => vec![],
    };
    if wanted.is_empty() {
        // The tester has to know before its probes go, or it would report that they are missing.
        context.assign(&test, assignment(&test, scenario.clone(), vec![]));
    }
    let settings = &context.pod_settings;
    let mut performer = Performer::new(&context.shared.client, &context.attempts);
    let sets =
        perform::sets(&mut performer, &wanted, &world, &reference, &settings.installation).await;
    let owners = perform::owners(&world, &sets, &reference, &settings.installation);
    let pods = Pods { labelled: &world.stand_ins, owners: &owners };
    let mut placement = decide(&wanted, pods, &reference, settings, Timestamp::now());
    let uncovered = scenario.as_ref().map(|scenario| &scenario.uncovered[..]).unwrap_or_default();
    let waiting = placement.postpone(&wanted, uncovered);
    if let Some(renew) = test.spec.renew
        && uncovered.is_empty()
    {
        placement.renew(renew.into(), Timestamp::now());
    }
    let actions = std::mem::take(&mut placement.actions);
    let mut troubles =
        perform::actions(&mut performer, actions, &wanted, &sets, &reference, settings).await;
    troubles.extend(waiting.into_iter().chain(std::mem::take(&mut placement.altered)));
    let stand_ins = stand_ins(wanted, placement.found, &troubles);
    context.assign(&test, assignment(&test, scenario, stand_ins));
    let look_again = placement.look_again.map(|seconds| seconds.max(1).unsigned_abs());
    let attempt_again =
        performer.again().map(|again| again.saturating_duration_since(Instant::now()));
    let next = look_again.map(Duration::from_secs).into_iter().chain(attempt_again).min();
    Ok(next.map_or_else(Action::await_change, Action::requeue))
}

fn stand_ins(
    wanted: Vec<Desired>,
    found: Vec<Option<(ObjectRef, netproof_rounds::decode::PodState)>>,
    troubles: &BTreeMap<usize, Problem>,
) -> Vec<StandIn> {
    wanted
        .into_iter()
        .zip(found)
        .enumerate()
        .map(|(index, (desired, pod))| StandIn {
            desired,
            pod,
            trouble: troubles.get(&index).cloned(),
        })
        .collect()
}

fn assignment(
    test: &ConnectivityTest,
    scenario: Result<Scenario, Problem>,
    stand_ins: Vec<StandIn>,
) -> Assignment {
    Assignment {
        generation: test.metadata.generation.unwrap_or_default(),
        once: test.spec.run_policy == RunPolicy::Once,
        suspended: test.spec.suspend,
        scenario,
        stand_ins,
    }
}

fn suspended(test: &ConnectivityTest) -> bool {
    test.spec.suspend || finished(test)
}

/// Whether this generation of the test has run to its end.
fn finished(test: &ConnectivityTest) -> bool {
    test.spec.run_policy == RunPolicy::Once
        && test.status.iter().flat_map(|status| &status.conditions).any(|condition| {
            condition.type_ == ConditionType::Complete.as_str()
                && condition.status == ConditionStatus::True.as_str()
                && condition.observed_generation == test.metadata.generation
        })
}

/// The name and UID of a test, as its stand-ins carry them.
pub fn reference(test: &ConnectivityTest) -> TestRef {
    TestRef {
        namespace: test.namespace().unwrap_or_default(),
        name: test.name_any(),
        uid: test.uid().unwrap_or_default(),
    }
}

#[cfg(test)]
#[path = "controller_tests.rs"]
mod tests;
