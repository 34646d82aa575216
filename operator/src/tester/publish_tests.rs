use hyper::Method;
use tokio::{sync::watch, time::sleep};

use super::*;
use crate::{
    api_server::{ApiServer, RequestRefusal},
    shared::testing::shared,
};
use netproof_rounds::{status::testing::view, world::World};

const MINUTE: Duration = Duration::from_secs(60);
const TEST: &str = "/apis/netproof.dev/v1alpha1/namespaces/shop/connectivitytests/t";

fn publisher(server: &ApiServer) -> Publisher {
    server.serve(TEST);
    let world = watch::channel(Arc::new(World::default())).1;
    let shared = shared(server.client.clone(), world);
    let test = TestRef { namespace: "shop".into(), name: "t".into(), uid: "u".into() };
    Publisher::new(test, None, ConnectivityTestStatus::default(), shared)
}

/// How many writes there are while the view changes so many times each second.
async fn writes(
    publisher: &mut Publisher,
    server: &ApiServer,
    a_second: u32,
    time: Duration,
) -> usize {
    let before = server.count(&Method::PATCH, "/status");
    let end = Instant::now() + time;
    let mut generation = 0;
    while Instant::now() < end {
        generation += 1;
        publisher
            .publish(netproof_rounds::status::StatusView { generation, ..view(vec![]) }, MINUTE)
            .await;
        sleep(Duration::from_secs(1) / a_second).await;
    }
    server.count(&Method::PATCH, "/status") - before
}

#[tokio::test(start_paused = true)]
async fn a_status_that_changes_all_the_time_is_written_once_a_second() {
    let server = ApiServer::start().await;
    let mut publisher = publisher(&server);
    let count = writes(&mut publisher, &server, 10, MINUTE).await;
    assert!((50..=70).contains(&count), "{count} in a minute");
}

#[tokio::test(start_paused = true)]
async fn a_few_changes_in_a_row_are_written_at_once() {
    let server = ApiServer::start().await;
    let mut publisher = publisher(&server);
    let count = writes(&mut publisher, &server, 10, Duration::from_millis(500)).await;
    assert!((4..=6).contains(&count), "{count} of five");
}

#[tokio::test(start_paused = true)]
async fn a_status_that_another_manager_has_is_tried_ever_more_seldom() {
    let server = ApiServer::start().await;
    let mut publisher = publisher(&server);
    let (method, message) = (Method::PATCH, "conflict with another manager");
    server.refuse(RequestRefusal {
        method,
        part: "/status",
        code: 409,
        message,
        retry_after: None,
    });
    let count = writes(&mut publisher, &server, 10, 10 * MINUTE).await;
    assert!((40..=90).contains(&count), "{count} in ten minutes");
    server.relent();
    sleep(MINUTE).await;
    assert!(writes(&mut publisher, &server, 1, Duration::from_secs(3)).await >= 2);
}
