use super::*;
use crate::{
    flow::{Port, Protocol},
    ledger::ExpectationChange,
    matrix::Actor,
    pod::Pod,
    testing::world,
    verdict::Steadiness,
};

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn cell(from: &str, to: &str) -> Cell {
    let port = Port { number: 80, protocol: Protocol::Tcp };
    Cell { from: Actor::sole(from), to: Actor::sole(to), port }
}

fn snapshot(pods: &str, namespaces: &str, policies: &str) -> Snapshot {
    let text = format!("pods: {pods}\nnamespaces: {namespaces}\npolicies: {policies}");
    world(&text).snapshot
}

fn names<'a>(pods: impl IntoIterator<Item = &'a Pod>) -> Vec<&'a str> {
    pods.into_iter().map(|pod| pod.name.name.as_str()).collect()
}

#[test]
fn a_history_without_changes_has_no_past() {
    let mut history = History::new(s(600));
    let one = snapshot("{x/a: {labels: {app: a}}}", "{x: {}}", "{x/p: {podSelector: {}}}");
    for _ in 0..3 {
        history.snapshot(&one);
    }
    assert_eq!(history.pasts(), []);
    assert_eq!(history.time_fault(), None);
}

#[test]
fn labels_are_remembered_as_they_were_first_and_before_they_changed() {
    let mut history = History::new(s(600));
    for app in ["a", "b", "b", "c"] {
        let pods = format!("{{x/a: {{labels: {{app: {app}}}}}}}");
        history.snapshot(&snapshot(&pods, &format!("{{x: {{team: {app}}}}}"), "{}"));
    }
    let pasts = history.pasts();
    let pods: Vec<&str> = pasts
        .iter()
        .flat_map(|past| past.pod_labels.values())
        .map(|labels| labels["app"].as_str())
        .collect();
    let namespaces: Vec<&str> =
        pasts.iter().map(|past| past.namespace_labels["x"]["team"].as_str()).collect();
    assert_eq!((pods, namespaces), (vec!["a", "b"], vec!["a", "b"]));
}

#[test]
fn what_is_gone_is_remembered_until_it_is_back() {
    let mut history = History::new(s(600));
    let pods = "{x/a: {ips: [10.0.0.1]}, x/b: {ips: [10.0.0.2]}}";
    history.snapshot(&snapshot(pods, "{x: {}}", "{x/p: {podSelector: {}}}"));
    // Another pod of the same name.
    history.snapshot(&snapshot("{x/a: {ips: [10.0.0.9]}}", "{x: {}}", "{}"));
    let [past] = history.pasts().try_into().unwrap();
    assert_eq!(names(&past.gone_pods), ["b", "a"]);
    assert_eq!(past.deleted_policies[0].name.to_string(), "x/p");
    assert!(past.pod_labels.is_empty());
    history.snapshot(&snapshot(pods, "{x: {}}", "{x/p: {podSelector: {}}}"));
    let [past] = history.pasts().try_into().unwrap();
    assert!(past.deleted_policies.is_empty());
}

#[test]
fn memory_is_bounded() {
    let mut history = History::new(s(600));
    for number in 0..KEPT + 50 {
        history.snapshot(&snapshot(
            &format!("{{x/pod-{number}: {{}}}}"),
            "{x: {}}",
            &format!("{{x/policy-{number}: {{podSelector: {{}}}}}}"),
        ));
    }
    let [past] = history.pasts().try_into().unwrap();
    assert_eq!((past.gone_pods.len(), past.deleted_policies.len()), (KEPT, KEPT));
    assert_eq!(past.gone_pods.last().unwrap().name.name, format!("pod-{}", KEPT + 48));
}

fn attempt(history: &mut History, cell: &Cell, sighting: &Sighting, age: Option<u64>, now: u64) {
    history.attempted(&PastAttempt { cell, sighting, age: age.map(s) }, s(now));
}

fn followed(seconds: u64) -> Followed {
    Followed { change: ExpectationChange::Tightening, latency: s(seconds) }
}

#[test]
fn a_network_that_was_wrong_after_its_time_to_settle_is_slow() {
    let (mut history, cell) = (History::new(s(600)), cell("a", "b"));
    // The change was at 100.
    attempt(&mut history, &cell, &Sighting::Leak, Some(90), 118);
    attempt(&mut history, &cell, &Sighting::Conforms, Some(92), 120);
    history.followed(&cell, followed(20), s(15), s(120));
    history.judged([(&cell, &Verdict::Conforms)], s(121));
    let fault = TimeFault::Slow { after: s(20), flows: 1 };
    assert_eq!(history.time_fault(), Some(fault.clone()));
    assert_eq!(
        fault.to_string(),
        "behaves as a network that follows changes after about 20.0 s; seen in 1 flow"
    );
    history.judged([(&cell, &Verdict::Conforms)], s(1000));
    assert_eq!(history.time_fault(), None);
}

