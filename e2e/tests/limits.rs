//! One user's objects do not take the operator's memory from everybody else.

use k8s_openapi::{api::core::v1::Pod, jiff::Timestamp};
use kube::ResourceExt;
use netproof_crds::{ConditionStatus, ConditionType, Reason};
use netproof_e2e::{
    Context, MINUTE, Result, SOON, ensure, eventually,
    examples::{connectivity_test, only_the_client, trio_paced},
    node, operator, sandbox, say, stand_ins, status,
};
use serde_json::json;
use tokio::time::Instant;

/// Beside them, the others.
const ORDINARY: usize = 50;

/// What the Deployment admits, in bytes.
async fn limit(client: &kube::Client) -> Result<u64> {
    let spec = operator::deployment(client).await?.spec.and_then(|spec| spec.template.spec);
    let limits = spec.and_then(|spec| spec.containers[0].resources.clone()?.limits);
    let memory = limits.and_then(|limits| limits.get("memory").cloned()).context("a limit")?;
    let mebibytes = memory.0.strip_suffix("Mi").context("mebibytes")?;
    Ok(mebibytes.parse::<u64>()? * 1024 * 1024)
}

/// As many endpoints and ports as a test may have, at defaults.
fn widest(name: &str) -> netproof_crds::ConnectivityTest {
    let ports: Vec<_> = (1..=16).map(|port| json!({"port": 8000 + port})).collect();
    let endpoints: Vec<_> = (0..64)
        .map(|number| {
            let labels = json!({"app": format!("wide-{number}")});
            json!({"name": format!("e{number}"), "standIn": {"labels": labels, "ports": ports}})
        })
        .collect();
    connectivity_test(name, &json!({"endpoints": endpoints}).to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn tests_with_too_many_flows_are_not_accepted_and_harm_nobody() {
    sandbox(async |sandbox| {
        let client = &sandbox.client;
        // A new one, so that the most memory that it has had is not of other tests.
        let old = operator::ready(client, MINUTE).await?;
        stand_ins::kill(client, &old).await?;
        operator::succeeded(client, &old.uid().context("a UID")?, MINUTE).await?;
        let before = operator::ready(client, MINUTE).await?;
        let limit = limit(client).await?;
        let home = sandbox.namespace("many", &[]).await?;
        home.create(&only_the_client()).await?;
        let began = Instant::now();
        let mut ordinary = vec![];
        for number in 0..ORDINARY {
            let mut test = trio_paced("{}");
            test.metadata.name = Some(format!("ordinary-{number:02}"));
            ordinary.push(home.test(&test).await?);
        }
        for test in &ordinary {
            test.conforms(3 * MINUTE).await?;
        }
        let pods = home.api::<Pod>().list(&kube::api::ListParams::default()).await?.items;
        say(format!(
            "{ORDINARY} ordinary tests with {} stand-ins conform after {:.0?}; peak {} MB of {} MB",
            pods.len(),
            began.elapsed(),
            node::peak_memory(&before).await? / 1_000_000,
            limit / 1_000_000
        ));

        let at = Timestamp::now();
        let mut wide = vec![];
        for number in 0..5 {
            wide.push(home.test(&widest(&format!("wide-{number}"))).await?);
        }
        for test in &wide {
            let refused = (ConditionType::Accepted, ConditionStatus::False, Reason::TooManyFlows);
            let said = test.says(refused, SOON).await?;
            ensure!(said.message.starts_with("64512 flows are more than the "), "{said:?}");
            let unknown =
                (ConditionType::Conformant, ConditionStatus::Unknown, Reason::NotAccepted);
            test.says(unknown, SOON).await?;
            let pods = test.stand_ins().await?;
            ensure!(pods.is_empty(), "{}", stand_ins::texts(&pods));
        }
        // One that is narrowed is carried out.
        let narrow = json!({"checks": [{"from": ["e0"], "to": ["e1"]}], "endpoints": [
            {"name": "e0", "standIn": {"labels": {"app": "client"}}},
            {"name": "e1", "standIn": {"labels": {"app": "server"}, "ports": [{"port": 8080}]}},
        ]});
        wide[0].change(&narrow).await?;
        wide[0].conforms(2 * MINUTE).await?;
        let mut again = serde_json::to_value(widest("again").spec)?;
        again["checks"] = json!(null);
        wide[0].change(&again).await?;
        eventually("what was accepted and is no more has no stand-ins", SOON, async || {
            let pods = wide[0].stand_ins().await?;
            ensure!(pods.is_empty(), "{}", stand_ins::texts(&pods));
            Ok(())
        })
        .await?;

        for test in &ordinary {
            test.conforms_after(at, 2 * MINUTE).await?;
        }
        let after = operator::pod(client).await?;
        ensure!(after.uid() == before.uid(), "another pod");
        let restarts = operator::restarts(&after) - operator::restarts(&before);
        ensure!(restarts == 0, "{restarts} restarts");
        let peak = node::peak_memory(&after).await?;
        say(format!("with five too wide ones: peak {} MB, no restart", peak / 1_000_000));
        ensure!(peak < limit, "{peak} of {limit} bytes");
        ensure!(status::conformant(&ordinary[0].get().await?), "it is not any more");
        Ok(())
    })
    .await;
}
