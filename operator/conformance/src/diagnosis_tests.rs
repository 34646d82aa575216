use std::collections::BTreeSet;

use super::*;
use crate::{
    compiled::{Answer, Compiled},
    flow::{End, PodId},
    testing::{World, world},
};
use mutation::Mutation;
use scope::Scope;

/// What is seen of all flows between pods of a world, and of those to some addresses, on some
/// ports, where a network with one fault is certain of what it does.
fn seen(network: &Snapshot, flows: &[Flow]) -> Vec<Observation> {
    let network = Compiled::new(network.clone());
    let observation = |flow: &Flow| {
        let outcome = match network.answer(flow) {
            Answer::Allow => Outcome::Connected,
            Answer::Deny => Outcome::TimedOut,
            Answer::Unspecified(_) => return None,
        };
        Some(Observation { flow: *flow, outcome, flaps: false })
    };
    flows.iter().filter_map(observation).collect()
}

fn all_flows(world: &World, ports: &[&str]) -> Vec<Flow> {
    let names: Vec<String> = world.snapshot.pods.iter().map(|pod| pod.name.to_string()).collect();
    let pairs = names.iter().flat_map(|from| names.iter().map(move |to| (from, to)));
    let pairs = pairs.filter(|(from, to)| from != to);
    pairs.flat_map(|(from, to)| ports.iter().map(move |port| world.flow(from, to, port))).collect()
}

fn evidence(world: &World, observations: Vec<Observation>) -> Evidence<'_> {
    let snapshot = &world.snapshot;
    Evidence { snapshot, observations, unprobed: vec![], pasts: vec![], time: None }
}

fn fault(name: &str, scope: Scope) -> Fault {
    Fault { mutation: Mutation::named(name).expect("a mutation"), scope, past: 0 }
}

/// The world as a network with these faults makes it, one after the other; paths are left out.
fn faulty(world: &World, faults: &[(&str, Scope)]) -> Snapshot {
    let apply = |before: Snapshot, (name, scope): &(&str, Scope)| {
        let mutation = Mutation::named(name).expect("a mutation");
        scope.restrict(&before, mutation.apply(&before, &Past::default()))
    };
    faults.iter().fold(world.snapshot.clone(), apply)
}

const SHOP: &str = "
namespaces: {shop: {team: shop}, data: {team: data}}
pods:
  shop/web-1: {labels: {app: web}, node: n1}
  shop/web-2: {labels: {app: web}, node: n2}
  shop/was-1: {labels: {app: was}, node: n1}
  shop/was-2: {labels: {app: was}, node: n2}
  data/db: {labels: {app: db}, node: n2}
policies:
  shop/web:
    podSelector: {matchLabels: {app: web}}
    policyTypes: [Egress]
    egress: [{to: [{podSelector: {matchLabels: {app: was}}}], ports: [{port: 80, endPort: 82}]}]
  shop/was:
    podSelector: {matchLabels: {app: was}}
    ingress: [{from: [{podSelector: {matchLabels: {app: web}}}], ports: [{port: 80, endPort: 82}]}]
  data/db:
    podSelector: {}
    ingress: [{from: [{namespaceSelector: {matchLabels: {team: shop}}, podSelector: {matchLabels: \
    {app: was}}}]}]
";

const PORTS: [&str; 4] = ["80/TCP", "81/TCP", "83/TCP", "80/UDP"];

fn diagnosed(world: &World, network: &Snapshot) -> Diagnosis {
    diagnose(&evidence(world, seen(network, &all_flows(world, &PORTS))))
}

fn explained(diagnosis: Diagnosis) -> Explained {
    match diagnosis {
        Diagnosis::Explained(explained) => explained,
        other => panic!("{other}"),
    }
}

