//! Connections that are held over real sockets, and the ways in which they end.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use netproof_probe::{
    challenge::{Identity, Nonce},
    dial::Hold,
    hold::Held,
    listen::{Limits, ListenPort, Listeners},
    source_ports::SourcePorts,
    wire::{Fate, HOLD_S, MAX_HELD, Outcome, Protocol},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    time::sleep,
};

/// How long a far end that answers may take, on a machine that is busy.
const PATIENT: Duration = Duration::from_secs(30);
/// How long to wait for a far end that never answers.
const BRIEF: Duration = Duration::from_millis(200);

fn listeners(limits: Limits) -> (Listeners, SocketAddr) {
    let port = ListenPort { protocol: Protocol::Tcp, number: 0 };
    let identity = Identity::new("pod-b").expect("an identity");
    let listeners = Listeners::open(identity, &[port], limits);
    let target = (Ipv4Addr::LOCALHOST, listeners.opened()[0].number).into();
    (listeners, target)
}

fn hold(target: SocketAddr) -> Hold {
    Hold { target, timeout: PATIENT, nonce: Nonce::fresh() }
}

async fn open(held: &Held, target: SocketAddr) -> u64 {
    let (attempted, name) = held.open(&hold(target), &SourcePorts::default()).await;
    assert_eq!(attempted.outcome, Outcome::Connected { identity: Some("pod-b".to_owned()) });
    name.expect("what is connected is held")
}

async fn touch(held: &Held, name: u64) -> Fate {
    held.touch(name, &Nonce::fresh(), PATIENT).await
}

fn alive() -> Fate {
    Fate::Alive { identity: "pod-b".to_owned() }
}

/// A far end that answers the first question, and then does this with the connection.
async fn far_end(then: fn(tokio::net::TcpStream)) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
    let target = listener.local_addr().expect("it is bound");
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("the dialler comes");
        let mut question = [0; 256];
        let count = stream.read(&mut question).await.expect("a question");
        let question = String::from_utf8_lossy(&question[..count]).into_owned();
        let nonce = question.split_whitespace().nth(1).expect("a nonce");
        let answer = format!("netproof-answer/1 {nonce} pod-b\n");
        stream.write_all(answer.as_bytes()).await.expect("the dialler is there");
        then(stream);
    });
    target
}

#[tokio::test]
async fn a_connection_that_is_held_carries_one_exchange_after_another() {
    // Limits::patience bounds the first exchange of a connection, not how long it stays.
    let (_listeners, target) =
        listeners(Limits { patience: Duration::from_millis(500), ..Limits::default() });
    let held = Held::default();
    let name = open(&held, target).await;
    for _ in 0..3 {
        assert_eq!(touch(&held, name).await, alive());
    }
    sleep(Duration::from_millis(700)).await;
    assert_eq!(touch(&held, name).await, alive());
    held.release(name);
    assert_eq!(touch(&held, name).await, Fate::NotHeld);
}

#[tokio::test]
async fn a_listener_that_is_gone_has_closed_it() {
    let (listeners, target) = listeners(Limits::default());
    let held = Held::default();
    let name = open(&held, target).await;
    drop(listeners);
    let fate = touch(&held, name).await;
    assert!(matches!(fate, Fate::Closed { .. }), "{fate:?}");
    assert_eq!(touch(&held, name).await, Fate::NotHeld, "what is dead is not held");
}

#[tokio::test]
async fn a_far_end_that_does_not_answer_any_more_is_silent() {
    let target = far_end(std::mem::forget).await;
    let held = Held::default();
    let name = open(&held, target).await;
    assert_eq!(held.touch(name, &Nonce::fresh(), BRIEF).await, Fate::Silent);
    assert_eq!(touch(&held, name).await, Fate::NotHeld, "a late answer is nobody's");
}

#[tokio::test]
async fn a_refused_connection_is_not_held() {
    let free = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let target = free.local_addr().expect("it is bound");
    drop(free);
    let (attempted, name) = Held::default().open(&hold(target), &SourcePorts::default()).await;
    assert_eq!((attempted.outcome, name), (Outcome::Refused, None));
}

#[tokio::test]
async fn a_probe_holds_no_more_than_its_limit() {
    let (_listeners, target) = listeners(Limits::default());
    let held = Held::default();
    let mut names = Vec::new();
    for _ in 0..MAX_HELD {
        names.push(open(&held, target).await);
    }
    let (attempted, name) = held.open(&hold(target), &SourcePorts::default()).await;
    assert!(matches!(attempted.outcome, Outcome::Failed { .. }), "{attempted:?}");
    assert_eq!(name, None);
    held.release(names[0]);
    open(&held, target).await;
}

#[tokio::test]
async fn a_listener_keeps_no_more_than_its_limit_and_says_so_by_silence() {
    let (_listeners, target) = listeners(Limits { staying: 1, ..Limits::default() });
    let held = Held::default();
    let first = open(&held, target).await;
    let (attempted, name) = held.open(&hold(target), &SourcePorts::default()).await;
    let why = "connected, but the far end closed without proof of identity".to_owned();
    assert_eq!((attempted.outcome, name), (Outcome::Failed { why }, None));
    assert_eq!(touch(&held, first).await, alive());
}

#[tokio::test]
async fn one_that_is_idle_too_long_is_closed_by_the_listener() {
    let (_listeners, target) =
        listeners(Limits { idle: Duration::from_millis(50), ..Limits::default() });
    let held = Held::default();
    let name = open(&held, target).await;
    sleep(Duration::from_millis(300)).await;
    assert!(matches!(touch(&held, name).await, Fate::Closed { .. }));
}

#[tokio::test]
async fn one_that_nobody_looks_at_is_given_up() {
    let (_listeners, target) = listeners(Limits::default());
    let held = Held::default();
    let name = open(&held, target).await;
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(HOLD_S)).await;
    assert_eq!(touch(&held, name).await, Fate::NotHeld);
}
