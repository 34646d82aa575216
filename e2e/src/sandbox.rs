//! A place of a test's own on the cluster, of which nothing is left when the test has ended,
//! however it ends.

use std::{
    panic::{AssertUnwindSafe, resume_unwind},
    sync::Mutex,
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use futures::FutureExt;
use k8s_openapi::{
    api::{
        apps::v1::Deployment,
        core::v1::{ConfigMap, Namespace},
        flowcontrol::v1::FlowSchema,
        rbac::v1::{ClusterRole, ClusterRoleBinding, RoleBinding},
    },
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use kube::{
    Api, Client, Resource, ResourceExt,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams},
};
use netproof_crds::ConnectivityTest;
use serde_json::json;
use tokio::time::{Instant, timeout};

use crate::{
    MINUTE, SOON, cluster,
    eventually::eventually,
    operator,
    test_namespace::{self, TestNamespace},
};

/// The longest that a test may take.
const LONGEST: Duration = Duration::from_secs(420);

/// The namespace and name of the `ConfigMap` by which the test network fails on purpose, see
/// `e2e/faults.sh`.
const FAULTS: (&str, &str) = ("netproof-network", "netproof-faults");

/// How long removing a test's objects may take before it is reported: a namespace with a few pods
/// takes some six seconds.
const SLOW: Duration = Duration::from_secs(15);

/// The namespaces that a test has made, and what it has made or changed outside of them.
pub struct Sandbox {
    /// The client of the cluster.
    pub client: Client,
    /// A part of the names of all that the test makes.
    pub suffix: String,
    made: Mutex<Vec<Made>>,
}

/// What is to be undone at the end of a test.
enum Made {
    Namespace(String),
    FlowSchema(String),
    Definition(String),
    /// The network is not to fail any more.
    Faults,
    /// This Deployment is to be there again.
    Removed(Box<Deployment>),
    ClusterRoleBinding(String),
    RoleBinding(TestNamespace, String),
    /// A Deployment beside the operator's is to be removed.
    Rival(String),
    /// netproof as a whole is to be there again, and these tests.
    Installation(Vec<ConnectivityTest>),
    /// The operator is to have just these rights again.
    Rights(Box<ClusterRole>),
}

/// Runs a test in a sandbox, when no other test is on the cluster. If the test fails, the state of
/// the cluster is shown. At the end all that it made is removed, also if it panics, takes longer
/// than 420 s, or is interrupted.
pub async fn sandbox(body: impl AsyncFnOnce(&Sandbox) -> Result<()>) {
    let client = cluster::client().await.expect("a client");
    let _turn = cluster::turn().await.expect("a turn");
    cluster::say("begins");
    let sandbox = Sandbox { client, suffix: cluster::random_suffix(), made: Mutex::default() };
    let body = AssertUnwindSafe(timeout(LONGEST, body(&sandbox)));
    let outcome = tokio::select! {
        outcome = body.catch_unwind() => outcome,
        () = cluster::told_to_end() => {
            cluster::say("told to end: removing what the test made");
            let cleaned = sandbox.clean().await;
            cluster::say(format!("{cleaned:?}\n"));
            // A panic would let the next test begin.
            std::process::exit(130)
        }
    };
    if !matches!(outcome, Ok(Ok(Ok(())))) {
        cluster::say(sandbox.describe().await);
    }
    let ended = Instant::now();
    let cleaned = sandbox.clean().await;
    if ended.elapsed() > SLOW {
        cluster::say(format!("removing what the test made took {:.1?}", ended.elapsed()));
    }
    cluster::to_stderr("\n");
    match outcome {
        Err(panic) => resume_unwind(panic),
        Ok(Err(_)) => panic!("the test took longer than {} s", LONGEST.as_secs()),
        Ok(Ok(Err(error))) => panic!("{error:#}"),
        Ok(Ok(Ok(()))) => cleaned.expect("what the test made can be removed"),
    }
}

impl Sandbox {
    /// Makes a namespace of the test's own, with these labels.
    pub async fn namespace(&self, word: &str, labels: &[(&str, &str)]) -> Result<TestNamespace> {
        let name = format!("e2e-{word}-{}", self.suffix);
        let labels: serde_json::Map<String, serde_json::Value> =
            labels.iter().map(|(key, value)| ((*key).to_owned(), json!(value))).collect();
        let namespace: Namespace =
            serde_json::from_value(json!({"metadata": {"name": name, "labels": labels}}))?;
        self.note(Made::Namespace(name.clone()));
        Api::all(self.client.clone())
            .create(&PostParams::default(), &namespace)
            .await
            .with_context(|| format!("namespace {name}"))?;
        Ok(TestNamespace { client: self.client.clone(), name })
    }

    /// Makes a `FlowSchema` for [`Meter`](crate::meter::Meter).
    pub async fn flow_schema(&self, schema: &FlowSchema) -> Result<()> {
        self.note(Made::FlowSchema(schema.metadata.name.clone().unwrap_or_default()));
        let api = Api::<FlowSchema>::all(self.client.clone());
        api.create(&PostParams::default(), schema).await.context("FlowSchema")?;
        Ok(())
    }

    /// Defines a kind on the cluster, and returns when it is established. An error if the cluster
    /// has the kind already and no test has made it.
    pub async fn definition(&self, definition: &CustomResourceDefinition) -> Result<()> {
        let name = definition.name_any();
        let api = Api::<CustomResourceDefinition>::all(self.client.clone());
        if let Some(there) = api.get_opt(&name).await? {
            // No other test is under way.
            ensure!(is_of_tests(&there), "the cluster has {name} of its own: not for a test");
            cluster::say(format!("removing what a killed test left: {name}"));
            self.remove_definition(&name).await?;
        }
        self.note(Made::Definition(name.clone()));
        let what = || format!("CustomResourceDefinition {name}");
        api.create(&PostParams::default(), definition).await.with_context(what)?;
        eventually(&format!("{name} is established"), SOON, async || {
            let status = api.get(&name).await?.status.unwrap_or_default();
            let conditions = status.conditions.unwrap_or_default();
            let is = |type_| conditions.iter().any(|c| c.type_ == type_ && c.status == "True");
            ensure!(is("Established"), "{conditions:?}");
            Ok(())
        })
        .await
    }

    /// Removes a kind, with all its objects, and waits until it is gone.
    pub async fn remove_definition(&self, name: &str) -> Result<()> {
        remove::<CustomResourceDefinition>(&self.client, name).await?;
        gone::<CustomResourceDefinition>(&self.client, name, MINUTE).await
    }

    /// Makes the test network fail on purpose from now on, in the words of `e2e/faults.sh`; with
    /// `none`, it fails no more. Faults end with the test.
    pub async fn fail(&self, faults: &str) -> Result<()> {
        let (namespace, name) = FAULTS;
        let maps = Api::<ConfigMap>::namespaced(self.client.clone(), namespace);
        if faults == "none" {
            return end_faults(&self.client).await;
        }
        self.note(Made::Faults);
        let map = json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": name},
            "data": {"faults": faults},
        });
        let params = PatchParams::apply("netproof-e2e").force();
        maps.patch(name, &params, &Patch::Apply(map)).await.context("setting faults")?;
        Ok(())
    }

    /// Saves the operator's Deployment, which may be removed from now on: it is put back at the
    /// end.
    pub async fn save_operator(&self) -> Result<()> {
        let mut saved = operator::deployment(&self.client).await?;
        // The Deployment is to be made anew, without what the API server added to it.
        saved.status = None;
        saved.metadata.uid = None;
        saved.metadata.resource_version = None;
        saved.metadata.creation_timestamp = None;
        saved.metadata.managed_fields = None;
        self.note(Made::Removed(Box::new(saved)));
        Ok(())
    }

    /// Saves netproof's installation, which may be removed from now on, whole or in part. It is
    /// installed anew at the end, with the `ConnectivityTests` of namespaces that are not this
    /// test's own.
    pub async fn save_installation(&self) -> Result<()> {
        let tests = Api::<ConnectivityTest>::all(self.client.clone());
        let mut tests = tests.list(&ListParams::default()).await?.items;
        tests.retain(|test| {
            let namespace = test.namespace().unwrap_or_default();
            self.homes().iter().all(|home| home.name != namespace)
        });
        for test in &mut tests {
            test.status = None;
            test.metadata.uid = None;
            test.metadata.resource_version = None;
            test.metadata.creation_timestamp = None;
            test.metadata.managed_fields = None;
        }
        self.note(Made::Installation(tests));
        Ok(())
    }

    /// Installs netproof anew, with the tests that were saved.
    pub async fn restore_installation(&self) -> Result<()> {
        let saved: Vec<ConnectivityTest> = {
            let made = self.made.lock().expect("no holder of this lock can panic");
            let tests = made.iter().filter_map(|made| match made {
                Made::Installation(tests) => Some(tests.clone()),
                _ => None,
            });
            tests.flatten().collect()
        };
        install(&self.client, &saved).await
    }

    /// Makes a `ClusterRoleBinding`, until the end of the test.
    pub async fn cluster_role_binding(&self, binding: &ClusterRoleBinding) -> Result<()> {
        self.note(Made::ClusterRoleBinding(binding.name_any()));
        let api = Api::<ClusterRoleBinding>::all(self.client.clone());
        api.create(&PostParams::default(), binding).await.context("ClusterRoleBinding")?;
        Ok(())
    }

    /// Makes a `RoleBinding` in a namespace that is not the test's own, until the end of the test.
    pub async fn role_binding(&self, namespace: &str, binding: &RoleBinding) -> Result<()> {
        let home = TestNamespace { client: self.client.clone(), name: namespace.to_owned() };
        self.note(Made::RoleBinding(home.clone(), binding.name_any()));
        home.create(binding).await?;
        Ok(())
    }

    /// Makes a Deployment beside the operator's, until the end of the test.
    pub async fn rival_deployment(&self, deployment: &Deployment) -> Result<()> {
        self.note(Made::Rival(deployment.name_any()));
        let home =
            TestNamespace { client: self.client.clone(), name: operator::NAMESPACE.to_owned() };
        home.create(deployment).await?;
        Ok(())
    }

    /// Puts the operator's Deployment back as it was saved, and waits until the operator is ready.
    pub async fn restore_operator(&self) -> Result<()> {
        let saved: Vec<Deployment> = {
            let made = self.made.lock().expect("no holder of this lock can panic");
            made.iter().filter_map(Made::deployment).cloned().collect()
        };
        for deployment in &saved {
            restore(&self.client, deployment).await?;
        }
        Ok(())
    }

    /// Takes a right from the operator until the end of the test.
    pub async fn forbid(&self, verb: &str, resource: &str) -> Result<()> {
        let roles = Api::<ClusterRole>::all(self.client.clone());
        let mut role = roles.get(operator::NAME).await.context("the operator's role")?;
        role.metadata.managed_fields = None;
        self.note(Made::Rights(Box::new(role.clone())));
        for rule in role.rules.iter_mut().flatten() {
            let resources = rule.resources.iter().flatten();
            if resources.into_iter().any(|other| other == resource) {
                rule.verbs.retain(|other| other != verb);
            }
        }
        roles.replace(operator::NAME, &PostParams::default(), &role).await.context("a role")?;
        Ok(())
    }

    fn note(&self, made: Made) {
        self.made.lock().expect("no holder of this lock can panic").push(made);
    }

    fn homes(&self) -> Vec<TestNamespace> {
        let made = self.made.lock().expect("no holder of this lock can panic");
        let names = made.iter().filter_map(|made| match made {
            Made::Namespace(name) => Some(name.clone()),
            _ => None,
        });
        names.map(|name| TestNamespace { client: self.client.clone(), name }).collect()
    }

    async fn describe(&self) -> String {
        let mut text = String::from("What is there:");
        for home in self.homes() {
            text.push_str(&test_namespace::describe(&home).await);
        }
        text.push_str("\n  The operator's last lines:\n");
        text.push_str(&operator::log_tail(&self.client, 40).await.unwrap_or_default());
        text
    }

    /// Undoes by name what the test has made, the last first. All of it is tried; the error lists
    /// what could not be undone.
    async fn clean(&self) -> Result<()> {
        let made =
            std::mem::take(&mut *self.made.lock().expect("no holder of this lock can panic"));
        let mut troubles = Vec::new();
        for thing in made.iter().rev() {
            let undone = match thing {
                Made::Namespace(name) => remove::<Namespace>(&self.client, name).await,
                Made::FlowSchema(name) => remove::<FlowSchema>(&self.client, name).await,
                Made::Definition(name) => self.remove_definition(name).await,
                Made::Faults => end_faults(&self.client).await,
                Made::Removed(deployment) => restore(&self.client, deployment).await,
                Made::ClusterRoleBinding(name) => {
                    remove::<ClusterRoleBinding>(&self.client, name).await
                }
                Made::RoleBinding(home, name) => absent(home.delete::<RoleBinding>(name).await),
                Made::Rival(name) => {
                    let name_space = operator::NAMESPACE.to_owned();
                    let home = TestNamespace { client: self.client.clone(), name: name_space };
                    absent(home.delete::<Deployment>(name).await)
                }
                Made::Installation(tests) => install(&self.client, tests).await,
                Made::Rights(role) => give_back(&self.client, role).await,
            };
            troubles.extend(undone.err());
        }
        for thing in &made {
            if let Made::Namespace(name) = thing {
                // A namespace of 150 pods takes a kubelet on two cores its time.
                let gone = gone::<Namespace>(&self.client, name, 3 * MINUTE).await;
                troubles.extend(gone.err());
            }
        }
        if troubles.is_empty() {
            return Ok(());
        }
        bail!("not everything was removed: {troubles:#?}")
    }
}

