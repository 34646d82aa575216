use futures::StreamExt;
use k8s_openapi::api::core::v1::Namespace;
use kube::{
    Api,
    runtime::{WatchStreamExt, watcher},
};
use serde_json::json;

use super::*;
use crate::api_server::{ApiServer, RequestRefusal};

const NAMESPACES: &str = "/api/v1/namespaces";
const NODES: &str = "/api/v1/nodes";

async fn server() -> (ApiServer, Client) {
    let server = ApiServer::start().await;
    server.serve(NAMESPACES);
    server.serve(NODES);
    server.put(NAMESPACES, json!({"metadata": {"name": "shop"}}));
    let client = client(server.config.clone(), &Pacing::default()).expect("a client");
    (server, client)
}

fn refuse(server: &ApiServer, part: &'static str, code: u16, retry_after: u32) {
    let (method, message) = (Method::GET, "later");
    server.refuse(RequestRefusal { method, part, code, message, retry_after: Some(retry_after) });
}

/// The status code with which a get of a namespace fails; none if it succeeds.
async fn code(client: &Client) -> Option<u16> {
    match Api::<Namespace>::all(client.clone()).get("shop").await {
        Ok(_) => None,
        Err(kube::Error::Api(status)) => Some(status.code),
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_asked_again_before_the_time_that_the_api_server_names() {
    for refused in [429, 503] {
        let (server, client) = server().await;
        refuse(&server, "/namespaces/shop", refused, 30);
        assert_eq!(code(&client).await, Some(refused));
        server.relent();
        for _ in 0..100 {
            assert_eq!(code(&client).await, Some(refused), "it is told the same");
        }
        assert_eq!(server.count(&Method::GET, "/namespaces/shop"), 1);
        sleep(Duration::from_secs(29)).await;
        assert_eq!(code(&client).await, Some(refused));
        sleep(Duration::from_secs(5)).await;
        assert_eq!(code(&client).await, None);
        assert_eq!(server.count(&Method::GET, "/namespaces/shop"), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_asked_elsewhere_or_otherwise_is_not_held_back() {
    let (server, client) = server().await;
    refuse(&server, "/namespaces/shop", 429, 30);
    assert_eq!(code(&client).await, Some(429));
    let namespaces = Api::<Namespace>::all(client.clone());
    namespaces.list(&kube::api::ListParams::default()).await.expect("another path");
    let params = kube::api::DeleteParams::default();
    // Another method is not paced. The server does not know it, and answers as to a get.
    namespaces.delete("shop", &params).await.expect("another method");
}

#[tokio::test(start_paused = true)]
async fn nobody_is_held_back_for_ever() {
    let (server, client) = server().await;
    refuse(&server, "/namespaces/shop", 429, u32::MAX);
    assert_eq!(code(&client).await, Some(429));
    server.relent();
    sleep(Duration::from_secs(LONGEST + LONGEST / 10 + 1)).await;
    assert_eq!(code(&client).await, None);
}

#[tokio::test(start_paused = true)]
async fn a_failure_without_a_time_holds_nobody_back() {
    let (server, client) = server().await;
    let (method, part) = (Method::GET, "/namespaces/shop");
    server.refuse(RequestRefusal { method, part, code: 500, message: "no", retry_after: None });
    assert_eq!(code(&client).await, Some(500));
    server.relent();
    assert_eq!(code(&client).await, None);
}

#[tokio::test(start_paused = true)]
async fn the_watches_of_kubes_own_watcher_have_a_floor() {
    let (server, client) = server().await;
    server.end_watches();
    let namespaces = Api::<Namespace>::all(client);
    let watching = tokio::spawn(async move {
        let events = watcher(namespaces, watcher::Config::default()).default_backoff();
        events.for_each(|_| async {}).await;
    });
    sleep(Duration::from_secs(60)).await;
    watching.abort();
    let watches = server.count(&Method::GET, "watch=true");
    assert!((5..=30).contains(&watches), "{watches} watches in a minute");
}

#[tokio::test(start_paused = true)]
async fn watches_of_other_kinds_and_names_do_not_wait_for_each_other() {
    let (server, client) = server().await;
    let began = Instant::now();
    for selector in ["a", "b", "c"] {
        for namespaces in [true, false] {
            let params = kube::api::WatchParams::default();
            let params = params.fields(&format!("metadata.name={selector}"));
            let client = client.clone();
            if namespaces {
                drop(Api::<Namespace>::all(client).watch(&params, "1").await.expect("a watch"));
            } else {
                let nodes = Api::<k8s_openapi::api::core::v1::Node>::all(client);
                drop(nodes.watch(&params, "1").await.expect("a watch"));
            }
        }
    }
    assert_eq!(server.count(&Method::GET, "watch=true"), 6);
    assert!(began.elapsed() < Duration::from_millis(200), "{:?}", began.elapsed());
}
