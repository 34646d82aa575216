use std::collections::BTreeMap;

use kube::{Client, Config, api::DynamicObject};
use netproof_conformance::{
    flow::{Port, Protocol},
    ledger::Patience,
    reference::ObjectRef,
};
use netproof_crds::{FindingVerdict, StartUp};
use serde_json::json;

use super::*;
use crate::{probes::Conversation, shared::testing::shared};
use netproof_rounds::{
    decode::{NamespaceState, PodProgress, PodState, policy},
    engine::testing::{agent_on, free_port},
    fixtures::desired,
    kind::Kind,
    world::Read,
};

const SETTLE: Duration = Duration::from_millis(300);

/// A test of one flow, from web to db, between real agents on the loopback, where nothing enforces
/// any policy.
struct Bed {
    port: u16,
    world: watch::Sender<Arc<World>>,
    assignment: watch::Sender<Arc<Assignment>>,
    links: watch::Sender<Arc<ProbeLinks>>,
    turned: watch::Sender<()>,
    measurements: watch::Receiver<Arc<Measurements>>,
    shared: Arc<Shared>,
    speaking: Vec<watch::Sender<Conversation>>,
    stand_ins: BTreeMap<&'static str, StandIn>,
    _scout: JoinSet<()>,
}

impl Bed {
    fn new() -> Self {
        let world = watch::Sender::new(Arc::new(picture(false)));
        let config = Config::new("http://127.0.0.1:1".parse().expect("an address"));
        let client = Client::try_from(config).expect("nothing is asked yet");
        let shared = shared(client, world.subscribe());
        let port = free_port();
        let assignment = watch::Sender::new(Arc::new(assignment(port, vec![])));
        let (links, turned) = (watch::Sender::new(Arc::default()), watch::Sender::new(()));
        let (tell, measurements) = watch::channel(Arc::default());
        let timing = Timing::new(Sources {
            test: TestRef { namespace: "shop".into(), name: "t".into(), uid: "u".into() },
            shared: Arc::clone(&shared),
            assignment: assignment.subscribe(),
            links: links.subscribe(),
            turned: turned.subscribe(),
            measurements: tell,
        });
        let mut task = JoinSet::new();
        task.spawn(timing.run());
        let (speaking, stand_ins) = (vec![], BTreeMap::new());
        Self {
            port,
            world,
            assignment,
            links,
            turned,
            measurements,
            shared,
            speaking,
            stand_ins,
            _scout: task,
        }
    }

    /// Lets the World show a pod that has an address.
    fn address(&mut self, name: &'static str, uid: &str) {
        let pod = PodState {
            uid: uid.into(),
            labels: [("app".to_owned(), name.to_owned())].into(),
            owner: None,
            image: None,
            addresses: vec![[127, 0, 0, 1].into()],
            node: Some("one".into()),
            created: None,
            started: None,
            progress: PodProgress::Running,
        };
        let stand_in = StandIn {
            desired: desired(name),
            pod: Some((ObjectRef { namespace: "shop".into(), name: uid.into() }, pod)),
            trouble: None,
        };
        self.stand_ins.insert(name, stand_in);
        let stand_ins = ["web", "db"]
            .map(|name| {
                let absent = || StandIn { desired: desired(name), pod: None, trouble: None };
                self.stand_ins.get(name).cloned().unwrap_or_else(absent)
            })
            .into();
        self.assignment.send_replace(Arc::new(assignment(self.port, stand_ins)));
    }

    /// Lets the pod's probe begin to listen and to speak.
    async fn speak(&mut self, uid: &str, port: u16) {
        let agent = agent_on(uid, port);
        let session = Session::open(agent.link, uid).await.expect("it greets");
        let (tell, state) = watch::channel(Ok(Arc::new(session)));
        self.speaking.push(tell);
        let id = PodRef { namespace: "shop".into(), name: uid.into(), uid: uid.into() };
        self.links.send_modify(|links| {
            Arc::make_mut(links).insert(id, ProbeLink::of(state));
        });
        self.turned.send_replace(());
    }

    fn policy(&self, denies: bool) {
        self.world.send_replace(Arc::new(picture(denies)));
    }

    /// The number on the line of the metrics that begins with `line`.
    fn figure(&self, line: &str) -> Option<f64> {
        let text = self.shared.metrics.text(&World::default());
        let value = text.lines().find_map(|l| l.strip_prefix(line).map(str::to_owned))?;
        Some(value.trim().parse().expect("a number"))
    }

