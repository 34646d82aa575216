//! The objects that answers are given about, read and prepared.

use std::{
    collections::HashMap,
    net::IpAddr,
    path::PathBuf,
    time::{Duration, Instant},
};

use super::progress::ProgressLine;
use crate::args::offline::InputArgs;
use netproof_conformance::{
    compiled::Compiled,
    flow::{End, PodId},
    manifest::{Cluster, Origin, Service, Source, WrittenPolicy},
    pod::Pod,
    reference::ObjectRef,
    snapshot::Snapshot,
};
use netproof_manifests::{
    input::{self, ClusterScope, Input, NamespaceChoice},
    notes::{Notes, accept},
};

/// The namespace of objects and ends that name none.
const DEFAULT_NAMESPACE: &str = "default";

/// The objects that were read, prepared for answers.
#[derive(Debug)]
pub struct Loaded {
    /// The snapshot, compiled for answers.
    pub compiled: Compiled,
    /// What else is known of each pod, in the order of the snapshot's pods.
    pub origins: Vec<Origin>,
    /// All Services, by name.
    pub services: Vec<Service>,
    /// The `NetworkPolicies` as they are written.
    pub written: Vec<WrittenPolicy>,
    /// The places of the policies in the input.
    pub sources: PolicySources,
    /// The namespace of ends that are named without one.
    pub default_namespace: String,
    /// How long reading took.
    pub loading: Duration,
    /// How long preparing took.
    pub preparing: Duration,
}

/// The places of the snapshot's policies in the input, in the order that the snapshot has them.
#[derive(Debug)]
pub struct PolicySources {
    /// The places of the `NetworkPolicies`.
    pub policies: Vec<Source>,
    /// The places of the policies of the cluster.
    pub cluster_policies: Vec<Source>,
}

impl Loaded {
    /// Reads the files or the cluster that the arguments name, and prepares the objects.
    pub fn load(args: &InputArgs) -> anyhow::Result<Self> {
        let start = Instant::now();
        let cluster = load(args)?;
        let mut loaded = Self::of(cluster, &default_namespace(args));
        loaded.loading = start.elapsed().saturating_sub(loaded.preparing);
        Ok(loaded)
    }

    /// Prepares objects that were read.
    pub fn of(cluster: Cluster, default_namespace: &str) -> Self {
        let start = Instant::now();
        let _progress = ProgressLine::start("Comparing pods and policies");
        Self {
            compiled: Compiled::new(cluster.snapshot),
            origins: cluster.pods,
            services: cluster.services,
            written: cluster.written,
            sources: PolicySources {
                policies: cluster.policies,
                cluster_policies: cluster.cluster_policies,
            },
            default_namespace: default_namespace.to_owned(),
            loading: Duration::ZERO,
            preparing: start.elapsed(),
        }
    }

    /// The snapshot that answers are given by.
    pub fn snapshot(&self) -> &Snapshot {
        self.compiled.snapshot()
    }

    /// All pods, sorted by name.
    pub fn pods(&self) -> impl Iterator<Item = (PodId, &Pod)> {
        (0..).map(PodId).zip(&self.snapshot().pods)
    }

    /// The pod of this name, if there is one.
    pub fn find(&self, name: &ObjectRef) -> Option<PodId> {
        let place = self.snapshot().pods.binary_search_by(|pod| pod.name.cmp(name)).ok()?;
        u32::try_from(place).ok().map(PodId)
    }

    /// The Service of this name, if there is one.
    pub fn service(&self, name: &ObjectRef) -> Option<&Service> {
        self.services.iter().find(|service| service.name == *name)
    }

    /// What else is known of a pod.
    pub fn origin(&self, id: PodId) -> &Origin {
        &self.origins[id.0 as usize]
    }

    /// The name of a pod, or the address.
    pub fn name(&self, end: End) -> String {
        match end {
            End::Pod(id) => self.snapshot().pod(id).name.to_string(),
            End::Address(address) => address.to_string(),
        }
    }

    /// The pod or Service that has each address, for notes: an address in a query stands for no
    /// pod, which its author may not know.
    pub fn addresses(&self) -> HashMap<IpAddr, String> {
        let pods = self.pods().filter(|(id, _)| !self.origin(*id).assumed_address);
        let pods = pods.flat_map(|(_, pod)| {
            pod.addresses.iter().map(|address| (*address, format!("pod {}", pod.name)))
        });
        let services = self.services.iter().flat_map(|service| {
            let addresses = service.addresses.iter();
            addresses.map(|address| (*address, format!("Service {}", service.name)))
        });
        services.chain(pods).map(|(address, who)| (address.to_canonical(), who)).collect()
    }
}

fn default_namespace(args: &InputArgs) -> String {
    args.namespace.clone().unwrap_or_else(|| DEFAULT_NAMESPACE.to_owned())
}

/// Reads what the arguments name, and tells notes about it. One object that is wrong is an error.
pub fn load(args: &InputArgs) -> anyhow::Result<Cluster> {
    let notes = Notes::unless(args.quiet);
    if args.files.is_empty() {
        let namespaces = match (&args.namespace, args.all_namespaces) {
            (_, true) => NamespaceChoice::All,
            (Some(namespace), false) => NamespaceChoice::One(namespace.clone()),
            (None, false) => NamespaceChoice::Current,
        };
        let _progress = ProgressLine::start("Reading the cluster");
        let input = from_cluster(&ClusterScope { context: args.context.clone(), namespaces })?;
        accept(input, notes)
    } else {
        load_files(&args.files, &default_namespace(args), notes)
    }
}

/// Reads files, and tells notes about them. One object that is wrong is an error.
pub fn load_files(
    files: &[PathBuf],
    default_namespace: &str,
    notes: Notes,
) -> anyhow::Result<Cluster> {
    let input = {
        let _progress = ProgressLine::start("Reading");
        input::read(files, default_namespace)
    };
    accept(input, notes)
}

#[tokio::main(flavor = "current_thread")]
async fn from_cluster(scope: &ClusterScope) -> anyhow::Result<Input> {
    Ok(input::read_cluster(scope).await?)
}
