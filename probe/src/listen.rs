//! Opens the ports that the probe was told to listen on, and answers each question with the probe's
//! identity.

mod check;
mod heard;
mod socket;
mod tcp;
mod udp;

use std::{io, sync::Arc, time::Duration};

use tokio::{
    net::{TcpListener, UdpSocket},
    sync::{Semaphore, watch},
    task::JoinSet,
    time::{Instant, sleep},
};

use heard::Heard;

use crate::{
    challenge::{Identity, Nonce},
    dial::NO_SCTP,
    log,
    source_ports::SourcePorts,
    wire::{HOLD_S, Listener, ListenerState, Protocol},
};

/// How long until a port that could not be opened is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// A port to listen on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListenPort {
    /// The protocol to listen for.
    pub protocol: Protocol,
    /// The number of the port; 0 lets the kernel choose one.
    pub number: u16,
}

/// What those that connect can cost a probe at most.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// TCP connections at once that have not had their first answer, all ports together; more wait
    /// in the kernel's queue. The default, with the attempts in flight, stays below the usual limit
    /// of 1024 open files.
    pub connections: usize,
    /// How long a TCP connection has to ask its question and take the answer.
    pub patience: Duration,
    /// TCP connections that stay after their first answer, all ports together. A connection over
    /// the limit is closed without an answer.
    pub staying: usize,
    /// How long a connection that stays may be silent before it is closed.
    pub idle: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 512,
            patience: Duration::from_secs(5),
            staying: 128,
            // Longer than the far end holds a connection untouched, so that the far end closes it.
            idle: Duration::from_secs(HOLD_S + 30),
        }
    }
}

/// The listeners of one probe. They close when this is dropped.
///
/// There is one socket a port, bound to the wildcard address of both families. Its UDP answers
/// leave from the address that the kernel prefers towards the asker: in a pod with one address a
/// family that is the address that was asked.
#[derive(Debug)]
pub struct Listeners {
    identity: Identity,
    ports: Vec<Opening>,
    since: Instant,
    heard: Arc<Heard>,
    /// The source ports of [`Listeners::check`].
    source_ports: Arc<SourcePorts>,
    /// Lets one check run at a time, so that many requests open no more sockets than one.
    turn: Semaphore,
    _tasks: JoinSet<()>,
}

/// A port and what became of its last opening.
#[derive(Debug)]
struct Opening {
    port: ListenPort,
    state: watch::Receiver<OpeningState>,
}

/// The number of the port that is open, or why none is.
type OpeningState = Result<u16, String>;

/// A socket that takes questions.
enum Socket {
    Tcp(TcpListener),
    Udp(UdpSocket),
}

/// What the tasks of all listeners share: the identity to answer with, and the [`Limits`].
#[derive(Clone)]
struct ListenerContext {
    identity: Identity,
    connections: Arc<Semaphore>,
    patience: Duration,
    staying: Arc<Semaphore>,
    idle: Duration,
    heard: Arc<Heard>,
}