#[test]
fn without_evidence_there_is_no_diagnosis() {
    let world = world(SHOP);
    assert_eq!(diagnose(&evidence(&world, vec![])), Diagnosis::NoEvidence);
    let failed = Observation {
        flow: world.flow("shop/web-1", "data/db", "80/TCP"),
        outcome: Outcome::Failed("EMFILE".to_owned()),
        flaps: false,
    };
    assert_eq!(diagnose(&evidence(&world, vec![failed])), Diagnosis::NoEvidence);
}

#[test]
fn a_network_without_faults_conforms() {
    let world = world(SHOP);
    let diagnosis = diagnosed(&world, &world.snapshot);
    assert_eq!(diagnosis, Diagnosis::Conforms { observations: 80 });
    assert_eq!(diagnosis.name(), "none");
}

#[test]
fn a_fault_everywhere_is_named() {
    let world = world(SHOP);
    let diagnosis = diagnosed(&world, &faulty(&world, &[("ignores-egress", Scope::Cluster)]));
    assert_eq!(diagnosis.name(), "ignores-egress");
    assert_eq!(
        diagnosis.to_string(),
        "behaves as a network that ignores egress policies; explains 8 of 8 findings"
    );
}

#[test]
fn a_fault_of_one_node_is_found_there() {
    let world = world(SHOP);
    let network = faulty(&world, &[("ignores-egress", Scope::Node("n2".to_owned()))]);
    let found = explained(diagnosed(&world, &network));
    assert_eq!(found.chosen.faults, [fault("ignores-egress", Scope::Node("n2".to_owned()))]);
    assert_eq!(
        found.to_string(),
        "behaves as a network that ignores egress policies, on node n2 only; explains 4 of 4 \
         findings"
    );
    // The node has one pod that egress policies select.
    let pod = world.snapshot.pods.iter().find(|pod| pod.name.name == "web-2").unwrap();
    let same = Candidate::single(fault("ignores-egress", Scope::Pod(pod.name.clone())));
    assert!(found.equivalents.contains(&same));
}

#[test]
fn a_fault_of_one_path_is_found_there() {
    let world = world(SHOP);
    let path = scope::Path::Between { from: "n1".to_owned(), to: "n2".to_owned() };
    let flows = all_flows(&world, &PORTS);
    let (there, elsewhere): (Vec<Flow>, Vec<Flow>) =
        flows.iter().partition(|flow| path.has(flow, &world.snapshot));
    let network = faulty(&world, &[("ignores-all", Scope::Cluster)]);
    let mut observations = seen(&network, &there);
    observations.extend(seen(&world.snapshot, &elsewhere));
    let found = explained(diagnose(&evidence(&world, observations)));
    assert_eq!(found.chosen.faults, [fault("ignores-all", Scope::Path(path))]);
    let sentence = found.to_string();
    assert!(sentence.contains("ignores all policies, from node n1 to node n2 only;"), "{sentence}");
}

#[test]
fn two_faults_are_found_where_one_does_not_do() {
    let world = world(SHOP);
    for [one, other] in [
        ["ignores-egress", "drops-rules-with-end-port"],
        ["ignores-protocol", "own-namespace-only"],
        ["end-port-first-only", "own-namespace-only"],
    ] {
        let network = faulty(&world, &[(one, Scope::Cluster), (other, Scope::Cluster)]);
        let found = explained(diagnosed(&world, &network));
        assert_eq!(found.chosen.name(), "combination", "{found}");
        let pair = Candidate::pair(&fault(one, Scope::Cluster), &fault(other, Scope::Cluster));
        assert!(found.chosen == pair || found.equivalents.contains(&pair), "{found:#?}");
        assert_eq!(found.explains, found.findings);
    }
}

