//! The lines that an operator and a probe exchange: JSON, one object a line, over any byte stream.
//!
//! The operator speaks first (what a probe says before somebody is attached is lost), gives every
//! request an id, and gets exactly one reply with that id. A line that is not understood gets a
//! [`Reply::Error`] and ends nothing.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

/// The version of this protocol, carried by every request. A probe answers other versions with
/// [`ErrorKind::UnsupportedVersion`].
pub const VERSION: u16 = 1;

/// The longest line, in bytes without its newline, that either side reads.
pub const MAX_LINE: usize = 64 * 1024;

/// The longest nonce, in bytes.
pub const MAX_NONCE: usize = 64;

/// The longest deadline of an attempt, in milliseconds; the shortest is 1.
pub const MAX_TIMEOUT_MS: u32 = 60_000;

/// How many attempts and checks a probe works on at once. While it has that many it reads no
/// further line, a ping neither.
pub const MAX_IN_FLIGHT: usize = 256;

/// How many nonces one [`Op::Heard`] may name.
pub const MAX_HEARD: usize = 900;

/// How many connections a probe holds at once, those of all operators together.
pub const MAX_HELD: usize = 64;

/// How long a connection is held without an [`Op::Touch`], in seconds.
pub const HOLD_S: u64 = 600;

/// A line from the operator: a version, an id that the reply will carry, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// [`VERSION`] of the sender.
    pub v: u16,
    /// The sender's name for this request, unique within one stream.
    pub id: u64,
    /// What the probe is to do.
    #[serde(flatten)]
    pub op: Op,
}

/// What a probe can be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Op {
    /// Asks for the probe's identity, version and listeners. Answered with [`Reply::Hello`].
    Hello {
        /// Echoed in the reply. At most [`MAX_NONCE`] bytes.
        nonce: String,
    },
    /// Asks whether the probe still reads and writes. Answered with [`Reply::Pong`].
    Ping {
        /// Echoed in the reply. At most [`MAX_NONCE`] bytes.
        nonce: String,
    },
    /// Asks whether the probe's own listeners answer. Answered with [`Reply::Listeners`], after
    /// each was dialled over the pod's loopback, which no `NetworkPolicy` reaches.
    CheckListeners,
    /// Asks for one attempt at a connection. Answered with [`Reply::Attempted`].
    Attempt {
        /// The far end: one host's address, and a port other than 0.
        target: SocketAddr,
        /// The protocol of the attempt.
        protocol: Protocol,
        /// The deadline of the whole attempt, proof of identity included, in milliseconds: 1 to
        /// [`MAX_TIMEOUT_MS`].
        timeout_ms: u32,
        /// What the far end has to show before the attempt counts as connected.
        proof: Proof,
        /// The port that the attempt comes from, other than 0. None leaves it to the probe, which
        /// uses no port twice towards one target before it has used all of the kernel's range, as
        /// long as it has no more than 4096 targets.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        source_port: Option<u16>,
    },
    /// Asks which of these nonces reached the probe over UDP. Answered with [`Reply::Heard`]. An
    /// attempt that timed out may have arrived all the same: its answer was late, or lost.
    Heard {
        /// The nonces of attempts at this probe, at most [`MAX_HEARD`].
        nonces: Vec<String>,
    },
    /// Asks for a TCP connection to another probe that stays open. Answered with [`Reply::Held`].
    ///
    /// At most [`MAX_HELD`] connections are held, each until it is released, is found dead by an
    /// [`Op::Touch`], or was not touched for [`HOLD_S`].
    Hold {
        /// The far end: one host's address, and a port other than 0.
        target: SocketAddr,
        /// The deadline of the handshake and the proof together, in milliseconds: 1 to
        /// [`MAX_TIMEOUT_MS`].
        timeout_ms: u32,
        /// What the far end must return beside its identity: 1 to [`MAX_NONCE`] hexadecimal
        /// digits, fresh for each request.
        nonce: String,
    },
    /// Asks whether a held connection still carries a question and its answer. Answered with
    /// [`Reply::Touched`]. While one touch of a connection goes on, others get
    /// [`Fate::NotHeld`].
    Touch {
        /// The connection's number, from [`Reply::Held`].
        held: u64,
        /// What the far end must return: 1 to [`MAX_NONCE`] hexadecimal digits, fresh for each
        /// request.
        nonce: String,
        /// How long the answer may take, in milliseconds: 1 to [`MAX_TIMEOUT_MS`]. TCP repeats
        /// within this time what was lost on the way.
        timeout_ms: u32,
    },
    /// Closes a connection, if it is still held. Answered with [`Reply::Released`] in any case.
    Release {
        /// The connection's number, from [`Reply::Held`].
        held: u64,
    },
}

/// A transport protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Protocol {
    /// Transmission Control Protocol.
    Tcp,
    /// User Datagram Protocol.
    Udp,
    /// Stream Control Transmission Protocol.
    Sctp,
}

impl Protocol {
    /// Every one of the API.
    pub const ALL: [Self; 3] = [Self::Tcp, Self::Udp, Self::Sctp];

    /// Whether this version of the probe dials by it and listens for it, where the kernel can.
    pub const fn is_spoken(self) -> bool {
        match self {
            Self::Tcp | Self::Udp => true,
            Self::Sctp => false,
        }
    }
}

/// What the far end has to show before an attempt counts as connected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Proof {
    /// The far end is a probe: it must return this nonce beside its own identity.
    Identity {
        /// Hexadecimal digits, 1 to [`MAX_NONCE`] of them, fresh for each attempt.
        nonce: String,
    },
    /// The far end is an external address and need not be a probe: TCP is connected once the
    /// handshake is complete (nothing is sent), UDP once any datagram comes back from the target.
    Answer,
}

