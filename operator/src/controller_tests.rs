//! Counts the requests that a test costs the API server while something is refused all the time and
//! the cluster changes all the time.

use std::collections::BTreeSet;

use hyper::Method;
use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::*;
use crate::{
    api_server::{ApiServer, RequestRefusal},
    janitor,
    pacing::{self, Pacing},
    shared::testing::shared,
};
use netproof_rounds::world::World;

const MINUTE: Duration = Duration::from_secs(60);
const TESTS: &str = "/apis/netproof.dev/v1alpha1/connectivitytests";
const PODS: &str = "/namespaces/shop/pods/";
const SETS: &str = "/namespaces/shop/standinsets/";
const STATUS: &str = "/connectivitytests/t/status";

struct Bed {
    server: ApiServer,
    world: watch::Sender<Arc<World>>,
    context: Arc<Context>,
}

impl Bed {
    async fn of(objects: Vec<(Kind, Value)>) -> Self {
        let server = ApiServer::start().await;
        server.serve("/api/v1/namespaces/shop/pods");
        server.serve("/apis/netproof.dev/v1alpha1/namespaces/shop/standinsets");
        let client = pacing::client(server.config.clone(), &Pacing::default()).expect("a client");
        let home = (Kind::Namespaces, json!({"metadata": {"name": "shop"}}));
        let all = objects.into_iter().chain([home]);
        let dynamic = |(kind, object)| (kind, serde_json::from_value(object).expect("an object"));
        let world = watch::Sender::new(Arc::new(World::of(all.map(dynamic))));
        let shared = shared(client, world.subscribe());
        let pod_settings = PodSettings {
            image: "probe".into(),
            priority_class: None,
            lifetime: 60 * MINUTE,
            installation: "here".into(),
        };
        let context = Arc::new(Context::new(shared, pod_settings, "netproof-system".into(), 1000));
        Self { server, world, context }
    }

    fn refuse(&self, method: Method, part: &'static str, code: u16, message: &'static str) {
        self.server.refuse(RequestRefusal { method, part, code, message, retry_after: None });
    }

    /// Reconciles a test two hundred times, spread over `time`.
    async fn reconcile(&self, test: &Arc<ConnectivityTest>, time: Duration) {
        let end = Instant::now() + time;
        while Instant::now() < end {
            self.world.send_modify(|_| {});
            reconcile(Arc::clone(test), Arc::clone(&self.context)).await.expect("all is known");
            sleep(time / 200).await;
        }
    }

    fn stand_ins(&self) -> Vec<StandIn> {
        let testers = self.context.testers.lock().expect("nobody panics");
        testers.values().flat_map(|one| one.assignment.borrow().stand_ins.clone()).collect()
    }
}

fn test(spec: &Value) -> Arc<ConnectivityTest> {
    let object = json!({
        "apiVersion": "netproof.dev/v1alpha1", "kind": "ConnectivityTest",
        "metadata": {"name": "t", "namespace": "shop", "uid": "u", "generation": 1},
        "spec": spec,
    });
    Arc::new(serde_json::from_value(object).expect("a test"))
}

fn trio() -> Arc<ConnectivityTest> {
    let endpoint = |name: &str| json!({"name": name, "standIn": {"labels": {"app": name}}});
    test(&json!({"endpoints": [endpoint("a"), endpoint("b"), endpoint("c")]}))
}

/// The test's `StandInSet`, as the cluster has it.
fn set(namespace: &str) -> (Kind, Value) {
    let test = json!({"namespace": "shop", "name": "t", "uid": "u"});
    let metadata = json!({
        "name": "shop.t", "namespace": namespace, "uid": "set", "resourceVersion": "1",
        "labels": {"netproof.dev/test-uid": "u"},
    });
    let set = json!({
        "apiVersion": "netproof.dev/v1alpha1", "kind": "StandInSet",
        "metadata": metadata, "spec": {"replicas": 0, "test": test},
    });
    (Kind::StandInSets, set)
}

fn stand_in(name: &str) -> (Kind, Value) {
    let metadata = json!({
        "name": name, "namespace": "shop", "uid": name, "resourceVersion": "1",
        "labels": {"netproof.dev/test-uid": "u", "netproof.dev/stand-in": "other"},
        "ownerReferences": [{
            "apiVersion": "netproof.dev/v1alpha1", "kind": "StandInSet", "name": "shop.t",
            "uid": "set", "controller": true,
        }],
    });
    let pod: Value = json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": []}});
    (Kind::StandIns, pod)
}

#[tokio::test(start_paused = true)]
async fn pods_that_a_quota_refuses_are_tried_ever_more_seldom_and_the_reason_stays_said() {
    let bed = Bed::of(vec![set("shop")]).await;
    let quota = r#"pods "t-a" is forbidden: exceeded quota: none"#;
    bed.refuse(Method::PATCH, PODS, 403, quota);
    bed.reconcile(&trio(), Duration::from_secs(20)).await;
    let early = bed.server.count(&Method::PATCH, PODS);
    assert!((9..=21).contains(&early), "{early} for three pods in 20 s");
    bed.reconcile(&trio(), 5 * MINUTE).await;
    let before = bed.server.count(&Method::PATCH, PODS);
    bed.reconcile(&trio(), 10 * MINUTE).await;
    let late = bed.server.count(&Method::PATCH, PODS) - before;
    assert!((30..=61).contains(&late), "{late} for three pods in ten minutes");
    let said: BTreeSet<_> =
        bed.stand_ins().iter().map(|one| one.trouble.clone().map(|p| p.reason)).collect();
    assert_eq!(said, [Some(Reason::PodRejected)].into());

    bed.server.relent();
    bed.reconcile(&trio(), MINUTE).await;
    assert!(bed.stand_ins().iter().all(|one| one.trouble.is_none()), "{:?}", bed.stand_ins());
}

