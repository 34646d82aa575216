//! Asks receivers whether the questions over UDP arrived that nothing came back to.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::join_all;
use netproof_conformance::{matrix::Actor, verdict::Outcome};
use netproof_probe::wire;

use super::{FlowAttempt, Sessions, Timed};
use crate::engine::session::{Session, SessionError};

/// What receivers say of the questions over UDP that nothing came back to.
pub(super) struct ReceiverReports<'a> {
    /// Those that arrived.
    arrived: BTreeSet<String>,
    /// Who could not say.
    mute: BTreeMap<&'a Actor, String>,
}

/// Asks receivers whether they heard what nothing came back to.
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
        // One that does not speak has proved no listener either.
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
    /// What an attempt is worth by what its receiver says: that nothing came back is no silence if
    /// the question arrived.
    pub(super) fn revise(&self, flow: &FlowAttempt, attempt: Timed) -> Outcome {
        match &attempt.unanswered {
            Some(nonce) if self.arrived.contains(nonce) => {
                Outcome::Failed("the datagram arrived, and no answer came back in time".into())
            }
            Some(_) => match self.mute.get(&flow.cell.to) {
                Some(why) => Outcome::Failed(format!("whether it arrived is not known: {why}")),
                None => attempt.outcome,
            },
            None => attempt.outcome,
        }
    }
}
