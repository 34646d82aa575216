//! A stand-in is like its workload for as long as that is there.

use k8s_openapi::api::apps::v1::Deployment;
use netproof_crds::{ConditionStatus, ConditionType, Reason};
use netproof_e2e::{
    MINUTE, SOON, ensure,
    examples::{connectivity_test, deployment},
    sandbox, say, stand_ins,
};
use serde_json::json;
use tokio::time::Instant;

const SPEC: &str = "
interval: 2s
settle: 3s
endpoints:
- {name: server, standIn: {like: {kind: Deployment, name: server}}}
- {name: client, standIn: {labels: {app: client}}}
";

const MISSING: (ConditionType, ConditionStatus, Reason) =
    (ConditionType::Accepted, ConditionStatus::False, Reason::WorkloadNotFound);

#[tokio::test(flavor = "multi_thread")]
async fn a_workload_that_is_not_there_is_named_until_it_comes() {
    sandbox(async |sandbox| {
        let home = sandbox.namespace("workload", &[]).await?;
        let test = home.test(&connectivity_test("like", SPEC)).await?;
        let said = test.says(MISSING, SOON).await?;
        ensure!(said.message.contains(&format!("{}/server", home.name)), "{}", said.message);
        let pods = test.stand_ins().await?;
        ensure!(pods.is_empty(), "{}", stand_ins::texts(&pods));

        let made = Instant::now();
        // Its pods are not needed, only what they would be like.
        home.create(&deployment("server", 0)).await?;
        test.conforms(2 * MINUTE).await?;
        say(format!("conformant {:?} after the workload came", made.elapsed()));
        test.reports(&["client server 8080/TCP Allow conforms"], SOON).await?;

        let deleted = Instant::now();
        home.delete::<Deployment>("server").await?;
        test.says(MISSING, SOON).await?;
        test.leaves_nothing(SOON).await?;
        say(format!("no stand-in left {:?} after the workload went", deleted.elapsed()));
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workload_that_changes_takes_its_stand_in_along() {
    sandbox(async |sandbox| {
        let home = sandbox.namespace("changed", &[]).await?;
        home.create(&deployment("server", 0)).await?;
        let test = home.test(&connectivity_test("like", SPEC)).await?;
        test.conforms(2 * MINUTE).await?;
        let (server, client) = (test.stand_in("server").await?, test.stand_in("client").await?);
        let observer = test.observer().await?;

        let ports = json!([{"name": "server", "ports": [{"name": "web", "containerPort": 8081}]}]);
        let labels = json!({"app": "server", "tier": "front"});
        let template = json!({"metadata": {"labels": labels}, "spec": {"containers": ports}});
        let patch = json!({"spec": {"template": template}});
        let api = home.api::<Deployment>();
        let strategic = kube::api::Patch::Strategic(&patch);
        api.patch("server", &kube::api::PatchParams::default(), &strategic).await?;
        // A strategic merge adds a port.
        let flows =
            ["client server 8080/TCP Allow conforms", "client server 8081/TCP Allow conforms"];
        test.reports(&flows, 2 * MINUTE).await?;
        let changed = test.stand_in("server").await?;
        let tier = changed.metadata.labels.as_ref().and_then(|labels| labels.get("tier"));
        ensure!(tier.is_some_and(|tier| tier == "front"), "{:?}", changed.metadata.labels);
        ensure!(changed.metadata.uid != server.metadata.uid, "it is the same pod");
        let other = test.stand_in("client").await?;
        ensure!(other.metadata.uid == client.metadata.uid, "the client was replaced too");
        observer.accuses_nobody()
    })
    .await;
}
