//! The real agent over memory, for tests: nothing here is a stand-in for anything.

use std::net::TcpListener;

use futures::FutureExt;
use netproof_probe::{
    agent::Agent,
    challenge::Identity,
    listen::{Limits, Listeners, Port},
    wire::Protocol,
};
use tokio::{
    io::{DuplexStream, split},
    task::JoinHandle,
};

use super::session::{Link, Session};

/// A real agent, and the far end of its streams.
pub struct InMemory {
    /// Its streams, to be taken once.
    pub link: Link,
    /// Where it listens.
    pub port: u16,
    /// The agent at work; aborting it cuts the streams.
    pub task: JoinHandle<()>,
}

/// A port that nobody listens on, at this moment.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has ports");
    listener.local_addr().expect("it is bound").port()
}

/// Starts an agent that listens on a free port of the loopback.
pub fn agent(identity: &str) -> InMemory {
    let port = free_port();
    let listeners = Listeners::open(
        Identity::new(identity).expect("a plain word"),
        &[Port { protocol: Protocol::Tcp, number: port }],
        Limits::default(),
    );
    let agent = Agent::new(Identity::new(identity).expect("a plain word"), listeners);
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    let task = tokio::spawn(async move {
        let (reader, writer) = split(theirs);
        agent.serve(reader, writer).await.expect("memory does not fail");
    });
    InMemory { link: link(ours), port, task }
}

/// A link over a stream in memory.
pub fn link(stream: DuplexStream) -> Link {
    let (reader, writer) = split(stream);
    Link {
        reader: Box::new(reader),
        writer: Box::new(writer),
        ended: std::future::pending().boxed(),
    }
}

/// A conversation with a real agent, and the port that it listens on.
pub async fn session(identity: &str) -> (Session, u16) {
    let agent = agent(identity);
    let session = Session::open(agent.link, identity).await.expect("a real agent greets");
    (session, agent.port)
}
