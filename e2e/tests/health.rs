//! Whoever can reach the operator's ports can keep nobody else from them, and cannot have it
//! killed.

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::{Api, ResourceExt};
use netproof_e2e::{
    MINUTE, ensure, node::Silence, observer::Observer, operator, sandbox, say, stand_ins,
};
use tokio::time::{Instant, sleep};

/// Longer than liveness takes to fail: three probes, ten seconds apart, of up to five each.
const SIEGE: Duration = Duration::from_secs(60);

async fn besieged(port: u16) {
    sandbox(async |sandbox| {
        let client = &sandbox.client;
        let before = operator::ready(client, MINUTE).await?;
        let ip = before.status.as_ref().and_then(|status| status.pod_ip.clone());
        let ip = ip.unwrap_or_default();
        let pods = Api::<Pod>::namespaced(client.clone(), operator::NAMESPACE);
        let fields = format!("metadata.name={}", before.name_any());
        let pods = Observer::start(pods, Some(&fields), stand_ins::text).await?;
        let silence = Silence::keep(stand_ins::node(&before), 300, &ip, port)?;
        let (began, mut answers) = (Instant::now(), 0);
        while began.elapsed() < SIEGE {
            let asked = Instant::now();
            let said = operator::health(client, "livez").await?;
            ensure!(said == "ok\n", "{said:?} after {:?}", began.elapsed());
            ensure!(asked.elapsed() < Duration::from_secs(2), "after {:?}", asked.elapsed());
            answers += 1;
            sleep(Duration::from_millis(500)).await;
        }
        silence.end().await?;
        let after = operator::pod(client).await?;
        ensure!(after.uid() == before.uid(), "another pod");
        let restarts = operator::restarts(&after) - operator::restarts(&before);
        ensure!(restarts == 0, "{restarts} restarts");
        pods.never("an operator that is not ready", |sight| !stand_ins::ready(&sight.object))?;
        say(format!("{answers} answers beside 300 connections to port {port}, no restart"));
        // Nothing of it stays: the figures are to be had.
        operator::metrics(client).await.map(drop)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn three_hundred_silent_connections_to_the_port_of_figures_do_not_touch_its_health() {
    besieged(8080).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn three_hundred_silent_connections_to_the_port_of_health_do_not_either() {
    besieged(8081).await;
}
