//! The operator's figures, and what it costs the API server.

use std::time::Duration;

use kube::{Api, api::ListParams};
use netproof_crds::ConnectivityTest;
use netproof_e2e::{
    MINUTE, Result, SOON, ensure, eventually,
    examples::{only_the_client, trio, trio_paced},
    meter::{self, Meter, Place},
    operator, sandbox, say,
};
use tokio::time::sleep;

/// The lines of `/metrics` that are about one test.
async fn about(client: &kube::Client, namespace: &str) -> Result<Vec<String>> {
    let text = operator::metrics(client).await?;
    let label = format!("namespace=\"{namespace}\"");
    Ok(text.lines().filter(|line| line.contains(&label)).map(str::to_owned).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_figures_of_a_test_come_and_go_with_it() {
    sandbox(async |sandbox| {
        let home = sandbox.namespace("figures", &[]).await?;
        home.create(&only_the_client()).await?;
        let test = home.test(&trio()).await?;
        test.conforms(2 * MINUTE).await?;
        let labels = format!("{{namespace=\"{}\",test=\"trio\"", home.name);
        let wanted = [
            format!("netproof_flows{labels},verdict=\"conforms\"}} 2"),
            format!("netproof_flows{labels},verdict=\"leak\"}} 0"),
            format!("netproof_flows{labels},verdict=\"blocked\"}} 0"),
            format!("netproof_flows{labels},verdict=\"inconclusive\"}} 0"),
            format!("netproof_probes_attached{labels}}} 3"),
            format!("netproof_probes_wanted{labels}}} 3"),
        ];
        eventually("the test's figures", SOON, async || {
            let lines = about(&sandbox.client, &home.name).await?;
            let missing: Vec<_> = wanted.iter().filter(|line| !lines.contains(line)).collect();
            ensure!(missing.is_empty(), "missing {missing:#?} in {lines:#?}");
            for family in ["netproof_last_round_timestamp_seconds", "netproof_round_duration"] {
                ensure!(lines.iter().any(|l| l.starts_with(family)), "no {family} in {lines:#?}");
            }
            Ok(())
        })
        .await?;
        test.delete().await?;
        eventually("no figures of a test that is gone", SOON, async || {
            let lines = about(&sandbox.client, &home.name).await?;
            ensure!(lines.is_empty(), "{lines:#?}");
            Ok(())
        })
        .await
    })
    .await;
}

/// Statuses are written every half minute, and watches are made anew every three minutes.
const AT_REST: Duration = Duration::from_secs(180);

#[tokio::test(flavor = "multi_thread")]
async fn a_test_at_rest_costs_less_than_ten_requests_a_minute() {
    sandbox(async |sandbox| {
        let home = sandbox.namespace("rest", &[]).await?;
        home.create(&only_the_client()).await?;
        let meter = Meter::install(sandbox, &home).await?;
        let began = meter.read().await?;
        let test = home.test(&trio_paced("{}")).await?;
        let round = test.conforms(2 * MINUTE).await?;
        // What made it counts: else what follows would count nothing.
        let made = meter::since(&began, &meter.read().await?);
        say(format!("to its first verdict: {}", meter::text(&made, Place::Here)));
        ensure!(made[&(Place::Here, "patch")] >= 5, "a set, three pods and a status: {made:?}");
        // Whatever the first verdict still causes is over when the next round is.
        let last = round.status.and_then(|status| status.last_round).expect("a round");
        test.conforms_after(last.time.0, 2 * MINUTE).await?;

        let operator = operator::pod(&sandbox.client).await?;
        let before = meter.read().await?;
        sleep(AT_REST).await;
        let same = operator::pod(&sandbox.client).await?.metadata.uid == operator.metadata.uid;
        ensure!(same, "another operator has begun meanwhile: nothing was at rest");
        let rest = meter::since(&before, &meter.read().await?);
        let minutes = AT_REST.as_secs_f64() / 60.0;
        let tests = Api::<ConnectivityTest>::all(sandbox.client.clone());
        let others = tests.list(&ListParams::default()).await?.items.len() - 1;
        say(format!(
            "in {minutes} minutes at rest: in the test's namespace {}; elsewhere {} (with {others} other tests)",
            meter::text(&rest, Place::Here),
            meter::text(&rest, Place::Elsewhere)
        ));
        let sum = |place| -> u64 {
            let of = rest.iter().filter(|((p, verb), _)| *p == place && *verb != "watch");
            of.map(|(_, count)| count).sum()
        };
        let (here, elsewhere) = (sum(Place::Here), sum(Place::Elsewhere));
        say(format!(
            "requests a minute but for watches: {:.1} for the test, {:.1} for all else",
            f64::from(u32::try_from(here)?) / minutes,
            f64::from(u32::try_from(elsewhere)?) / minutes
        ));
        let per_minute = f64::from(u32::try_from(here)?) / minutes;
        ensure!(here > 0 && per_minute < 10.0, "{per_minute} a minute: {rest:?}");
        let all = per_minute + f64::from(u32::try_from(elsewhere)?) / minutes;
        ensure!(others > 0 || all < 10.0, "{all} a minute: {rest:?}");
        Ok(())
    })
    .await;
}
