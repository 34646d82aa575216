//! Reads what a cluster stores, page by page, into the same objects as files.

use std::{collections::BTreeMap, sync::Arc};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::APIResource;
use kube::{
    Client, Config,
    api::ListParams,
    config::{KubeConfigOptions, Kubeconfig},
    core::Request,
};
use netproof_conformance::{
    kinds::{ApiKind, KindRow, ObjectScope},
    manifest::{self, Objects},
};
use thiserror::Error;

use super::{
    Input,
    document::{Parts, Reader},
};

/// How many objects the API server gives at once.
const PAGE: u32 = 500;

/// The cluster to read, and how much of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClusterScope {
    /// A context of the kubeconfig. Without it the current one, or the cluster of the pod that this
    /// runs in.
    pub context: Option<String>,
    /// The namespaces to read.
    pub namespaces: NamespaceChoice,
}

/// The namespaces of a cluster to read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum NamespaceChoice {
    /// All namespaces of the cluster (`-A`).
    All,
    /// The namespace that the context names.
    #[default]
    Current,
    /// The namespace of this name (`-n`).
    One(String),
}

/// Why a cluster could not be read.
#[derive(Debug, Error)]
pub enum ClusterError {
    /// The kubeconfig cannot be read, or lacks the context.
    #[error("no cluster to read: {0}; check KUBECONFIG and --context, or name files with -f")]
    Config(#[from] kube::config::KubeconfigError),
    /// There is neither a kubeconfig nor a cluster that this runs in.
    #[error("no cluster to read: {0}; check KUBECONFIG, or name files with -f")]
    Infer(#[from] kube::config::InferConfigError),
    /// No client can be made from the configuration.
    #[error("cannot speak to the cluster: {0}")]
    Client(kube::Error),
    /// The API server did not give a list that is needed.
    #[error("cannot list {resource}: {error}")]
    List {
        /// The plural name of the resource.
        resource: String,
        /// The error of the request.
        error: kube::Error,
    },
    /// The API server gave something that is no list.
    #[error("cannot read the list of {resource}: {error}")]
    Malformed {
        /// The plural name of the resource.
        resource: String,
        /// The error of the parser.
        error: serde_json::Error,
    },
}

/// Whether answers can be given without a resource.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Need {
    /// Answers need it: that it is forbidden is an error.
    Required,
    /// Answers can do without it, and a note says that they did.
    Helpful,
}

/// A resource of the cluster, as it is listed.
struct Resource {
    /// The path of its group and version, such as `/api/v1`.
    root: String,
    /// Its plural name, such as `pods`.
    name: String,
    is_namespaced: bool,
    need: Need,
}

impl Resource {
    fn of(kind: &KindRow, need: Need) -> Self {
        let root = if kind.group().is_empty() { "/api" } else { "/apis" };
        let is_namespaced = match kind.scope {
            ObjectScope::Namespaced => true,
            ObjectScope::Cluster => false,
        };
        let root = format!("{root}/{}", kind.api_version);
        Self { root, name: kind.plural.to_owned(), is_namespaced, need }
    }
}

/// Reads the pods, Services and policies of the namespaces, the namespaces themselves, and the
/// nodes. An error if a list that answers need is not to be had.
pub async fn read_cluster(scope: &ClusterScope) -> Result<Input, ClusterError> {
    let config = if scope.context.is_some() {
        let context = KubeConfigOptions { context: scope.context.clone(), ..Default::default() };
        Config::from_custom_kubeconfig(Kubeconfig::read()?, &context).await?
    } else {
        Config::infer().await?
    };
    let namespace = match &scope.namespaces {
        NamespaceChoice::All => None,
        NamespaceChoice::Current => Some(config.default_namespace.clone()),
        NamespaceChoice::One(name) => Some(name.clone()),
    };
    let client = Client::try_from(config).map_err(ClusterError::Client)?;
    read_from(client, namespace.as_deref()).await
}

async fn read_from(client: Client, namespace: Option<&str>) -> Result<Input, ClusterError> {
    let mut listing = Listing {
        reader: Reader::of_api_server(Objects::new(namespace.unwrap_or("default"))),
        input: "cluster".into(),
        notes: Vec::new(),
        client,
    };
    for (kind, need) in [
        (ApiKind::Namespace, Need::Helpful),
        (ApiKind::Node, Need::Helpful),
        (ApiKind::Pod, Need::Required),
        (ApiKind::Service, Need::Helpful),
        (ApiKind::NetworkPolicy, Need::Required),
    ] {
        listing.list(&Resource::of(kind.row(), need), namespace).await?;
    }
    for resource in listing.other_policies().await? {
        listing.list(&resource, namespace).await?;
    }
    let Listing { reader, notes, .. } = listing;
    let Parts { objects, unreadable, .. } = reader.into_parts();
    Ok(Input { cluster: objects.finish(), unreadable, notes })
}

struct Listing {
    client: Client,
    reader: Reader,
    input: Arc<str>,
    notes: Vec<String>,
}

impl Listing {
    /// Lists a resource, page by page. One that is only helpful may be forbidden.
    async fn list(
        &mut self,
        resource: &Resource,
        namespace: Option<&str>,
    ) -> Result<(), ClusterError> {
        let Resource { root, name, is_namespaced, need } = resource;
        let path = match namespace.filter(|_| *is_namespaced) {
            Some(namespace) => format!("{root}/namespaces/{namespace}/{name}"),
            None => format!("{root}/{name}"),
        };
        let mut page = ListParams::default().limit(PAGE);
        loop {
            let text = match self.get(&path, &page).await {
                Ok(text) => text,
                Err(error) if is_forbidden(&error) && *need == Need::Helpful => {
                    self.notes.push(format!(
                        "{name} could not be listed (forbidden), and answers are given without them"
                    ));
                    return Ok(());
                }
                Err(error) => return Err(ClusterError::List { resource: name.clone(), error }),
            };
            let next = self.reader.page(&self.input, &text);
            match next.map_err(|error| ClusterError::Malformed { resource: name.clone(), error })? {
                Some(next) => page.continue_token = Some(next),
                None => return Ok(()),
            }
        }
    }

