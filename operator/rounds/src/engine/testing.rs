//! The probe's real agent over memory, for tests.

use std::net::TcpListener;

use tokio::net::{TcpListener as Listening, TcpStream};

use futures::FutureExt;
use netproof_probe::{
    agent::Agent,
    challenge::Identity,
    listen::{Limits, ListenPort, Listeners},
    wire::Protocol,
};
use tokio::{
    io::{DuplexStream, split},
    task::JoinHandle,
};

use super::session::{Link, Session};

/// A real agent, and the far end of its streams.
pub struct InMemory {
    /// The agent's streams, to be taken once.
    pub link: Link,
    /// The port that the agent listens on.
    pub port: u16,
    /// The agent's task; aborting it cuts the streams.
    pub task: JoinHandle<()>,
}

/// A port of the loopback that nothing listens on at this moment.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has ports");
    listener.local_addr().expect("it is bound").port()
}

/// Starts an agent that listens on a free TCP port of the loopback.
pub fn agent(identity: &str) -> InMemory {
    agent_on(identity, free_port())
}

/// Starts an agent that listens on this TCP port of the loopback.
pub fn agent_on(identity: &str, port: u16) -> InMemory {
    agent_by(Protocol::Tcp, identity, port)
}

/// Starts an agent that listens on this port of the loopback, by this protocol.
pub fn agent_by(protocol: Protocol, identity: &str, port: u16) -> InMemory {
    let listeners = Listeners::open(
        Identity::new(identity).expect("a plain word"),
        &[ListenPort { protocol, number: port }],
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

/// A link to an agent over a stream in memory.
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

/// A network in front of a port of the loopback, which forwards every connection until it is
/// closed.
pub struct Gate {
    /// The port of the loopback at which flows are to be attempted.
    pub port: u16,
    task: JoinHandle<()>,
}

impl Gate {
    /// Refuses new connections from now on, and cuts those that exist.
    pub fn close(&self) {
        self.task.abort();
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.close();
    }
}

/// Forwards a free port to this port of the loopback.
pub async fn gate(to: u16) -> Gate {
    let listener = Listening::bind("127.0.0.1:0").await.expect("loopback has ports");
    gate_of(listener, to)
}

/// Forwards `port`, which is to be free at the moment, to the port `to` of the loopback.
pub async fn gate_at(port: u16, to: u16) -> Gate {
    let listener = Listening::bind(("127.0.0.1", port)).await.expect("the port is free");
    gate_of(listener, to)
}

fn gate_of(listener: Listening, to: u16) -> Gate {
    let port = listener.local_addr().expect("it is bound").port();
    let task = tokio::spawn(async move {
        let mut ways = tokio::task::JoinSet::new();
        while let Ok((mut near, _)) = listener.accept().await {
            ways.spawn(async move {
                let Ok(mut far) = TcpStream::connect(("127.0.0.1", to)).await else { return };
                // Either end may close at any time.
                drop(tokio::io::copy_bidirectional(&mut near, &mut far).await);
            });
        }
    });
    Gate { port, task }
}