#[test]
fn two_faults_on_nodes_of_their_own_are_found() {
    let world = world(SHOP);
    let [n1, n2] = ["n1", "n2"].map(|node| Scope::Node(node.to_owned()));
    let faults = [("ignores-egress", n1.clone()), ("ignores-ingress", n2.clone())];
    let found = explained(diagnosed(&world, &faulty(&world, &faults)));
    let pair = Candidate::pair(&fault("ignores-egress", n1), &fault("ignores-ingress", n2));
    assert_eq!(found.chosen, pair, "{found}");
    assert!(!found.capped);
    assert!(found.to_string().starts_with(
        "behaves as a network that ignores ingress policies, on node n2 only, and ignores egress \
         policies, on node n1 only; explains "
    ));
}

#[test]
fn one_fault_on_two_nodes_is_said_once() {
    let [one, other] =
        ["n1", "n2"].map(|node| fault("ignores-egress", Scope::Node(node.to_owned())));
    assert_eq!(
        Candidate::pair(&one, &other).to_string(),
        "ignores egress policies, on node n1 and on node n2 only"
    );
}

#[test]
fn what_was_not_probed_is_named_where_it_would_tell() {
    let world = world(SHOP);
    let flow = |[from, to]: [&str; 2]| {
        world.flow(&format!("shop/{from}"), &format!("shop/{to}"), "83/TCP")
    };
    // Only egress is denied within web, both sides towards db, and only ingress from was to was.
    let [within, both, ingress] =
        [["web-1", "web-2"], ["web-1", "was-2"], ["was-1", "was-2"]].map(flow);
    let network = faulty(&world, &[("ignores-all", Scope::Cluster)]);
    let seen_of = |probed: &[Flow], unprobed: &[Flow]| {
        let unprobed = unprobed.to_vec();
        diagnose(&Evidence { unprobed, ..evidence(&world, seen(&network, probed)) })
    };
    let found = explained(seen_of(&[within], &[both, ingress]));
    assert_eq!(found.chosen.name(), "ignores-egress", "{found}");
    assert!(found.rivals.iter().any(|one| one.name() == "ignores-all"));
    let telling: BTreeSet<Flow> = found.next_probes.iter().copied().collect();
    assert_eq!((telling, found.next_probes_count), ([both, ingress].into(), 2));
    let sentence = found.to_string();
    let tells = "; 2 flows that were not probed would tell it from one that ";
    assert!(sentence.contains(tells), "{sentence}");

    let found = explained(seen_of(&[within, both, ingress], &[]));
    assert_eq!(found.next_probes, []);
    assert!(found.rivals.is_empty());
    assert!(
        found.chosen.name() == "ignores-all"
            || found.equivalents.iter().any(|one| one.name() == "ignores-all")
    );
}

#[test]
fn what_nothing_explains_is_ruled_out_by_a_smallest_set() {
    let world = world(SHOP);
    let flow = |from, to, port| world.flow(from, to, port);
    let mut observations = seen(&world.snapshot, &all_flows(&world, &PORTS));
    // A leak on one port to one pod, and a block between two others.
    let wrong =
        [flow("shop/web-1", "data/db", "81/TCP"), flow("shop/was-2", "shop/web-1", "83/TCP")];
    for one in observations.iter_mut().filter(|one| wrong.contains(&one.flow)) {
        one.outcome = match one.outcome {
            Outcome::Connected => Outcome::TimedOut,
            _ => Outcome::Connected,
        };
    }
    let diagnosis = diagnose(&evidence(&world, observations.clone()));
    let Diagnosis::Unexplained(found) = &diagnosis else { panic!("{diagnosis}") };
    assert_eq!((diagnosis.name(), found.findings), ("unexplained", 2));
    assert!(diagnosis.to_string().starts_with("behaves like no fault that is known"));
    let only = |flows: &[Flow]| {
        let kept = observations.iter().filter(|one| flows.contains(&one.flow)).cloned();
        diagnose(&evidence(&world, kept.collect()))
    };
    let fits = |diagnosis: &Diagnosis| {
        matches!(diagnosis, Diagnosis::Conforms { .. })
            || matches!(diagnosis, Diagnosis::Explained(one) if one.chosen.faults.len() == 1)
    };
    assert!(!fits(&only(&found.ruled_out_by)), "{:?}", found.ruled_out_by);
    for left_out in &found.ruled_out_by {
        let rest: Vec<Flow> =
            found.ruled_out_by.iter().filter(|one| *one != left_out).copied().collect();
        assert!(fits(&only(&rest)), "{left_out:?} of {:?}", found.ruled_out_by);
    }
    if let Some(best) = &found.best {
        assert!(!best.contradicted_by.is_empty());
    }
}

