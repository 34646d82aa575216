//! One pass over the probes: the receivers' listeners are checked, every flow is attempted, and the
//! listeners are checked again.

mod heard;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};

use futures::{StreamExt, future::join_all, stream};
use netproof_conformance::{
    flow::{Port, Protocol},
    matrix::{Actor, Cell},
    verdict::{Control, Outcome},
};
use netproof_probe::wire::{self, Listener, ListenerState, Op, Proof, Reply};
use tokio::time::Instant;

use heard::ask_who_heard;

use super::session::{Session, SessionError, unexpected};

/// How many attempts are under way at a time. The default bounds the traffic of a round through a
/// cluster to 256 attempts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Breadth {
    /// Attempts of one probe: well below [`wire::MAX_IN_FLIGHT`], since a probe that works on that
    /// many reads no heartbeat either.
    pub per_probe: usize,
    /// Probes that attempt at the same time.
    pub probes: usize,
}

impl Default for Breadth {
    fn default() -> Self {
        Self { per_probe: 32, probes: 8 }
    }
}

/// What a probe and its stream may add to the time of one attempt.
const SLACK: Duration = Duration::from_secs(2);

/// A flow to attempt, with the address to dial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlowAttempt {
    /// The flow's place in the matrix.
    pub cell: Cell,
    /// The receiver's address and port.
    pub target: SocketAddr,
    /// The receiver that has to answer there.
    pub receiver: Receiver,
    /// How long an answer is waited for, if that is longer than for the other flows of the pass.
    pub patience: Option<Duration>,
}

impl FlowAttempt {
    /// How long an answer is waited for in a pass with this timeout.
    fn wait(&self, timeout: Duration) -> Duration {
        self.patience.map_or(timeout, |patience| patience.max(timeout))
    }
}

/// The receiver that has to answer an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Receiver {
    /// A probe with this identity; an answer of another is [`Outcome::Failed`].
    Probe {
        /// The UID of the probe's pod.
        identity: String,
    },
    /// An external address: any answer counts.
    External,
}

/// What came of the attempt of one flow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttemptResult {
    /// The flow's place in the matrix.
    pub cell: Cell,
    /// What the sender saw; or why the sender has no probe that could attempt.
    pub outcome: Result<Outcome, String>,
    /// How long the attempt took by the probe's own clock; none if the probe did not say.
    pub took: Option<Duration>,
    /// How long an answer was waited for at most.
    pub waited: Duration,
    /// Whether the receiver was shown to listen all the while.
    pub control: Control,
}

/// What one pass over the probes brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PassResults {
    /// One result for each flow that was asked for, in no particular order.
    pub seen: Vec<AttemptResult>,
    /// Actors that were needed and did not speak, before the attempts or after them.
    pub mute: BTreeSet<Actor>,
}

/// The session of each actor's probe, or why there is none.
pub type Sessions = BTreeMap<Actor, Result<Arc<Session>, String>>;

/// The external addresses and ports that some probe connected to in this round, which proves that
/// they listen.
pub type Reached = BTreeSet<(SocketAddr, Protocol)>;

/// Attempts the flows, all of them between two checks that the receivers listen, with the default
/// [`Breadth`]. `timeout` bounds one attempt. External addresses that connect are added to
/// `reached`.
///
/// Every request has a deadline, so that this ends. Dropping the future stops waiting; attempts
/// that a probe has begun end there by their own timeout.
pub async fn run(
    asked: &[FlowAttempt],
    sessions: &Sessions,
    timeout: Duration,
    reached: &mut Reached,
) -> PassResults {
    run_broadly(asked, sessions, timeout, Breadth::default(), reached).await
}

