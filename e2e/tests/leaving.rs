//! Of a test that is gone nothing is left, and nothing holds its namespace.

use k8s_openapi::api::core::v1::Namespace;
use netproof_crds::{ConditionStatus, ConditionType, ConnectivityTest, Reason};
use netproof_e2e::{
    MINUTE, Result, SOON, Sandbox, Test, TestNamespace, ensure, examples::connectivity_test,
    sandbox, sandbox::gone, say, stand_ins,
};
use tokio::time::Instant;

/// A test with a stand-in in its own namespace and one in another that has opted in.
async fn over_two_namespaces(sandbox: &Sandbox) -> Result<(TestNamespace, TestNamespace, Test)> {
    let home = sandbox.namespace("home", &[]).await?;
    let away = sandbox.namespace("away", &[("netproof.dev/allow-stand-ins", "true")]).await?;
    let test = home.test(&spanning(&away)).await?;
    test.conforms(2 * MINUTE).await?;
    let mut places: Vec<_> = test.stand_ins().await?.iter().map(place).collect();
    places.sort();
    let wanted = [format!("{} client", away.name), format!("{} server", home.name)];
    ensure!(places == wanted, "stand-ins at {places:?}");
    ensure!(test.sets().await?.len() == 2, "sets {:?}", test.sets().await?);
    Ok((home, away, test))
}

fn spanning(away: &TestNamespace) -> ConnectivityTest {
    connectivity_test(
        "spanning",
        &"
interval: 2s
settle: 3s
endpoints:
- {name: server, standIn: {labels: {app: server}, ports: [{port: 8080}]}}
- {name: client, standIn: {namespace: AWAY, labels: {app: client}}}
"
        .replace("AWAY", &away.name),
    )
}

fn place(pod: &k8s_openapi::api::core::v1::Pod) -> String {
    let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
    format!("{namespace} {}", stand_ins::endpoint(pod))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_test_leaves_no_pod_and_no_set_in_any_namespace() {
    sandbox(async |sandbox| {
        let (_home, _away, test) = over_two_namespaces(sandbox).await?;
        let deleted = Instant::now();
        test.delete().await?;
        test.leaves_nothing(SOON).await?;
        say(format!("nothing left {:?} after the test was deleted", deleted.elapsed()));
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_made_anew_under_its_name_is_another_test() {
    sandbox(async |sandbox| {
        let (home, away, test) = over_two_namespaces(sandbox).await?;
        test.delete().await?;
        let successor = home.test(&spanning(&away)).await?;
        successor.conforms(2 * MINUTE).await?;
        test.leaves_nothing(SOON).await?;
        let pods = successor.stand_ins().await?;
        ensure!(pods.len() == 2, "{}", stand_ins::texts(&pods));
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_namespace_of_a_test_is_held_by_nothing() {
    sandbox(async |sandbox| {
        let (home, _away, test) = over_two_namespaces(sandbox).await?;
        let deleted = Instant::now();
        home.remove().await?;
        test.leaves_nothing(MINUTE).await?;
        say(format!("nothing left {:?} after its namespace was deleted", deleted.elapsed()));
        gone::<Namespace>(&sandbox.client, &home.name, MINUTE).await?;
        say(format!("the namespace itself was gone after {:?}", deleted.elapsed()));
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_namespace_of_a_stand_in_is_held_by_nothing_and_named() {
    sandbox(async |sandbox| {
        let (_home, away, test) = over_two_namespaces(sandbox).await?;
        let observer = test.observer().await?;
        let deleted = Instant::now();
        away.remove().await?;
        gone::<Namespace>(&sandbox.client, &away.name, MINUTE).await?;
        say(format!("the namespace was gone after {:?}", deleted.elapsed()));
        let missing = (ConditionType::Accepted, ConditionStatus::False, Reason::NamespaceNotFound);
        let said = test.says(missing, SOON).await?;
        ensure!(said.message.contains(&away.name), "{}", said.message);
        test.leaves_nothing(SOON).await?;
        observer.accuses_nobody()
    })
    .await;
}
