//! A test that is spread over every node does not shrink in silence: a node that takes no stand-in,
//! or has lost it, is named, and nothing is green meanwhile.

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use netproof_crds::{ConditionStatus, ConditionType, ConnectivityTest, Reason, Spread};
use netproof_e2e::{
    Context, MINUTE, Result, SOON, Sandbox, Test, TestNamespace, ensure,
    examples::{only_the_client, trio},
    node, operator, sandbox, say, stand_ins, status,
};
use tokio::time::Instant;

/// Of client, server and stranger on two nodes each, all may attempt to reach two servers, but no
/// server itself.
const FLOWS: u32 = 10;

fn everywhere() -> ConnectivityTest {
    let mut test = trio();
    test.spec.placement.spread = Spread::EveryNode;
    test
}

/// A conforming test on every node, and the one of its nodes that the operator is not on.
async fn conforming(sandbox: &Sandbox, word: &str) -> Result<(TestNamespace, Test, String)> {
    let home = sandbox.namespace(word, &[]).await?;
    home.create(&only_the_client()).await?;
    let test = home.test(&everywhere()).await?;
    let conforms = test.conforms(2 * MINUTE).await?;
    ensure!(status::summary(&conforms).flows == FLOWS, "{}", status::text(&conforms));
    let own = operator::ready(&sandbox.client, SOON).await?;
    let pods = test.stand_ins().await?;
    let nodes = pods.iter().map(stand_ins::node);
    let node = nodes.into_iter().find(|name| *name != stand_ins::node(&own));
    Ok((home, test, node.context("another node than the operator's")?.to_owned()))
}

/// Waits until the test names the node, is Unknown, and still counts all flows.
async fn names(test: &Test, node: &str, patience: Duration) -> Result<ConnectivityTest> {
    let gap = (ConditionType::Conformant, ConditionStatus::Unknown, Reason::NodesNotCovered);
    let said = test.says(gap, patience).await?;
    ensure!(said.message.contains(node), "{}", said.message);
    say(&said.message);
    let now = test.get().await?;
    let status = now.status.as_ref().context("a status")?;
    let named: Vec<&str> = status.uncovered_nodes.iter().map(|gap| gap.name.as_str()).collect();
    ensure!(named == [node], "{named:?}");
    ensure!(status::summary(&now).flows == FLOWS, "{}", status::text(&now));
    Ok(now)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cordoned_node_is_named_and_what_is_there_is_still_attempted() {
    sandbox(async |sandbox| {
        let (home, test, node) = conforming(sandbox, "cordoned").await?;
        let observer = test.observer().await?;
        let before = stand_ins::uids(&test.stand_ins().await?);
        let cordoned = node::cordon(&node).await?;
        let at = Instant::now();
        names(&test, &node, SOON).await?;
        say(format!("named {:?} after it was cordoned", at.elapsed()));
        let later = test.becomes("all flows conform all the same", SOON, |test| {
            status::summary(test).conforms == FLOWS
        });
        later.await?;

        // One that begins only now has no stand-in there, and does not pretend that it needs none.
        let mut late = everywhere();
        late.metadata.name = Some("late".into());
        let late = home.test(&late).await?;
        let now = names(&late, &node, MINUTE).await?;
        ensure!(status::summary(&now).conforms < FLOWS, "{}", status::text(&now));
        ensure!(late.stand_ins().await?.len() == 3, "none waits for a node that takes none");

        let at = Timestamp::now();
        cordoned.uncordon().await?;
        test.conforms_after(at, MINUTE).await?;
        let conforms = late.conforms(2 * MINUTE).await?;
        ensure!(status::summary(&conforms).flows == FLOWS, "{}", status::text(&conforms));
        let after = stand_ins::uids(&test.stand_ins().await?);
        ensure!(before == after, "before {before:?}, after {after:?}");
        observer.never("fewer flows", |sight| {
            status::conformant(&sight.object) && status::summary(&sight.object).flows != FLOWS
        })?;
        observer.accuses_nobody()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_tainted_later_is_named_and_one_that_always_was_is_not() {
    sandbox(async |sandbox| {
        let (_home, test, node) = conforming(sandbox, "tainted").await?;
        let observer = test.observer().await?;
        let tainted = node::taint(&node, "netproof-e2e=x:NoSchedule").await?;
        // The control plane has had its taint all the time: it is not among those named.
        let now = names(&test, &node, SOON).await?;
        let status = now.status.as_ref().context("a status")?;
        let why = &status.uncovered_nodes[0].message;
        ensure!(why.contains("netproof-e2e:NoSchedule"), "{why}");
        tainted.remove().await?;
        test.conforms(MINUTE).await?;
        observer.accuses_nobody()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_hangs_is_named_and_nothing_is_green_meanwhile() {
    sandbox(async |sandbox| {
        let (_home, test, node) = conforming(sandbox, "hanging").await?;
        let observer = test.observer().await?;
        let paused = node::pause(&node).await?;
        let at = Instant::now();
        names(&test, &node, 2 * MINUTE).await?;
        say(format!("named {:?} after it was paused", at.elapsed()));
        // First its probes are lost; then the cluster notices too.
        let not_ready = |test: &ConnectivityTest| {
            let gaps = test.status.iter().flat_map(|status| &status.uncovered_nodes);
            gaps.into_iter().any(|gap| gap.message.contains("not ready"))
        };
        test.becomes("the node is said not to be ready", 2 * MINUTE, not_ready).await?;
        let lost = Instant::now();
        ensure!(status::summary(&test.get().await?).flows == FLOWS, "flows are gone");
        let resumed = Timestamp::now();
        paused.resume().await?;
        test.conforms_after(resumed, 2 * MINUTE).await?;
        say(format!("conformant {:?} after it went on", lost.elapsed()));
        observer.never("fewer flows", |sight| {
            status::conformant(&sight.object) && status::summary(&sight.object).flows != FLOWS
        })?;
        observer.accuses_nobody()
    })
    .await;
}
