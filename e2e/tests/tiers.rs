//! Policies of the cluster as a whole are held against its network for as long as the cluster has
//! their kinds, which come and go while the operator runs.
//!
//! The test network keeps `NetworkPolicies` only: where a cluster policy says otherwise, it leaks.

use k8s_openapi::{api::core::v1::Pod, jiff::Timestamp};
use kube::{Client, ResourceExt};
use netproof_crds::{ConditionStatus, ConditionType, ConnectivityTest, FindingVerdict};
use netproof_e2e::{
    MINUTE, Observer, Result, SOON, Test, TestNamespace, ensure,
    examples::{TRIO_CONFORMS, only_the_client, trio, trio_paced, yaml},
    operator,
    policy_kind::{
        ADMIN_NETWORK_POLICY, BASELINE_ADMIN_NETWORK_POLICY, CLUSTER_NETWORK_POLICY, PolicyKind,
    },
    sandbox, say, status,
};
use serde_json::{Value, json};
use tokio::time::Instant;

/// A spec with one rule: what the server of the trio receives from one of the others.
fn rule(home: &TestNamespace, rank: &Value, action: &str, from: &str) -> Value {
    let of_home = json!({"matchLabels": {"kubernetes.io/metadata.name": home.name}});
    let pods = |app: &str| {
        let labels = json!({"matchLabels": {"app": app}});
        json!({"pods": {"namespaceSelector": of_home, "podSelector": labels}})
    };
    let mut spec = rank.clone();
    spec["subject"] = pods("server");
    spec["ingress"] = json!([{"action": action, "from": [pods(from)]}]);
    spec
}

/// Whether the one leak is of this rule.
fn leaks_by(test: &ConnectivityTest, rule: &str) -> bool {
    let words = format!("but {rule} (denies it) should have stopped it.");
    let leaks = |verdict| matches!(verdict, FindingVerdict::Leak);
    let findings = test.status.iter().flat_map(|status| &status.findings);
    status::summary(test).leaks == 1
        && status::is(test, ConditionType::Conformant, ConditionStatus::False)
        && findings.into_iter().any(|finding| {
            leaks(finding.verdict) && finding.message.ends_with(&words) && finding.by == [rule]
        })
}

async fn leak_is_named(
    observer: &Observer<ConnectivityTest>,
    since: Instant,
    rule: &str,
) -> Result<()> {
    let leak = observer.first(since, "a leak", MINUTE, |test| leaks_by(test, rule)).await?;
    say(format!("{rule}: leak after {:.2} s", (leak.at - since).as_secs_f32()));
    Ok(())
}

/// What tells one run of the operator from another.
async fn run_of_operator(client: &Client) -> Result<(Option<String>, i32)> {
    let pod: Pod = operator::pod(client).await?;
    let statuses = pod.status.iter().flat_map(|status| status.container_statuses.iter().flatten());
    Ok((pod.uid(), statuses.map(|container| container.restart_count).sum()))
}

