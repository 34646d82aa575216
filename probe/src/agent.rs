//! Obeys the lines of an operator: each request gets exactly one reply, as soon as it is done,
//! over any pair of byte streams.

mod decode;
mod lines;
mod replies;

use std::{io, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::mpsc,
    task::JoinSet,
};

use crate::{
    challenge::Identity,
    dial,
    hold::Held,
    listen::{self, Listeners},
    source_ports::SourcePorts,
    wire::{MAX_IN_FLIGHT, Protocol, Reply, Unsupported, VERSION},
};

use decode::CheckedRequest;
use lines::{Lines, ReceivedLine};

/// How many replies wait to be written; while that many wait, commands that are done wait too.
const QUEUE: usize = 256;

/// The part of a probe that carries out an operator's requests. Clones share all connections that
/// are held, and all source ports.
#[derive(Clone, Debug)]
pub struct Agent {
    identity: Identity,
    listeners: Arc<Listeners>,
    held: Arc<Held>,
    ports: Arc<SourcePorts>,
}

impl Agent {
    /// Takes the identity to give in a Hello, and the listeners to report on.
    pub fn new(identity: Identity, listeners: Listeners) -> Self {
        let listeners = Arc::new(listeners);
        Self { identity, listeners, held: Arc::default(), ports: Arc::default() }
    }

    /// Obeys each line from `reader` until its end, and returns when the last reply is written.
    /// If `writer` fails, replies are lost and nothing ends; if `reader` fails, its error is
    /// returned once all requests read before have their replies.
    ///
    /// While nobody takes the replies nothing is read, so memory stays bounded. Dropping the
    /// future ends all attempts that are being made.
    pub async fn serve(
        &self,
        reader: impl AsyncRead + Unpin,
        writer: impl AsyncWrite + Unpin,
    ) -> io::Result<()> {
        let (replies, queue) = mpsc::channel(QUEUE);
        let (read, ()) = tokio::join!(self.obey(reader, replies), replies::write(queue, writer));
        read
    }

    async fn obey(
        &self,
        reader: impl AsyncRead + Unpin,
        replies: mpsc::Sender<Reply>,
    ) -> io::Result<()> {
        let mut lines = Lines::new(reader);
        let mut in_flight = JoinSet::new();
        let read = loop {
            let decoded = match lines.next().await {
                Ok(Some(ReceivedLine::Whole(line))) if line.trim_ascii().is_empty() => continue,
                Ok(Some(ReceivedLine::Whole(line))) => decode::command(line),
                Ok(Some(ReceivedLine::TooLong)) => Err(decode::too_long()),
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            };
            match decoded {
                Ok(command) => self.start(command, &replies, &mut in_flight).await,
                Err(error) => send(&replies, error).await,
            }
        };
        in_flight.join_all().await;
        read
    }

    /// Starts a command once there is room for it.
    async fn start(
        &self,
        command: CheckedRequest,
        replies: &mpsc::Sender<Reply>,
        in_flight: &mut JoinSet<()>,
    ) {
        while in_flight.try_join_next().is_some() {}
        if in_flight.len() >= MAX_IN_FLIGHT {
            in_flight.join_next().await;
        }
        let (agent, replies) = (self.clone(), replies.clone());
        in_flight.spawn(async move { send(&replies, agent.perform(command).await).await });
    }

    async fn perform(&self, command: CheckedRequest) -> Reply {
        match command {
            CheckedRequest::Hello { id, nonce } => Reply::Hello {
                id,
                nonce,
                version: VERSION,
                identity: self.identity.as_str().to_owned(),
                unsupported: unsupported(),
                listeners: self.listeners.check().await,
            },
            CheckedRequest::Ping { id, nonce } => Reply::Pong { id, nonce },
            CheckedRequest::CheckListeners { id } => {
                let listeners = self.listeners.check().await;
                Reply::Listeners { id, listeners, open_us: Some(micros(self.listeners.age())) }
            }
            CheckedRequest::Attempt { id, attempt } => {
                let attempted = dial::dial(&attempt, &self.ports).await;
                let elapsed_us = micros(attempted.elapsed);
                let source_port = attempted.source_port;
                Reply::Attempted { id, outcome: attempted.outcome, source_port, elapsed_us }
            }
            CheckedRequest::Heard { id, nonces } => {
                let heard = self.listeners.heard(nonces);
                let heard = heard.iter().map(|nonce| nonce.as_str().to_owned()).collect();
                Reply::Heard { id, heard }
            }
            CheckedRequest::Hold { id, hold } => {
                let (attempted, held) = self.held.open(&hold, &self.ports).await;
                let elapsed_us = micros(attempted.elapsed);
                Reply::Held { id, held, outcome: attempted.outcome, elapsed_us }
            }
            CheckedRequest::Touch { id, held, nonce, timeout } => {
                Reply::Touched { id, fate: self.held.touch(held, &nonce, timeout).await }
            }
            CheckedRequest::Release { id, held } => {
                self.held.release(held);
                Reply::Released { id }
            }
        }
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).expect("a probe lives less than half a million years")
}

async fn send(replies: &mpsc::Sender<Reply>, reply: Reply) {
    replies.send(reply).await.expect("the writer goes on until every sender is gone");
}

fn unsupported() -> Vec<Unsupported> {
    let lacks = Protocol::ALL.into_iter().map(|protocol| (protocol, listen::lack(protocol)));
    lacks.filter_map(|(protocol, why)| Some(Unsupported { protocol, why: why? })).collect()
}
