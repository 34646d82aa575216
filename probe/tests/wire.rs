//! The exact text of each kind of line: what one version writes, the next must read.

use std::fmt::Debug;

use netproof_probe::wire::{
    ErrorKind, Fate, Listener, ListenerState, Op, Outcome, Proof, Protocol, Reply, Request,
    Unsupported, VERSION,
};
use serde::{Serialize, de::DeserializeOwned};

fn check<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T, text: &str) {
    assert_eq!(serde_json::to_string(value).expect("plain data"), text);
    assert_eq!(serde_json::from_str::<T>(text).expect("its own text"), *value);
}

fn check_request(op: Op, text: &str) {
    check(&Request { v: VERSION, id: 7, op }, text);
}

fn check_outcome(outcome: Outcome, text: &str) {
    check(
        &Reply::Attempted { id: 7, outcome, source_port: Some(40_000), elapsed_us: 1234 },
        &format!(
            r#"{{"reply":"attempted","id":7,"outcome":{text},"sourcePort":40000,"elapsedUs":1234}}"#
        ),
    );
}

fn attempt(target: &str, protocol: Protocol, proof: Proof) -> Op {
    let target = target.parse().expect("an address");
    Op::Attempt { target, protocol, timeout_ms: 1000, proof, source_port: None }
}

