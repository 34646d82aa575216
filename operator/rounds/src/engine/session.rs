//! One conversation with one probe, over any pair of byte streams.
//!
//! Guarantees: every request ends, with its reply or with an error, by its deadline; a stream that
//! is half open is noticed by the heartbeat; no reply of another conversation is taken for one of
//! this (ids start at random, and the probe has to echo a nonce first).
//!
//! Assumption: nothing about how the streams behave. They may hang, be cut in mid-line, or carry
//! another attached client's replies; kube 5's attach pipes never end by themselves, so that the
//! end of the attachment comes as a future of its own.
//!
//! Cancel safety: a request that is dropped is forgotten; the probe may carry it out all the same,
//! and its reply is ignored.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures::{StreamExt, future::BoxFuture};
use netproof_probe::wire::{self, Listener, Op, Reply, Request, Unsupported};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt},
    sync::{mpsc, oneshot, watch},
    task::JoinHandle,
    time::{Instant, timeout_at},
};
use tokio_util::codec::{FramedRead, LinesCodec, LinesCodecError};

/// How often the probe is asked for a sign of life, and how long it may take to give one.
const HEARTBEAT: Duration = Duration::from_secs(5);

/// How long a probe may take to greet.
const GREETING: Duration = Duration::from_secs(5);

/// How long a probe may take for requests that no network delays: whether its listeners answer, and
/// what it heard.
const OWN_WORD: Duration = Duration::from_secs(3);

/// How many requests may wait to be written; senders beyond that wait, until their deadline.
const QUEUE: usize = 64;

/// The byte streams to and from a probe.
pub struct Link {
    /// The stream of what the probe writes.
    pub reader: Box<dyn AsyncRead + Send + Unpin>,
    /// The stream of what the probe reads.
    pub writer: Box<dyn AsyncWrite + Send + Unpin>,
    /// Resolves when the streams are known to be cut, to the reason as far as it is known. It may
    /// own whatever keeps the streams open.
    pub ended: BoxFuture<'static, String>,
}

/// Why a conversation did not start, or is over.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SessionError {
    /// The attachment ended, or a stream failed; why.
    #[error("the stream to the probe was cut: {0}")]
    Cut(String),
    /// The probe gave no sign of life in time.
    #[error("the probe gave no sign of life for {} s", HEARTBEAT.as_secs())]
    Silent,
    /// The probe did not greet within 5 s, or echoed another nonce.
    #[error("the probe did not greet within {} s", GREETING.as_secs())]
    NoGreeting,
    /// The probe greeted with another identity.
    #[error("the probe is {found}, not {wanted}")]
    Stranger {
        /// The identity that the probe has.
        found: String,
        /// The identity that it should have.
        wanted: String,
    },
    /// The probe speaks this other version of the protocol.
    #[error("the probe speaks version {0} of the protocol, not {ours}", ours = wire::VERSION)]
    Version(u16),
    /// The request's deadline passed.
    #[error("the probe did not reply in time")]
    Deadline,
    /// The probe answered with an error, or with a reply of another kind; which.
    #[error("the probe refused a request: {0}")]
    Refused(String),
}

/// What a probe said of itself when it greeted.
#[derive(Clone, Debug)]
pub struct Greeting {
    /// The identity that it shows to probes that connect.
    pub identity: String,
    /// The protocols that its kernel lacks.
    pub unsupported: Vec<Unsupported>,
    /// The state of its listeners when it greeted.
    pub listeners: Vec<Listener>,
}

/// A conversation that has begun. Dropping it ends the task that drives the streams.
pub struct Session {
    /// What the probe said of itself when it greeted.
    pub greeting: Greeting,
    requests: Requests,
    ended: watch::Receiver<Option<SessionError>>,
    task: JoinHandle<()>,
}

impl Drop for Session {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Session {
    /// Starts a conversation and greets the probe, which has to have this identity. Ends within
    /// 5 s; dropping the future closes the streams.
    pub async fn open(link: Link, identity: &str) -> Result<Self, SessionError> {
        let (requests, lines) = Requests::new();
        let (over, ended) = watch::channel(None);
        let task = tokio::spawn({
            let requests = requests.clone();
            async move {
                let error = drive(link, lines, &requests).await;
                over.send_replace(Some(error));
                requests.pending.close();
            }
        });
        let task = AbortOnDrop(Some(task));
        let greeting = greet(&requests, identity).await.map_err(|error| {
            // Why the stream ended says more than that no greeting came.
            ended.borrow().clone().unwrap_or(error)
        })?;
        Ok(Self { greeting, requests, ended, task: task.release() })
    }

