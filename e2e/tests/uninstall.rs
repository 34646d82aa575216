//! Whatever of netproof is removed first, nothing of it is left within a minute; and one that comes
//! back brings its stand-ins back. An operator that is only restarted removes nothing.
//!
//! Cargo runs the files of this folder in the order of their names: this one is the last.

use std::time::Duration;

use k8s_openapi::{
    api::core::v1::Namespace,
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
    jiff::Timestamp,
};
use kube::{
    Api, Client, ResourceExt,
    api::{DeleteParams, ListParams},
};
use netproof_crds::{ConditionStatus, ConditionType, ConnectivityTest, Reason};
use netproof_e2e::{
    Context, MINUTE, Result, SOON, Sandbox, Test, TestNamespace, cluster, ensure, eventually,
    examples::{TRIO_CONFORMS, connectivity_test, only_the_client, trio},
    operator, sandbox,
    sandbox::gone,
    say, stand_ins, status,
};
use tokio::time::Instant;

const DEFINITIONS: [&str; 2] = ["connectivitytests.netproof.dev", "standinsets.netproof.dev"];

/// What is placed, in the test's own namespace and in another one, where no owner reaches.
struct Placed {
    home: TestNamespace,
    test: Test,
    spanning: Test,
    pods: usize,
}

async fn placed(sandbox: &Sandbox, word: &str) -> Result<Placed> {
    let home = sandbox.namespace(word, &[]).await?;
    let away = sandbox
        .namespace(&format!("{word}-away"), &[("netproof.dev/allow-stand-ins", "true")])
        .await?;
    home.create(&only_the_client()).await?;
    let test = home.test(&trio()).await?;
    let spec = "
interval: 2s
settle: 3s
endpoints:
- {name: server, standIn: {labels: {app: other}, ports: [{port: 8080}]}}
- {name: client, standIn: {namespace: AWAY, labels: {app: client}}}
";
    let spanning = connectivity_test("spanning", &spec.replace("AWAY", &away.name));
    let spanning = home.test(&spanning).await?;
    test.conforms(2 * MINUTE).await?;
    spanning.conforms(2 * MINUTE).await?;
    sandbox.save_installation().await?;
    let pods = stand_ins::all(&sandbox.client).await?.len();
    ensure!(pods >= 5, "{pods} stand-ins");
    Ok(Placed { home, test, spanning, pods })
}

/// Waits until nothing of what was placed is left: no stand-in of any test, and no owner of one,
/// unless their very kind is gone.
async fn nothing_is_left(client: &Client, placed: &Placed, removed: Instant) -> Result<()> {
    eventually("nothing is left", MINUTE.saturating_sub(removed.elapsed()), async || {
        let pods = stand_ins::all(client).await?;
        ensure!(pods.is_empty(), "{}", stand_ins::texts(&pods));
        match stand_ins::all_sets(client).await {
            Ok(sets) => ensure!(sets.is_empty(), "{} sets", sets.len()),
            Err(error) => match error.downcast_ref::<kube::Error>() {
                Some(kube::Error::Api(status)) if status.code == 404 => {}
                _ => return Err(error),
            },
        }
        Ok(())
    })
    .await?;
    say(format!("{} stand-ins gone {:?} after the removal began", placed.pods, removed.elapsed()));
    Ok(())
}

/// Puts all back, with the tests where they are gone, and waits until they conform.
async fn comes_back(sandbox: &Sandbox, placed: &Placed) -> Result<()> {
    let at = Timestamp::now();
    sandbox.restore_installation().await?;
    let tests = placed.home.api::<ConnectivityTest>();
    let test = match tests.get_opt(&placed.test.name).await? {
        Some(there) => Test::new(&placed.home, &there),
        None => placed.home.test(&trio()).await?,
    };
    test.conforms_after(at, 2 * MINUTE).await?;
    test.reports(&TRIO_CONFORMS, SOON).await
}

