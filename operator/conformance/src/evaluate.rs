//! The plain answer to one flow: what the policies say of it, and which of them.
//!
//! Nothing is prepared or remembered, so that this stays the measure for whatever answers faster.

mod ends;
mod judge;
mod reading;

use crate::{
    expected::{Because, Expected},
    flow::Flow,
    snapshot::Snapshot,
};
use ends::Ends;
use judge::judge;
use reading::{Liberty, Reading};

/// What the policies of a snapshot say of a flow.
///
/// Both sides have to let it pass: the sender's egress and the receiver's ingress. Where the API
/// leaves something open that the flow touches, all readings are tried, and the answer is
/// [`Expected::Unspecified`] only where they differ; it then names the first open question, in the
/// order of [`Unspecified`](crate::expected::Unspecified), whose answer alone can turn the result.
/// Where they agree, the answer names what decides when the policies are taken by the letter: the
/// reading that takes no liberty.
///
/// # Panics
///
/// If the flow is of another snapshot.
pub fn expect(snapshot: &Snapshot, flow: &Flow) -> Expected {
    let ends = match Ends::resolve(snapshot, flow) {
        Ok(ends) => ends,
        Err(why) => return Expected::Unspecified(why),
    };
    let liberties: Vec<Liberty> = ends.liberties().collect();
    let passes = |reading| judge(&ends, reading).passes();
    let turns = |liberty: &&Liberty| {
        Reading::all(&liberties).any(|reading| passes(reading) != passes(reading.with(**liberty)))
    };
    match liberties.iter().find(turns) {
        Some(liberty) => Expected::Unspecified(liberty.reason()),
        None => by_the_letter(judge(&ends, Reading::LITERAL)),
    }
}

fn by_the_letter(because: Because) -> Expected {
    if because.passes() { Expected::Allow(because) } else { Expected::Deny(because) }
}
