//! Where two operators are installed, one acts and the other one waits, says so, and takes over.

use std::{collections::BTreeSet, time::Duration};

use k8s_openapi::{api::core::v1::Pod, jiff::Timestamp};
use kube::ResourceExt;
use netproof_e2e::{
    MINUTE, Observer, Result, SOON, Sandbox, Test, TestNamespace, ensure, eventually,
    examples::{TRIO_CONFORMS, only_the_client, trio},
    node, operator,
    rival::{self, Rival},
    sandbox, say, stand_ins,
};
use tokio::time::{Instant, sleep};

const INSTALLATION: &str = "netproof.dev/installation";

/// For how long the two are looked at beside each other: two that fight make five pods a second.
const PEACE: Duration = Duration::from_secs(20);

/// A Lease is left to a silent holder for 15 s; one that was given back is taken at once.
const SUCCESSION: Duration = Duration::from_secs(20);

async fn conforming(sandbox: &Sandbox, word: &str) -> Result<(TestNamespace, Test)> {
    let home = sandbox.namespace(word, &[]).await?;
    home.create(&only_the_client()).await?;
    let test = home.test(&trio()).await?;
    test.conforms(2 * MINUTE).await?;
    Ok((home, test))
}

/// For some time no pod comes or goes, and the test is judged all the while.
async fn keep_peace(home: &TestNamespace, test: &Test) -> Result<()> {
    let before = stand_ins::uids(&test.stand_ins().await?);
    let (pods, statuses) = (Observer::of_pods(home).await?, test.observer().await?);
    sleep(PEACE).await;
    let seen: BTreeSet<String> = pods.sights().iter().filter_map(|s| s.object.uid()).collect();
    ensure!(seen == before, "pods came: {}", pods.timeline());
    pods.never("a pod going", |sight| {
        sight.gone || sight.object.metadata.deletion_timestamp.is_some()
    })?;
    statuses.never("a doubt", |sight| !netproof_e2e::status::conformant(&sight.object))?;
    test.conforms_after(Timestamp::now(), SOON).await.map(drop)
}

/// Waits until the rival acts; says how long that took since a moment.
async fn takes_over(rival: &Rival, since: Instant) -> Result<()> {
    eventually("the second one acts", SUCCESSION, async || {
        let leader = rival.figure("netproof_leader").await?;
        ensure!(leader == "1", "{leader}");
        Ok(())
    })
    .await?;
    say(format!("the second one acts {:?} after the first one was removed", since.elapsed()));
    Ok(())
}

