use hyper::Method;
use kube::Client;
use netproof_conformance::kinds::ClusterPolicyKind;
use serde_json::json;

use super::*;
use crate::{
    api_server::{ApiServer, DEFINITIONS, RequestRefusal},
    pacing::{self, Pacing},
    presence::definition,
};

const MINUTE: Duration = Duration::from_secs(60);
const WATCH: &str = "watch=true";

/// A server, and the changes of one kind that are followed there.
struct Bed {
    server: ApiServer,
    following: Following,
}

impl Bed {
    async fn begin(
        client: impl FnOnce(&ApiServer) -> Client,
        set: impl FnOnce(&ApiServer),
    ) -> Self {
        let server = ApiServer::start().await;
        server.put(DEFINITIONS, json!({"metadata": {"name": "one"}}));
        set(&server);
        let (resource, _) = definition(ClusterPolicyKind::AdminNetworkPolicy.row());
        let api = Api::all_with(client(&server), &resource);
        Self { following: Following::begin(api, Which::All), server }
    }

    /// The changes that are learned within `time`, on a paused clock.
    async fn learn(&mut self, time: Duration) -> Vec<ObjectChange> {
        let end = Instant::now() + time;
        let mut changes = vec![];
        while let Ok(Some(change)) = tokio::time::timeout_at(end, self.following.next()).await {
            changes.push(change);
        }
        changes
    }

    /// How many lists and watches the server was asked for.
    fn asked(&self) -> (usize, usize) {
        let all = self.server.count(&Method::GET, DEFINITIONS);
        let watches = self.server.count(&Method::GET, WATCH);
        (all - watches, watches)
    }
}

fn plain(server: &ApiServer) -> Client {
    server.client.clone()
}

fn paced(server: &ApiServer) -> Client {
    pacing::client(server.config.clone(), &Pacing::default()).expect("a client")
}

fn refuse_watches(server: &ApiServer, code: u16, retry_after: Option<u32>) {
    let message = "no";
    server.refuse(RequestRefusal { method: Method::GET, part: WATCH, code, message, retry_after });
}

#[tokio::test(start_paused = true)]
async fn watches_that_end_at_once_are_begun_anew_ever_more_seldom() {
    let mut bed = Bed::begin(plain, ApiServer::end_watches).await;
    bed.learn(MINUTE).await;
    let (lists, watches) = bed.asked();
    assert!((5..=14).contains(&watches), "{watches} watches in a minute");
    assert!(lists <= watches + 1, "{lists} lists, {watches} watches");
    bed.learn(10 * MINUTE).await;
    let more = bed.asked().1 - watches;
    assert!((40..=81).contains(&more), "{more} watches in ten minutes");
}

#[tokio::test(start_paused = true)]
async fn who_may_list_and_not_watch_lists_seldom_and_is_told_why() {
    let mut bed = Bed::begin(plain, |server| refuse_watches(server, 403, None)).await;
    let changes = bed.learn(MINUTE).await;
    let (lists, watches) = bed.asked();
    assert!((5..=14).contains(&lists) && watches <= lists, "{lists} lists, {watches} watches");
    let is_blind = |change: &&ObjectChange| matches!(change, ObjectChange::Blind(Blind::Forbidden(why)) if why.contains("no"));
    assert!(changes.iter().any(|change| is_blind(&change)), "{changes:?}");
}

#[tokio::test(start_paused = true)]
async fn an_api_server_that_asks_for_a_pause_has_it() {
    let mut bed = Bed::begin(paced, |server| refuse_watches(server, 429, Some(30))).await;
    bed.learn(10 * MINUTE).await;
    let (lists, watches) = bed.asked();
    // Lists have the same path as watches.
    assert!((9..=20).contains(&watches), "{watches} watches in ten minutes");
    assert!(lists <= watches, "{lists} lists, {watches} watches");
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_has_lived_is_followed_by_another_at_once() {
    let mut bed = Bed::begin(plain, |server| refuse_watches(server, 500, None)).await;
    bed.learn(10 * MINUTE).await;
    bed.server.relent();
    bed.learn(2 * LIVED + Duration::from_secs(15)).await;
    let before = bed.asked();
    // All watches end, as they do every three minutes.
    bed.server.stop_serving(DEFINITIONS);
    bed.server.serve(DEFINITIONS);
    bed.learn(Duration::from_millis(500)).await;
    let after = bed.asked();
    assert_eq!((after.0, after.1), (before.0, before.1 + 1), "no list, one watch");
}

#[tokio::test(start_paused = true)]
async fn an_api_server_that_is_gone_is_asked_ever_more_seldom() {
    let mut bed = Bed::begin(plain, |server| {
        server.refuse(RequestRefusal {
            method: Method::GET,
            part: DEFINITIONS,
            code: 503,
            message: "down",
            retry_after: None,
        });
    })
    .await;
    bed.learn(10 * MINUTE).await;
    let (lists, watches) = bed.asked();
    assert!((40..=90).contains(&lists) && watches == 0, "{lists} lists, {watches} watches");
}