#[test]
fn leaks_that_come_and_go_are_flapping() {
    let world = world(SHOP);
    let leak = Observation {
        flow: world.flow("shop/web-1", "data/db", "80/TCP"),
        outcome: Outcome::Connected,
        flaps: true,
    };
    let diagnosis = diagnose(&evidence(&world, vec![leak.clone()]));
    assert_eq!(diagnosis, Diagnosis::OfTime(TimeFault::Flapping { flows: 1 }));
    // A flow that should pass and passes at times shows no policy enforced by turns.
    let block = Observation { flow: world.flow("shop/was-1", "data/db", "80/TCP"), ..leak };
    let diagnosis = diagnose(&evidence(&world, vec![block]));
    assert_eq!(diagnosis.name(), "unexplained");
}

#[test]
fn what_went_wrong_and_is_right_is_told_only_while_nothing_is_wrong() {
    let world = world(SHOP);
    let slow = TimeFault::Slow { after: std::time::Duration::from_millis(2100), flows: 3 };
    let network = faulty(&world, &[("ignores-egress", Scope::Cluster)]);
    for (network, name) in [(&world.snapshot, "slow"), (&network, "ignores-egress")] {
        let observations = seen(network, &all_flows(&world, &PORTS));
        let time = Some(slow.clone());
        let evidence = Evidence { time, ..evidence(&world, observations) };
        assert_eq!(diagnose(&evidence).name(), name);
    }
    assert_eq!(
        slow.to_string(),
        "behaves as a network that follows changes after about 2.1 s; seen in 3 flows"
    );
}

#[test]
fn the_manner_of_denials_needs_all_to_agree() {
    use Outcome::{Connected, Refused, TimedOut};

    let world = world(SHOP);
    let denied = [
        ("shop/web-1", "data/db", "80/TCP"),
        ("shop/web-1", "shop/web-2", "80/TCP"),
        ("shop/web-1", "shop/web-2", "80/UDP"),
    ];
    let with = |outcomes: [Outcome; 3]| {
        let observations = denied.iter().zip(outcomes).map(|((from, to, port), outcome)| {
            Observation { flow: world.flow(from, to, port), outcome, flaps: false }
        });
        manner::manner(&evidence(&world, observations.collect()))
    };
    let icmp = || Outcome::Unreachable("EHOSTUNREACH".to_owned());
    assert_eq!(with([TimedOut, TimedOut, Refused]), Some(RefusalManner::Silence));
    assert_eq!(with([Refused, Refused, TimedOut]), Some(RefusalManner::Reset));
    assert_eq!(with([icmp(), icmp(), TimedOut]), Some(RefusalManner::Icmp));
    // The kernel limits the rate of the errors.
    assert_eq!(with([icmp(), TimedOut, TimedOut]), Some(RefusalManner::Icmp));
    assert_eq!(with([Refused, TimedOut, TimedOut]), Some(RefusalManner::Mixed));
    assert_eq!(with([icmp(), Refused, TimedOut]), Some(RefusalManner::Mixed));
    assert_eq!(with([Connected, Connected, TimedOut]), None);
}

