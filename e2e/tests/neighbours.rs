//! Stand-ins disturb nobody: neither Services nor `ReplicaSets` nor disruption budgets take them
//! for the workload that they stand in for.

use std::collections::BTreeSet;

use k8s_openapi::api::{
    apps::v1::{Deployment, ReplicaSet},
    core::v1::{Pod, Service},
    discovery::v1::EndpointSlice,
    policy::v1::PodDisruptionBudget,
};
use kube::{ResourceExt, api::ListParams};
use netproof_e2e::{
    MINUTE, Observer, Result, SOON, Test, TestNamespace, ensure, eventually,
    examples::{connectivity_test, deployment, yaml},
    observer::Observed,
    sandbox, say, stand_ins,
};
use serde_json::json;

/// A stand-in on each node for the Deployment, and two more with just its labels.
const LIKE_THE_SERVER: &str = "
interval: 2s
settle: 3s
placement: {spread: EveryNode}
endpoints:
- {name: server, standIn: {like: {kind: Deployment, name: server}}}
- {name: twin, standIn: {labels: {app: server}, ports: [{name: http, port: 8080}]}}
";

/// The Deployment, and a test with four stand-ins for it.
async fn with_stand_ins(home: &TestNamespace) -> Result<Test> {
    let test = home.test(&connectivity_test("like", LIKE_THE_SERVER)).await?;
    test.conforms(2 * MINUTE).await?;
    let pods = test.stand_ins().await?;
    ensure!(pods.len() == 4, "{}", stand_ins::texts(&pods));
    for pod in &pods {
        let app = pod.labels().get("app").map(String::as_str);
        ensure!(app == Some("server") && !stand_ins::ready(pod), "{}", stand_ins::text(pod));
    }
    Ok(test)
}

/// The pods of the Deployment are these many, and all are ready; returns them.
async fn real_pods(home: &TestNamespace, count: usize) -> Result<Vec<Pod>> {
    eventually(&format!("{count} real pods are ready"), MINUTE, async || {
        let mut pods = home.pods().await?;
        pods.retain(|pod| !stand_ins::is(pod));
        let fine = pods.len() == count && pods.iter().all(stand_ins::ready);
        ensure!(fine, "{}", stand_ins::texts(&pods));
        Ok(pods)
    })
    .await
}

async fn scale(home: &TestNamespace, name: &str, replicas: i32) -> Result<()> {
    home.patch::<Deployment>(name, &json!({"spec": {"replicas": replicas}})).await.map(drop)
}

/// The addresses to which a Service's traffic goes.
fn routed(slices: &[EndpointSlice]) -> BTreeSet<&str> {
    let endpoints = slices.iter().flat_map(|slice| &slice.endpoints);
    // As the API has it, an endpoint that says nothing of itself is ready.
    let ready = endpoints.filter(|endpoint| {
        let said = endpoint.conditions.as_ref();
        said.is_none_or(|said| said.ready != Some(false) || said.serving != Some(false))
    });
    ready.flat_map(|endpoint| endpoint.addresses.iter().map(String::as_str)).collect()
}

fn addresses(pods: &[Pod]) -> BTreeSet<&str> {
    pods.iter().filter_map(|pod| pod.status.as_ref()?.pod_ip.as_deref()).collect()
}

