use std::collections::BTreeMap;

use kube::api::DynamicObject;
use netproof_conformance::{flow::Port, policy::Policy, reference::ObjectRef};
use netproof_crds::NamedPort;
use serde_json::{Value, json};

use netproof_conformance::matrix::Cell;

use super::*;
use crate::{api_server::ApiServer, probes::Conversation, shared::testing::shared};
use netproof_rounds::{
    decode::{NamespaceState, policy},
    diagnosing::testing::{scenario, stand_ins},
    engine::{
        session::Session,
        testing::{InMemory, agent},
    },
    kind::Kind,
    status::StatusView,
    world::Read,
};

const SETTLE: Duration = Duration::from_millis(300);
const NAMESPACES: &str = "/api/v1/namespaces";
const POLICIES: &str = "/apis/networking.k8s.io/v1/namespaces/shop/networkpolicies";

/// A test between real agents on the loopback, where nothing enforces any policy.
struct Bed {
    server: ApiServer,
    world: watch::Sender<Arc<World>>,
    shared: Arc<Shared>,
    _assignment: watch::Sender<Arc<Assignment>>,
    _speaking: Vec<watch::Sender<Conversation>>,
    _agents: Vec<tokio::task::JoinHandle<()>>,
    _test: JoinSet<()>,
}

impl Bed {
    /// Begins a test that asks for these flows, and may attempt `budget` of them. A policy lets
    /// only `web` into `db`, and only to a port that no flow has.
    async fn new(asked: &[(&str, &str)], budget: usize, once: bool) -> Self {
        let server = ApiServer::start().await;
        server.serve(NAMESPACES);
        server.serve(POLICIES);
        let world = watch::Sender::new(Arc::new(picture(&server, true)));
        let shared = shared(server.client.clone(), world.subscribe());
        let names = ["web", "was", "db"];
        let mut scenario = scenario(&names, asked, budget);
        scenario.patience = Patience {
            settle: SETTLE,
            confirm: 2,
            stale_after: Duration::from_secs(60),
            silence: Duration::ZERO,
            leak_retention: Duration::from_secs(60),
        };
        let (mut agents, mut ports) = (vec![], BTreeMap::new());
        for (name, desired) in names.iter().zip(&mut scenario.desired) {
            let InMemory { link, port, task } = agent(name);
            agents.push(task);
            ports.insert((*name).to_owned(), (port, link));
            desired.ports =
                vec![NamedPort { name: None, port, protocol: netproof_crds::Protocol::Tcp }];
        }
        let flows = scenario.flows.iter().map(|(cell, intents)| {
            let port = Port { number: ports[&cell.to.endpoint].0, ..cell.port };
            (Cell { port, ..cell.clone() }, intents.clone())
        });
        scenario.flows = flows.collect();
        let mut stand_ins = stand_ins(&scenario);
        for (_, pod) in stand_ins.iter_mut().filter_map(|stand_in| stand_in.pod.as_mut()) {
            pod.addresses = vec![[127, 0, 0, 1].into()];
        }
        let (generation, suspended) = (1, false);
        let assignment =
            Assignment { generation, once, suspended, scenario: Ok(scenario), stand_ins };
        let assignment = watch::Sender::new(Arc::new(assignment));
        let mut tester = Tester::new(
            TestRef { namespace: "shop".into(), name: "t".into(), uid: "u".into() },
            None,
            ConnectivityTestStatus::default(),
            Arc::clone(&shared),
            assignment.subscribe(),
        );
        let mut speaking = vec![];
        for (name, (_, link)) in ports {
            let session = Session::open(link, &name).await.expect("it greets");
            let (tell, state) = watch::channel(Ok(Arc::new(session)));
            speaking.push(tell);
            let id = PodRef { namespace: "shop".into(), name: name.clone(), uid: name };
            tester.probes.insert(id, Probe::of(state));
        }
        let mut test = JoinSet::new();
        test.spawn(tester.run());
        Self {
            server,
            world,
            shared,
            _assignment: assignment,
            _speaking: speaking,
            _agents: agents,
            _test: test,
        }
    }

    fn view(&self) -> Option<Arc<StatusView>> {
        let name = ObjectRef { namespace: "shop".into(), name: "t".into() };
        self.shared.reports.get(&name)
    }

    async fn eventually(&self, what: &str, holds: impl Fn(&StatusView) -> bool) -> Arc<StatusView> {
        let end = Instant::now() + Duration::from_secs(30);
        loop {
            let view = self.view();
            match view.filter(|view| holds(view)) {
                Some(view) => return view,
                None if Instant::now() < end => tokio::time::sleep(Duration::from_millis(10)).await,
                None => panic!("not within 30 s: {what}; {:#?}", self.view()),
            }
        }
    }

    fn diagnoses(&self) -> Vec<String> {
        let text = self.shared.metrics.text(&World::default());
        let lines = text.lines().filter(|line| line.starts_with("netproof_diagnosis{"));
        lines.map(str::to_owned).collect()
    }
}

/// A complete World, which the server confirms, with the policy of `db` or without it.
fn picture(server: &ApiServer, denies: bool) -> World {
    let mut world = World::default();
    for kind in Kind::all() {
        world.complete.insert(kind);
        world.alive.insert(kind, std::time::Instant::now());
    }
    let home = NamespaceState { labels: BTreeMap::new(), terminating: false };
    let version = server.put(NAMESPACES, json!({"metadata": {"name": "shop"}}));
    let home = Read { version, meaning: Ok(home) };
    world.namespaces = Arc::new([(ObjectRef::of_cluster("shop"), home)].into());
    if denies {
        let name = ObjectRef { namespace: "shop".into(), name: "db".into() };
        world.policies = Arc::new([(name, served(server, policy_of("db")))].into());
    } else {
        server.delete(POLICIES, "db");
    }
    world
}

