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

/// How many questions a probe can be asked about at once.
pub const MAX_HEARD: usize = 900;

/// How many connections a probe holds at most, for whoever asked for them.
pub const MAX_HELD: usize = 64;

/// How long a connection is held for somebody who never looks at it, in seconds.
pub const HOLD_S: u64 = 600;

/// What the operator sends: a version, an id that the reply will carry, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// [`VERSION`] of the sender.
    pub v: u16,
    /// Chosen by the sender, unique within one stream.
    pub id: u64,
    /// What to do.
    #[serde(flatten)]
    pub op: Op,
}

/// What a probe can be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Op {
    /// Who are you? Answered with [`Reply::Hello`].
    Hello {
        /// Echoed in the reply. At most [`MAX_NONCE`] bytes.
        nonce: String,
    },
    /// Are you still there? Answered with [`Reply::Pong`].
    Ping {
        /// Echoed in the reply. At most [`MAX_NONCE`] bytes.
        nonce: String,
    },
    /// Do your own listeners answer? Answered with [`Reply::Listeners`], after each was dialled
    /// over the pod's loopback, which no `NetworkPolicy` reaches.
    CheckListeners,
    /// Attempt one connection. Answered with [`Reply::Attempted`].
    Attempt {
        /// Where to: one host's address, and a port other than 0.
        target: SocketAddr,
        /// By which protocol.
        protocol: Protocol,
        /// The deadline of the whole attempt, proof of identity included, in milliseconds: 1 to
        /// [`MAX_TIMEOUT_MS`].
        timeout_ms: u32,
        /// What the far end has to show before the attempt counts as connected.
        proof: Proof,
        /// The port to come from, other than 0. None leaves it to the probe, which uses none twice
        /// towards one target before it has used all of the kernel's range.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        source_port: Option<u16>,
    },
    /// Which of these questions reached you over UDP? Answered with [`Reply::Heard`]. An attempt
    /// that nothing came back from may have arrived all the same: its answer was late, or lost.
    Heard {
        /// The nonces of attempts at this probe, at most [`MAX_HEARD`].
        nonces: Vec<String>,
    },
    /// Open a TCP connection to another probe, and keep it. Answered with [`Reply::Held`].
    ///
    /// At most [`MAX_HELD`] are kept, each until it is released, is found dead, or was not touched
    /// for [`HOLD_S`].
    Hold {
        /// Where to: one host's address, and a port other than 0.
        target: SocketAddr,
        /// The deadline of the handshake and the proof together, in milliseconds: 1 to
        /// [`MAX_TIMEOUT_MS`].
        timeout_ms: u32,
        /// What the far end must return beside its identity: 1 to [`MAX_NONCE`] hexadecimal
        /// digits, fresh for each request.
        nonce: String,
    },
    /// Does this connection still carry a question and its answer? Answered with
    /// [`Reply::Touched`]. One at a time: a connection that is being touched is not held.
    Touch {
        /// Which: from [`Reply::Held`].
        held: u64,
        /// What the far end must return: 1 to [`MAX_NONCE`] hexadecimal digits, fresh for each
        /// request.
        nonce: String,
        /// How long the answer may take, in milliseconds: 1 to [`MAX_TIMEOUT_MS`]. What is lost on
        /// the way is sent again within it, as TCP does.
        timeout_ms: u32,
    },
    /// Close this connection, if it is still held. Answered with [`Reply::Released`].
    Release {
        /// Which: from [`Reply::Held`].
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
    /// It is a probe: it must return this nonce beside its own identity.
    Identity {
        /// Hexadecimal digits, 1 to [`MAX_NONCE`] of them, fresh for each attempt.
        nonce: String,
    },
    /// It is a stranger, an external address: TCP is connected once the handshake is complete
    /// (nothing is sent), UDP once any datagram comes back from the target's address.
    Answer,
}