/// Like [`run`], with this breadth.
pub async fn run_broadly(
    asked: &[FlowAttempt],
    sessions: &Sessions,
    timeout: Duration,
    breadth: Breadth,
    reached: &mut Reached,
) -> PassResults {
    let receivers: BTreeSet<&Actor> = asked
        .iter()
        .filter(|flow| matches!(flow.receiver, Receiver::Probe { .. }))
        .map(|flow| &flow.cell.to)
        .collect();
    let before = check_listeners(&receivers, sessions).await;
    let mut by_sender: BTreeMap<&Actor, Vec<&FlowAttempt>> = BTreeMap::new();
    for flow in asked {
        by_sender.entry(&flow.cell.from).or_default().push(flow);
    }
    let senders: Vec<_> = by_sender
        .into_iter()
        .map(|(sender, flows)| attempt_all(flows, sessions.get(sender), timeout, breadth))
        .collect();
    let at_a_time = stream::iter(senders).buffer_unordered(breadth.probes);
    let outcomes: Vec<Vec<_>> = at_a_time.collect().await;
    let outcomes: Vec<_> = outcomes.into_iter().flatten().collect();
    let after = check_listeners(&receivers, sessions).await;
    let heard = ask_who_heard(&outcomes, sessions).await;
    let outcomes: Vec<_> = outcomes
        .into_iter()
        .map(|(flow, attempt)| {
            let took = attempt.as_ref().ok().and_then(|attempt| attempt.took);
            (flow, attempt.map(|attempt| heard.revise(flow, attempt)), took)
        })
        .collect();
    for (flow, outcome, _) in &outcomes {
        if flow.receiver == Receiver::External && *outcome == Ok(Outcome::Connected) {
            reached.insert((flow.target, flow.cell.port.protocol));
        }
    }
    let unheard = before.iter().chain(&after).filter(|(_, listeners)| listeners.is_err());
    let mut mute: BTreeSet<Actor> = unheard.map(|(actor, _)| (*actor).clone()).collect();
    let unable = outcomes.iter().filter(|(_, outcome, _)| outcome.is_err());
    mute.extend(unable.map(|(flow, ..)| flow.cell.from.clone()));
    let seen = outcomes
        .into_iter()
        .map(|(flow, outcome, took)| AttemptResult {
            cell: flow.cell.clone(),
            outcome,
            took,
            waited: flow.wait(timeout),
            control: control(flow, &before, &after, reached),
        })
        .collect();
    PassResults { seen, mute }
}

type ActorListeners<'a> = BTreeMap<&'a Actor, Result<Vec<Listener>, String>>;

async fn check_listeners<'a>(
    receivers: &BTreeSet<&'a Actor>,
    sessions: &Sessions,
) -> ActorListeners<'a> {
    let checks = receivers.iter().map(|actor| async move {
        let listeners = match sessions.get(*actor) {
            Some(Ok(session)) => session.listeners().await.map_err(|error| error.to_string()),
            Some(Err(why)) => Err(why.clone()),
            None => Err("there is no stand-in".to_owned()),
        };
        (*actor, listeners)
    });
    join_all(checks).await.into_iter().collect()
}

/// Whether the receiver listened all the while. Both checks have to find the listener answering: a
/// listener that died and came back proves nothing for the time in between.
fn control(
    flow: &FlowAttempt,
    before: &ActorListeners,
    after: &ActorListeners,
    reached: &Reached,
) -> Control {
    match &flow.receiver {
        Receiver::External if reached.contains(&(flow.target, flow.cell.port.protocol)) => {
            Control::Listening
        }
        Receiver::External => Control::Unproven("no probe reached it in this round".into()),
        Receiver::Probe { .. } => [before, after]
            .into_iter()
            .find_map(|listeners| silence(listeners.get(&flow.cell.to), flow.cell.port))
            .map_or(Control::Listening, Control::Unproven),
    }
}

/// Why a listener cannot be taken to be there; none if it answered.
pub(crate) fn silence(
    listeners: Option<&Result<Vec<Listener>, String>>,
    port: Port,
) -> Option<String> {
    let listeners = match listeners {
        Some(Ok(listeners)) => listeners,
        Some(Err(why)) => return Some(why.clone()),
        None => return Some("its listeners were not checked".into()),
    };
    let protocol = to_wire(port.protocol);
    let listener = listeners.iter().find(|l| l.port == port.number && l.protocol == protocol);
    match listener.map(|listener| &listener.state) {
        Some(ListenerState::Answering) => None,
        Some(ListenerState::Silent { why }) => Some(format!("its listener is silent: {why}")),
        None => Some("it was not told to listen there".into()),
    }
}