async fn routes_only_to(home: &TestNamespace, pods: &[Pod]) -> Result<()> {
    eventually("the Service's endpoints are the real pods", SOON, async || {
        let slices = home.api::<EndpointSlice>().list(&ListParams::default()).await?.items;
        let (routed, real) = (routed(&slices), addresses(pods));
        ensure!(routed == real, "routed to {routed:?}, real pods at {real:?}");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_keeps_only_its_real_endpoints() {
    sandbox(async |sandbox| {
        let home = sandbox.namespace("service", &[]).await?;
        home.create(&deployment("server", 2)).await?;
        home.create(&yaml::<Service>(
            "
            metadata: {name: server}
            spec: {selector: {app: server}, ports: [{port: 8080, targetPort: http}]}
            ",
        ))
        .await?;
        let real = real_pods(&home, 2).await?;
        routes_only_to(&home, &real).await?;
        let all = home.api::<EndpointSlice>();
        let slices = Observer::start(all.clone(), None, |s| format!("{:?}", s.endpoints)).await?;

        let test = with_stand_ins(&home).await?;
        let pods = test.stand_ins().await?;
        // The slices know of them, which shows that they were looked at, and call them not ready.
        eventually("the slices list the stand-ins", SOON, async || {
            let slices = all.list(&ListParams::default()).await?.items;
            let listed: BTreeSet<&str> = slices
                .iter()
                .flat_map(|slice| &slice.endpoints)
                .flat_map(|endpoint| endpoint.addresses.iter().map(String::as_str))
                .collect();
            ensure!(addresses(&pods).is_subset(&listed), "listed {listed:?}");
            Ok(())
        })
        .await?;
        routes_only_to(&home, &real).await?;
        let stands_in = |address: &str| addresses(&pods).contains(address);
        slices.never("traffic to a stand-in", |sight| {
            let slice = std::slice::from_ref(&*sight.object);
            !sight.gone && routed(slice).into_iter().any(&stands_in)
        })?;
        test.delete().await?;
        test.leaves_nothing(SOON).await?;
        routes_only_to(&home, &real).await
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_set_keeps_its_own_pods_and_their_number() {
    sandbox(async |sandbox| {
        let home = sandbox.namespace("replicas", &[]).await?;
        home.create(&deployment("server", 2)).await?;
        let real = real_pods(&home, 2).await?;
        let test = with_stand_ins(&home).await?;
        let stand_ins_before = stand_ins::uids(&test.stand_ins().await?);

        let still = real_pods(&home, 2).await?;
        ensure!(stand_ins::uids(&still) == stand_ins::uids(&real), "other pods: {still:#?}");
        for replicas in [3, 1, 2] {
            scale(&home, "server", i32::try_from(replicas)?).await?;
            let pods = real_pods(&home, replicas).await?;
            say(format!("scaled to {replicas}: {} pods of its own", pods.len()));
            eventually("the ReplicaSet counts its own", SOON, async || {
                let sets = home.api::<ReplicaSet>().list(&ListParams::default()).await?.items;
                let counts: Vec<_> =
                    sets.iter().filter_map(|set| Some(set.status.as_ref()?.replicas)).collect();
                ensure!(counts == [i32::try_from(replicas)?], "ReplicaSets with {counts:?}");
                Ok(())
            })
            .await?;
        }
        let pods = test.stand_ins().await?;
        ensure!(stand_ins::uids(&pods) == stand_ins_before, "others: {}", stand_ins::texts(&pods));
        for pod in &pods {
            let owners: Vec<_> = pod.owner_references().iter().map(|o| o.kind.as_str()).collect();
            ensure!(owners == ["StandInSet"], "{} owned by {owners:?}", stand_ins::text(pod));
        }
        test.conforms(MINUTE).await?;
        Ok(())
    })
    .await;
}

/// What a budget says: allowed disruptions, healthy pods, pods that have to be. Of the expected
/// pods it counts more than there are with a plain `minAvailable`, which changes none of these.
fn arithmetic(budget: &PodDisruptionBudget) -> Option<[i32; 3]> {
    let said = budget.status.as_ref()?;
    let failed = said.conditions.iter().flatten().any(|c| c.reason == "SyncFailed");
    (!failed).then_some([said.disruptions_allowed, said.current_healthy, said.desired_healthy])
}

fn budget_text(budget: &PodDisruptionBudget) -> String {
    let conditions = budget.status.as_ref().and_then(|status| status.conditions.as_ref());
    format!("{} {:?} {conditions:?}", budget.name_any(), arithmetic(budget))
}

/// A budget, and what it says of two real pods and of three.
struct Budget {
    name: &'static str,
    spec: serde_json::Value,
    of_two: [i32; 3],
    of_three: [i32; 3],
}

fn budgets() -> [Budget; 4] {
    let budget = |name, spec, of_two, of_three| Budget { name, spec, of_two, of_three };
    [
        budget("at-least-one", json!({"minAvailable": 1}), [1, 2, 1], [2, 3, 1]),
        budget("at-least-half", json!({"minAvailable": "50%"}), [1, 2, 1], [1, 3, 2]),
        budget("at-most-one", json!({"maxUnavailable": 1}), [1, 2, 1], [1, 3, 2]),
        budget("at-most-half", json!({"maxUnavailable": "50%"}), [1, 2, 1], [2, 3, 1]),
    ]
}

async fn says(home: &TestNamespace, name: &str, wanted: [i32; 3]) -> Result<()> {
    eventually(&format!("{name}: {wanted:?}"), MINUTE, async || {
        let budget = home.api::<PodDisruptionBudget>().get(name).await?;
        ensure!(arithmetic(&budget) == Some(wanted), "{}", budget_text(&budget));
        Ok(())
    })
    .await
}

/// A workload a budget, since the API knows of no pod with two budgets.
#[tokio::test(flavor = "multi_thread")]
async fn a_disruption_budget_allows_what_it_allowed_without_stand_ins() {
    sandbox(async |sandbox| {
        let home = sandbox.namespace("budget", &[]).await?;
        let mut spec = String::from("placement: {spread: EveryNode}\nendpoints:\n");
        for Budget { name, spec: budget, .. } in budgets() {
            let selector = json!({"matchLabels": {"app": name}});
            let mut budget = json!({"metadata": {"name": name}, "spec": budget});
            budget["spec"]["selector"] = selector;
            home.create::<PodDisruptionBudget>(&serde_json::from_value(budget)?).await?;
            home.create(&deployment(name, 2)).await?;
            let like =
                json!({"name": name, "standIn": {"like": {"kind": "Deployment", "name": name}}});
            spec.push_str("- ");
            spec.push_str(&like.to_string());
            spec.push('\n');
        }
        for Budget { name, of_two, .. } in budgets() {
            says(&home, name, of_two).await?;
        }
        let observer = Observer::start(home.api(), None, budget_text).await?;
        let test = home.test(&connectivity_test("budgets", &spec)).await?;
        test.conforms(2 * MINUTE).await?;
        ensure!(test.stand_ins().await?.len() == 8, "not two stand-ins a workload");
        observer.never("other arithmetic", |sight: &Observed<PodDisruptionBudget>| {
            let of = |budget: &Budget| sight.object.name_any() == budget.name;
            let wanted = budgets().into_iter().find(of).map(|budget| budget.of_two);
            arithmetic(&sight.object) != wanted
        })?;
        // A third pod makes the controller count anew, certainly after it has seen the stand-ins.
        for Budget { name, of_three, .. } in budgets() {
            scale(&home, name, 3).await?;
            says(&home, name, of_three).await?;
        }
        Ok(())
    })
    .await;
}
