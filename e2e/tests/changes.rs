//! A change of what the policies say is seen at once, and never mistaken for a fault of the
//! network.

use std::time::Duration;

use k8s_openapi::{
    api::networking::v1::NetworkPolicy, apimachinery::pkg::apis::meta::v1::Condition,
};
use netproof_crds::{ConditionType, ConnectivityTest};
use netproof_e2e::{
    Context, MINUTE, Observer, Result, SOON, TestNamespace,
    examples::{trio_paced, yaml},
    sandbox, say, status,
};
use serde_json::json;
use tokio::time::Instant;

/// Rounds of their own are a minute apart: whatever comes sooner comes of the change.
const PACE: &str = "{interval: 60s, settle: 5s}";

/// Within this, the settling and what the machine takes under load, the verdict is there.
const FOLLOWED: Duration = Duration::from_secs(20);

/// The times from the API server's answer to a change until all of the test's flows were seen
/// to be as it says.
#[derive(Default)]
struct Latencies(Vec<Duration>);

impl Latencies {
    /// Makes a change, and waits until the status shows it as expected and as kept.
    async fn measure(
        &mut self,
        observer: &Observer<ConnectivityTest>,
        what: &str,
        change: impl Future<Output = Result<()>>,
        shown: impl Fn(&Condition) -> bool,
    ) -> Result<()> {
        let expects = |test: &ConnectivityTest| {
            status::condition(test, ConditionType::Intended).is_some_and(&shown)
        };
        let kept = |test: &ConnectivityTest| expects(test) && status::keeps_all(test);
        let written = Instant::now();
        change.await?;
        let expected = observer.first(written, what, FOLLOWED, expects).await?.at - written;
        let kept = observer.first(written, what, FOLLOWED, kept).await?;
        let kept = kept.at - written;
        say(format!(
            "{what}: expected after {:.2} s, conformant after {:.2} s",
            expected.as_secs_f32(),
            kept.as_secs_f32()
        ));
        self.0.push(kept);
        Ok(())
    }

    fn report(mut self, what: &str) {
        self.0.sort_unstable();
        let [low, middle, high] = [0, self.0.len() / 2, self.0.len() - 1].map(|n| self.0[n]);
        say(format!(
            "{what}, from the write to the last flow: median {middle:.2?}, {low:.2?} to {high:.2?} of {}",
            self.0.len()
        ));
    }
}

fn intended(condition: &Condition) -> bool {
    condition.status == "True"
}

fn contradicted(condition: &Condition, by: &str) -> bool {
    condition.status == "False" && condition.message.contains(by)
}

fn policy(ingress: &serde_json::Value) -> NetworkPolicy {
    let spec = json!({
        "podSelector": {"matchLabels": {"app": "server"}},
        "policyTypes": ["Ingress"],
        "ingress": ingress,
    });
    serde_json::from_value(json!({"metadata": {"name": "server"}, "spec": spec})).expect("a policy")
}

async fn change_policy(home: &TestNamespace, ingress: &serde_json::Value) -> Result<()> {
    let patch = json!({"spec": {"ingress": ingress}});
    home.patch::<NetworkPolicy>("server", &patch).await.map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_added_changed_and_deleted_is_followed_at_once() {
    sandbox(async |sandbox| {
        let home = sandbox.namespace("policy", &[]).await?;
        let mut test = trio_paced(PACE);
        test.spec.checks = yaml(
            "
            - {from: [client], to: [server], expect: Deny}
            - {from: [stranger], to: [server], expect: Deny}
            ",
        );
        let test = home.test(&test).await?;
        test.conforms(2 * MINUTE).await?;
        let observer = test.observer().await?;
        let (mut tighter, mut looser) = (Latencies::default(), Latencies::default());
        let (nobody, the_client) =
            (json!([]), json!([{"from": [{"podSelector": {"matchLabels": {"app": "client"}}}]}]));
        for _ in 0..3 {
            let added = async { home.create(&policy(&nobody)).await.map(drop) };
            tighter.measure(&observer, "policy added", added, intended).await?;

            let changed = change_policy(&home, &the_client);
            let by_policy = |said: &_| contradicted(said, "/server ingress[0]");
            looser.measure(&observer, "policy loosened", changed, by_policy).await?;
            let flows =
                ["client server 8080/TCP Allow conforms", "stranger server 8080/TCP Deny conforms"];
            test.reports(&flows, SOON).await?;

            let changed = change_policy(&home, &nobody);
            tighter.measure(&observer, "policy tightened", changed, intended).await?;
            let flows =
                ["client server 8080/TCP Deny conforms", "stranger server 8080/TCP Deny conforms"];
            test.reports(&flows, SOON).await?;

            let deleted = home.delete::<NetworkPolicy>("server");
            let by_none = |said: &_| contradicted(said, "no policy isolates");
            looser.measure(&observer, "policy deleted", deleted, by_none).await?;
            let flows = [
                "client server 8080/TCP Allow conforms",
                "stranger server 8080/TCP Allow conforms",
            ];
            test.reports(&flows, SOON).await?;
        }
        tighter.report("tightening");
        looser.report("loosening");
        observer.accuses_nobody()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_relabelled_is_followed_at_once() {
    sandbox(async |sandbox| {
        let home = sandbox.namespace("served", &[]).await?;
        let opted_in = ("netproof.dev/allow-stand-ins", "true");
        let away = sandbox.namespace("relabelled", &[opted_in, ("team", "ops")]).await?;
        home.create(&yaml::<NetworkPolicy>(
            "
            metadata: {name: server}
            spec:
              podSelector: {matchLabels: {app: server}}
              policyTypes: [Ingress]
              ingress:
              - from:
                - namespaceSelector: {matchLabels: {team: ops}}
            ",
        ))
        .await?;
        let mut test = trio_paced(PACE);
        test.spec.endpoints.truncate(2);
        let client = test.spec.endpoints[1].stand_in.as_mut().context("a stand-in")?;
        client.namespace = Some(away.name.clone());
        test.spec.checks = yaml("[{from: [client], to: [server], expect: Deny}]");
        let test = home.test(&test).await?;
        test.conforms(2 * MINUTE).await?;
        test.reports(&["client server 8080/TCP Allow conforms"], SOON).await?;
        let observer = test.observer().await?;
        let (mut tighter, mut looser) = (Latencies::default(), Latencies::default());
        for team in [None, Some("dev"), None] {
            let away_with = [("team", team)];
            let relabelled = away.relabel(&away_with);
            tighter.measure(&observer, "label off", relabelled, intended).await?;
            test.reports(&["client server 8080/TCP Deny conforms"], SOON).await?;

            let ops = [("team", Some("ops"))];
            let relabelled = away.relabel(&ops);
            let by_policy = |said: &_| contradicted(said, "/server ingress[0]");
            looser.measure(&observer, "label on", relabelled, by_policy).await?;
            test.reports(&["client server 8080/TCP Allow conforms"], SOON).await?;
        }
        tighter.report("tightening by label");
        looser.report("loosening by label");
        observer.accuses_nobody()
    })
    .await;
}