/// The installations that have made these pods.
fn makers(pods: &[Pod]) -> BTreeSet<String> {
    pods.iter().filter_map(|pod| pod.labels().get(INSTALLATION).cloned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn another_installation_waits_says_so_and_takes_over() {
    sandbox(async |sandbox| {
        let client = &sandbox.client;
        let (home, test) = conforming(sandbox, "two").await?;
        sandbox.save_operator().await?;
        let first = makers(&test.stand_ins().await?);
        let rival = rival::elsewhere(sandbox).await?;
        eventually("the second one says that it waits", MINUTE, async || {
            let said = rival.readiness().await?;
            let named = said.contains("waiting: netproof-system/netproof-operator-");
            ensure!(named && said.contains("another installation"), "{said}");
            ensure!(!stand_ins::ready(&rival.pod().await?), "it does nothing and is called ready");
            let log = rival.log().await?;
            ensure!(log.contains("Another operator acts in this cluster: waiting"), "{log}");
            ensure!(rival.figure("netproof_leader").await? == "0", "it says that it acts");
            let foreign = "netproof_foreign_stand_ins{why=\"another_installation\"}";
            let count: usize = rival.figure(foreign).await?.parse()?;
            ensure!(count >= 3, "{count} stand-ins of another installation");
            Ok(())
        })
        .await?;
        keep_peace(&home, &test).await?;
        test.reports(&TRIO_CONFORMS, SOON).await?;
        let restarts = rival.restarts().await?;
        ensure!(restarts == 0, "the one that waits was restarted {restarts} times");

        let removed = Instant::now();
        operator::scale(client, 0).await?;
        takes_over(&rival, removed).await?;
        test.conforms_after(Timestamp::now(), 2 * MINUTE).await?;
        say(format!("conformant by the second one {:?} later", removed.elapsed()));
        let second = makers(&test.stand_ins().await?);
        ensure!(second.len() == 1 && second != first, "made by {second:?}, before {first:?}");

        operator::scale(client, 1).await?;
        let removed = Instant::now();
        rival.remove().await?;
        operator::ready(client, MINUTE).await?;
        say(format!("the first one is ready {:?} after the second was removed", removed.elapsed()));
        test.conforms_after(Timestamp::now(), 2 * MINUTE).await?;
        eventually("only the first one's stand-ins are left", MINUTE, async || {
            let made = makers(&test.stand_ins().await?);
            ensure!(made == first && test.sets().await?.len() == 1, "{made:?}");
            Ok(())
        })
        .await
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_deployment_with_another_image_waits_and_takes_over() {
    sandbox(async |sandbox| {
        let client = &sandbox.client;
        let (home, test) = conforming(sandbox, "beside").await?;
        sandbox.save_operator().await?;
        let rival = rival::beside(sandbox).await?;
        eventually("the second one is a standby", MINUTE, async || {
            let said = rival.readiness().await?;
            ensure!(said.starts_with("waiting: netproof-system/netproof-operator-"), "{said}");
            ensure!(stand_ins::ready(&rival.pod().await?), "a rollout would wait for it");
            ensure!(rival.figure("netproof_leader").await? == "0", "it says that it acts");
            Ok(())
        })
        .await?;
        keep_peace(&home, &test).await?;
        test.reports(&TRIO_CONFORMS, SOON).await?;

        let removed = Instant::now();
        operator::scale(client, 0).await?;
        takes_over(&rival, removed).await?;
        test.conforms_after(Timestamp::now(), 2 * MINUTE).await?;
        let pods = test.stand_ins().await?;
        let images: BTreeSet<&str> = pods.iter().filter_map(stand_ins::image).collect();
        ensure!(images == [rival::PROBE_IMAGE].into(), "{images:?}");

        operator::scale(client, 1).await?;
        let removed = Instant::now();
        rival.remove().await?;
        operator::ready(client, MINUTE).await?;
        test.conforms_after(Timestamp::now(), 2 * MINUTE).await?;
        say(format!("conformant by the first one {:?} after it was removed", removed.elapsed()));
        test.reports(&TRIO_CONFORMS, SOON).await
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_stopped_is_succeeded_and_touches_nothing_when_it_goes_on() {
    sandbox(async |sandbox| {
        let client = &sandbox.client;
        let (home, test) = conforming(sandbox, "stopped").await?;
        let rival = rival::beside(sandbox).await?;
        eventually("the second one is a standby", MINUTE, async || {
            let said = rival.readiness().await?;
            ensure!(said.starts_with("waiting: "), "{said}");
            Ok(())
        })
        .await?;
        let first = operator::pod(client).await?;
        let stopped = node::stop_process(&first, "netproof").await?;
        takes_over(&rival, Instant::now()).await?;
        // Its liveness has not ended it yet: it goes on, with all that it was about to do.
        let observer = test.observer().await?;
        let again = operator::pod(client).await?;
        ensure!(restarts(&again) == restarts(&first), "it was restarted before it went on");
        stopped.resume().await?;
        eventually("it has ended, and begun anew", SOON, async || {
            let now = operator::pod(client).await?;
            ensure!(restarts(&now) > restarts(&first), "{}", stand_ins::text(&now));
            Ok(())
        })
        .await?;
        ensure!(rival.figure("netproof_leader").await? == "1", "the second one acts no more");
        test.conforms_after(Timestamp::now(), 2 * MINUTE).await?;
        keep_peace(&home, &test).await?;
        observer.accuses_nobody()?;
        rival.remove().await?;
        test.conforms_after(Timestamp::now(), 2 * MINUTE).await?;
        operator::ready(client, MINUTE).await.map(drop)
    })
    .await;
}

fn restarts(pod: &Pod) -> i32 {
    let statuses = pod.status.iter().flat_map(|status| status.container_statuses.iter().flatten());
    statuses.map(|status| status.restart_count).sum()
}
