//! The objects that the lab is about, as an API server would have them.

use std::{path::PathBuf, time::Duration};

use anyhow::{Context, bail};
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kube::api::DynamicObject;
use netproof_conformance::{
    kinds::{ApiKind, KindRow, ObjectScope},
    manifest::Cluster,
};
use netproof_crds::ConnectivityTest;
use serde_json::{Value, json};

use super::api_defaults::as_stored;
use netproof_manifests::{
    input,
    notes::{Notes, accept},
};
use netproof_rounds::kind::Kind;

/// What `Cluster::skipped` calls a `ConnectivityTest`.
const TEST_KIND: &str = "ConnectivityTest.netproof.dev";

/// When the first of the objects was created; each next one is a second younger. A network with the
/// fault `newest-policy-only` has to be able to tell their ages.
pub const BEGINNING: Timestamp = Timestamp::constant(1_577_836_800, 0);

/// Objects that were read without an error.
#[derive(Debug)]
pub struct LabObjects {
    /// What the policies, pods and namespaces among them amount to.
    pub cluster: Cluster,
    /// The objects as they are written, with namespace and time of creation filled in.
    pub written: Vec<Value>,
}

impl LabObjects {
    /// Reads files. One wrong object is an error for all.
    pub fn read(paths: &[PathBuf], default_namespace: &str, notes: Notes) -> anyhow::Result<Self> {
        let (mut input, written) = input::read_written(paths, default_namespace);
        input.cluster.skipped.retain(|kind, _| kind != TEST_KIND);
        Ok(Self::of(accept(input, notes)?, written, default_namespace))
    }

    /// Takes objects that were never in a file. One wrong object is an error for all.
    pub fn from_values(values: &[Value], default_namespace: &str) -> anyhow::Result<Self> {
        let text: Vec<String> = values.iter().map(Value::to_string).collect();
        let (input, written) = input::read_json("the objects", &text.join("\n"), default_namespace);
        Ok(Self::of(accept(input, Notes::Hidden)?, written, default_namespace))
    }

    /// Completes objects that were read without an error.
    pub fn of(cluster: Cluster, mut written: Vec<Value>, default_namespace: &str) -> Self {
        for (object, seconds) in written.iter_mut().zip(0..) {
            complete(object, default_namespace, Duration::from_secs(seconds));
        }
        Self { cluster, written }
    }

    /// The objects of a kind, as they are written.
    pub fn of_kind(&self, kind: &KindRow) -> impl Iterator<Item = &Value> {
        self.written.iter().filter(move |object| {
            let [api_version, word] = header(object);
            kind.is(api_version, word)
        })
    }

    /// The one test among the objects, or the one of this name; none if there is none. An error if
    /// there are several, or none of that name.
    pub fn test(&self, name: Option<&str>) -> anyhow::Result<Option<ConnectivityTest>> {
        let tests: Vec<&Value> = self
            .of_kind(Kind::Tests.row())
            .filter(|test| name.is_none_or(|name| test["metadata"]["name"] == name))
            .collect();
        match (tests.as_slice(), name) {
            ([], None) => Ok(None),
            ([], Some(name)) => bail!("there is no ConnectivityTest {name} among the objects"),
            ([test], _) => {
                let name = test["metadata"]["name"].as_str().unwrap_or_default();
                serde_json::from_value((*test).clone())
                    .with_context(|| format!("ConnectivityTest {name}"))
                    .map(Some)
            }
            (several, _) => {
                let names: Vec<&str> =
                    several.iter().filter_map(|test| test["metadata"]["name"].as_str()).collect();
                bail!(
                    "there are several ConnectivityTests: choose one by --test: {}",
                    names.join(", ")
                )
            }
        }
    }

    /// The objects that an operator would follow, with their kinds.
    pub fn known(&self) -> impl Iterator<Item = (Kind, DynamicObject)> {
        let kinds = [
            Kind::NetworkPolicies,
            Kind::Namespaces,
            Kind::Deployments,
            Kind::StatefulSets,
            Kind::DaemonSets,
        ];
        kinds.into_iter().flat_map(|kind| {
            self.of_kind(kind.row()).map(move |object| (kind, dynamic(object.clone())))
        })
    }
}

/// An object as a dynamic client has it.
pub fn dynamic(object: Value) -> DynamicObject {
    serde_json::from_value(object).expect("an object with a kind and a name was read before")
}

/// The `apiVersion` and the `kind` of an object.
fn header(object: &Value) -> [&str; 2] {
    ["apiVersion", "kind"].map(|field| object[field].as_str().unwrap_or_default())
}

fn complete(object: &mut Value, default_namespace: &str, age: Duration) {
    let [api_version, kind] = header(object);
    let kind = ApiKind::of(api_version, kind);
    if kind == Some(ApiKind::NetworkPolicy) {
        as_stored(object);
    }
    let is_namespaced = kind.is_none_or(|kind| match kind.row().scope {
        ObjectScope::Namespaced => true,
        ObjectScope::Cluster => false,
    });
    let Some(metadata) = object["metadata"].as_object_mut() else { return };
    if is_namespaced {
        let namespace = metadata.entry("namespace").or_insert(Value::Null);
        if namespace.as_str().is_none_or(str::is_empty) {
            *namespace = json!(default_namespace);
        }
    }
    let created = BEGINNING + SignedDuration::try_from(age).expect("few objects");
    metadata.entry("creationTimestamp").or_insert(json!(created.to_string()));
    metadata.entry("resourceVersion").or_insert(json!("1"));
}
