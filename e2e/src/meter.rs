//! Counts the operator's requests to the API server, by verb, exactly and without disturbing them.
//!
//! The API server counts requests by the `FlowSchema` that they match. Schemas for the operator's
//! service account, one for each verb, which give its requests the priority that they had anyway,
//! make these counts the operator's own. Attach requests pass no `FlowSchema`; of each watch, the
//! first request does.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::flowcontrol::v1::{FlowSchema, FlowSchemaCondition};
use kube::{
    Api, Client, ResourceExt,
    api::{DeleteParams, ListParams, Request},
};
use serde_json::json;

use crate::{SOON, Sandbox, TestNamespace, eventually, operator, say};

/// All verbs for which the operator has a permission.
const VERBS: [&str; 7] = ["get", "list", "watch", "create", "patch", "update", "delete"];

/// The prefix of the names of all schemas here.
const PREFIX: &str = "netproof-e2e-";

/// The beginning of the metric's lines that are counted.
const COUNTER: &str = "apiserver_flowcontrol_dispatched_requests_total{";

/// The namespace that requests are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// Requests about one namespace, the `home` of [`Meter::install`].
    Here,
    /// Requests about another namespace, about all at once, or about cluster-scoped objects.
    Elsewhere,
}

/// The number of requests by place and verb.
pub type Counts = BTreeMap<(Place, &'static str), u64>;

/// Counts the operator's requests from its installation on.
pub struct Meter {
    client: Client,
    suffix: String,
}

impl Meter {
    /// Begins to count, with requests about `home` apart from all others. Returns when the schemas
    /// are in force.
    pub async fn install(sandbox: &Sandbox, home: &TestNamespace) -> Result<Self> {
        let meter = Self { client: sandbox.client.clone(), suffix: sandbox.suffix.clone() };
        let api = Api::<FlowSchema>::all(sandbox.client.clone());
        // No other test is under way: these schemas are of a test that was killed, and would count
        // in the place of the new ones.
        for stale in api.list(&ListParams::default()).await?.items {
            if stale.name_any().starts_with(PREFIX) {
                say(format!("removing what a killed test left: {}", stale.name_any()));
                api.delete(&stale.name_any(), &DeleteParams::default()).await?;
            }
        }
        for place in [Place::Here, Place::Elsewhere] {
            for verb in VERBS {
                sandbox.flow_schema(&meter.schema(place, verb, &home.name)?).await?;
            }
        }
        let last = meter.name(Place::Elsewhere, "delete");
        eventually("the FlowSchemas are in force", SOON, async || {
            let schema = api.get(&last).await?;
            let conditions = schema.status.unwrap_or_default().conditions.unwrap_or_default();
            let attached = |said: &FlowSchemaCondition| {
                said.type_.as_deref() == Some("Dangling") && said.status.as_deref() == Some("False")
            };
            ensure!(conditions.iter().any(attached), "{conditions:?}");
            Ok(())
        })
        .await?;
        Ok(meter)
    }

    fn name(&self, place: Place, verb: &str) -> String {
        let place = match place {
            Place::Here => "here",
            Place::Elsewhere => "elsewhere",
        };
        format!("{PREFIX}{}-{place}-{verb}", self.suffix)
    }

    fn schema(&self, place: Place, verb: &str, home: &str) -> Result<FlowSchema> {
        let (precedence, namespaces, cluster) = match place {
            Place::Here => (5000, home, false),
            Place::Elsewhere => (5001, "*", true),
        };
        let account = json!({"namespace": operator::NAMESPACE, "name": operator::NAME});
        Ok(serde_json::from_value(json!({
            "metadata": {"name": self.name(place, verb)},
            "spec": {
                "matchingPrecedence": precedence,
                "priorityLevelConfiguration": {"name": "workload-low"},
                "distinguisherMethod": {"type": "ByUser"},
                "rules": [{
                    "subjects": [{"kind": "ServiceAccount", "serviceAccount": account}],
                    "resourceRules": [{
                        "verbs": [verb], "apiGroups": ["*"], "resources": ["*"],
                        "namespaces": [namespaces], "clusterScope": cluster,
                    }],
                }],
            },
        }))?)
    }

    /// The counts so far, from the API server's metrics.
    pub async fn read(&self) -> Result<Counts> {
        let request = Request::new("/metrics").list(&ListParams::default())?;
        let text = self.client.request_text(request).await.context("the API server's metrics")?;
        let mut counts = Counts::new();
        for place in [Place::Here, Place::Elsewhere] {
            for verb in VERBS {
                let label = format!("flow_schema=\"{}\"", self.name(place, verb));
                let lines = text.lines().filter(|l| l.starts_with(COUNTER) && l.contains(&label));
                let values = lines.filter_map(|l| l.rsplit(' ').next()?.parse::<u64>().ok());
                counts.insert((place, verb), values.sum());
            }
        }
        Ok(counts)
    }
}

/// How much the counts have grown.
pub fn since(before: &Counts, after: &Counts) -> Counts {
    after.iter().map(|(key, count)| (*key, count - before[key])).collect()
}

/// The counts of one place, for people: `patch 4, watch 9`.
pub fn text(counts: &Counts, place: Place) -> String {
    let there = counts.iter().filter(|((of, _), count)| *of == place && **count > 0);
    let words: Vec<String> = there.map(|((_, verb), count)| format!("{verb} {count}")).collect();
    if words.is_empty() { "none".into() } else { words.join(", ") }
}
