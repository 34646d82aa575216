use std::time::Duration;

use super::*;
use netproof_rounds::{fixtures::desired, world::Read};

const NOW: i64 = 10_000;

fn test() -> TestRef {
    TestRef { namespace: "shop".into(), name: "t".into(), uid: "u-1".into() }
}

fn settings() -> PodSettings {
    PodSettings {
        image: "probe:1".into(),
        priority_class: None,
        lifetime: Duration::from_secs(1000),
        installation: "here".into(),
    }
}

/// A pod made from `desired`, `age` seconds ago.
fn made(
    desired: &Desired,
    incarnation: u32,
    age: i64,
    progress: PodProgress,
) -> (ObjectRef, PodState) {
    let pod = settings().pod(desired, &test(), "set", incarnation);
    let name = ObjectRef {
        namespace: desired.namespace.clone(),
        name: pod.metadata.name.expect("it is named"),
    };
    let state = PodState {
        uid: format!("uid-{}-{incarnation}", desired.actor),
        labels: pod.metadata.labels.unwrap_or_default(),
        owner: Some("set".into()),
        image: Some("probe:1".into()),
        addresses: vec![],
        node: None,
        created: Timestamp::from_second(NOW - age).ok(),
        started: None,
        progress,
    };
    (name, state)
}

fn placed(desired: &[Desired], pods: &[(ObjectRef, PodState)]) -> PlacementPlan {
    let pods = pods
        .iter()
        .map(|(name, pod)| {
            (name.clone(), Read { version: String::new(), meaning: Ok(pod.clone()) })
        })
        .collect();
    let now = Timestamp::from_second(NOW).expect("a time");
    let owners = ["set".to_owned()].into();
    let pods = Pods { labelled: &pods, owners: &owners };
    decide(desired, pods, &test(), &settings(), now)
}

fn create(incarnation: u32) -> PlacementAction {
    PlacementAction::Create { desired: 0, incarnation }
}

fn delete((pod, state): &(ObjectRef, PodState)) -> PlacementAction {
    PlacementAction::Delete { pod: pod.clone(), uid: state.uid.clone() }
}

#[test]
fn what_is_missing_is_made() {
    assert_eq!(placed(&[desired("a")], &[]).actions, [create(0)]);
}

#[test]
fn what_is_there_is_left_alone() {
    for progress in
        [PodProgress::Running, PodProgress::Starting, PodProgress::Unschedulable("x".into())]
    {
        let pod = made(&desired("a"), 0, 10, progress);
        let placement = placed(&[desired("a")], std::slice::from_ref(&pod));
        assert_eq!(placement.actions, []);
        assert_eq!(placement.found, [Some(pod)]);
        assert_eq!(placement.look_again, Some(790));
    }
}

#[test]
fn what_nobody_wants_any_more_is_removed() {
    let pod = made(&desired("a"), 0, 10, PodProgress::Running);
    assert_eq!(placed(&[], std::slice::from_ref(&pod)).actions, [delete(&pod)]);
}

#[test]
fn pods_of_other_tests_are_not_ours() {
    let mut pod = made(&desired("a"), 0, 10, PodProgress::Running);
    pod.1.labels.insert(TEST_UID_LABEL.into(), "u-2".into());
    assert_eq!(placed(&[], &[pod]).actions, []);
}

#[test]
fn labels_alone_make_no_stand_in() {
    for owner in [None, Some("a ReplicaSet's".to_owned()), Some("another test's".to_owned())] {
        let mut forged = made(&desired("a"), 0, 10, PodProgress::Running);
        forged.1.owner = owner;
        let placement = placed(&[desired("a")], std::slice::from_ref(&forged));
        assert_eq!(placement.found, [None], "it is not attached to");
        assert_eq!(placement.actions, [create(1)], "it is not removed, and its name is taken");
        assert_eq!(placed(&[], &[forged]).actions, [], "nor when nobody wants any");
    }
}

#[test]
fn one_that_runs_something_else_is_left_alone_and_named() {
    for image in [None, Some("forged:1".to_owned())] {
        let mut altered = made(&desired("a"), 0, 10, PodProgress::Running);
        altered.1.image = image;
        let placement = placed(&[desired("a")], std::slice::from_ref(&altered));
        assert_eq!((placement.found, placement.actions), (vec![None], vec![]));
        let problem = &placement.altered[&0];
        assert_eq!(problem.reason, Reason::PodRejected);
        assert!(problem.message.contains(&altered.0.to_string()), "{}", problem.message);
    }
}