#[test]
fn what_a_network_remembers_is_named() {
    let pods = |c: &str| {
        format!(
            "x/a: {{labels: {{app: a}}, ips: [10.0.0.1]}}
  x/b: {{labels: {{app: b}}, ips: [10.0.0.2]}}
  x/c: {{labels: {{app: {c}}}, ips: [10.0.0.3]}}
  y/d: {{labels: {{app: d}}, ips: [10.0.0.4]}}
  z/d: {{labels: {{app: d}}, ips: [10.0.0.5]}}"
        )
    };
    let text = |pods: &str, team: &str, more: &str| {
        format!(
            "
namespaces: {{x: {{}}, y: {{team: {team}}}, z: {{}}}}
pods:
  {pods}
policies:
  x/a: {{podSelector: {{matchLabels: {{app: a}}}}, ingress: [{{from: [{{podSelector: \
  {{matchLabels: {{app: b}}}}}}, {{namespaceSelector: {{matchLabels: {{team: y}}}}, podSelector: \
  {{matchLabels: {{app: d}}}}}}]}}]}}
  {more}"
        )
    };
    let gone = pods("c").replace("x/c", "x/gone").replace("app: c", "app: b");
    let now = text(&pods("c"), "other", "");
    for (before, name) in [
        (text(&pods("b"), "other", ""), "stale-pod-labels"),
        (text(&pods("c"), "y", ""), "stale-namespace-labels"),
        (text(&pods("c"), "other", "y/d: {podSelector: {}}"), "keeps-deleted-policies"),
        (text(&gone, "other", ""), "keeps-dead-addresses"),
    ] {
        let mut history = history::History::new(std::time::Duration::from_secs(600));
        history.snapshot(&world(&before).snapshot);
        let world = world(&now);
        history.snapshot(&world.snapshot);
        let pasts = history.pasts();
        let network = Mutation::named(name).unwrap().apply(&world.snapshot, &pasts[0]);
        let observations = seen(&network, &all_flows(&world, &PORTS));
        let found = explained(diagnose(&Evidence { pasts, ..evidence(&world, observations) }));
        assert_eq!(found.chosen.faults, [fault(name, Scope::Cluster)], "{found}");
        assert_eq!(found.explains, found.findings);
    }
}

#[test]
fn what_one_node_remembers_is_named_with_the_node() {
    let text = |a: &str, team: &str, more: &str| {
        format!(
            "
namespaces: {{x: {{team: {team}}}}}
pods:
  x/a: {{labels: {{app: {a}}}, ips: [10.0.0.1], node: n1}}
  x/b: {{labels: {{app: b}}, ips: [10.0.0.2], node: n2}}
  x/c: {{labels: {{app: b}}, ips: [10.0.0.3], node: n1}}
  x/d: {{labels: {{app: {a}}}, ips: [10.0.0.4], node: n2}}
policies:
  x/b: {{podSelector: {{matchLabels: {{app: b}}}}, ingress: [{{from: [{{podSelector: \
  {{matchLabels: {{app: a}}}}}}, {{namespaceSelector: {{matchLabels: {{team: y}}}}}}]}}]}}
  {more}"
        )
    };
    let everyone = "x/all: {podSelector: {}, ingress: [{}]}";
    for (before, name) in [
        (text("a", "z", ""), "stale-pod-labels"),
        (text("z", "y", ""), "stale-namespace-labels"),
        (text("z", "z", everyone), "keeps-deleted-policies"),
    ] {
        let mut history = history::History::new(std::time::Duration::from_secs(600));
        history.snapshot(&world(&before).snapshot);
        let world = world(&text("z", "z", ""));
        history.snapshot(&world.snapshot);
        let pasts = history.pasts();
        let after = Mutation::named(name).unwrap().apply(&world.snapshot, &pasts[0]);
        for node in ["n1", "n2"] {
            let scope = Scope::Node(node.into());
            let network = scope.restrict(&world.snapshot, after.clone());
            let flows = all_flows(&world, &PORTS);
            let is_there = |flow: &Flow, network: &Snapshot| {
                seen(network, std::slice::from_ref(flow)).into_iter().next().map(|one| one.outcome)
            };
            // The truth holds for subjects that are not on the node, the rewriting for those that
            // are.
            for flow in &flows {
                let End::Pod(id) = flow.to else { continue };
                let is_inside = world.snapshot.pod(id).node.as_deref() == Some(node);
                let other = if is_inside { &after } else { &world.snapshot };
                assert_eq!(is_there(flow, &network), is_there(flow, other), "{name} {node}");
            }
            let observations = seen(&network, &flows);
            let pasts = pasts.clone();
            let found = explained(diagnose(&Evidence { pasts, ..evidence(&world, observations) }));
            let wanted = [fault(name, scope)];
            let all = [&found.chosen].into_iter().chain(&found.equivalents);
            assert!(all.into_iter().any(|one| one.faults == wanted), "{name} {node}: {found}");
        }
    }
}

