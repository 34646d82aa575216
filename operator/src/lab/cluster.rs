//! A scene put onto the lab's network: pods that run and speak, and nodes that enforce.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use anyhow::Context;
use futures::future::try_join_all;
use ipnet::IpNet;
use k8s_openapi::api::{core::v1, networking::v1::NetworkPolicy};
use netproof_conformance::matrix::Actor;
use netproof_policy_agent::{
    error::Invalid,
    policy::Policy,
    setting::Setting,
    watch::{Change, Update},
    world::{Namespace, NodeView, ObjectName, Pod, Table},
};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::watch;

use super::{
    fabric::{Fabric, NodeId},
    netns::Netns,
    node::NodeAgent,
    process::{Order, Process, Starter},
    scene::{LabPod, Outsider, Scene, node_address, pod_range},
};
use crate::engine::{round::Sessions, session::Session};

/// What keeps the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Network {
    /// Nobody: every policy is a wish.
    Plain,
    /// The policy agent on every node, which fails as this says.
    Enforcing(Setting),
}

/// A running lab. Everything in it ends with it.
pub struct LabCluster {
    /// The probes that speak.
    pub sessions: Sessions,
    program: PathBuf,
    starter: Starter,
    fabric: Fabric,
    nodes: Vec<NodeId>,
    agents: Vec<NodeAgent>,
    setting: watch::Sender<Setting>,
    pods: BTreeMap<Actor, Process>,
    _outsiders: Vec<Process>,
}

impl LabCluster {
    /// Makes it, with every pod speaking and every rule in force.
    pub async fn start(scene: &Scene, program: PathBuf, network: &Network) -> anyhow::Result<Self> {
        let mut fabric = Fabric::make().await?;
        let mut nodes = Vec::new();
        for number in 0..scene.nodes.len() {
            nodes.push(fabric.add_node(node_address(number)).await?);
        }
        let outside = fabric.add_node(node_address(scene.nodes.len())).await?;
        let starter = Starter::new();
        let mut outsiders = Vec::new();
        for outsider in &scene.outsiders {
            let netns = fabric.add_pod(outside, &[outsider.address]).await?;
            outsiders.push(listen(&starter, &program, &netns, outsider).await?);
        }
        let (setting, settings) = watch::channel(match network {
            Network::Plain => Setting::default(),
            Network::Enforcing(setting) => setting.clone(),
        });
        let agents = match network {
            Network::Plain => Vec::new(),
            Network::Enforcing(_) => scene
                .nodes
                .iter()
                .zip(&nodes)
                .enumerate()
                .map(|(number, (name, id))| {
                    let view = NodeView {
                        name: name.clone(),
                        pod_ranges: vec![IpNet::V4(pod_range(number))],
                    };
                    NodeAgent::start(fabric.node(*id).netns.clone(), view, settings.clone())
                })
                .collect(),
        };
        let mut lab = Self {
            sessions: Sessions::new(),
            program,
            starter,
            fabric,
            nodes,
            agents,
            setting,
            pods: BTreeMap::new(),
            _outsiders: outsiders,
        };
        lab.tell_all(scene)?;
        lab.add_pods(&scene.pods).await?;
        lab.in_force().await?;
        Ok(lab)
    }

    /// Starts pods, and speaks to them.
    async fn add_pods(&mut self, pods: &[LabPod]) -> anyhow::Result<()> {
        let mut links = Vec::new();
        for pod in pods {
            let netns = self.fabric.add_pod(self.nodes[pod.node], &pod.addresses).await?;
            let order = Order { identity: pod.identity.clone(), listen: pod.listen.clone() };
            let (process, link) = self.starter.start(self.program.clone(), &netns, &order).await?;
            self.pods.insert(pod.actor.clone(), process);
            links.push((pod, link));
        }
        let opened = links.into_iter().map(async |(pod, link)| {
            let session = Session::open(link, &pod.identity).await;
            let session = session.with_context(|| format!("the probe of {}", pod.actor))?;
            anyhow::Ok((pod.actor.clone(), Ok(Arc::new(session))))
        });
        self.sessions.extend(try_join_all(opened).await?);
        Ok(())
    }

    /// Tells every agent all objects.
    pub fn tell_all(&mut self, scene: &Scene) -> anyhow::Result<()> {
        let pods = scene.pods.iter().map(|pod| &pod.object);
        let pods: Table<Pod> = table(pods, "Pod", Pod::parse)?;
        let namespaces: Table<Namespace> =
            table(&scene.objects, "Namespace", |o: v1::Namespace| Namespace::parse(o).map(Some))?;
        let policies: Table<Policy> =
            table(&scene.objects, "NetworkPolicy", |o: NetworkPolicy| Policy::parse(o).map(Some))?;
        for agent in &mut self.agents {
            agent.tell(Update::Pods(Change::Listed(pods.clone())))?;
            agent.tell(Update::Namespaces(Change::Listed(namespaces.clone())))?;
            agent.tell(Update::Policies(Change::Listed(policies.clone())))?;
        }
        Ok(())
    }

    /// Makes the network fail as this says, from now on.
    pub async fn fail(&mut self, setting: Setting) -> anyhow::Result<()> {
        self.setting.send_replace(setting);
        self.in_force().await
    }

    /// Waits until every node has in force what it was told.
    pub async fn in_force(&mut self) -> anyhow::Result<()> {
        let setting = self.setting.borrow().clone();
        let waiting = self.agents.iter_mut().map(|agent| agent.in_force(&setting));
        try_join_all(waiting).await.map(drop)
    }

    /// What is in force on each node.
    pub fn scripts(&self) -> Vec<Option<Arc<str>>> {
        self.agents.iter().map(NodeAgent::script).collect()
    }
}

/// Starts what listens at an address outside. Nobody speaks to it; its pipes are left open.
async fn listen(
    starter: &Starter,
    program: &std::path::Path,
    netns: &Netns,
    outsider: &Outsider,
) -> anyhow::Result<Process> {
    let identity = format!("outside-{}", outsider.address);
    let order = Order { identity: identity.clone(), listen: outsider.listen.clone() };
    let (process, link) = starter.start(program.to_owned(), netns, &order).await?;
    // That it greets shows that it listens.
    let session = Session::open(link, &identity).await;
    session.with_context(|| format!("what listens at {}", outsider.address))?;
    Ok(process)
}

fn table<'a, K: DeserializeOwned, T>(
    objects: impl IntoIterator<Item = &'a Value>,
    kind: &str,
    parse: impl Fn(K) -> Result<Option<T>, Invalid>,
) -> anyhow::Result<Table<T>> {
    let of_kind = objects.into_iter().filter(|object| object["kind"] == kind);
    let mut table = Table::new();
    for object in of_kind {
        let metadata = serde_json::from_value(object["metadata"].clone())?;
        let name = ObjectName::of(&metadata);
        let read: K = serde_json::from_value(object.clone())
            .with_context(|| format!("the policy agent cannot read {kind} {}", name.name))?;
        let parsed = parse(read)
            .with_context(|| format!("the policy agent cannot read {kind} {}", name.name))?;
        table.extend(parsed.map(|parsed| (name, parsed)));
    }
    Ok(table)
}