/// A line from a probe, in answer to one line from the operator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reply", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Reply {
    /// Answers [`Op::Hello`].
    Hello {
        /// The id of the request.
        id: u64,
        /// The nonce of the request.
        nonce: String,
        /// The probe's [`VERSION`].
        version: u16,
        /// The name that this probe gives to those that connect to it: its pod's UID.
        identity: String,
        /// The protocols that this probe cannot speak on its kernel.
        unsupported: Vec<Unsupported>,
        /// Every listener that the probe was told to open, dialled for this reply.
        listeners: Vec<Listener>,
    },
    /// Answers [`Op::Ping`].
    Pong {
        /// The id of the request.
        id: u64,
        /// The nonce of the request.
        nonce: String,
    },
    /// Answers [`Op::CheckListeners`].
    Listeners {
        /// The id of the request.
        id: u64,
        /// Every listener that the probe was told to open.
        listeners: Vec<Listener>,
        /// How long before this reply the probe opened its listeners, in microseconds; none from a
        /// probe that does not report it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        open_us: Option<u64>,
    },
    /// Answers [`Op::Attempt`].
    Attempted {
        /// The id of the request.
        id: u64,
        /// What the probe saw.
        outcome: Outcome,
        /// The port that the attempt came from; none where there was no socket.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        source_port: Option<u16>,
        /// From the first system call to the outcome, in microseconds.
        elapsed_us: u64,
    },
    /// Answers [`Op::Heard`].
    Heard {
        /// The id of the request.
        id: u64,
        /// Those of the request's nonces that reached the probe. It remembers the latest 4096.
        heard: Vec<String>,
    },
    /// Answers [`Op::Hold`].
    Held {
        /// The id of the request.
        id: u64,
        /// The connection's number from now on, never given to another connection of this probe;
        /// none unless it is connected.
        held: Option<u64>,
        /// What the probe saw.
        outcome: Outcome,
        /// From the first system call to the outcome, in microseconds.
        elapsed_us: u64,
    },
    /// Answers [`Op::Touch`].
    Touched {
        /// The id of the request.
        id: u64,
        /// What became of the connection.
        fate: Fate,
    },
    /// Answers [`Op::Release`].
    Released {
        /// The id of the request.
        id: u64,
    },
    /// Answers a line that could not be obeyed. The stream goes on.
    Error {
        /// The id of the request, where one could be read.
        id: Option<u64>,
        /// Why the line was not obeyed.
        kind: ErrorKind,
        /// The same for people, without a fixed wording.
        message: String,
    },
}

impl Reply {
    /// The id of the request that this answers; none for an error about a line without an id.
    pub fn id(&self) -> Option<u64> {
        match self {
            Self::Hello { id, .. }
            | Self::Pong { id, .. }
            | Self::Listeners { id, .. }
            | Self::Attempted { id, .. }
            | Self::Heard { id, .. }
            | Self::Held { id, .. }
            | Self::Touched { id, .. }
            | Self::Released { id } => Some(*id),
            Self::Error { id, .. } => *id,
        }
    }
}

/// A protocol that the probe cannot speak here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unsupported {
    /// The protocol that the probe cannot speak.
    pub protocol: Protocol,
    /// The system's own word for why.
    pub why: String,
}

/// One port that a probe was told to listen on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listener {
    /// The protocol that it listens for.
    pub protocol: Protocol,
    /// The number of the port, 1 to 65535.
    pub port: u16,
    /// Whether it answered the probe itself.
    pub state: ListenerState,
}

/// Whether a listener answered with its probe's identity when dialled over loopback.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "camelCase")]
pub enum ListenerState {
    /// It answered, in every address family that the pod has.
    Answering,
    /// It did not answer, or could not be opened.
    Silent {
        /// What went wrong, for people.
        why: String,
    },
}

/// What a probe saw of one attempt: a fact, no judgement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "camelCase")]
pub enum Outcome {
    /// The far end gave the [`Proof`] that was asked for.
    Connected {
        /// The identity it showed; none where only an answer was asked for.
        identity: Option<String>,
    },
    /// `ECONNREFUSED`: a reset, or an ICMP port unreachable.
    Refused,
    /// Nothing came before the deadline.
    TimedOut,
    /// `EHOSTUNREACH`, `ENETUNREACH`, `EACCES` or `EPERM`: something on the way said no.
    Unreachable {
        /// The name of the errno, such as `EHOSTUNREACH`.
        errno: String,
    },
    /// Anything else; also a far end that connected and gave no proof. Never evidence.
    Failed {
        /// What happened, for people, without a fixed wording.
        why: String,
    },
}

/// What became of a connection that was held. Only a connection that is [`Fate::Alive`] stays
/// held.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fate", rename_all = "camelCase")]
pub enum Fate {
    /// The connection carried the question and the answer.
    Alive {
        /// The identity that the far end showed.
        identity: String,
    },
    /// Nothing came back before the deadline.
    Silent,
    /// The connection was ended: by a reset, the end of the stream, or an ICMP error.
    Closed {
        /// What happened, for people, without a fixed wording.
        why: String,
    },
    /// The probe does not hold this connection, or not any more. Never evidence.
    NotHeld,
    /// What came back is no answer to the question. Never evidence.
    Failed {
        /// What happened, for people, without a fixed wording.
        why: String,
    },
}

/// Why a line was not obeyed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ErrorKind {
    /// The line is over [`MAX_LINE`]; it was skipped to its newline.
    LineTooLong,
    /// The line is no request: no JSON, or not of the shape of a [`Request`].
    NotUnderstood,
    /// The request is of another [`VERSION`].
    UnsupportedVersion,
    /// A field of the request is out of its range.
    OutOfRange,
}