impl Made {
    fn deployment(&self) -> Option<&Deployment> {
        match self {
            Self::Removed(deployment) => Some(deployment),
            _ => None,
        }
    }
}

/// Whether a test has made the definition, so that any test may remove it.
fn is_of_tests(definition: &CustomResourceDefinition) -> bool {
    let label = definition.labels().get("app.kubernetes.io/managed-by");
    label.is_some_and(|value| value == "netproof-e2e")
}

async fn end_faults(client: &Client) -> Result<()> {
    let (namespace, name) = FAULTS;
    let maps = Api::<ConfigMap>::namespaced(client.clone(), namespace);
    match maps.delete(name, &DeleteParams::default()).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(error)) if error.code == 404 => Ok(()),
        Err(error) => Err(error).context("ending faults"),
    }
}

async fn restore(client: &Client, saved: &Deployment) -> Result<()> {
    let api = Api::<Deployment>::namespaced(client.clone(), operator::NAMESPACE);
    match api.create(&PostParams::default(), saved).await {
        Ok(_) => {}
        Err(kube::Error::Api(error)) if error.code == 409 => {
            let replicas = saved.spec.as_ref().and_then(|spec| spec.replicas);
            operator::scale(client, replicas.unwrap_or(1)).await?;
        }
        Err(error) => return Err(error).context("the operator's Deployment"),
    }
    operator::ready(client, 2 * MINUTE).await.map(drop)
}

