//! Asks receivers whether attempts over UDP arrived that nothing came back to.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::join_all;
use netproof_conformance::{matrix::Actor, verdict::Outcome};
use netproof_probe::wire;

use super::{FlowAttempt, Sessions, Timed};
use crate::engine::session::{Session, SessionError};

/// What receivers say of the attempts over UDP that timed out.
pub(super) struct ReceiverReports<'a> {
    /// The nonces of those that arrived.
    arrived: BTreeSet<String>,
    /// The receivers that did not say, and why.
    mute: BTreeMap<&'a Actor, String>,
}

/// Asks each receiver which of the attempts at it that timed out have arrived.
pub(super) async fn ask_who_heard<'a>(
    outcomes: &[(&'a FlowAttempt, Result<Timed, String>)],
    sessions: &Sessions,
) -> ReceiverReports<'a> {
    let mut silent: BTreeMap<&Actor, Vec<String>> = BTreeMap::new();
    for (flow, attempt) in outcomes {
        if let Ok(Timed { unanswered: Some(nonce), .. }) = attempt {
            silent.entry(&flow.cell.to).or_default().push(nonce.clone());
        }
    }
    let asked = silent.into_iter().filter_map(|(actor, nonces)| {
        // A receiver without a session has proved no listener: its attempts are no evidence
        // already.
        let session = sessions.get(actor)?.as_ref().ok()?;
        Some(async move { (actor, heard_of(session, &nonces).await) })
    });
    let mut heard = ReceiverReports { arrived: BTreeSet::new(), mute: BTreeMap::new() };
    for (actor, arrived) in join_all(asked).await {
        match arrived {
            Ok(nonces) => heard.arrived.extend(nonces),
            Err(error) => drop(heard.mute.insert(actor, error.to_string())),
        }
    }
    heard
}

async fn heard_of(session: &Session, nonces: &[String]) -> Result<Vec<String>, SessionError> {
    let mut heard = Vec::new();
    for some in nonces.chunks(wire::MAX_HEARD) {
        heard.extend(session.heard(some.to_vec()).await?);
    }
    Ok(heard)
}

impl ReceiverReports<'_> {
    /// The outcome of an attempt in the light of its receiver's word: a timeout is
    /// [`Outcome::Arrived`] if the datagram did, and [`Outcome::Failed`] if the receiver did not
    /// say.
    pub(super) fn revise(&self, flow: &FlowAttempt, attempt: Timed) -> Outcome {
        match &attempt.unanswered {
            Some(nonce) if self.arrived.contains(nonce) => Outcome::Arrived,
            Some(_) => match self.mute.get(&flow.cell.to) {
                Some(why) => Outcome::Failed(format!("whether it arrived is not known: {why}")),
                None => attempt.outcome,
            },
            None => attempt.outcome,
        }
    }
}