    async fn get(&self, path: &str, page: &ListParams) -> kube::Result<String> {
        let request = Request::new(path).list(page).map_err(kube::Error::BuildRequest)?;
        self.client.request_text(request).await
    }

    /// The kinds of policy beside `NetworkPolicy` that the cluster serves, each in one version: one
    /// that can be read if there is one, and else the preferred one.
    async fn other_policies(&self) -> Result<Vec<Resource>, ClusterError> {
        let failed = |error| ClusterError::List { resource: "API groups".to_owned(), error };
        let served = self.client.list_api_groups().await.map_err(failed)?;
        let mut resources = Vec::new();
        for group in &served.groups {
            if !manifest::policy_groups().any(|policies| policies == group.name) {
                continue;
            }
            let mut kinds: BTreeMap<String, (bool, Resource)> = BTreeMap::new();
            for version in group.preferred_version.iter().chain(&group.versions) {
                let api_version = &version.group_version;
                let listed = self.client.list_api_group_resources(api_version).await;
                for resource in listed.map_err(failed)?.resources {
                    let APIResource { kind, name, namespaced: is_namespaced, .. } = resource;
                    if name.contains('/') || !manifest::matters(api_version, &kind) {
                        continue;
                    }
                    let is_read = manifest::reads(api_version, &kind);
                    if kinds.get(&kind).is_none_or(|(known, _)| is_read && !known) {
                        let root = format!("/apis/{api_version}");
                        let need = Need::Required;
                        kinds.insert(kind, (is_read, Resource { root, name, is_namespaced, need }));
                    }
                }
            }
            resources.extend(kinds.into_values().map(|(_, resource)| resource));
        }
        Ok(resources)
    }
}

fn is_forbidden(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 403)
}