/// Gives the server a policy, and returns it as the World has it.
fn served(server: &ApiServer, object: Value) -> Read<Policy> {
    let version = server.put(POLICIES, object.clone());
    let object: DynamicObject = serde_json::from_value(object).expect("an object");
    Read { version, meaning: policy(&object) }
}

fn policy_of(app: &str) -> Value {
    json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
        "metadata": {"name": app, "namespace": "shop"},
        "spec": {
            "podSelector": {"matchLabels": {"app": app}},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [{
                "from": [{"podSelector": {"matchLabels": {"app": "web"}}}],
                "ports": [{"port": 1}],
            }],
        },
    })
}

fn named(view: &StatusView) -> Option<&'static str> {
    view.diagnosed().map(|diagnosed| diagnosed.diagnosis.name())
}

#[tokio::test]
async fn what_is_wrong_is_named_by_flows_that_nobody_asked_for_and_these_count_nowhere() {
    let bed = Bed::new(&[("was", "db"), ("was", "web")], 100, false).await;
    let is_told = |view: &StatusView| {
        view.diagnosed().is_some_and(|diagnosed| diagnosed.basis.beside > 0 && !view.undecided)
    };
    let view = bed.eventually("flows beside tell", is_told).await;
    let diagnosed = view.diagnosed().expect("it is there");
    assert_eq!(diagnosed.diagnosis.name(), "ignores-all", "{diagnosed}");
    assert_eq!(view.report.details.len(), 2);
    let status = view.status(&ConnectivityTestStatus::default(), Timestamp::now());
    assert_eq!(status.summary.map(|summary| (summary.flows, summary.leaks)), Some((2, 1)));
    assert_eq!(status.findings.len(), 1);
    let message = status.diagnosis.expect("there is one").message;
    assert!(message.contains("; rests on 2 flows and on "), "{message}");
    let line = r#"netproof_diagnosis{name="ignores-all",namespace="shop",test="t"} 1"#;
    assert_eq!(bed.diagnoses(), [line]);

    bed.world.send_replace(Arc::new(picture(&bed.server, false)));
    let view = bed.eventually("all is well", |view| named(view) == Some("none")).await;
    let basis = view.diagnosed().expect("it is there").basis;
    assert_eq!((basis.judged, basis.of, basis.beside), (2, 2, 0));
    let line = r#"netproof_diagnosis{name="none",namespace="shop",test="t"} 1"#;
    assert_eq!(bed.diagnoses(), [line]);
}

#[tokio::test]
async fn a_change_of_policies_makes_nothing_of_what_is_wrong_but_what_it_was() {
    let bed = Bed::new(&[("was", "db"), ("was", "web")], 100, false).await;
    let is_told = |view: &StatusView| named(view) == Some("ignores-all") && !view.undecided;
    bed.eventually("the fault is named", is_told).await;
    // Another policy changes what is known, and the verdict of no flow.
    let mut world = picture(&bed.server, true);
    let mut object = policy_of("web");
    object["spec"] = json!({"podSelector": {"matchLabels": {"app": "web"}}, "ingress": [{}]});
    let read = served(&bed.server, object);
    Arc::make_mut(&mut world.policies)
        .insert(ObjectRef { namespace: "shop".into(), name: "web".into() }, read);
    bed.world.send_replace(Arc::new(world));
    let changed = Instant::now();
    let (mut names, mut was_behind) = (BTreeSet::new(), false);
    while changed.elapsed() < 6 * SETTLE {
        let view = bed.view().expect("there is a report");
        names.insert(named(&view));
        was_behind |= view.undecided;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(names, [Some("ignores-all")].into());
    assert!(was_behind, "all is to be seen again");
    bed.eventually("all was seen again", is_told).await;
}

#[tokio::test]
async fn nothing_is_attempted_beyond_the_budget() {
    let bed = Bed::new(&[("was", "db"), ("was", "web")], 2, false).await;
    let view = bed.eventually("a fault is named", |view| view.diagnosed().is_some()).await;
    let diagnosed = view.diagnosed().expect("it is there");
    assert_eq!((diagnosed.basis.judged, diagnosed.basis.beside), (2, 0));
    tokio::time::sleep(5 * SETTLE).await;
    let view = bed.view().expect("there is a report");
    assert_eq!(view.diagnosed().map(|diagnosed| diagnosed.basis.beside), Some(0));
}

#[tokio::test]
async fn a_test_that_ends_with_its_verdict_knows_what_is_wrong_by_then() {
    let bed = Bed::new(&[("was", "db"), ("was", "web")], 100, true).await;
    let is_wrong =
        |view: &StatusView| view.report.counts().values().sum::<u32>() > 0 && !is_open(view);
    let view = bed.eventually("a verdict", is_wrong).await;
    assert_eq!(named(&view), Some("ignores-all"));
}

/// Whether there is no verdict in the conditions yet.
fn is_open(view: &StatusView) -> bool {
    let conditions = view.conditions();
    let complete =
        conditions.iter().find(|(type_, ..)| *type_ == netproof_crds::ConditionType::Complete);
    complete.is_none_or(|(_, status, ..)| *status != netproof_crds::ConditionStatus::True)
}