#[test]
fn requests() {
    check_request(
        Op::Hello { nonce: "00ff".to_owned() },
        r#"{"v":1,"id":7,"op":"hello","nonce":"00ff"}"#,
    );
    check_request(
        Op::Ping { nonce: "00ff".to_owned() },
        r#"{"v":1,"id":7,"op":"ping","nonce":"00ff"}"#,
    );
    check_request(Op::CheckListeners, r#"{"v":1,"id":7,"op":"checkListeners"}"#);
    check_request(
        Op::Heard { nonces: vec!["00ff".to_owned()] },
        r#"{"v":1,"id":7,"op":"heard","nonces":["00ff"]}"#,
    );
}

#[test]
fn attempts() {
    check_request(
        attempt("10.0.0.1:80", Protocol::Tcp, Proof::Identity { nonce: "00ff".to_owned() }),
        r#"{"v":1,"id":7,"op":"attempt","target":"10.0.0.1:80","protocol":"TCP","timeoutMs":1000,"proof":{"kind":"identity","nonce":"00ff"}}"#,
    );
    check_request(
        attempt("[fd00::1]:53", Protocol::Udp, Proof::Answer),
        r#"{"v":1,"id":7,"op":"attempt","target":"[fd00::1]:53","protocol":"UDP","timeoutMs":1000,"proof":{"kind":"answer"}}"#,
    );
    check_request(
        Op::Attempt {
            target: "10.0.0.1:80".parse().expect("an address"),
            protocol: Protocol::Tcp,
            timeout_ms: 1000,
            proof: Proof::Answer,
            source_port: Some(53),
        },
        r#"{"v":1,"id":7,"op":"attempt","target":"10.0.0.1:80","protocol":"TCP","timeoutMs":1000,"proof":{"kind":"answer"},"sourcePort":53}"#,
    );
}

#[test]
fn replies() {
    check(
        &Reply::Hello {
            id: 7,
            nonce: "00ff".to_owned(),
            version: VERSION,
            identity: "pod-a".to_owned(),
            unsupported: vec![Unsupported { protocol: Protocol::Sctp, why: "none".to_owned() }],
            listeners: vec![Listener {
                protocol: Protocol::Tcp,
                port: 80,
                state: ListenerState::Answering,
            }],
        },
        r#"{"reply":"hello","id":7,"nonce":"00ff","version":1,"identity":"pod-a","unsupported":[{"protocol":"SCTP","why":"none"}],"listeners":[{"protocol":"TCP","port":80,"state":{"state":"answering"}}]}"#,
    );
    check(
        &Reply::Pong { id: 7, nonce: "00ff".to_owned() },
        r#"{"reply":"pong","id":7,"nonce":"00ff"}"#,
    );
    check(
        &Reply::Listeners {
            id: 7,
            listeners: vec![Listener {
                protocol: Protocol::Udp,
                port: 53,
                state: ListenerState::Silent { why: "refused".to_owned() },
            }],
            open_us: Some(1234),
        },
        r#"{"reply":"listeners","id":7,"listeners":[{"protocol":"UDP","port":53,"state":{"state":"silent","why":"refused"}}],"openUs":1234}"#,
    );
    check(
        &Reply::Listeners { id: 7, listeners: vec![], open_us: None },
        r#"{"reply":"listeners","id":7,"listeners":[]}"#,
    );
}

#[test]
fn what_is_held() {
    let nonce = || "00ff".to_owned();
    check_request(
        Op::Hold {
            target: "10.0.0.1:80".parse().expect("an address"),
            timeout_ms: 1000,
            nonce: nonce(),
        },
        r#"{"v":1,"id":7,"op":"hold","target":"10.0.0.1:80","timeoutMs":1000,"nonce":"00ff"}"#,
    );
    check_request(
        Op::Touch { held: 3, nonce: nonce(), timeout_ms: 1000 },
        r#"{"v":1,"id":7,"op":"touch","held":3,"nonce":"00ff","timeoutMs":1000}"#,
    );
    check_request(Op::Release { held: 3 }, r#"{"v":1,"id":7,"op":"release","held":3}"#);
    check(
        &Reply::Held { id: 7, held: Some(3), outcome: Outcome::TimedOut, elapsed_us: 1234 },
        r#"{"reply":"held","id":7,"held":3,"outcome":{"outcome":"timedOut"},"elapsedUs":1234}"#,
    );
    check(
        &Reply::Heard { id: 7, heard: vec!["00ff".to_owned()] },
        r#"{"reply":"heard","id":7,"heard":["00ff"]}"#,
    );
    check(&Reply::Released { id: 7 }, r#"{"reply":"released","id":7}"#);
    for (fate, text) in [
        (Fate::Alive { identity: "pod-b".to_owned() }, r#"{"fate":"alive","identity":"pod-b"}"#),
        (Fate::Silent, r#"{"fate":"silent"}"#),
        (Fate::Closed { why: "reset".to_owned() }, r#"{"fate":"closed","why":"reset"}"#),
        (Fate::NotHeld, r#"{"fate":"notHeld"}"#),
        (Fate::Failed { why: "odd".to_owned() }, r#"{"fate":"failed","why":"odd"}"#),
    ] {
        let text = format!(r#"{{"reply":"touched","id":7,"fate":{text}}}"#);
        check(&Reply::Touched { id: 7, fate }, &text);
    }
}

#[test]
fn outcomes() {
    check_outcome(
        Outcome::Connected { identity: Some("pod-b".to_owned()) },
        r#"{"outcome":"connected","identity":"pod-b"}"#,
    );
    check_outcome(
        Outcome::Connected { identity: None },
        r#"{"outcome":"connected","identity":null}"#,
    );
    check_outcome(Outcome::Refused, r#"{"outcome":"refused"}"#);
    check_outcome(Outcome::TimedOut, r#"{"outcome":"timedOut"}"#);
    check_outcome(
        Outcome::Unreachable { errno: "EHOSTUNREACH".to_owned() },
        r#"{"outcome":"unreachable","errno":"EHOSTUNREACH"}"#,
    );
    check_outcome(
        Outcome::Failed { why: "too many open files".to_owned() },
        r#"{"outcome":"failed","why":"too many open files"}"#,
    );
}

#[test]
fn errors() {
    for (kind, text) in [
        (ErrorKind::LineTooLong, "lineTooLong"),
        (ErrorKind::NotUnderstood, "notUnderstood"),
        (ErrorKind::UnsupportedVersion, "unsupportedVersion"),
        (ErrorKind::OutOfRange, "outOfRange"),
    ] {
        check(
            &Reply::Error { id: None, kind, message: "no".to_owned() },
            &format!(r#"{{"reply":"error","id":null,"kind":"{text}","message":"no"}}"#),
        );
    }
}