#[test]
fn that_nobody_looked_in_time_is_not_slow() {
    let (mut history, cell) = (History::new(s(600)), cell("a", "b"));
    // Wrong while it may be, and then not looked at for long.
    attempt(&mut history, &cell, &Sighting::Leak, None, 101);
    attempt(&mut history, &cell, &Sighting::Conforms, None, 130);
    history.followed(&cell, followed(30), s(15), s(130));
    history.judged([(&cell, &Verdict::Conforms)], s(131));
    assert_eq!(history.time_fault(), None);
}

#[test]
fn leaks_of_new_stand_ins_alone_are_late_isolation() {
    let (mut history, cell) = (History::new(s(600)), cell("a", "b"));
    attempt(&mut history, &cell, &Sighting::Leak, Some(1), 10);
    assert_eq!(history.time_fault(), None, "it has not ended");
    attempt(&mut history, &cell, &Sighting::Leak, Some(3), 12);
    attempt(&mut history, &cell, &Sighting::Conforms, Some(5), 14);
    assert_eq!(history.time_fault(), Some(TimeFault::LateIsolation { until: s(3), flows: 1 }));
    // One that was isolated and leaks later is another matter.
    let other = super::tests::cell("b", "a");
    for age in [2, 3, 4] {
        attempt(&mut history, &other, &Sighting::Conforms, Some(age), age + 9);
    }
    attempt(&mut history, &other, &Sighting::Leak, Some(5), 14);
    attempt(&mut history, &other, &Sighting::Conforms, Some(6), 15);
    assert_eq!(history.time_fault(), None);
}

#[test]
fn a_leak_between_addresses_of_no_age_is_no_late_isolation() {
    let (mut history, cell) = (History::new(s(600)), cell("a", "b"));
    attempt(&mut history, &cell, &Sighting::Leak, None, 10);
    attempt(&mut history, &cell, &Sighting::Conforms, None, 14);
    assert_eq!(history.time_fault(), None);
}

#[test]
fn flapping_needs_all_that_is_wrong_to_flap() {
    let mut history = History::new(s(600));
    let [one, other] = [cell("a", "b"), cell("b", "a")];
    let flaps = Verdict::Leak(Steadiness::Flapping { bad: 3, of: 6 });
    history.judged([(&one, &flaps), (&other, &Verdict::Conforms)], s(1));
    assert_eq!(history.time_fault(), Some(TimeFault::Flapping { flows: 1 }));
    history.judged([(&one, &flaps), (&other, &Verdict::Leak(Steadiness::Steady))], s(2));
    assert_eq!(history.time_fault(), None);
    // Flows that are no more say nothing.
    history.judged([(&one, &flaps)], s(3));
    assert_eq!(history.time_fault(), Some(TimeFault::Flapping { flows: 1 }));
}

#[test]
fn a_single_silence_of_a_new_stand_in_is_no_isolation() {
    let (mut history, cell) = (History::new(s(600)), cell("a", "b"));
    attempt(&mut history, &cell, &Sighting::Conforms, Some(1), 10);
    attempt(&mut history, &cell, &Sighting::Leak, Some(2), 11);
    attempt(&mut history, &cell, &Sighting::Conforms, Some(4), 13);
    assert_eq!(history.time_fault(), Some(TimeFault::LateIsolation { until: s(2), flows: 1 }));
}

#[test]
fn a_leak_that_comes_back_is_flapping_however_slowly() {
    let (mut history, cell) = (History::new(s(600)), cell("a", "b"));
    let leak = Verdict::Leak(Steadiness::Steady);
    for (verdict, at) in [(&Verdict::Conforms, 10), (&leak, 40), (&Verdict::Conforms, 70)] {
        history.judged([(&cell, verdict)], s(at));
    }
    assert!(history.flaps(&cell));
    assert_eq!(history.time_fault(), Some(TimeFault::Flapping { flows: 1 }));
    // A change begins anew, and what is long ago is forgotten.
    history.judged([(&cell, &Verdict::Settling)], s(80));
    assert_eq!(history.time_fault(), None);
}

#[test]
fn a_network_that_broke_and_recovered_may_be_forgiven_once() {
    let (mut history, cell) = (History::forgiving(s(600)), cell("a", "b"));
    let leak = Verdict::Leak(Steadiness::Steady);
    for (verdict, at) in [(&Verdict::Conforms, 10), (&leak, 40), (&Verdict::Conforms, 70)] {
        history.judged([(&cell, verdict)], s(at));
    }
    assert_eq!((history.flaps(&cell), history.time_fault()), (false, None));
    history.judged([(&cell, &leak)], s(100));
    assert_eq!(history.time_fault(), Some(TimeFault::Flapping { flows: 1 }));
}
