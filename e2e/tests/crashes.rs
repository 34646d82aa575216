//! What is killed, or hangs, in the middle of a round accuses nobody, and everything is well again.

use std::{collections::BTreeSet, time::Duration};

use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;
use netproof_crds::{ConditionStatus, ConditionType, ConnectivityTest, Reason};
use netproof_e2e::{
    Context, MINUTE, Observer, Result, SOON, Sandbox, Test, TestNamespace, ensure,
    examples::{TRIO_CONFORMS, deployment, only_the_client, trio, yaml},
    node, operator, sandbox, say, stand_ins, status,
};
use tokio::time::{Instant, sleep};

async fn conforming_trio(sandbox: &Sandbox, word: &str) -> Result<(TestNamespace, Test)> {
    let home = sandbox.namespace(word, &[]).await?;
    home.create(&only_the_client()).await?;
    let test = home.test(&trio()).await?;
    test.conforms(2 * MINUTE).await?;
    test.reports(&TRIO_CONFORMS, SOON).await?;
    Ok((home, test))
}

/// Some flow, and by that the whole, is not judged.
fn doubtful(test: &ConnectivityTest) -> bool {
    let summary = status::summary(test);
    let unknown = status::is(test, ConditionType::Conformant, ConditionStatus::Unknown);
    unknown && summary.inconclusive + summary.settling > 0
}

/// Rounds are two seconds apart and take about one: this is somewhere between or in one.
async fn any_moment_of_a_round(turn: u64) {
    sleep(Duration::from_millis(turn * 370 % 2000)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stand_in_killed_in_mid_round_accuses_nobody() {
    sandbox(async |sandbox| {
        let (_home, test) = conforming_trio(sandbox, "killed").await?;
        let observer = test.observer().await?;
        let victims = ["server", "client", "stranger", "server", "client", "server"];
        for (turn, endpoint) in (1..).zip(victims) {
            any_moment_of_a_round(turn).await;
            let victim = test.stand_in(endpoint).await?;
            let (killed, at) = (Instant::now(), Timestamp::now());
            stand_ins::kill(&sandbox.client, &victim).await?;
            let doubt = observer.first(killed, "a doubt", SOON, doubtful).await?;
            test.conforms_after(at, 2 * MINUTE).await?;
            ensure!(test.stand_in(endpoint).await?.uid() != victim.uid(), "it is the same pod");
            say(format!(
                "{endpoint} killed: doubt after {:.2} s, conformant again after {:.2} s",
                (doubt.at - killed).as_secs_f32(),
                killed.elapsed().as_secs_f32()
            ));
        }
        observer.accuses_nobody()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_killed_in_mid_round_is_succeeded_by_one_that_takes_over_the_stand_ins() {
    sandbox(async |sandbox| {
        let (home, test) = conforming_trio(sandbox, "succession").await?;
        let client = &sandbox.client;
        let before = stand_ins::uids(&test.stand_ins().await?);
        ensure!(before.len() == 3, "{before:?}");
        let (statuses, pods) = (test.observer().await?, Observer::of_pods(&home).await?);
        for turn in 1..=8 {
            // The first five have begun to work; of the others some have not even started.
            let victim = if turn <= 5 {
                let pod = operator::ready(client, MINUTE).await?;
                any_moment_of_a_round(turn).await;
                pod
            } else {
                operator::pod(client).await?
            };
            let killed = Instant::now();
            stand_ins::kill(client, &victim).await?;
            let uid = victim.uid().context("a UID")?;
            operator::succeeded(client, &uid, MINUTE).await?;
            say(format!("operator {turn} killed: succeeded after {:?}", killed.elapsed()));
        }
        let at = Timestamp::now();
        operator::ready(client, MINUTE).await?;
        let ready = Instant::now();
        test.conforms_after(at, MINUTE).await?;
        say(format!("a round by the last one {:?} after it was ready", ready.elapsed()));
        test.reports(&TRIO_CONFORMS, SOON).await?;

        let after = stand_ins::uids(&test.stand_ins().await?);
        ensure!(after == before, "stand-ins before {before:?}, after {after:?}");
        let seen: BTreeSet<String> =
            pods.sights().iter().filter_map(|sight| sight.object.uid()).collect();
        ensure!(seen == before, "more pods than the three: {}", pods.timeline());
        statuses.accuses_nobody()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_that_begins_anew_takes_nothing_back_that_is_known() {
    sandbox(async |sandbox| {
        let home = sandbox.namespace("anew", &[]).await?;
        home.create(&only_the_client()).await?;
        home.create(&deployment("server", 0)).await?;
        let mut like = trio();
        like.spec.endpoints[0] =
            yaml("{name: server, standIn: {like: {kind: Deployment, name: server}}}");
        let test = home.test(&like).await?;
        test.conforms(2 * MINUTE).await?;
        let observer = test.observer().await?;
        for _ in 0..3 {
            let victim = operator::ready(&sandbox.client, MINUTE).await?;
            stand_ins::kill(&sandbox.client, &victim).await?;
            let uid = victim.uid().context("a UID")?;
            operator::succeeded(&sandbox.client, &uid, MINUTE).await?;
            let at = Timestamp::now();
            test.conforms_after(at, MINUTE).await?;
        }
        observer.never("a doubt", |sight| !status::conformant(&sight.object))
    })
    .await;
}

async fn hang(endpoint: &'static str) {
    sandbox(async |sandbox| {
        let (_home, test) = conforming_trio(sandbox, "hangs").await?;
        let observer = test.observer().await?;
        let probe = test.stand_in(endpoint).await?;
        let stopped_at = Instant::now();
        let stopped = node::stop(&probe).await?;
        let doubt = observer.first(stopped_at, "a doubt", SOON, doubtful).await?;
        // It is not only the round that was under way: the whole conversation is given up.
        let lost = (ConditionType::ProbesReady, ConditionStatus::False, Reason::AttachFailed);
        test.says(lost, MINUTE).await?;
        say(format!(
            "{endpoint} stopped: doubt after {:.2} s, given up after {:.2} s",
            (doubt.at - stopped_at).as_secs_f32(),
            stopped_at.elapsed().as_secs_f32()
        ));
        let while_stopped = test.becomes("inconclusive", SOON, |test| {
            let summary = status::summary(test);
            summary.inconclusive > 0 && summary.inconclusive + summary.conforms == summary.flows
        });
        say(status::text(&while_stopped.await?));

        let (resumed, at) = (Instant::now(), Timestamp::now());
        stopped.resume().await?;
        test.conforms_after(at, MINUTE).await?;
        say(format!("{endpoint} goes on: conformant after {:?}", resumed.elapsed()));
        ensure!(test.stand_in(endpoint).await?.uid() == probe.uid(), "it is another pod");
        observer.accuses_nobody()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_that_hangs_is_inconclusive_and_never_blocked() {
    hang("server").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_probe_that_hangs_is_inconclusive_and_recovers() {
    hang("client").await;
}