#[tokio::test(start_paused = true)]
async fn a_stand_in_that_is_wanted_otherwise_is_tried_at_once() {
    let bed = Bed::of(vec![set("shop")]).await;
    bed.refuse(Method::PATCH, PODS, 403, "exceeded quota");
    bed.reconcile(&trio(), 5 * MINUTE).await;
    let before = bed.server.count(&Method::PATCH, PODS);
    let endpoint = json!({"name": "a", "standIn": {"labels": {"app": "other"}}});
    bed.reconcile(&test(&json!({"endpoints": [endpoint]})), Duration::from_millis(50)).await;
    assert_eq!(bed.server.count(&Method::PATCH, PODS) - before, 1);
}

#[tokio::test(start_paused = true)]
async fn an_owner_that_is_refused_is_tried_ever_more_seldom() {
    let bed = Bed::of(vec![]).await;
    bed.refuse(Method::PATCH, SETS, 403, "cannot patch resource");
    bed.reconcile(&trio(), 10 * MINUTE).await;
    let count = bed.server.count(&Method::PATCH, SETS);
    assert!((10..=30).contains(&count), "{count} in ten minutes");
    assert_eq!(bed.server.count(&Method::PATCH, PODS), 0);
}

#[tokio::test(start_paused = true)]
async fn what_must_not_be_removed_is_tried_ever_more_seldom() {
    let bed = Bed::of(vec![set("shop"), stand_in("old")]).await;
    bed.refuse(Method::DELETE, PODS, 403, "cannot delete resource");
    bed.reconcile(&trio(), 10 * MINUTE).await;
    let count = bed.server.count(&Method::DELETE, PODS);
    assert!((10..=30).contains(&count), "{count} in ten minutes");
}

#[tokio::test(start_paused = true)]
async fn what_the_picture_does_not_show_is_not_made_over_and_over() {
    let bed = Bed::of(vec![]).await;
    bed.reconcile(&trio(), MINUTE).await;
    for (what, most) in [(SETS, 130), (PODS, 3 * 130)] {
        let count = bed.server.count(&Method::PATCH, what);
        assert!((30..=most).contains(&count), "{count} of {what} in a minute");
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_test_that_is_gone_has_left_is_looked_at_ever_more_seldom() {
    let bed = Bed::of(vec![set("shop"), set("data")]).await;
    bed.refuse(Method::DELETE, "/standinsets/", 403, "cannot delete resource");
    let sweeping = tokio::spawn(janitor::run(Arc::clone(&bed.context), bed.world.subscribe()));
    let end = Instant::now() + 10 * MINUTE;
    while Instant::now() < end {
        bed.world.send_modify(|_| {});
        sleep(Duration::from_millis(250)).await;
    }
    sweeping.abort();
    let (looks, removals) = (
        bed.server.count(&Method::GET, "/connectivitytests/t"),
        bed.server.count(&Method::DELETE, "/standinsets/"),
    );
    assert!((10..=30).contains(&looks), "{looks} looks in ten minutes");
    assert!((2..=60).contains(&removals), "{removals} removals in ten minutes");
}

#[tokio::test(start_paused = true)]
async fn the_controllers_own_watch_has_a_floor() {
    let bed = Bed::of(vec![]).await;
    bed.server.serve(TESTS);
    bed.server.end_watches();
    let ended = sleep(MINUTE);
    run(Arc::clone(&bed.context), futures::stream::pending(), ended).await;
    let watches = bed.server.count(&Method::GET, "watch=true");
    assert!((5..=30).contains(&watches), "{watches} watches in a minute");
}

#[tokio::test(start_paused = true)]
async fn a_status_that_is_refused_is_written_ever_more_seldom() {
    for code in [403, 409, 422] {
        let bed = Bed::of(vec![set("shop")]).await;
        bed.refuse(Method::PATCH, STATUS, code, "another manager");
        bed.refuse(Method::PATCH, PODS, 403, "exceeded quota");
        bed.reconcile(&trio(), 10 * MINUTE).await;
        let count = bed.server.count(&Method::PATCH, STATUS);
        assert!((30..=100).contains(&count), "{count} in ten minutes with {code}");
    }
}

#[test]
fn a_pod_is_what_the_picture_would_show() {
    // The other tests prove something only if the operator can read their objects.
    let (_, pod) = stand_in("old");
    serde_json::from_value::<Pod>(pod).expect("a pod");
    let world = World::of(
        [set("shop"), stand_in("old")]
            .map(|(kind, object)| (kind, serde_json::from_value(object).expect("an object"))),
    );
    assert!(world.stand_in_sets.values().chain([]).all(|read| read.meaning.is_ok()));
    assert!(world.stand_ins.values().all(|read| read.meaning.is_ok()));
}
