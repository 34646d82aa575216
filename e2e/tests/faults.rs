//! A network that fails on purpose is named by what it does wrong, and where.

use std::time::Duration;

use k8s_openapi::api::{
    core::v1::{Node, Pod},
    networking::v1::NetworkPolicy,
};
use kube::{Api, ResourceExt, api::ListParams};
use netproof_crds::{ConnectivityTest, Finding, FindingVerdict, Spread};
use netproof_e2e::{
    Context, MINUTE, Result, SOON, Sandbox, Test, ensure,
    examples::{connectivity_test, only_the_client, trio, yaml},
    operator, sandbox, say, stand_ins, status,
};
use tokio::time::Instant;

/// How often a stand-in is made anew before one has to be seen to start late: a pod may take longer
/// to get its address than the network to isolate it.
const STARTS: usize = 4;

/// A node with stand-ins, and without the operator, which a network that blocks everything there
/// would cut off.
async fn a_node(sandbox: &Sandbox) -> Result<String> {
    let operator = operator::pod(&sandbox.client).await?;
    let nodes = Api::<Node>::all(sandbox.client.clone()).list(&ListParams::default()).await?;
    let is_worker = |node: &&Node| node.spec.as_ref().is_none_or(|spec| spec.taints.is_none());
    let workers: Vec<String> = nodes.iter().filter(is_worker).map(ResourceExt::name_any).collect();
    let other = workers.iter().rfind(|name| *name != stand_ins::node(&operator));
    other.cloned().with_context(|| format!("workers {workers:?}"))
}

/// Three endpoints on every node, all of which listen. How they start is not looked at here.
fn everywhere() -> ConnectivityTest {
    let mut test = connectivity_test(
        "everywhere",
        "
        interval: 2s
        leakRetention: 4s
        settle: 5s
        startUp: 'Off'
        endpoints:
        - {name: server, standIn: {labels: {app: server}, ports: [{port: 8080}]}}
        - {name: client, standIn: {labels: {app: client}, ports: [{port: 8080}]}}
        - {name: stranger, standIn: {labels: {app: stranger}, ports: [{port: 8080}]}}
        ",
    );
    test.spec.placement.spread = Spread::EveryNode;
    test
}

/// These may speak to the server and to nobody else.
fn only_to_the_server(app: &str) -> NetworkPolicy {
    yaml(
        "
        metadata: {name: APP-to-the-server}
        spec:
          podSelector: {matchLabels: {app: APP}}
          policyTypes: [Egress]
          egress:
          - to:
            - podSelector: {matchLabels: {app: server}}
        "
        .replace("APP", app)
        .as_str(),
    )
}

/// Waits until a fault is named there, and nowhere else.
async fn is_named(test: &Test, name: &str, node: &str) -> Result<()> {
    let began = Instant::now();
    let place = format!("on node {node} only");
    let is = |test: &ConnectivityTest| {
        status::diagnosis(test)
            .is_some_and(|said| said.name == name && said.message.contains(&place))
    };
    let found = test.becomes(&format!("diagnosis {name} {place}"), MINUTE, is).await?;
    let said = status::diagnosis(&found).context("it was just there")?;
    say(format!("after {:.1} s: {}", began.elapsed().as_secs_f32(), said.message));
    let scope = format!("on node {node}");
    ensure!(said.scope.as_deref() == Some(&scope), "{said:?}");
    ensure!(said.explains == said.findings && said.findings > Some(0), "{said:?}");
    Ok(())
}

/// Waits until all is well and nothing is said to be wrong.
async fn is_well(test: &Test) -> Result<()> {
    let began = Instant::now();
    let is =
        |test: &ConnectivityTest| status::conformant(test) && status::diagnosis(test).is_none();
    test.becomes("Conformant=True and no diagnosis", MINUTE, is).await?;
    say(format!("all is well after {:.1} s", began.elapsed().as_secs_f32()));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_node_does_wrong_is_named_with_the_node_and_is_gone_with_the_fault() {
    sandbox(async |sandbox| {
        let node = a_node(sandbox).await?;
        let home = sandbox.namespace("faulty", &[]).await?;
        home.create(&only_the_client()).await?;
        for app in ["client", "stranger"] {
            home.create(&only_to_the_server(app)).await?;
        }
        let test = home.test(&everywhere()).await?;
        test.conforms(2 * MINUTE).await?;
        is_well(&test).await?;

        sandbox.fail(&format!("ignores-egress@node={node}")).await?;
        is_named(&test, "ignores-egress", &node).await?;
        let metrics = operator::metrics(&sandbox.client).await?;
        let series = format!(
            r#"netproof_diagnosis{{name="ignores-egress",namespace="{}",test="everywhere"}} 1"#,
            home.name
        );
        ensure!(metrics.contains(&series), "no {series}");
        sandbox.fail("none").await?;
        is_well(&test).await?;

        sandbox.fail(&format!("blocks-all@node={node}")).await?;
        is_named(&test, "blocks-all", &node).await?;
        sandbox.fail("none").await?;
        is_well(&test).await
    })
    .await;
}

/// The leaks of new stand-ins that a test reports.
fn of_starts(test: &ConnectivityTest) -> Vec<&Finding> {
    let findings = test.status.iter().flat_map(|status| &status.findings);
    findings.filter(|finding| finding.verdict == FindingVerdict::StartupLeak).collect()
}

/// Makes the server's stand-in anew; whether that one was seen to leak.
async fn starts_late(sandbox: &Sandbox, test: &Test) -> Result<bool> {
    let before: Pod = test.stand_in("server").await?;
    let killed = Instant::now();
    stand_ins::kill(&sandbox.client, &before).await?;
    let leaks = |test: &ConnectivityTest| !of_starts(test).is_empty();
    let found = match test.becomes("a start-up leak", SOON, leaks).await {
        Ok(found) => found,
        Err(error) => {
            say(format!("{error:#}"));
            return Ok(false);
        }
    };
    for finding in of_starts(&found) {
        say(format!("{:.1} s after: {}", killed.elapsed().as_secs_f32(), finding.message));
        ensure!(finding.to.endpoint == "server", "{finding:?}");
    }
    Ok(true)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_that_isolates_new_pods_late_is_found_out() {
    sandbox(async |sandbox| {
        let home = sandbox.namespace("late", &[]).await?;
        home.create(&only_the_client()).await?;
        let test = home.test(&trio()).await?;
        test.conforms(2 * MINUTE).await?;
        sandbox.fail("late-isolation=3s").await?;
        let mut seen = false;
        for _ in 0..STARTS {
            seen = seen || starts_late(sandbox, &test).await?;
        }
        ensure!(seen, "of {STARTS} new stand-ins none leaked");
        // It is over when it is seen: what is wrong is told from how it came about.
        let is_late = |test: &ConnectivityTest| {
            status::conformant(test)
                && status::diagnosis(test).is_some_and(|said| said.name == "late-isolation")
        };
        let what = "conformant, and late isolation is diagnosed";
        let found = test.becomes(what, MINUTE + Duration::from_secs(30), is_late).await?;
        say(status::diagnosis(&found).context("it was just there")?.message.clone());
        Ok(())
    })
    .await;
}
