//! A test can rest, and can end with its first verdict.

use netproof_crds::{ConditionStatus, ConditionType, Reason, RunPolicy};
use netproof_e2e::{
    MINUTE, SOON, ensure,
    examples::{TRIO_CONFORMS, only_the_client, trio},
    sandbox, say, status,
};
use serde_json::json;
use tokio::time::Instant;

#[tokio::test(flavor = "multi_thread")]
async fn a_suspended_test_has_no_probes_and_claims_nothing_until_it_is_resumed() {
    sandbox(async |sandbox| {
        let home = sandbox.namespace("suspended", &[]).await?;
        home.create(&only_the_client()).await?;
        let test = home.test(&trio()).await?;
        test.conforms(2 * MINUTE).await?;
        let observer = test.observer().await?;

        let suspended = Instant::now();
        test.change(&json!({"suspend": true})).await?;
        for type_ in [ConditionType::Conformant, ConditionType::Fresh, ConditionType::ProbesReady] {
            test.says((type_, ConditionStatus::Unknown, Reason::Suspended), SOON).await?;
        }
        test.leaves_nothing(SOON).await?;
        say(format!("no stand-in left {:?} after it was suspended", suspended.elapsed()));

        test.change(&json!({"suspend": false})).await?;
        test.conforms(2 * MINUTE).await?;
        test.reports(&TRIO_CONFORMS, SOON).await?;
        observer.accuses_nobody()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_to_be_run_once_ends_with_its_verdict_and_without_probes() {
    sandbox(async |sandbox| {
        let home = sandbox.namespace("once", &[]).await?;
        home.create(&only_the_client()).await?;
        let mut once = trio();
        once.spec.run_policy = RunPolicy::Once;
        let made = Instant::now();
        let test = home.test(&once).await?;
        let complete = (ConditionType::Complete, ConditionStatus::True, Reason::Finished);
        test.says(complete, 2 * MINUTE).await?;
        say(format!("complete after {:?}", made.elapsed()));
        test.leaves_nothing(SOON).await?;

        // The policy goes, and nothing looks any more: the verdict is of when it was come to.
        home.delete::<k8s_openapi::api::networking::v1::NetworkPolicy>("only-the-client").await?;
        let ended = test.get().await?;
        let summary = status::summary(&ended);
        let stands = status::conformant(&ended) && summary.conforms == 2 && summary.flows == 2;
        ensure!(stands, "{}", status::text(&ended));

        // Written anew, it is run anew.
        test.change(&json!({"confirm": 2})).await?;
        test.says(complete, 2 * MINUTE).await?;
        let again = test.get().await?;
        ensure!(status::conformant(&again), "{}", status::text(&again));
        test.leaves_nothing(SOON).await
    })
    .await;
}
