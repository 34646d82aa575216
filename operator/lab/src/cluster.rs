//! A scene put onto the lab's network: pods that run and speak, and nodes that enforce.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    net::IpAddr,
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use anyhow::Context;
use futures::future::try_join_all;
use ipnet::IpNet;
use k8s_openapi::jiff::Timestamp;
use netproof_conformance::{flow::Port, matrix::Actor};
use netproof_policy_agent::{setting::Setting, watch::Update, world::NodeView};
use serde_json::json;
use tokio::{sync::watch, time::Instant};

use super::{
    agent_objects::AgentObjects,
    fabric::{Fabric, NodeId},
    netns::Netns,
    new_pod::{Attempting, NewPod},
    node::NodeAgent,
    process::{Order, Process, Starter},
    scene::{LabPod, Outsider, Scene, node_address, pod_range, pod_range_v6},
    stage::{Stage, Stages},
};
use netproof_rounds::{
    engine::{
        round::Sessions,
        session::{Link, Session},
    },
    journal::Touched,
};

/// How much sooner than a new pod the first attempts of it start.
const AHEAD: Duration = Duration::from_millis(20);

/// What enforces policies on the lab's network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Network {
    /// Nothing: policies have no effect.
    Plain,
    /// The policy agent on every node, with these faults.
    Enforcing(Setting),
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

/// A running lab. Dropping it ends everything in it.
pub struct LabCluster {
    program: PathBuf,
    starter: Starter,
    fabric: Fabric,
    nodes: Vec<NodeId>,
    agents: Vec<NodeAgent>,
    setting: watch::Sender<Setting>,
    /// The running pods, by identity.
    pods: BTreeMap<String, RunningPod>,
    _outsiders: Vec<Process>,
    stage: watch::Sender<Arc<Stage>>,
    told: Instant,
}

/// A pod that runs.
struct RunningPod {
    process: Process,
    netns: Netns,
    /// The ports that its probe was told to answer on.
    listen: BTreeSet<Port>,
}

impl RunningPod {
    /// Whether its probe answers on all ports that this pod has to listen on.
    fn listens_like(&self, pod: &LabPod) -> bool {
        pod.listen.iter().all(|port| self.listen.contains(port))
    }
}