    async fn eventually(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let end = Instant::now() + Duration::from_secs(20);
        while !holds(self) {
            assert!(Instant::now() < end, "not within 20 s: {what}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

fn flow(port: u16) -> Cell {
    let port = Port { number: port, protocol: Protocol::Tcp };
    Cell { from: Actor::sole("web"), to: Actor::sole("db"), port }
}

fn assignment(port: u16, stand_ins: Vec<StandIn>) -> Assignment {
    let scenario = Scenario {
        patience: Patience {
            settle: SETTLE,
            confirm: 1,
            stale_after: SETTLE,
            silence: Duration::ZERO,
            leak_retention: SETTLE,
        },
        interval: Duration::from_secs(30),
        timeout: Duration::from_secs(1),
        desired: vec![desired("web"), desired("db")],
        externals: BTreeMap::new(),
        external_ports: BTreeMap::new(),
        budget: 1,
        start_up: StartUp::Report,
        uncovered: vec![],
        flows: [(flow(port), BTreeSet::new())].into_iter().collect(),
    };
    Assignment { generation: 1, once: false, suspended: false, scenario: Ok(scenario), stand_ins }
}

/// A complete World, with a policy that denies db everything or without policies.
fn picture(denies: bool) -> World {
    let object: DynamicObject = serde_json::from_value(json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
        "metadata": {"name": "deny", "namespace": "shop"},
        "spec": {"podSelector": {"matchLabels": {"app": "db"}}, "policyTypes": ["Ingress"]},
    }))
    .expect("an object");
    let mut world = World::default();
    for kind in Kind::all() {
        world.complete.insert(kind);
        world.alive.insert(kind, std::time::Instant::now());
    }
    let home = NamespaceState { labels: BTreeMap::new(), terminating: false };
    let home = Read { version: "1".into(), meaning: Ok(home) };
    world.namespaces = Arc::new([(ObjectRef::of_cluster("shop"), home)].into());
    if denies {
        let name = ObjectRef { namespace: "shop".into(), name: "deny".into() };
        let read = Read { version: "1".into(), meaning: policy(&object) };
        world.policies = Arc::new([(name, read)].into());
    }
    world
}

#[tokio::test]
async fn a_newcomer_that_accepts_what_is_denied_is_a_finding_and_is_counted() {
    let mut bed = Bed::new();
    bed.policy(true);
    bed.address("web", "web-1");
    bed.speak("web-1", free_port()).await;
    bed.address("db", "db-1");
    tokio::time::sleep(Duration::from_millis(100)).await;
    bed.speak("db-1", bed.port).await;
    bed.eventually("the leak is a fact", |bed| bed.measurements.borrow().leaks_of(1).len() == 1)
        .await;
    let leak = bed.measurements.borrow().leaks_of(1).remove(0);
    assert_eq!(leak.verdict, FindingVerdict::StartupLeak);
    assert_eq!(leak.by, ["shop/deny ingress"]);
    assert_eq!((leak.from.pod.as_deref(), leak.to.pod.as_deref()), (Some("web-1"), Some("db-1")));
    let begins = "Start-up leak: web (shop/web-1 on node one) to db (shop/db-1 on node one) port ";
    assert!(leak.message.starts_with(begins), "{}", leak.message);
    assert!(leak.message.contains(" ms and to the end of the search"), "{}", leak.message);
    assert_eq!(bed.measurements.borrow().leaks_of(2), [], "another generation is another test");
    let leaked = r#"netproof_startups_total{namespace="shop",result="leaked",test="t"}"#;
    assert_eq!(bed.figure(leaked), Some(1.0));
    assert_eq!(
        bed.figure(r#"netproof_startup_leak_seconds_count{namespace="shop",test="t"}"#),
        Some(1.0)
    );
}

#[tokio::test]
async fn a_stand_in_that_spoke_before_it_was_looked_at_is_no_newcomer() {
    let mut bed = Bed::new();
    bed.policy(true);
    bed.speak("web-1", free_port()).await;
    bed.speak("db-1", bed.port).await;
    bed.address("web", "web-1");
    bed.address("db", "db-1");
    tokio::time::sleep(SETTLE).await;
    for result in ["leaked", "isolated", "inconclusive"] {
        let line =
            format!(r#"netproof_startups_total{{namespace="shop",result="{result}",test="t"}}"#);
        assert_eq!(bed.figure(&line), None);
    }
}

#[tokio::test]
async fn the_network_is_timed_when_a_policy_goes() {
    let mut bed = Bed::new();
    bed.speak("web-1", free_port()).await;
    bed.speak("db-1", bed.port).await;
    bed.address("web", "web-1");
    bed.address("db", "db-1");
    bed.policy(true);
    tokio::time::sleep(2 * SETTLE).await;
    bed.policy(false);
    let of = |what: &str, le: &str| {
        let labels = r#"change="loosening",namespace="shop",test="t""#;
        format!("netproof_enforcement_latency_seconds_{what}{{{labels}{le}}}")
    };
    bed.eventually("the change is timed", |bed| bed.figure(&of("count", "")) == Some(1.0)).await;
    // A free machine takes 2 ms; this one may be busy.
    assert_eq!(bed.figure(&of("bucket", r#",le="0.5""#)), Some(1.0));
}

#[tokio::test]
async fn a_connection_under_a_deny_that_is_not_enforced_says_nothing() {
    let mut bed = Bed::new();
    bed.speak("web-1", free_port()).await;
    bed.speak("db-1", bed.port).await;
    bed.address("web", "web-1");
    bed.address("db", "db-1");
    tokio::time::sleep(2 * SETTLE).await;
    bed.turned.send_replace(());
    tokio::time::sleep(SETTLE).await;
    bed.policy(true);
    tokio::time::sleep(2 * SETTLE).await;
    assert_eq!(bed.measurements.borrow().existing, None);
}