/// Installs netproof as it is built, where parts of it or all are missing.
async fn install(client: &Client, tests: &[ConnectivityTest]) -> Result<()> {
    let namespaces = Api::<Namespace>::all(client.clone());
    eventually("what is going is gone, so that it can be made anew", 2 * MINUTE, async || {
        let found = namespaces.get_opt(operator::NAMESPACE).await?;
        let goes = |found: &Namespace| found.metadata.deletion_timestamp.is_some();
        ensure!(!found.as_ref().is_some_and(goes), "{found:?}");
        Ok(())
    })
    .await?;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/install.sh");
    cluster::run_for(3 * MINUTE, "bash", &[script]).await?;
    for test in tests {
        let home =
            TestNamespace { client: client.clone(), name: test.namespace().unwrap_or_default() };
        if home.api::<ConnectivityTest>().get_opt(&test.name_any()).await?.is_none() {
            home.create(test).await?;
        }
    }
    operator::ready(client, 2 * MINUTE).await.map(drop)
}

/// Accepts the error that an object to be removed is not there.
fn absent(removed: Result<()>) -> Result<()> {
    removed.or_else(|error| match error.downcast_ref::<kube::Error>() {
        Some(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        _ => Err(error),
    })
}

async fn give_back(client: &Client, saved: &ClusterRole) -> Result<()> {
    let roles = Api::<ClusterRole>::all(client.clone());
    let rules = Patch::Merge(json!({"rules": saved.rules}));
    let params = PatchParams::default();
    roles.patch(operator::NAME, &params, &rules).await.context("the operator's role")?;
    Ok(())
}

async fn remove<K>(client: &Client, name: &str) -> Result<()>
where
    K: Resource<Scope = kube::core::ClusterResourceScope, DynamicType = ()>
        + Clone
        + std::fmt::Debug
        + serde::de::DeserializeOwned,
{
    match Api::<K>::all(client.clone()).delete(name, &DeleteParams::background()).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(error)) if error.code == 404 || error.code == 409 => Ok(()),
        Err(error) => Err(error).with_context(|| format!("removing {name}")),
    }
}

/// Waits until a cluster-scoped object is gone.
pub async fn gone<K>(client: &Client, name: &str, patience: Duration) -> Result<()>
where
    K: Resource<Scope = kube::core::ClusterResourceScope, DynamicType = ()>
        + Clone
        + std::fmt::Debug
        + serde::de::DeserializeOwned,
{
    let api = Api::<K>::all(client.clone());
    let what = format!("{} {name} is gone", K::kind(&()));
    eventually(&what, patience, async || match api.get_opt(name).await? {
        None => Ok(()),
        Some(object) => bail!("{object:?}"),
    })
    .await
}