/// A trio that conforms by a `NetworkPolicy`, and that wishes that nobody spoke to the server.
async fn unwished_trio(home: &TestNamespace) -> Result<Test> {
    home.create(&only_the_client()).await?;
    let mut wished = trio();
    wished.spec.checks = yaml("[{from: [client, stranger], to: [server], expect: Deny}]");
    let test = home.test(&wished).await?;
    test.conforms(2 * MINUTE).await?;
    Ok(test)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kind_of_cluster_policies_arrives_and_goes_without_a_restart() {
    sandbox(async |sandbox| {
        let home = sandbox.namespace("tiers", &[]).await?;
        let test = unwished_trio(&home).await?;
        let before = run_of_operator(&sandbox.client).await?;
        let observer = test.observer().await?;
        let [first, last] = ["Admin", "Baseline"].map(|tier| json!({"tier": tier, "priority": 10}));
        for _ in 0..2 {
            let arrived = Instant::now();
            let kind = PolicyKind::install(sandbox, CLUSTER_NETWORK_POLICY).await?;
            test.reports(&TRIO_CONFORMS, SOON).await?;

            // It agrees with the network, and is seen by what it is said to contradict.
            kind.create("let-in", &rule(&home, &first, "Accept", "client")).await?;
            let let_in = "ClusterNetworkPolicy let-in ingress[0].from[0]";
            let named = |test: &ConnectivityTest| {
                status::condition(test, ConditionType::Intended)
                    .is_some_and(|said| said.message.contains(let_in))
            };
            observer.first(arrived, let_in, SOON, named).await?;
            test.conforms_after(Timestamp::now(), MINUTE).await?;
            test.reports(&TRIO_CONFORMS, SOON).await?;
            kind.delete("let-in").await?;
            kind.create("moot", &rule(&home, &last, "Deny", "client")).await?;
            kind.create("passed", &rule(&home, &first, "Pass", "client")).await?;
            test.conforms_after(Timestamp::now(), MINUTE).await?;
            test.reports(&TRIO_CONFORMS, SOON).await?;
            observer.never("an accusation while the network was right", |sight| {
                sight.at > arrived && status::accuses(&sight.object)
            })?;

            kind.delete("passed").await?;
            let denied = Instant::now();
            kind.create("deny-client", &rule(&home, &first, "Deny", "client")).await?;
            let expects = |test: &ConnectivityTest| {
                status::is(test, ConditionType::Intended, ConditionStatus::True)
            };
            let expected = observer.first(denied, "Deny is expected", SOON, expects).await?;
            say(format!("Deny expected after {:.2} s", (expected.at - denied).as_secs_f32()));
            let by = "ClusterNetworkPolicy deny-client ingress[0].from[0]";
            leak_is_named(&observer, denied, by).await?;
            let flows =
                ["client server 8080/TCP Deny leak", "stranger server 8080/TCP Deny conforms"];
            test.reports(&flows, SOON).await?;

            let removed = Instant::now();
            kind.remove(sandbox).await?;
            test.conforms(MINUTE).await?;
            test.reports(&TRIO_CONFORMS, SOON).await?;
            say(format!("conformant {:.1?} after the kind was removed", removed.elapsed()));
        }
        observer.never("a Blocked", |sight| status::summary(&sight.object).blocked > 0)?;
        let after = run_of_operator(&sandbox.client).await?;
        ensure!(after == before, "the operator began anew: {before:?}, {after:?}");
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_older_kinds_of_cluster_policies_decide_before_and_after_network_policies() {
    sandbox(async |sandbox| {
        let home = sandbox.namespace("older", &[]).await?;
        // What leaked stays denied, by another policy that the network keeps: the leak stands for
        // its time, which is short here.
        let paced = trio_paced("{interval: 2s, settle: 5s, leakRetention: 4s}");
        let test = home.test(&paced).await?;
        test.conforms(2 * MINUTE).await?;
        let before = run_of_operator(&sandbox.client).await?;
        let observer = test.observer().await?;
        let admin = PolicyKind::install(sandbox, ADMIN_NETWORK_POLICY).await?;
        let baseline = PolicyKind::install(sandbox, BASELINE_ADMIN_NETWORK_POLICY).await?;

        let denied = Instant::now();
        baseline.create("default", &rule(&home, &json!({}), "Deny", "stranger")).await?;
        let by = "BaselineAdminNetworkPolicy default ingress[0].from[0]";
        leak_is_named(&observer, denied, by).await?;
        // Where a NetworkPolicy isolates, the baseline is not asked, and the network does as it
        // says.
        home.create(&only_the_client()).await?;
        test.conforms(MINUTE).await?;
        test.reports(&TRIO_CONFORMS, SOON).await?;

        let denied = Instant::now();
        admin
            .create("deny-client", &rule(&home, &json!({"priority": 10}), "Deny", "client"))
            .await?;
        leak_is_named(&observer, denied, "AdminNetworkPolicy deny-client ingress[0].from[0]")
            .await?;
        admin.remove(sandbox).await?;
        baseline.remove(sandbox).await?;
        test.conforms(MINUTE).await?;
        test.reports(&TRIO_CONFORMS, SOON).await?;
        observer.never("a Blocked", |sight| status::summary(&sight.object).blocked > 0)?;
        let after = run_of_operator(&sandbox.client).await?;
        ensure!(after == before, "the operator began anew: {before:?}, {after:?}");
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_in_a_version_that_cannot_be_read_keeps_everything_from_being_judged() {
    sandbox(async |sandbox| {
        let home = sandbox.namespace("later", &[]).await?;
        let test = unwished_trio(&home).await?;
        let observer = test.observer().await?;
        let later = CLUSTER_NETWORK_POLICY.replace("v1alpha2", "v1beta1");
        let kind = PolicyKind::install(sandbox, &later).await?;
        test.conforms_after(Timestamp::now(), MINUTE).await?;

        kind.create("later", &json!({})).await?;
        let words = "ClusterNetworkPolicy later: the cluster has this kind in version v1beta1 only, which this netproof cannot read";
        test.becomes("all flows inconclusive, and why", SOON, |test| {
            let summary = status::summary(test);
            let findings = test.status.iter().flat_map(|status| &status.findings);
            summary.flows == 2
                && summary.inconclusive == summary.flows
                && status::is(test, ConditionType::Conformant, ConditionStatus::Unknown)
                && findings.into_iter().all(|finding| finding.message.contains(words))
        })
        .await?;
        kind.delete("later").await?;
        test.conforms(MINUTE).await?;
        kind.remove(sandbox).await?;
        test.conforms_after(Timestamp::now(), MINUTE).await?;
        observer.accuses_nobody()
    })
    .await;
}