    /// Asks the probe, and waits for its reply until the deadline at most. If the conversation is
    /// over, the error says why.
    pub async fn request(&self, op: Op, deadline: Instant) -> Result<Reply, SessionError> {
        let result = self.requests.send(op, deadline).await;
        match (result, self.over()) {
            (Err(SessionError::Deadline), Some(error)) => Err(error),
            (result, _) => result,
        }
    }

    /// Asks the probe whether its own listeners answer. Ends within 3 s.
    pub async fn listeners(&self) -> Result<Vec<Listener>, SessionError> {
        match self.request(Op::CheckListeners, Instant::now() + OWN_WORD).await? {
            Reply::Listeners { listeners, .. } => Ok(listeners),
            other => Err(unexpected(&other)),
        }
    }

    /// Asks the probe which of these nonces reached it over UDP, [`wire::MAX_HEARD`] at most. Ends
    /// within 3 s.
    pub async fn heard(&self, nonces: Vec<String>) -> Result<Vec<String>, SessionError> {
        match self.request(Op::Heard { nonces }, Instant::now() + OWN_WORD).await? {
            Reply::Heard { heard, .. } => Ok(heard),
            other => Err(unexpected(&other)),
        }
    }

    /// Why the conversation is over, if it is.
    pub fn over(&self) -> Option<SessionError> {
        self.ended.borrow().clone()
    }

    /// Waits until the conversation is over, and returns why. Cancel safe.
    pub async fn ended(&self) -> SessionError {
        let mut ended = self.ended.clone();
        match ended.wait_for(Option::is_some).await {
            Ok(error) => error.clone().unwrap_or(SessionError::Silent),
            Err(_) => SessionError::Cut("its task is gone".into()),
        }
    }
}

/// The error for a reply of the wrong kind.
pub fn unexpected(reply: &Reply) -> SessionError {
    SessionError::Refused(match reply {
        Reply::Error { message, .. } => message.clone(),
        other => format!("unexpected reply {other:?}"),
    })
}

/// Aborts a task unless it is released: [`Session::open`] may be dropped before it has a session.
struct AbortOnDrop(Option<JoinHandle<()>>);

impl AbortOnDrop {
    fn release(mut self) -> JoinHandle<()> {
        self.0.take().expect("released once, by value")
    }
}

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        if let Some(task) = &self.0 {
            task.abort();
        }
    }
}

async fn greet(requests: &Requests, identity: &str) -> Result<Greeting, SessionError> {
    let nonce = crate::clock::nonce();
    let hello = Op::Hello { nonce: nonce.clone() };
    let reply = requests.send(hello, Instant::now() + GREETING).await;
    match reply.map_err(|error| match error {
        SessionError::Deadline => SessionError::NoGreeting,
        other => other,
    })? {
        Reply::Hello { nonce: echoed, .. } if echoed != nonce => Err(SessionError::NoGreeting),
        Reply::Hello { version, .. } if version != wire::VERSION => {
            Err(SessionError::Version(version))
        }
        Reply::Hello { identity: found, .. } if found != identity => {
            Err(SessionError::Stranger { found, wanted: identity.into() })
        }
        Reply::Hello { identity, unsupported, listeners, .. } => {
            Ok(Greeting { identity, unsupported, listeners })
        }
        other => Err(unexpected(&other)),
    }
}

/// The requests of one conversation: those to be written, and those that wait for their reply.
#[derive(Clone)]
struct Requests {
    lines: mpsc::Sender<String>,
    pending: Arc<Pending>,
    next: Arc<AtomicU64>,
}

impl Requests {
    fn new() -> (Self, mpsc::Receiver<String>) {
        let (lines, written) = mpsc::channel(QUEUE);
        // Half of the range is left for counting up.
        let next = Arc::new(AtomicU64::new(crate::clock::random() >> 1));
        (Self { lines, pending: Arc::default(), next }, written)
    }

