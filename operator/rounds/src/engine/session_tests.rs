use futures::FutureExt;
use netproof_probe::wire::{Outcome, Proof, Protocol};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

use super::*;
use crate::engine::testing::{agent, link, session};

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(5)
}

#[tokio::test]
async fn a_real_agent_greets_and_attempts() {
    let (session, port) = session("me").await;
    assert_eq!(session.greeting.identity, "me");
    let attempt = Op::Attempt {
        target: ([127, 0, 0, 1], port).into(),
        protocol: Protocol::Tcp,
        timeout_ms: 2000,
        proof: Proof::Identity { nonce: crate::clock::nonce() },
        source_port: None,
    };
    match session.request(attempt, soon()).await {
        Ok(Reply::Attempted { outcome, .. }) => {
            assert_eq!(outcome, Outcome::Connected { identity: Some("me".into()) });
        }
        other => panic!("not attempted: {other:?}"),
    }
    let listeners = session.listeners().await.expect("it answers");
    assert_eq!(listeners.len(), 1);
    assert!(session.over().is_none());
}

#[tokio::test]
async fn a_probe_of_another_pod_is_no_partner() {
    let agent = agent("someone");
    match Session::open(agent.link, "me").await {
        Err(SessionError::Stranger { found, .. }) => assert_eq!(found, "someone"),
        other => panic!("accepted: {}", other.is_ok()),
    }
}

#[tokio::test]
async fn a_cut_stream_ends_what_waits_for_it() {
    let agent = agent("me");
    let session = Session::open(agent.link, "me").await.expect("it greets");
    agent.task.abort();
    let error = session.ended().await;
    assert!(matches!(error, SessionError::Cut(_)), "{error}");
    let refused = session.request(Op::CheckListeners, soon()).await;
    assert!(matches!(refused, Err(SessionError::Cut(_))), "{refused:?}");
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_hangs_is_noticed_by_its_heartbeat() {
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    // The probe greets, and then nothing more comes: a half-open stream.
    let probe = tokio::spawn(async move {
        let (reader, mut writer) = tokio::io::split(theirs);
        let mut lines = BufReader::new(reader).lines();
        let mut line = String::new();
        while line.is_empty() {
            line = lines.next_line().await.expect("readable").expect("a greeting");
        }
        writer.write_all(hello_to(&line).as_bytes()).await.expect("writable");
        std::future::pending::<()>().await;
        drop((lines, writer));
    });
    let session = Session::open(link(ours), "me").await.expect("it greets");
    let began = Instant::now();
    let error = session.ended().await;
    assert!(matches!(error, SessionError::Silent), "{error}");
    assert!(began.elapsed() <= 2 * HEARTBEAT);
    probe.abort();
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_says_nothing_is_given_up() {
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    let result = Session::open(link(ours), "me").await;
    assert!(matches!(result, Err(SessionError::NoGreeting)));
    drop(theirs);
}

#[tokio::test]
async fn what_ended_the_attachment_is_said() {
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    let mut link = link(ours);
    link.ended = async { "container not running".to_owned() }.boxed();
    match Session::open(link, "me").await {
        Err(SessionError::Cut(why)) => assert_eq!(why, "container not running"),
        other => panic!("opened: {}", other.is_ok()),
    }
    drop(theirs);
}

#[tokio::test]
async fn noise_before_the_greeting_is_passed_over() {
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    let probe = tokio::spawn(async move {
        let (reader, mut writer) = tokio::io::split(theirs);
        let noise = "utcome\":\"connected\"}\n{\"reply\":\"pong\",\"id\":1,\"nonce\":\"x\"}\n";
        writer.write_all(noise.as_bytes()).await.expect("writable");
        let mut lines = BufReader::new(reader).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            if line.is_empty() {
                continue;
            }
            writer.write_all(hello_to(&line).as_bytes()).await.expect("writable");
        }
    });
    Session::open(link(ours), "me").await.expect("the greeting counts, the noise does not");
    probe.abort();
}

/// The reply to a greeting of an agent with the identity `me`.
fn hello_to(line: &str) -> String {
    let request: Request = serde_json::from_str(line).expect("a request");
    let Op::Hello { nonce } = request.op else { panic!("not greeted: {line}") };
    let hello = Reply::Hello {
        id: request.id,
        nonce,
        version: wire::VERSION,
        identity: "me".into(),
        unsupported: vec![],
        listeners: vec![],
    };
    serde_json::to_string(&hello).expect("plain data") + "\n"
}