impl LabCluster {
    /// Starts a lab with this scene. When it returns, every pod speaks and every rule is in force.
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
            told: Instant::now(),
        };
        for update in AgentObjects::of(&scene)?.listed() {
            lab.tell(&update)?;
        }
        let started = lab.start_pods(&scene.pods).await?;
        let sessions = speaking(started).await?;
        lab.stage.send_replace(Arc::new(Stage { scene: Arc::new(scene), sessions }));
        lab.in_force().await?;
        Ok(lab)
    }

    /// The stages of the lab, from now on.
    pub fn stages(&self) -> Stages {
        self.stage.subscribe()
    }

    /// Changes the scene. The operator's part changes first: pods that are not in it end, new ones
    /// start, and the agents are told of every change. The probe of a pod that stays is started
    /// again only if a flow that is asked about goes to a port that it does not listen on; it does
    /// not speak while it starts. Nodes and external addresses stay what they were.
    ///
    /// Returns once the pods speak, whether or not the network has followed.
    pub async fn change(&mut self, scene: Scene) -> anyhow::Result<()> {
        self.carry_out(scene, None).await.map(drop)
    }

    /// Changes the scene as [`change`](Self::change) does, and attempts new pods from before their
    /// addresses answer. Returns those that are being attempted.
    pub async fn change_greeting(
        &mut self,
        scene: Scene,
        attempting: &Attempting<'_>,
    ) -> anyhow::Result<Vec<NewPod>> {
        self.carry_out(scene, Some(attempting)).await
    }

    async fn carry_out(
        &mut self,
        mut scene: Scene,
        attempting: Option<&Attempting<'_>>,
    ) -> anyhow::Result<Vec<NewPod>> {
        let before = Arc::clone(&self.stage.borrow());
        for pod in &mut scene.pods {
            let known = before.scene.pods.iter().find(|known| known.identity == pod.identity);
            // A network tells another pod of the same name by its time of creation.
            let created = match known {
                Some(known) => known.object["metadata"]["creationTimestamp"].clone(),
                None => json!(Timestamp::now().to_string()),
            };
            pod.object["metadata"]["creationTimestamp"] = created;
        }
        self.keep_listening(&mut scene);
        let changes = AgentObjects::of(&before.scene)?.changes_to(AgentObjects::of(&scene)?);
        let is_there = |identity: &String| scene.pods.iter().any(|pod| pod.identity == *identity);
        self.pods.retain(|identity, _| is_there(identity));
        let new: Vec<LabPod> = scene
            .pods
            .iter()
            .filter(|pod| !self.pods.contains_key(&pod.identity))
            .cloned()
            .collect();
        let listens_elsewhere = |pod: &&LabPod| {
            self.pods.get(&pod.identity).is_some_and(|running| !running.listens_like(pod))
        };
        let again: Vec<LabPod> = scene.pods.iter().filter(listens_elsewhere).cloned().collect();
        let mut sessions = staying(&before, &scene);
        let starting = || Err("its probe is being started".to_owned());
        let silent = new.iter().chain(&again);
        sessions.extend(silent.map(|pod| (pod.actor.clone(), starting())));
        // A reader that looks seldom sees the scenes of two changes, and none in between.
        scene.world.journal = Arc::clone(&before.scene.world.journal);
        Arc::make_mut(&mut scene.world.journal).note(Touched::Everything);
        let scene = Arc::new(scene);
        let stage = Arc::new(Stage { scene: Arc::clone(&scene), sessions: sessions.clone() });
        self.stage.send_replace(Arc::clone(&stage));
        let greet = |attempting| {
            let greet = |pod: &LabPod| NewPod::greet(&pod.actor, &before, &stage, attempting);
            new.iter().flat_map(greet).collect()
        };
        let newcomers: Vec<NewPod> = attempting.map(greet).unwrap_or_default();
        // A node holds back an address of its range that no known pod has. A pod at any other
        // address starts once its node knows it, as where the plugin that gives a pod its network
        // waits for the policies.
        let had =
            |address: &IpAddr| before.scene.pods.iter().any(|pod| pod.addresses.contains(address));
        let is_held_back = |pod: &LabPod| pod.is_at_home() && !pod.addresses.iter().any(had);
        let is_known_late = new.iter().all(is_held_back);
        if !is_known_late {
            self.tell_all(&changes)?;
            self.in_force().await?;
        }
        if !newcomers.is_empty() {
            tokio::time::sleep(AHEAD).await;
        }
        let mut started = self.start_pods(&new).await?;
        started.extend(self.start_again(&again).await?);
        if is_known_late {
            self.tell_all(&changes)?;
        }
        if started.is_empty() {
            return Ok(newcomers);
        }
        let speaking = speaking(started).await?;
        for newcomer in &newcomers {
            if let Some(Ok(session)) = speaking.get(newcomer.actor()) {
                newcomer.arrived(session);
            }
        }
        sessions.extend(speaking);
        self.stage.send_replace(Arc::new(Stage { scene, sessions }));
        Ok(newcomers)
    }

    /// Starts pods, each with a network namespace of its own.
    async fn start_pods(&mut self, pods: &[LabPod]) -> anyhow::Result<Vec<(LabPod, Link)>> {
        let mut links = Vec::new();
        for pod in pods {
            let netns = self.fabric.add_pod(self.nodes[pod.node], &pod.addresses).await?;
            let listen = pod.listen.iter().copied().collect();
            links.push((pod.clone(), self.start_probe(pod, netns, listen).await?));
        }
        Ok(links)
    }

    /// Has pods that stay listen where they do, so that what was found there can be attempted
    /// again; and on their other ports only if a flow that is asked about goes there.
    fn keep_listening(&self, scene: &mut Scene) {
        let mut asked: BTreeMap<&Actor, BTreeSet<Port>> = BTreeMap::new();
        for (cell, _) in scene.scenario.flows.iter() {
            asked.entry(&cell.to).or_default().insert(cell.port);
        }
        for pod in &mut scene.pods {
            let Some(running) = self.pods.get(&pod.identity) else { continue };
            let asked = asked.get(&pod.actor);
            let is_asked = |port: &&Port| asked.is_some_and(|asked| asked.contains(port));
            let listens =
                pod.listen.iter().filter(is_asked).all(|port| running.listen.contains(port));
            let wanted: &[Port] = if listens { &[] } else { &pod.listen };
            let listen: BTreeSet<Port> = running.listen.iter().chain(wanted).copied().collect();
            pod.listen = listen.into_iter().collect();
        }
    }

    /// Starts the probes of pods that stay again, to listen on the ports that they have to now. To
    /// the network, the pod is the same.
    async fn start_again(&mut self, pods: &[LabPod]) -> anyhow::Result<Vec<(LabPod, Link)>> {
        let mut links = Vec::new();
        for pod in pods {
            let Some(running) = self.pods.remove(&pod.identity) else { continue };
            let RunningPod { process, netns, .. } = running;
            drop(process);
            let listen = pod.listen.iter().copied().collect();
            links.push((pod.clone(), self.start_probe(pod, netns, listen).await?));
        }
        Ok(links)
    }

    async fn start_probe(
        &mut self,
        pod: &LabPod,
        netns: Netns,
        listen: BTreeSet<Port>,
    ) -> anyhow::Result<Link> {
        let identity = pod.identity.clone();
        let order = Order { identity: identity.clone(), listen: listen.iter().copied().collect() };
        let (process, link) = self.starter.start(self.program.clone(), &netns, &order).await?;
        self.pods.insert(identity, RunningPod { process, netns, listen });
        Ok(link)
    }

    /// When the nodes were told of the last change.
    pub fn told(&self) -> Instant {
        self.told
    }

    fn tell_all(&mut self, changes: &[Update]) -> anyhow::Result<()> {
        changes.iter().try_for_each(|update| self.tell(update))?;
        self.told = Instant::now();
        Ok(())
    }

    fn tell(&mut self, update: &Update) -> anyhow::Result<()> {
        self.agents.iter_mut().try_for_each(|agent| agent.tell(update.clone()))
    }

    /// Sets these faults, and waits until they are in force.
    pub async fn fail(&mut self, setting: Setting) -> anyhow::Result<()> {
        self.setting.send_replace(setting);
        self.in_force().await
    }

    /// Waits until every node has in force what it was told. An error if nft fails, or after 20 s.
    pub async fn in_force(&mut self) -> anyhow::Result<()> {
        let setting = self.setting.borrow().clone();
        let waiting = self.agents.iter_mut().map(|agent| agent.in_force(&setting));
        try_join_all(waiting).await.map(drop)
    }

    /// The process of each pod's probe, by which a pod's network namespace can be entered.
    pub fn probe_ids(&self) -> impl Iterator<Item = u32> {
        self.pods.values().map(|running| running.process.id())
    }

    /// The script in force on each node; none where none is, or where it is not known.
    pub fn scripts(&self) -> Vec<Option<Arc<str>>> {
        self.agents.iter().map(NodeAgent::script).collect()
    }
}