#[test]
fn a_fault_of_one_namespace_is_found_there() {
    let world = world(SHOP);
    let data = Scope::Namespace("data".to_owned());
    let found = explained(diagnosed(&world, &faulty(&world, &[("blocks-all", data.clone())])));
    let is = |one: &Candidate| one.faults == [fault("blocks-all", data.clone())];
    assert!(is(&found.chosen) || found.equivalents.iter().any(is), "{found:#?}");
}

#[test]
fn every_mutation_keeps_the_pods_in_their_places() {
    let world = world(SHOP);
    for mutation in &mutation::MUTATIONS {
        let mutated = mutation.apply(&world.snapshot, &Past::default());
        let names = |snapshot: &Snapshot| -> Vec<_> {
            snapshot.pods.iter().map(|pod| pod.name.clone()).collect()
        };
        assert_eq!(names(&mutated), names(&world.snapshot), "{}", mutation.name);
        assert_eq!(Mutation::named(mutation.name), Some(mutation));
    }
    let flow = world.flow("shop/web-1", "shop/was-1", "80/TCP");
    assert_eq!(flow.from, End::Pod(PodId(3)));
}

#[test]
fn names_are_stable_words_and_none_is_there_twice() {
    let names: Vec<&str> = Diagnosis::names().collect();
    let unique: BTreeSet<&str> = names.iter().copied().collect();
    assert_eq!(unique.len(), names.len());
    let is_plain = |name: &&str| name.bytes().all(|b| b.is_ascii_lowercase() || b"-6".contains(&b));
    assert!(names.iter().all(is_plain), "{names:?}");
    let second = std::time::Duration::from_secs(1);
    let of_time = [
        TimeFault::Slow { after: second, flows: 1 },
        TimeFault::LateIsolation { until: second, flows: 1 },
        TimeFault::Flapping { flows: 1 },
    ];
    for fault in of_time {
        assert!(unique.contains(fault.name()), "{}", fault.name());
    }
}

#[test]
fn a_place_is_said_unless_it_is_everywhere() {
    let everywhere = fault("ignores-except", Scope::Cluster);
    let here = fault("ignores-egress", Scope::Node("n2".to_owned()));
    assert_eq!(Candidate::single(everywhere.clone()).place(), None);
    assert_eq!(Candidate::single(here.clone()).place().as_deref(), Some("on node n2"));
    let both = Candidate::pair(&everywhere, &here).place().expect("two have places");
    assert!(both.contains("ignores-except everywhere"), "{both}");
    assert!(both.contains("ignores-egress on node n2"), "{both}");
}

#[test]
fn two_manners_are_mixed() {
    let reset = RefusalManner::of(&Outcome::Refused).expect("it was denied");
    let silence = RefusalManner::of(&Outcome::TimedOut).expect("it was denied");
    assert_eq!(
        (reset.and(reset), reset.and(silence)),
        (RefusalManner::Reset, RefusalManner::Mixed)
    );
    assert_eq!(RefusalManner::of(&Outcome::Connected), None);
    assert_eq!(RefusalManner::of(&Outcome::Failed("why".into())), None);
}
