//! A second operator on the cluster, the rival of the first.

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{Pod, ServiceAccount},
    rbac::v1::{ClusterRoleBinding, RoleBinding},
};
use kube::{
    Api, Client, ResourceExt,
    api::{DeleteParams, ListParams, LogParams, Request},
};
use serde_json::json;

use crate::{Sandbox, TestNamespace, cluster::run, operator, stand_ins};

/// The rival's image of the probe, which has another name than the first operator's.
pub const PROBE_IMAGE: &str = "docker.io/library/netproof-probe:rival";

/// The image of the rival itself.
const IMAGE: &str = "docker.io/library/netproof-operator:rival";

/// A second operator that was installed on the cluster.
pub struct Rival {
    client: Client,
    namespace: String,
    deployment: String,
    /// Whether the rival has a namespace of its own, which is removed with it.
    apart: bool,
}

/// Installs the objects of `deploy` once more, in another namespace and with images of other names.
pub async fn elsewhere(sandbox: &Sandbox) -> Result<Rival> {
    tag_images().await?;
    let home = sandbox.namespace("rival", &[]).await?;
    let name = format!("netproof-rival-{}", sandbox.suffix);
    let account: ServiceAccount =
        serde_json::from_value(json!({"metadata": {"name": operator::NAME}}))?;
    home.create(&account).await?;
    let bindings = rendered(&["ClusterRoleBinding", "RoleBinding"]).await?;
    for mut binding in bindings {
        binding["metadata"]["name"] = json!(name);
        binding["subjects"][0]["namespace"] = json!(home.name);
        if binding["kind"] == "RoleBinding" {
            let namespace = binding["metadata"]["namespace"].as_str().context("a namespace")?;
            let namespace = namespace.to_owned();
            let binding: RoleBinding = serde_json::from_value(binding)?;
            sandbox.role_binding(&namespace, &binding).await?;
        } else {
            let binding: ClusterRoleBinding = serde_json::from_value(binding)?;
            sandbox.cluster_role_binding(&binding).await?;
        }
    }
    let mut found = rendered(&["Deployment"]).await?;
    let mut deployment: Deployment = serde_json::from_value(found.remove(0))?;
    deployment.metadata.namespace = None;
    with_images(&mut deployment)?;
    home.create(&deployment).await?;
    let (client, namespace) = (sandbox.client.clone(), home.name.clone());
    Ok(Rival { client, namespace, deployment: operator::NAME.into(), apart: true })
}

/// Installs a second Deployment in the first operator's namespace, with images of other names.
pub async fn beside(sandbox: &Sandbox) -> Result<Rival> {
    tag_images().await?;
    let name = format!("{}-{}", operator::NAME, sandbox.suffix);
    let mut found = rendered(&["Deployment"]).await?;
    let mut object = found.remove(0);
    object["metadata"]["name"] = json!(name);
    // The first operator's Service, and tests, must not take its pods for the first one's.
    let component = json!("rival");
    object["spec"]["selector"]["matchLabels"]["app.kubernetes.io/component"] = component.clone();
    object["spec"]["template"]["metadata"]["labels"]["app.kubernetes.io/component"] = component;
    let mut deployment: Deployment = serde_json::from_value(object)?;
    with_images(&mut deployment)?;
    let spec = deployment.spec.as_mut().and_then(|spec| spec.template.spec.as_mut());
    let args = spec.and_then(|spec| spec.containers[0].args.as_mut()).context("arguments")?;
    args.push(format!("--deployment={name}"));
    sandbox.rival_deployment(&deployment).await?;
    let (client, namespace) = (sandbox.client.clone(), operator::NAMESPACE.to_owned());
    Ok(Rival { client, namespace, deployment: name, apart: false })
}

/// The objects of these kinds in `deploy`, one for each.
async fn rendered(kinds: &[&str]) -> Result<Vec<serde_json::Value>> {
    let deploy = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy");
    let text = run("kubectl", &["kustomize", deploy]).await?;
    let objects = text.split("\n---\n").map(serde_saphyr::from_str::<serde_json::Value>);
    let objects = objects.collect::<Result<Vec<_>, _>>()?;
    let found: Vec<_> = objects
        .into_iter()
        .filter(|object| object["kind"].as_str().is_some_and(|kind| kinds.contains(&kind)))
        .collect();
    ensure!(found.len() == kinds.len(), "{} of {kinds:?} in {deploy}", found.len());
    Ok(found)
}