/// The sessions of pods that stay.
fn staying(before: &Stage, scene: &Scene) -> Sessions {
    let known: BTreeMap<&String, &Actor> =
        before.scene.pods.iter().map(|pod| (&pod.identity, &pod.actor)).collect();
    let session = |pod: &LabPod| {
        let session = before.sessions.get(*known.get(&pod.identity)?)?;
        Some((pod.actor.clone(), session.clone()))
    };
    scene.pods.iter().filter_map(session).collect()
}

/// Opens a session to each pod that has been started.
async fn speaking(started: Vec<(LabPod, Link)>) -> anyhow::Result<Sessions> {
    let opened = started.into_iter().map(|(pod, link)| async move {
        let session = Session::open(link, &pod.identity).await;
        let session = session.with_context(|| format!("the probe of {}", pod.actor))?;
        anyhow::Ok((pod.actor, Ok(Arc::new(session))))
    });
    Ok(try_join_all(opened).await?.into_iter().collect())
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

/// Starts what listens at an external address. Its pipes are left open, and nothing is asked of it.
async fn listen(
    starter: &Starter,
    program: &std::path::Path,
    netns: &Netns,
    outsider: &Outsider,
) -> anyhow::Result<Process> {
    let identity = format!("outside-{}", outsider.address);
    let order = Order { identity: identity.clone(), listen: outsider.listen.clone() };
    let (process, link) = starter.start(program.to_owned(), netns, &order).await?;
    // The greeting shows that it listens.
    let session = Session::open(link, &identity).await;
    session.with_context(|| format!("what listens at {}", outsider.address))?;
    Ok(process)
}
