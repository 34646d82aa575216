//! A kind of cluster-wide policy that a test defines on the cluster, and removes again.

use anyhow::{Context, Result};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{
    Api, Client, ResourceExt,
    api::{ApiResource, DeleteParams, DynamicObject, ListParams, PostParams},
    core::GroupVersionKind,
};
use serde_json::{Value, json};

use crate::{SOON, Sandbox, eventually, examples::yaml};

/// The definition of `ClusterNetworkPolicy`, for [`PolicyKind::install`].
pub const CLUSTER_NETWORK_POLICY: &str = include_str!("../definitions/clusternetworkpolicies.yaml");

/// The definition of `AdminNetworkPolicy`, for [`PolicyKind::install`].
pub const ADMIN_NETWORK_POLICY: &str = include_str!("../definitions/adminnetworkpolicies.yaml");

/// The definition of `BaselineAdminNetworkPolicy`, for [`PolicyKind::install`].
pub const BASELINE_ADMIN_NETWORK_POLICY: &str =
    include_str!("../definitions/baselineadminnetworkpolicies.yaml");

/// A kind of policy that the test has defined on the cluster.
pub struct PolicyKind {
    client: Client,
    definition: String,
    resource: ApiResource,
}

impl PolicyKind {
    /// Defines a kind on the cluster, and returns when its objects can be made. The sandbox removes
    /// it at the end.
    pub async fn install(sandbox: &Sandbox, definition: &str) -> Result<Self> {
        let definition: CustomResourceDefinition = yaml(definition);
        sandbox.definition(&definition).await?;
        let spec = &definition.spec;
        let version = spec.versions.first().context("a version")?;
        let of_version = GroupVersionKind::gvk(&spec.group, &version.name, &spec.names.kind);
        let kind = Self {
            client: sandbox.client.clone(),
            definition: definition.name_any(),
            resource: ApiResource::from_gvk_with_plural(&of_version, &spec.names.plural),
        };
        let what = format!("{} can be listed", kind.resource.plural);
        eventually(&what, SOON, async || Ok(kind.api().list(&ListParams::default()).await?))
            .await?;
        Ok(kind)
    }

    fn api(&self) -> Api<DynamicObject> {
        Api::all_with(self.client.clone(), &self.resource)
    }

    /// Makes a policy with this spec.
    pub async fn create(&self, name: &str, spec: &Value) -> Result<()> {
        let mut policy = DynamicObject::new(name, &self.resource);
        policy.data = json!({"spec": spec});
        let what = || format!("making {} {name}", self.resource.kind);
        self.api().create(&PostParams::default(), &policy).await.with_context(what).map(drop)
    }

    /// Removes the policy of this name.
    pub async fn delete(&self, name: &str) -> Result<()> {
        let what = || format!("removing {} {name}", self.resource.kind);
        self.api().delete(name, &DeleteParams::default()).await.with_context(what).map(drop)
    }

    /// Removes the kind, with all policies of it.
    pub async fn remove(self, sandbox: &Sandbox) -> Result<()> {
        sandbox.remove_definition(&self.definition).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definitions_are_what_the_api_server_takes() {
        let all = [CLUSTER_NETWORK_POLICY, ADMIN_NETWORK_POLICY, BASELINE_ADMIN_NETWORK_POLICY];
        for definition in all.map(yaml::<CustomResourceDefinition>) {
            let name = format!("{}.{}", definition.spec.names.plural, definition.spec.group);
            assert_eq!(definition.name_any(), name);
            let annotations = definition.annotations();
            assert!(annotations.contains_key("api-approved.kubernetes.io"), "{annotations:?}");
            let sent = serde_json::to_value(&definition).expect("it is plain data");
            let schema = &sent["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
            assert_eq!(schema["x-kubernetes-preserve-unknown-fields"], true, "{schema}");
        }
    }
}
