//! A scene put onto the lab's network: pods that run and speak, and nodes that enforce.

use std::{collections::BTreeMap, fmt, path::PathBuf, sync::Arc};

use anyhow::Context;
use futures::future::try_join_all;
use ipnet::IpNet;
use k8s_openapi::jiff::Timestamp;
use netproof_conformance::matrix::Actor;
use netproof_policy_agent::{fault::Fault, setting::Setting, watch::Update, world::NodeView};
use serde_json::json;
use tokio::sync::watch;

use super::{
    fabric::{Fabric, NodeId},
    followed::Objects,
    netns::Netns,
    node::NodeAgent,
    process::{Order, Process, Starter},
    scene::{Outsider, Scene, node_address, pod_range, pod_range_v6},
    stage::{Stage, Stages},
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

impl Network {
    /// Whether it fails in this way anywhere.
    pub fn has(&self, fault: Fault) -> bool {
        match self {
            Self::Plain => false,
            Self::Enforcing(Setting(failing)) => failing.iter().any(|one| one.fault == fault),
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain => f.write_str("plain"),
            Self::Enforcing(setting) if setting.0.is_empty() => f.write_str("enforcing"),
            Self::Enforcing(setting) => write!(f, "fault={setting}"),
        }
    }
}

/// A running lab. Everything in it ends with it.
pub struct LabCluster {
    program: PathBuf,
    starter: Starter,
    fabric: Fabric,
    nodes: Vec<NodeId>,
    agents: Vec<NodeAgent>,
    setting: watch::Sender<Setting>,
    /// By identity.
    pods: BTreeMap<String, Process>,
    _outsiders: Vec<Process>,
    stage: watch::Sender<Arc<Stage>>,
}

impl LabCluster {
    /// Makes it, with every pod speaking and every rule in force.
    pub async fn start(scene: Scene, program: PathBuf, network: &Network) -> anyhow::Result<Self> {
        let mut fabric = Fabric::make().await?;
        let mut nodes = Vec::new();
        for number in 0..scene.nodes.len() {
            nodes.push(fabric.add_node(node_address(number)).await?);
        }
        let outside = fabric.add_node(node_address(scene.nodes.len())).await?;
        let starter = Starter::begin();
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
            Network::Enforcing(_) => agents(&scene, &fabric, &nodes, &settings),
        };
        let nothing = Scene { pods: Vec::new(), objects: Vec::new(), ..scene.clone() };
        let stage = Stage { scene: Arc::new(nothing), sessions: Sessions::new() };
        let mut lab = Self {
            program,
            starter,
            fabric,
            nodes,
            agents,
            setting,
            pods: BTreeMap::new(),
            _outsiders: outsiders,
            stage: watch::Sender::new(Arc::new(stage)),
        };
        for update in Objects::of(&scene)?.listed() {
            lab.tell(&update)?;
        }
        let sessions = lab.start_pods(&scene).await?;
        lab.stage.send_replace(Arc::new(Stage { scene: Arc::new(scene), sessions }));
        lab.in_force().await?;
        Ok(lab)
    }

    /// What is known of it, from now on.
    pub fn stages(&self) -> Stages {
        self.stage.subscribe()
    }

    /// Changes what is there: pods that are no more end, new ones start, and whoever follows the
    /// objects is told of every change; the operator's part first. It is not waited until the network
    /// has followed. Nodes and addresses outside stay what they were.
    pub async fn change(&mut self, mut scene: Scene) -> anyhow::Result<()> {
        let before = Arc::clone(&self.stage.borrow().scene);
        for pod in &mut scene.pods {
            let known = before.pods.iter().find(|known| known.identity == pod.identity);
            // A network tells another pod of the same name by when it was created.
            let created = match known {
                Some(known) => known.object["metadata"]["creationTimestamp"].clone(),
                None => json!(Timestamp::now().to_string()),
            };
            pod.object["metadata"]["creationTimestamp"] = created;
        }
        let changes = Objects::of(&before)?.changes_to(Objects::of(&scene)?);
        let is_there = |identity: &String| scene.pods.iter().any(|pod| pod.identity == *identity);
        self.pods.retain(|identity, _| is_there(identity));
        let sessions = self.start_pods(&scene).await?;
        self.stage.send_replace(Arc::new(Stage { scene: Arc::new(scene), sessions }));
        changes.iter().try_for_each(|update| self.tell(update))
    }

    /// Starts the pods that do not run yet, and speaks to them; with the others, the conversations
    /// go on.
    async fn start_pods(&mut self, scene: &Scene) -> anyhow::Result<Sessions> {
        let stage = Arc::clone(&self.stage.borrow());
        let identities: BTreeMap<&Actor, &String> =
            stage.scene.pods.iter().map(|pod| (&pod.actor, &pod.identity)).collect();
        let (mut sessions, mut links) = (Sessions::new(), Vec::new());
        for pod in &scene.pods {
            if self.pods.contains_key(&pod.identity) {
                let known = identities.iter().find(|(_, identity)| **identity == &pod.identity);
                let session = known.and_then(|(actor, _)| stage.sessions.get(*actor));
                sessions.extend(session.map(|session| (pod.actor.clone(), session.clone())));
                continue;
            }
            let netns = self.fabric.add_pod(self.nodes[pod.node], &pod.addresses).await?;
            let order = Order { identity: pod.identity.clone(), listen: pod.listen.clone() };
            let (process, link) = self.starter.start(self.program.clone(), &netns, &order).await?;
            self.pods.insert(pod.identity.clone(), process);
            links.push((pod, link));
        }
        let opened = links.into_iter().map(|(pod, link)| async move {
            let session = Session::open(link, &pod.identity).await;
            let session = session.with_context(|| format!("the probe of {}", pod.actor))?;
            anyhow::Ok((pod.actor.clone(), Ok(Arc::new(session))))
        });
        sessions.extend(try_join_all(opened).await?);
        Ok(sessions)
    }

    fn tell(&mut self, update: &Update) -> anyhow::Result<()> {
        self.agents.iter_mut().try_for_each(|agent| agent.tell(update.clone()))
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

fn agents(
    scene: &Scene,
    fabric: &Fabric,
    nodes: &[NodeId],
    settings: &watch::Receiver<Setting>,
) -> Vec<NodeAgent> {
    let named = scene.nodes.iter().zip(nodes).enumerate();
    let started = named.map(|(number, (name, id))| {
        let pod_ranges = vec![IpNet::V4(pod_range(number)), IpNet::V6(pod_range_v6(number))];
        let view = NodeView { name: name.clone(), pod_ranges };
        NodeAgent::start(fabric.node(*id).netns.clone(), view, settings.clone())
    });
    started.collect()
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