fn with_images(deployment: &mut Deployment) -> Result<()> {
    let spec = deployment.spec.as_mut().and_then(|spec| spec.template.spec.as_mut());
    let container = &mut spec.context("a pod template")?.containers[0];
    container.image = Some(IMAGE.into());
    let args = container.args.as_mut().context("arguments")?;
    args.retain(|arg| !arg.starts_with("--probe-image"));
    args.push(format!("--probe-image={PROBE_IMAGE}"));
    Ok(())
}

/// Gives the first operator's images additional names on each node.
async fn tag_images() -> Result<()> {
    let deployment = run(
        "kubectl",
        &["-n", operator::NAMESPACE, "get", "deployment", operator::NAME, "-o", "json"],
    )
    .await?;
    let deployment: Deployment = serde_json::from_str(&deployment)?;
    let spec = deployment.spec.and_then(|spec| spec.template.spec).context("a pod template")?;
    let container = spec.containers.first().context("a container")?;
    let args = container.args.iter().flatten();
    let probe = args.into_iter().find_map(|arg| arg.strip_prefix("--probe-image="));
    let images = [(container.image.as_deref(), IMAGE), (probe, PROBE_IMAGE)];
    let nodes = run("kubectl", &["get", "nodes", "-o", "name"]).await?;
    for node in nodes.lines().filter_map(|line| line.strip_prefix("node/")) {
        for (from, to) in images {
            let from = format!("docker.io/library/{}", from.context("an image")?);
            let tag = ["exec", node, "ctr", "-n", "k8s.io", "images", "tag", "--force", &from, to];
            run("docker", &tag).await?;
        }
    }
    Ok(())
}

impl Rival {
    /// The rival's one pod that is not being deleted.
    pub async fn pod(&self) -> Result<Pod> {
        let api = Api::<Pod>::namespaced(self.client.clone(), &self.namespace);
        let mut pods = api.list(&ListParams::default()).await?.items;
        // Among the first operator's pods it is told by the name of its Deployment.
        pods.retain(|pod| {
            pod.name_any().starts_with(&format!("{}-", self.deployment))
                && pod.metadata.deletion_timestamp.is_none()
        });
        ensure!(pods.len() == 1, "the second one's pods: {}", stand_ins::texts(&pods));
        Ok(pods.remove(0))
    }

    async fn asked(&self, path: &str) -> Result<String> {
        let pod = self.pod().await?;
        let port = health_port(&pod, path).context("a port")?;
        let request = Request::new(format!("/api/v1/namespaces/{}/pods", self.namespace))
            .get_subresource(&format!("proxy/{path}"), &format!("{}:{port}", pod.name_any()))?;
        match self.client.request_text(request).await {
            Ok(text) => Ok(text),
            Err(kube::Error::Api(status)) if status.code == 503 => Ok(status.message.clone()),
            Err(error) => Err(error).with_context(|| format!("/{path} of the second one")),
        }
    }

    /// The answer of `/readyz`, ready or not.
    pub async fn readiness(&self) -> Result<String> {
        self.asked("readyz").await
    }

    /// The value of one of the rival's metrics, by name and labels.
    pub async fn figure(&self, name: &str) -> Result<String> {
        let text = self.asked("metrics").await?;
        let mut lines = text.lines();
        let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.map(str::to_owned).with_context(|| format!("no {name} in {text}"))
    }

    /// The log of the rival.
    pub async fn log(&self) -> Result<String> {
        let api = Api::<Pod>::namespaced(self.client.clone(), &self.namespace);
        Ok(api.logs(&self.pod().await?.name_any(), &LogParams::default()).await?)
    }

    /// How often the rival's container was restarted.
    pub async fn restarts(&self) -> Result<i32> {
        let status = self.pod().await?.status.unwrap_or_default();
        Ok(status.container_statuses.iter().flatten().map(|c| c.restart_count).sum())
    }

    /// Removes the rival, with its namespace if that is its own.
    pub async fn remove(self) -> Result<()> {
        if self.apart {
            return TestNamespace { client: self.client, name: self.namespace }.remove().await;
        }
        let api = Api::<Deployment>::namespaced(self.client, &self.namespace);
        api.delete(&self.deployment, &DeleteParams::background()).await?;
        Ok(())
    }
}

/// The port that answers a path: health may have a port of its own.
fn health_port(pod: &Pod, path: &str) -> Option<i32> {
    let container = pod.spec.as_ref()?.containers.first()?;
    let port = |name: &str| {
        let mut ports = container.ports.iter().flatten();
        ports.find(|port| port.name.as_deref() == Some(name)).map(|port| port.container_port)
    };
    let health = if path == "metrics" { None } else { port("health") };
    health.or_else(|| port("http"))
}
