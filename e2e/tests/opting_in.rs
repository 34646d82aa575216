//! Stand-ins come into another namespace only for as long as its administrators let them.

use netproof_crds::{ConditionStatus, ConditionType, Reason};
use netproof_e2e::{MINUTE, SOON, ensure, examples::connectivity_test, sandbox, say, stand_ins};
use tokio::time::Instant;

const LABEL: &str = "netproof.dev/allow-stand-ins";

const REFUSED: (ConditionType, ConditionStatus, Reason) =
    (ConditionType::Accepted, ConditionStatus::False, Reason::NamespaceNotOptedIn);

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_has_stand_ins_of_others_just_while_it_has_opted_in() {
    sandbox(async |sandbox| {
        let home = sandbox.namespace("asking", &[]).await?;
        let away = sandbox.namespace("asked", &[]).await?;
        let test = connectivity_test(
            "asking",
            &"
interval: 2s
settle: 3s
endpoints:
- {name: server, standIn: {namespace: AWAY, labels: {app: server}, ports: [{port: 8080}]}}
- {name: client, standIn: {labels: {app: client}}}
"
            .replace("AWAY", &away.name),
        );
        let test = home.test(&test).await?;
        let said = test.says(REFUSED, SOON).await?;
        say(&said.message);
        ensure!(said.message.contains(&away.name) && said.message.contains(LABEL), "{said:?}");
        let pods = test.stand_ins().await?;
        ensure!(pods.is_empty(), "{}", stand_ins::texts(&pods));

        away.relabel(&[(LABEL, Some("yes"))]).await?;
        test.says(REFUSED, SOON).await?;
        away.relabel(&[(LABEL, Some("true"))]).await?;
        test.conforms(2 * MINUTE).await?;
        test.reports(&["client server 8080/TCP Allow conforms"], SOON).await?;

        let observer = test.observer().await?;
        let withdrawn = Instant::now();
        away.relabel(&[(LABEL, None)]).await?;
        test.says(REFUSED, SOON).await?;
        test.leaves_nothing(SOON).await?;
        say(format!("no stand-in left {:?} after the label was taken away", withdrawn.elapsed()));
        observer.accuses_nobody()
    })
    .await;
}