impl Listeners {
    /// Opens the ports. A port that cannot be opened is reported as silent, and tried again every
    /// second.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub fn open(identity: Identity, ports: &[ListenPort], limits: Limits) -> Self {
        let context = ListenerContext {
            identity: identity.clone(),
            connections: Arc::new(Semaphore::new(limits.connections)),
            patience: limits.patience,
            staying: Arc::new(Semaphore::new(limits.staying)),
            idle: limits.idle,
            heard: Arc::default(),
        };
        let heard = Arc::clone(&context.heard);
        let mut tasks = JoinSet::new();
        let ports = ports
            .iter()
            .map(|&port| {
                let first = Socket::open(port);
                let (tell, state) = watch::channel(state(port, &first));
                tasks.spawn(keep_listening(port, first, tell, context.clone()));
                Opening { port, state }
            })
            .collect();
        let (since, turn) = (Instant::now(), Semaphore::new(1));
        Self { identity, ports, since, heard, source_ports: Arc::default(), turn, _tasks: tasks }
    }

    /// The ports that are open now, with the number that the kernel chose in place of 0.
    pub fn opened(&self) -> Vec<ListenPort> {
        self.ports
            .iter()
            .filter_map(|Opening { port, state }| {
                let number = *state.borrow().as_ref().ok()?;
                Some(ListenPort { number, ..*port })
            })
            .collect()
    }

    /// How long ago [`Listeners::open`] returned. A port that it could not open was opened later,
    /// or never.
    pub fn age(&self) -> Duration {
        self.since.elapsed()
    }

    /// Those of the nonces that were among the latest 4096 questions over UDP.
    pub fn heard(&self, nonces: Vec<Nonce>) -> Vec<Nonce> {
        self.heard.of(nonces)
    }

    /// Dials every listener over loopback, all at once, and says which answer with this identity.
    /// The order is that of the ports given to [`Listeners::open`]. Ends within half a second of
    /// its turn; checks take turns.
    pub async fn check(&self) -> Vec<Listener> {
        let _turn = self.turn.acquire().await.expect("the semaphore is never closed");
        let mut checks = JoinSet::new();
        for (index, Opening { port, state }) in self.ports.iter().enumerate() {
            let (port, state, identity) = (*port, state.borrow().clone(), self.identity.clone());
            let sources = Arc::clone(&self.source_ports);
            checks.spawn(async move {
                let (number, state) = match state {
                    Ok(number) => {
                        (number, check::answers(port.protocol, number, &identity, &sources).await)
                    }
                    Err(why) => (port.number, ListenerState::Silent { why }),
                };
                (index, Listener { protocol: port.protocol, port: number, state })
            });
        }
        let mut listeners = checks.join_all().await;
        listeners.sort_by_key(|(index, _)| *index);
        listeners.into_iter().map(|(_, listener)| listener).collect()
    }
}

/// Why nothing is listened for by this protocol here, whatever the port.
pub fn lack(protocol: Protocol) -> Option<String> {
    match protocol {
        Protocol::Tcp | Protocol::Udp => None,
        Protocol::Sctp => {
            let missing = socket::sctp_missing();
            Some(missing.map_or_else(|| NO_SCTP.to_owned(), |error| error.to_string()))
        }
    }
}

impl Socket {
    fn open(port: ListenPort) -> io::Result<Self> {
        match port.protocol {
            Protocol::Tcp => socket::tcp(port.number).map(Self::Tcp),
            Protocol::Udp => socket::udp(port.number).map(Self::Udp),
            Protocol::Sctp => Err(io::Error::new(io::ErrorKind::Unsupported, NO_SCTP)),
        }
    }

    fn port(&self) -> io::Result<u16> {
        let address = match self {
            Self::Tcp(listener) => listener.local_addr(),
            Self::Udp(socket) => socket.local_addr(),
        };
        Ok(address?.port())
    }

    /// Answers questions for ever.
    async fn serve(self, context: &ListenerContext) {
        match self {
            Self::Tcp(listener) => tcp::serve(listener, context).await,
            Self::Udp(socket) => udp::serve(socket, context).await,
        }
    }
}

fn state(port: ListenPort, opened: &io::Result<Socket>) -> OpeningState {
    let number = match opened {
        Ok(socket) => socket.port().map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    number.map_err(|why| {
        log::say(format_args!("Cannot listen on {:?} {}: {why}", port.protocol, port.number));
        format!("could not be opened: {why}")
    })
}

async fn keep_listening(
    port: ListenPort,
    mut opened: io::Result<Socket>,
    tell: watch::Sender<OpeningState>,
    context: ListenerContext,
) {
    loop {
        if let Ok(socket) = opened {
            return socket.serve(&context).await;
        }
        sleep(RETRY).await;
        opened = Socket::open(port);
        if let Ok(socket) = &opened {
            log::say(format_args!("Listening on {:?} {} at last", port.protocol, port.number));
            let number = socket.port().map_err(|error| error.to_string());
            tell.send_modify(|state| *state = number);
        }
    }
}