/// What a probe sends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reply", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Reply {
    /// Answers [`Op::Hello`].
    Hello {
        /// The request's.
        id: u64,
        /// The request's.
        nonce: String,
        /// The probe's [`VERSION`].
        version: u16,
        /// Who this probe says it is to those who connect: its pod's UID.
        identity: String,
        /// What this kernel lacks.
        unsupported: Vec<Unsupported>,
        /// The listeners that the probe was told to open, and how they fare.
        listeners: Vec<Listener>,
    },
    /// Answers [`Op::Ping`].
    Pong {
        /// The request's.
        id: u64,
        /// The request's.
        nonce: String,
    },
    /// Answers [`Op::CheckListeners`].
    Listeners {
        /// The request's.
        id: u64,
        /// Every listener that the probe was told to open.
        listeners: Vec<Listener>,
        /// How long ago the probe opened its listeners, in microseconds when it wrote this; none
        /// from a probe that does not say.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        open_us: Option<u64>,
    },
    /// Answers [`Op::Attempt`].
    Attempted {
        /// The request's.
        id: u64,
        /// What happened.
        outcome: Outcome,
        /// The port that the attempt came from; none where there was no socket.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        source_port: Option<u16>,
        /// From the first system call to the outcome, in microseconds.
        elapsed_us: u64,
    },
    /// Answers [`Op::Heard`].
    Heard {
        /// The request's.
        id: u64,
        /// Those of the nonces that came. The latest thousands are known.
        heard: Vec<String>,
    },
    /// Answers [`Op::Hold`].
    Held {
        /// The request's.
        id: u64,
        /// The connection's name from now on, never used again; none unless it is connected.
        held: Option<u64>,
        /// What happened.
        outcome: Outcome,
        /// From the first system call to the outcome, in microseconds.
        elapsed_us: u64,
    },
    /// Answers [`Op::Touch`].
    Touched {
        /// The request's.
        id: u64,
        /// What became of the connection.
        fate: Fate,
    },
    /// Answers [`Op::Release`].
    Released {
        /// The request's.
        id: u64,
    },
    /// The line could not be obeyed; the stream goes on.
    Error {
        /// The request's, where one could be read.
        id: Option<u64>,
        /// What kind of trouble.
        kind: ErrorKind,
        /// For people.
        message: String,
    },
}

impl Reply {
    /// The id of the request that this answers, if it answers one.
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
    /// Which.
    pub protocol: Protocol,
    /// The system's own word for why.
    pub why: String,
}

/// One port that a probe was told to listen on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listener {
    /// Its protocol.
    pub protocol: Protocol,
    /// Its number.
    pub port: u16,
    /// Whether it answered.
    pub state: ListenerState,
}

/// Whether a listener answered with its probe's identity when dialled over loopback.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "camelCase")]
pub enum ListenerState {
    /// It did.
    Answering,
    /// It did not, or could not be opened.
    Silent {
        /// Why, for people.
        why: String,
    },
}

/// What a probe saw. A fact, no judgement.
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
        /// The name of the errno.
        errno: String,
    },
    /// Anything else, the far end connecting without its proof included. Never evidence.
    Failed {
        /// For people.
        why: String,
    },
}

/// What became of a connection that was held. Only one that is alive stays held.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fate", rename_all = "camelCase")]
pub enum Fate {
    /// It carried the question and the answer.
    Alive {
        /// The identity that the far end showed.
        identity: String,
    },
    /// Nothing came back before the deadline.
    Silent,
    /// Somebody ended it: a reset, the end of the stream, an ICMP error.
    Closed {
        /// For people.
        why: String,
    },
    /// The probe does not hold it, or not any more. Never evidence.
    NotHeld,
    /// What came back is no answer to the question. Never evidence.
    Failed {
        /// For people.
        why: String,
    },
}

/// Why a line was not obeyed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ErrorKind {
    /// Over [`MAX_LINE`]; it was skipped to its newline.
    LineTooLong,
    /// Not a request: no JSON, or not of this shape.
    NotUnderstood,
    /// A request of another [`VERSION`].
    UnsupportedVersion,
    /// A field is out of its range.
    OutOfRange,
}