/// Attempts all flows of one sender, `breadth.per_probe` at a time.
async fn attempt_all<'a>(
    flows: Vec<&'a FlowAttempt>,
    session: Option<&Result<Arc<Session>, String>>,
    timeout: Duration,
    breadth: Breadth,
) -> Vec<(&'a FlowAttempt, Result<Timed, String>)> {
    let session = match session {
        Some(Ok(session)) => session,
        missing => {
            let why = match missing {
                Some(Err(why)) => why.as_str(),
                Some(Ok(_)) | None => "there is no stand-in",
            };
            return flows.into_iter().map(|flow| (flow, Err(why.to_owned()))).collect();
        }
    };
    let attempts: Vec<_> = flows
        .into_iter()
        .map(|flow| async move { (flow, Ok(timed(flow, session, flow.wait(timeout)).await)) })
        .collect();
    stream::iter(attempts).buffer_unordered(breadth.per_probe).collect().await
}

/// What came of one attempt, with its time.
pub(crate) struct Timed {
    pub(crate) outcome: Outcome,
    /// How long it took by the probe's own clock; none if the probe did not reply.
    pub(crate) took: Option<Duration>,
    /// The nonce of an attempt over UDP at another probe that timed out: the receiver may have
    /// heard it.
    unanswered: Option<String>,
}

/// Makes one attempt. Ends by `timeout` and [`SLACK`] at the latest; a session that fails is
/// [`Outcome::Failed`].
pub(crate) async fn timed(flow: &FlowAttempt, session: &Session, timeout: Duration) -> Timed {
    let nonce = crate::clock::nonce();
    let proof = match flow.receiver {
        Receiver::Probe { .. } => Proof::Identity { nonce: nonce.clone() },
        Receiver::External => Proof::Answer,
    };
    let op = Op::Attempt {
        target: flow.target,
        protocol: to_wire(flow.cell.port.protocol),
        timeout_ms: u32::try_from(timeout.as_millis()).unwrap_or(u32::MAX),
        proof,
        source_port: None,
    };
    match session.request(op, Instant::now() + timeout + SLACK).await {
        Ok(Reply::Attempted { outcome, elapsed_us, .. }) => {
            let outcome = outcome_of(outcome, &flow.receiver);
            let is_silent = outcome == Outcome::TimedOut
                && flow.cell.port.protocol == Protocol::Udp
                && matches!(flow.receiver, Receiver::Probe { .. });
            let took = Some(Duration::from_micros(elapsed_us));
            Timed { outcome, took, unanswered: is_silent.then_some(nonce) }
        }
        Ok(other) => Timed::failed(&unexpected(&other)),
        Err(error) => Timed::failed(&error),
    }
}

impl Timed {
    fn failed(error: &SessionError) -> Self {
        Self { outcome: Outcome::Failed(error.to_string()), took: None, unanswered: None }
    }
}

/// Translates a probe's outcome, and holds the far end's identity against the receiver's.
fn outcome_of(outcome: wire::Outcome, receiver: &Receiver) -> Outcome {
    match (outcome, receiver) {
        (wire::Outcome::Connected { identity: Some(found) }, Receiver::Probe { identity })
            if found == *identity =>
        {
            Outcome::Connected
        }
        (wire::Outcome::Connected { identity: Some(found) }, Receiver::Probe { identity }) => {
            Outcome::Failed(format!("connected to {found} instead of {identity}"))
        }
        (wire::Outcome::Connected { identity: None }, Receiver::Probe { .. }) => {
            Outcome::Failed("connected without proof of identity".into())
        }
        (wire::Outcome::Connected { .. }, Receiver::External) => Outcome::Connected,
        (wire::Outcome::Refused, _) => Outcome::Refused,
        (wire::Outcome::TimedOut, _) => Outcome::TimedOut,
        (wire::Outcome::Unreachable { errno }, _) => Outcome::Unreachable(errno),
        (wire::Outcome::Failed { why }, _) => Outcome::Failed(why),
    }
}

/// Whether probes speak a protocol.
pub fn is_attemptable(protocol: Protocol) -> bool {
    to_wire(protocol).is_spoken()
}

fn to_wire(protocol: Protocol) -> wire::Protocol {
    match protocol {
        Protocol::Tcp => wire::Protocol::Tcp,
        Protocol::Udp => wire::Protocol::Udp,
        Protocol::Sctp => wire::Protocol::Sctp,
    }
}

#[cfg(test)]
#[path = "round_tests.rs"]
mod tests;
