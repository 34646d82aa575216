//! Labels alone make no stand-in: what carries them and was made by somebody else is not attached
//! to, not removed and not adopted.

use std::time::Duration;

use k8s_openapi::api::{apps::v1::Deployment, core::v1::Pod};
use kube::{ResourceExt, api::ListParams};
use netproof_e2e::{
    Context, MINUTE, Observer, Result, SOON, Test, TestNamespace, ensure, eventually,
    examples::{TRIO_CONFORMS, deployment, only_the_client, trio},
    operator, sandbox, stand_ins, status,
};
use serde_json::json;

const LABELS: [&str; 3] =
    ["netproof.dev/test-uid", "netproof.dev/stand-in", "netproof.dev/installation"];

/// What a pod has of the labels by which stand-ins are found.
fn of_ours(pod: &Pod) -> Vec<(String, String)> {
    let labels = pod.labels().iter();
    labels
        .filter(|(key, _)| LABELS.contains(&key.as_str()))
        .map(|(k, v)| (k.clone(), v.clone()))
        .collect()
}

/// A pod that its labels make look like this stand-in, of a name that comes before it.
async fn forge(home: &TestNamespace, original: &Pod) -> Result<Pod> {
    let template = deployment("forged", 1).spec.context("a spec")?.template;
    let mut labels: serde_json::Map<_, _> =
        of_ours(original).into_iter().map(|(key, value)| (key, json!(value))).collect();
    labels.insert("app".into(), json!(stand_ins::endpoint(original)));
    let pod: Pod = serde_json::from_value(json!({
        "metadata": {"name": "a-forged-one", "labels": labels},
        "spec": template.spec,
    }))?;
    home.create(&pod).await
}

async fn forged_in_metrics(client: &kube::Client) -> Result<u32> {
    let text = operator::metrics(client).await?;
    let name = "netproof_foreign_stand_ins{why=\"forged\"} ";
    let value = text.lines().find_map(|line| line.strip_prefix(name)).context("the figure")?;
    Ok(value.parse()?)
}

/// Some rounds later the test is judged by the stand-ins that it has had all the time.
async fn is_untouched(test: &Test, before: &[Pod]) -> Result<()> {
    for _ in 0..3 {
        test.conforms_after(k8s_openapi::jiff::Timestamp::now(), MINUTE).await?;
    }
    for original in before {
        let endpoint = stand_ins::endpoint(original);
        let now = test.stand_ins().await?;
        let there = now.iter().any(|pod| pod.uid() == original.uid());
        ensure!(there, "another {endpoint}: {}", stand_ins::texts(&now));
    }
    test.reports(&TRIO_CONFORMS, SOON).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_with_the_labels_of_a_stand_in_is_left_alone() {
    sandbox(async |sandbox| {
        let client = &sandbox.client;
        let home = sandbox.namespace("forged", &[]).await?;
        home.create(&only_the_client()).await?;
        let test = home.test(&trio()).await?;
        test.conforms(2 * MINUTE).await?;
        let before = test.stand_ins().await?;
        let statuses = test.observer().await?;
        let pods = Observer::of_pods(&home).await?;
        let forged = forge(&home, &test.stand_in("client").await?).await?;
        eventually("it is counted", SOON, async || {
            let count = forged_in_metrics(client).await?;
            ensure!(count >= 1, "{count}");
            Ok(())
        })
        .await?;
        is_untouched(&test, &before).await?;
        // A stand-in that ends meanwhile has a successor, and it is not the forged one.
        stand_ins::kill(client, &before[0]).await?;
        test.conforms_after(k8s_openapi::jiff::Timestamp::now(), 2 * MINUTE).await?;
        test.delete().await?;
        eventually("only the forged one is left", MINUTE, async || {
            let left = test.stand_ins().await?;
            let only = left.len() == 1 && left[0].uid() == forged.uid();
            ensure!(only && test.sets().await?.is_empty(), "{}", stand_ins::texts(&left));
            Ok(())
        })
        .await?;
        let uid = forged.uid();
        pods.never("the forged one going", |sight| {
            sight.object.uid() == uid
                && (sight.gone || sight.object.metadata.deletion_timestamp.is_some())
        })?;
        statuses.accuses_nobody()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workload_whose_template_carries_our_labels_runs_on() {
    sandbox(async |sandbox| {
        let home = sandbox.namespace("template", &[]).await?;
        home.create(&only_the_client()).await?;
        let test = home.test(&trio()).await?;
        test.conforms(2 * MINUTE).await?;
        let before = test.stand_ins().await?;
        let statuses = test.observer().await?;
        let mut workload: Deployment = deployment("carrier", 2);
        let template = workload.spec.as_mut().context("a spec")?.template.metadata.as_mut();
        let labels = template.context("metadata")?.labels.as_mut().context("labels")?;
        labels.extend(of_ours(&test.stand_in("client").await?));
        home.create(&workload).await?;
        let carriers = async || -> Result<Vec<Pod>> {
            let params = ListParams::default().labels("app=carrier");
            Ok(home.api::<Pod>().list(&params).await?.items)
        };
        let running = eventually("its pods run", MINUTE, async || {
            let pods = carriers().await?;
            let ready = pods.iter().filter(|pod| stand_ins::ready(pod)).count();
            ensure!(ready == 2, "{}", stand_ins::texts(&pods));
            Ok(pods)
        })
        .await?;
        is_untouched(&test, &before).await?;
        let still = carriers().await?;
        let same = stand_ins::uids(&still) == stand_ins::uids(&running);
        ensure!(same, "before {}, now {}", stand_ins::texts(&running), stand_ins::texts(&still));
        let summary = status::summary(&test.get().await?);
        ensure!(summary.flows == 2, "{summary:?}");
        // Its pods do not even keep the test from going.
        test.delete().await?;
        eventually("the test's stand-ins are gone", Duration::from_secs(60), async || {
            let left = stand_ins::uids(&test.stand_ins().await?);
            ensure!(left == stand_ins::uids(&running), "{left:?}");
            Ok(())
        })
        .await?;
        statuses.accuses_nobody()
    })
    .await;
}
