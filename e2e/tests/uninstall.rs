//! An operator that is removed takes its stand-ins with it, and one that comes back brings them back.
//!
//! Cargo runs the files of this folder in the order of their names: this one is the last.

use std::time::Duration;

use kube::{Api, api::ListParams};
use netproof_crds::ConnectivityTest;
use netproof_e2e::{
    MINUTE, SOON, ensure, eventually,
    examples::{TRIO_CONFORMS, only_the_client, trio},
    operator, sandbox, say, stand_ins, status,
};
use tokio::time::Instant;

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
        let witness = test.witness().await?;
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
        witness.accuses_nobody()
    })
    .await;
}