#[test]
fn what_an_older_image_was_made_from_is_replaced() {
    let pod = made(&desired("a"), 0, 10, PodProgress::Running);
    let pods = [(pod.0.clone(), Read { version: String::new(), meaning: Ok(pod.1.clone()) })];
    let (pods, owners) = (pods.into(), ["set".to_owned()].into());
    let pods = Pods { labelled: &pods, owners: &owners };
    let newer = PodSettings { image: "probe:2".into(), ..settings() };
    let now = Timestamp::from_second(NOW).expect("a time");
    let placement = decide(&[desired("a")], pods, &test(), &newer, now);
    assert_eq!(placement.actions, [create(0), delete(&pod)]);
}

#[test]
fn none_is_made_on_a_node_that_takes_none_and_those_there_stay() {
    let on = |node: &str| Desired { node: Some(node.into()), ..desired("a") };
    let wanted = [on("n1"), on("n2")];
    let closed = |node: &str| Uncovered { node: node.into(), why: "it is cordoned".into() };
    let mut placement = placed(&wanted, &[]);
    let waiting = placement.postpone(&wanted, &[closed("n1")]);
    assert_eq!(placement.actions, [PlacementAction::Create { desired: 1, incarnation: 0 }]);
    let problem = Problem::new(Reason::Unschedulable, "node n1: it is cordoned");
    assert_eq!(waiting, [(0, problem)].into());
    let there = made(&wanted[0], 0, 10, PodProgress::Running);
    let mut placement = placed(&wanted[..1], std::slice::from_ref(&there));
    assert_eq!(placement.postpone(&wanted[..1], &[closed("n1")]), BTreeMap::new());
    assert_eq!((placement.found, placement.actions), (vec![Some(there)], vec![]));
}

#[test]
fn a_changed_endpoint_is_replaced() {
    let old =
        made(&Desired { node: Some("n".into()), ..desired("a") }, 0, 10, PodProgress::Running);
    let placement = placed(&[desired("a")], std::slice::from_ref(&old));
    assert_eq!(placement.actions, [create(0), delete(&old)]);
}

#[test]
fn a_pod_that_lingers_does_not_delay_its_successor() {
    let leaving = made(&desired("a"), 0, 10, PodProgress::Terminating);
    assert_eq!(placed(&[desired("a")], &[leaving]).actions, [create(1)]);
}

#[test]
fn one_that_ended_is_replaced_after_a_rest() {
    let ended = |age| made(&desired("a"), 0, age, PodProgress::Ended("OOMKilled".into()));
    let placement = placed(&[desired("a")], &[ended(2)]);
    assert_eq!((placement.actions, placement.look_again), (vec![], Some(3)));
    let placement = placed(&[desired("a")], &[ended(5)]);
    assert_eq!(placement.actions, [create(1), delete(&ended(5))]);
}

#[test]
fn an_old_one_is_replaced_before_the_kubelet_ends_it() {
    let old = made(&desired("a"), 0, 800, PodProgress::Running);
    let placement = placed(&[desired("a")], std::slice::from_ref(&old));
    assert_eq!(placement.actions, [create(1), delete(&old)]);
}

/// What a renewal every 100 s decides where `a` and `b` have these ages, in seconds.
fn renewed(ages: [i64; 2], progress: PodProgress) -> (PlacementPlan, [(ObjectRef, PodState); 2]) {
    let [a, b] = ["a", "b"].map(desired);
    let pods = [made(&a, 0, ages[0], PodProgress::Running), made(&b, 0, ages[1], progress)];
    let mut placement = placed(&[a, b], &pods);
    placement.renew(Duration::from_secs(100), Timestamp::from_second(NOW).expect("a time"));
    (placement, pods)
}

#[test]
fn the_oldest_is_renewed_when_no_new_one_came_for_long() {
    let (placement, [a, b]) = renewed([300, 100], PodProgress::Running);
    assert_eq!(placement.actions, [delete(&a)]);
    assert_eq!(placement.found, [None, Some(b)], "nobody is to rely on it any more");
}

#[test]
fn one_is_renewed_at_a_time() {
    let (placement, _) = renewed([300, 40], PodProgress::Running);
    assert_eq!((placement.actions, placement.look_again), (vec![], Some(60)));
    let (placement, _) = renewed([300, 200], PodProgress::Starting);
    assert_eq!(placement.actions, [], "another is on its way");
}
