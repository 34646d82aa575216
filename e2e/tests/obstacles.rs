//! What keeps a stand-in from running is said as the API says it, and is no fault of the network.

use k8s_openapi::api::core::v1::ResourceQuota;
use netproof_crds::{ConditionStatus, ConditionType, ConnectivityTest, Reason};
use netproof_e2e::{
    MINUTE, Result, SOON, Test, ensure, eventually,
    examples::{TRIO_CONFORMS, connectivity_test, only_the_client, trio, yaml},
    sandbox, say, status,
};
use serde_json::json;

/// Every flow is there, and none is judged.
fn nothing_is_judged(test: &ConnectivityTest) -> bool {
    let summary = status::summary(test);
    let unknown = status::is(test, ConditionType::Conformant, ConditionStatus::Unknown);
    unknown && summary.flows == 2 && summary.inconclusive == summary.flows
}

async fn is_not_judged(test: &Test, reason: Reason, words: &str) -> Result<()> {
    let wanted = (ConditionType::ProbesReady, ConditionStatus::False, reason);
    let said = test.says(wanted, SOON).await?;
    say(&said.message);
    ensure!(said.message.contains(words), "not {words:?} in {:?}", said.message);
    test.becomes("all flows inconclusive", SOON, nothing_is_judged).await.map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn restricted_pod_security_admits_stand_ins() {
    sandbox(async |sandbox| {
        let enforce = |mode| format!("pod-security.kubernetes.io/{mode}");
        let (enforced, warned) = (enforce("enforce"), enforce("enforce-version"));
        let labels = [(enforced.as_str(), "restricted"), (warned.as_str(), "latest")];
        let home = sandbox.namespace("restricted", &labels).await?;
        home.create(&only_the_client()).await?;
        let mut low = trio();
        let server = low.spec.endpoints[0].stand_in.as_mut().expect("a stand-in");
        server.ports[0].port = 80;
        let test = home.test(&low).await?;
        test.conforms(2 * MINUTE).await?;
        // A port below 1024 is listened on without root.
        test.reports(&TRIO_CONFORMS.map(|flow| flow.replace("8080", "80")), SOON).await
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quota_that_forbids_pods_is_said_and_nothing_is_blocked() {
    sandbox(async |sandbox| {
        let home = sandbox.namespace("quota", &[]).await?;
        home.create(&only_the_client()).await?;
        home.create(&yaml::<ResourceQuota>("{metadata: {name: none}, spec: {hard: {pods: 0}}}"))
            .await?;
        eventually("the quota is in force", SOON, async || {
            let quota = home.api::<ResourceQuota>().get("none").await?;
            let hard = quota.status.and_then(|status| status.hard);
            ensure!(hard.is_some(), "it has no status");
            Ok(())
        })
        .await?;
        let made = trio();
        let test = home.test(&made).await?;
        let observer = test.observer().await?;
        is_not_judged(&test, Reason::PodRejected, "exceeded quota: none").await?;

        // Part of them may come: the flows between those that are there are not held up by others.
        let room = |pods: u8| json!({"spec": {"hard": {"pods": pods.to_string()}}});
        home.patch::<ResourceQuota>("none", &room(2)).await?;
        test.becomes("two of three", MINUTE, |test| {
            let probes = test.status.as_ref().and_then(|status| status.probes);
            probes.is_some_and(|probes| probes.attached == 2) && !status::conformant(test)
        })
        .await?;
        home.delete::<ResourceQuota>("none").await?;
        test.conforms(2 * MINUTE).await?;
        test.reports(&TRIO_CONFORMS, SOON).await?;
        observer.accuses_nobody()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_selector_that_no_node_has_is_unschedulable() {
    sandbox(async |sandbox| {
        let home = sandbox.namespace("nowhere", &[]).await?;
        let mut nowhere = trio();
        nowhere.spec.placement.node_selector.insert("e2e".into(), "nowhere".into());
        let test = home.test(&nowhere).await?;
        let observer = test.observer().await?;
        is_not_judged(&test, Reason::Unschedulable, "didn't match").await?;
        test.change(&json!({"placement": {"nodeSelector": null}})).await?;
        test.conforms(2 * MINUTE).await?;
        observer.accuses_nobody()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_node_of_none_is_unschedulable() {
    sandbox(async |sandbox| {
        let home = sandbox.namespace("none", &[]).await?;
        let test = connectivity_test(
            "none",
            "
            placement: {spread: EveryNode, nodeSelector: {e2e: nowhere}}
            endpoints:
            - {name: server, standIn: {labels: {app: server}, ports: [{port: 8080}]}}
            ",
        );
        let test = home.test(&test).await?;
        let wanted = (ConditionType::Accepted, ConditionStatus::False, Reason::Unschedulable);
        test.says(wanted, SOON).await.map(drop)
    })
    .await;
}