    async fn send(&self, op: Op, deadline: Instant) -> Result<Reply, SessionError> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let request = Request { v: wire::VERSION, id, op };
        let line = serde_json::to_string(&request).expect("a request is plain data");
        let waiting = self.pending.wait_for(id);
        let exchange = async {
            self.lines.send(line).await.ok()?;
            waiting.reply().await
        };
        match timeout_at(deadline, exchange).await {
            Ok(Some(reply)) => Ok(reply),
            Ok(None) | Err(_) => Err(SessionError::Deadline),
        }
    }
}

/// The requests that wait for their reply, by id. Once closed it takes no more, and all that wait
/// end.
#[derive(Default)]
struct Pending(Mutex<Waiters>);

#[derive(Default)]
struct Waiters {
    by_id: HashMap<u64, oneshot::Sender<Reply>>,
    closed: bool,
}

impl Pending {
    fn lock(&self) -> std::sync::MutexGuard<'_, Waiters> {
        self.0.lock().expect("no holder of this lock can panic")
    }

    fn wait_for(self: &Arc<Self>, id: u64) -> Waiting {
        let (sender, reply) = oneshot::channel();
        let mut waiters = self.lock();
        if !waiters.closed {
            waiters.by_id.insert(id, sender);
        }
        Waiting { id, reply, pending: Arc::clone(self) }
    }

    fn complete(&self, reply: Reply) {
        let Some(id) = reply.id() else { return };
        let waiter = self.lock().by_id.remove(&id);
        // A reply that no request waits for came too late, or was another conversation's.
        if let Some(waiter) = waiter {
            drop(waiter.send(reply));
        }
    }

    fn close(&self) {
        let mut waiters = self.lock();
        waiters.closed = true;
        waiters.by_id.clear();
    }
}

/// A request that waits for its reply. Dropping it forgets the request.
struct Waiting {
    id: u64,
    reply: oneshot::Receiver<Reply>,
    pending: Arc<Pending>,
}

impl Waiting {
    async fn reply(mut self) -> Option<Reply> {
        (&mut self.reply).await.ok()
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.pending.lock().by_id.remove(&self.id);
    }
}

/// Carries the conversation until it is over, and returns why it is.
async fn drive(link: Link, lines: mpsc::Receiver<String>, requests: &Requests) -> SessionError {
    tokio::select! {
        error = write(link.writer, lines) => error,
        error = read(link.reader, &requests.pending) => error,
        error = heartbeat(requests) => error,
        why = link.ended => SessionError::Cut(why),
    }
}

async fn write(
    mut writer: Box<dyn AsyncWrite + Send + Unpin>,
    mut lines: mpsc::Receiver<String>,
) -> SessionError {
    // The newline ends a line that an earlier stream's cut has torn, so that it takes nothing of
    // ours with it.
    let mut batch = String::from("\n");
    while let Some(line) = lines.recv().await {
        batch.push_str(&line);
        batch.push('\n');
        while let Ok(line) = lines.try_recv() {
            batch.push_str(&line);
            batch.push('\n');
        }
        let written = async {
            writer.write_all(batch.as_bytes()).await?;
            writer.flush().await
        };
        if let Err(error) = written.await {
            return SessionError::Cut(error.to_string());
        }
        batch.clear();
    }
    SessionError::Cut("nobody asks any more".into())
}

async fn read(reader: Box<dyn AsyncRead + Send + Unpin>, pending: &Pending) -> SessionError {
    let mut lines = FramedRead::new(reader, LinesCodec::new_with_max_length(wire::MAX_LINE));
    while let Some(line) = lines.next().await {
        match line {
            // The first line may be the tail of one that was on its way to an earlier client.
            Ok(line) => {
                if let Ok(reply) = serde_json::from_str(&line) {
                    pending.complete(reply);
                }
            }
            Err(LinesCodecError::MaxLineLengthExceeded) => {
                return SessionError::Cut("the probe wrote a line that is too long".into());
            }
            Err(LinesCodecError::Io(error)) => return SessionError::Cut(error.to_string()),
        }
    }
    SessionError::Cut("end of stream".into())
}

async fn heartbeat(requests: &Requests) -> SessionError {
    loop {
        tokio::time::sleep(HEARTBEAT).await;
        let ping = Op::Ping { nonce: crate::clock::nonce() };
        if requests.send(ping, Instant::now() + HEARTBEAT).await.is_err() {
            return SessionError::Silent;
        }
    }
}

#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;
