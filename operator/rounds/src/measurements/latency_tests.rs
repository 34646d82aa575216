use netproof_conformance::{
    expected::{Because, Decision, Unspecified},
    flow::Protocol,
    matrix::{Actor, Cell},
};

use super::*;
use crate::engine::testing::{gate, session};

const TIMEOUT: Duration = Duration::from_secs(1);

async fn changed(change: ExpectationChange, gate: u16) -> (ChangedFlow, u16) {
    let ((a, _), (b, port)) = (session("a").await, session("b").await);
    let cell = Cell {
        from: Actor::sole("a"),
        to: Actor::sole("b"),
        port: Port { number: port, protocol: Protocol::Tcp },
    };
    let number = if gate == 0 { port } else { gate };
    let flow = FlowAttempt {
        patience: None,
        cell,
        target: ([127, 0, 0, 1], number).into(),
        receiver: Receiver::Probe { identity: "b".into() },
    };
    let (sender, receiver) = (Arc::new(a), Some(Arc::new(b)));
    (ChangedFlow { flow, change, at: Instant::now(), sender, receiver }, port)
}

#[tokio::test]
async fn a_tightening_is_timed_to_the_start_of_the_first_attempt_that_did_not_connect() {
    let (mut changed, port) = changed(ExpectationChange::Tightening, 0).await;
    let gate = gate(port).await;
    changed.flow.target.set_port(gate.port);
    changed.at = Instant::now();
    let closing = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let at = Instant::now();
        gate.close();
        at
    };
    let end = Instant::now() + Duration::from_secs(10);
    let (took, closed) = tokio::join!(time(&changed, TIMEOUT, end), closing);
    let (took, truth) = (took.expect("it follows"), closed - changed.at);
    assert!(took + Duration::from_millis(1) >= truth, "{took:?} is before {truth:?}");
    // Bounds for a busy machine; an idle one stays within 30 ms.
    assert!(took <= truth + Duration::from_millis(250), "{took:?} is long after {truth:?}");
}

#[tokio::test]
async fn a_loosening_is_timed_to_the_start_of_the_first_attempt_that_connected() {
    let (changed, _) = changed(ExpectationChange::Loosening, 0).await;
    let end = Instant::now() + Duration::from_secs(10);
    let took = time(&changed, TIMEOUT, end).await.expect("it connects");
    assert!(took < Duration::from_millis(250), "{took:?}");
}

#[tokio::test]
async fn a_network_that_does_not_follow_has_no_latency() {
    let (changed, _) = changed(ExpectationChange::Tightening, 0).await;
    let end = Instant::now() + Duration::from_millis(200);
    assert_eq!(time(&changed, TIMEOUT, end).await, None);
}

#[test]
fn one_silence_among_connections_is_no_sign() {
    let began = Instant::now();
    let seen = |sights: &[bool]| -> BTreeMap<usize, (Instant, bool)> {
        let at = |n: usize| began + EVERY * u32::try_from(n).expect("few");
        sights.iter().enumerate().map(|(n, sight)| (n, (at(n), *sight))).collect()
    };
    assert_eq!(first(&seen(&[false, true, false])), None);
    assert_eq!(first(&seen(&[false, true, false, true, true])), Some(began + EVERY * 3));
}

fn numbered(number: u16) -> Cell {
    let port = Port { number, protocol: Protocol::Tcp };
    Cell { from: Actor::sole("web"), to: Actor::sole("db"), port }
}

fn because() -> Because {
    Because { egress: Decision::NotIsolated, ingress: Decision::NotIsolated }
}

#[test]
fn only_a_turn_from_allow_to_deny_or_back_is_a_change() {
    let allow = || Expected::Allow(because());
    let deny = || Expected::Deny(because());
    let open = || Expected::Unspecified(Unspecified::ToItself);
    let all = [allow(), deny(), open()];
    let matrix = |pick: fn(usize) -> usize| -> Matrix<Expected> {
        (0..9u16).map(|n| (numbered(n + 1), all[pick(n.into())].clone())).collect()
    };
    let mut changed = turned(&matrix(|n| n / 3), &matrix(|n| n % 3));
    changed.sort_by_key(|(cell, _)| cell.port.number);
    assert_eq!(
        changed,
        [(numbered(2), ExpectationChange::Tightening), (numbered(4), ExpectationChange::Loosening)]
    );
    assert_eq!(turned(&Matrix::default(), &matrix(|n| n % 3)), [], "what is new is no change");
}

#[test]
fn a_few_are_picked_from_all_over() {
    assert_eq!(spread((0..100).collect(), 4), [0, 25, 50, 75]);
    assert_eq!(spread(vec![1, 2], 8), [1, 2]);
    assert_eq!(spread(Vec::<u8>::new(), 8), Vec::<u8>::new());
    assert!((1..200).all(|n| spread((0..n).collect(), 8).len() <= 8));
}