async fn remove_namespace(client: &Client) -> Result<()> {
    let api = Api::<Namespace>::all(client.clone());
    api.delete(operator::NAMESPACE, &DeleteParams::background()).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_that_is_deleted_leaves_nothing_and_says_that_nobody_tests() {
    sandbox(async |sandbox| {
        let client = &sandbox.client;
        let placed = placed(sandbox, "by-namespace").await?;
        let observer = placed.test.observer().await?;
        let removed = Instant::now();
        remove_namespace(client).await?;
        nothing_is_left(client, &placed, removed).await?;
        let nobody = (ConditionType::Conformant, ConditionStatus::Unknown, Reason::OperatorRemoved);
        for test in [&placed.test, &placed.spanning] {
            let said = test.says(nobody, SOON).await?;
            ensure!(said.message.contains("nobody tests"), "{}", said.message);
        }
        gone::<Namespace>(client, operator::NAMESPACE, MINUTE).await?;
        say(format!("the namespace was gone after {:?}", removed.elapsed()));
        observer.accuses_nobody()?;
        comes_back(sandbox, &placed).await
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn definitions_that_are_deleted_take_everything_with_them() {
    sandbox(async |sandbox| {
        let client = &sandbox.client;
        let placed = placed(sandbox, "by-definitions").await?;
        let removed = Instant::now();
        let api = Api::<CustomResourceDefinition>::all(client.clone());
        for name in DEFINITIONS {
            api.delete(name, &DeleteParams::background()).await?;
        }
        nothing_is_left(client, &placed, removed).await?;
        for name in DEFINITIONS {
            gone::<CustomResourceDefinition>(client, name, MINUTE).await?;
        }
        say(format!("the definitions were gone after {:?}", removed.elapsed()));
        comes_back(sandbox, &placed).await
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_that_was_applied_can_be_deleted_at_once() {
    sandbox(async |sandbox| {
        let client = &sandbox.client;
        let placed = placed(sandbox, "by-kustomization").await?;
        let removed = Instant::now();
        let deploy = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy");
        cluster::run_for(MINUTE, "kubectl", &["delete", "-k", deploy, "--wait=true"]).await?;
        say(format!("kubectl delete -k took {:?}", removed.elapsed()));
        nothing_is_left(client, &placed, removed).await?;
        gone::<Namespace>(client, operator::NAMESPACE, SOON).await?;
        comes_back(sandbox, &placed).await
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_that_is_restarted_or_moved_removes_nothing() {
    sandbox(async |sandbox| {
        let client = &sandbox.client;
        let home = sandbox.namespace("restart", &[]).await?;
        home.create(&only_the_client()).await?;
        let test = home.test(&trio()).await?;
        test.conforms(2 * MINUTE).await?;
        let before = stand_ins::uids(&test.stand_ins().await?);
        let observer = test.observer().await?;
        let victim = operator::ready(client, MINUTE).await?;
        let api =
            Api::<k8s_openapi::api::core::v1::Pod>::namespaced(client.clone(), operator::NAMESPACE);
        // With its time to end, as a rollout and a drain give it.
        let (at, told) = (Timestamp::now(), Instant::now());
        api.delete(&victim.name_any(), &DeleteParams::default()).await?;
        let uid = victim.uid().context("a UID")?;
        operator::succeeded(client, &uid, MINUTE).await?;
        operator::ready(client, MINUTE).await?;
        say(format!("its successor is ready {:?} after it was told to end", told.elapsed()));
        test.conforms_after(at, MINUTE).await?;
        let after = stand_ins::uids(&test.stand_ins().await?);
        ensure!(before == after, "before {before:?}, after {after:?}");
        observer.never("a doubt", |sight| !status::conformant(&sight.object))
    })
    .await;
}

/// The tests, wherever they are, that are conformant.
async fn conformant(client: &kube::Client) -> netproof_e2e::Result<Vec<String>> {
    let tests = Api::<ConnectivityTest>::all(client.clone()).list(&ListParams::default()).await?;
    let conformant = tests.iter().filter(|test| status::conformant(test));
    Ok(conformant.filter_map(|test| test.metadata.uid.clone()).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_that_is_removed_takes_all_stand_ins_with_it() {
    sandbox(async |sandbox| {
        let client = &sandbox.client;
        let home = sandbox.namespace("uninstall", &[]).await?;
        home.create(&only_the_client()).await?;
        let test = home.test(&trio()).await?;
        test.conforms(2 * MINUTE).await?;
        let before = conformant(client).await?;
        let pods = stand_ins::all(client).await?;
        ensure!(pods.len() >= 3, "{}", stand_ins::texts(&pods));
        let observer = test.observer().await?;
        sandbox.save_operator().await?;

        let removed = Instant::now();
        operator::remove(client).await?;
        eventually("no stand-in is left", Duration::from_secs(30), async || {
            let pods = stand_ins::all(client).await?;
            ensure!(pods.is_empty(), "{}", stand_ins::texts(&pods));
            Ok(())
        })
        .await?;
        say(format!(
            "{} stand-ins of {} tests gone {:?} after the operator was removed",
            pods.len(),
            before.len(),
            removed.elapsed()
        ));

        let restored = Instant::now();
        let at = k8s_openapi::jiff::Timestamp::now();
        sandbox.restore_operator().await?;
        test.conforms_after(at, 2 * MINUTE).await?;
        say(format!("conformant again {:?} after it was put back", restored.elapsed()));
        test.reports(&TRIO_CONFORMS, SOON).await?;
        eventually("every test that was conformant is again", MINUTE, async || {
            let now = conformant(client).await?;
            ensure!(before.iter().all(|uid| now.contains(uid)), "before {before:?}, now {now:?}");
            Ok(())
        })
        .await?;
        observer.accuses_nobody()
    })
    .await;
}
