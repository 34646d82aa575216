//! What is refused all the time is asked for ever more seldom.

use std::time::Duration;

use k8s_openapi::api::core::v1::ResourceQuota;
use kube::ResourceExt;
use netproof_crds::{ConditionStatus, ConditionType, Reason};
use netproof_e2e::{
    Context, MINUTE, SOON, ensure, eventually,
    examples::{only_the_client, trio, yaml},
    meter::{self, Meter, Place},
    operator, sandbox, say, stand_ins,
};
use serde_json::json;
use tokio::time::sleep;

/// How long requests are counted.
const COUNTED: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread")]
async fn pods_that_a_quota_refuses_are_not_asked_for_over_and_over() {
    sandbox(async |sandbox| {
        let home = sandbox.namespace("refused", &[]).await?;
        home.create(&only_the_client()).await?;
        home.create(&yaml::<ResourceQuota>("{metadata: {name: none}, spec: {hard: {pods: 0}}}"))
            .await?;
        eventually("the quota is in force", SOON, async || {
            let quota = home.api::<ResourceQuota>().get("none").await?;
            ensure!(quota.status.is_some_and(|status| status.hard.is_some()), "it has no status");
            Ok(())
        })
        .await?;
        let meter = Meter::install(sandbox, &home).await?;
        let test = home.test(&trio()).await?;
        let refused = (ConditionType::ProbesReady, ConditionStatus::False, Reason::PodRejected);
        test.says(refused, SOON).await?;
        let before = meter.read().await?;
        // Each change of the cluster brings every test to mind.
        let began = tokio::time::Instant::now();
        while began.elapsed() < COUNTED {
            home.relabel(&[("e2e/turn", Some(&began.elapsed().as_millis().to_string()))]).await?;
            sleep(Duration::from_millis(100)).await;
        }
        let counts = meter::since(&before, &meter.read().await?);
        say(format!("in {COUNTED:?}: {}", meter::text(&counts, Place::Here)));
        // Three pods at 1, 2, 4, 8 and 16 seconds, and a status now and then.
        let patches = counts[&(Place::Here, "patch")];
        ensure!((1..=30).contains(&patches), "{counts:?}");
        ensure!(counts[&(Place::Here, "create")] == 0, "{counts:?}");

        home.patch::<ResourceQuota>("none", &json!({"spec": {"hard": {"pods": "9"}}})).await?;
        test.conforms(2 * MINUTE).await.map(drop)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_be_listed_and_not_watched_is_listed_seldom() {
    sandbox(async |sandbox| {
        let client = &sandbox.client;
        let home = sandbox.namespace("unwatched", &[]).await?;
        home.create(&only_the_client()).await?;
        let test = home.test(&trio()).await?;
        test.conforms(2 * MINUTE).await?;
        let meter = Meter::install(sandbox, &home).await?;
        sandbox.forbid("watch", "nodes").await?;
        let victim = operator::ready(client, MINUTE).await?;
        stand_ins::kill(client, &victim).await?;
        let uid = victim.uid().context("a UID")?;
        operator::succeeded(client, &uid, MINUTE).await?;
        operator::ready(client, MINUTE).await?;
        // Its first attempts are closer together.
        sleep(COUNTED).await;
        let before = meter.read().await?;
        sleep(COUNTED).await;
        let counts = meter::since(&before, &meter.read().await?);
        say(format!("in {COUNTED:?}: {}", meter::text(&counts, Place::Elsewhere)));
        let (lists, watches) =
            (counts[&(Place::Elsewhere, "list")], counts[&(Place::Elsewhere, "watch")]);
        ensure!((1..=5).contains(&lists) && watches <= 5, "{counts:?}");
        // The nodes' list is a sign of life as well.
        test.conforms(MINUTE).await.map(drop)
    })
    .await;
}
