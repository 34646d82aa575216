//! Holds a connection that the policies allow, denies it, and sees what becomes of it.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use netproof_conformance::{
    expected::Expected,
    matrix::Cell,
    verdict::{Control, Outcome, Verdict},
};

use super::{
    cluster::LabCluster,
    rounds::{Rounds, prediction},
};
use netproof_rounds::{
    engine::round::{self, Reached, Receiver},
    measurements::existing::{Fate, HeldConnection, is_holdable},
    predict::asked,
};

/// How long an answer may take: in the lab no packet is lost unless it is dropped on purpose.
const TIMEOUT: Duration = Duration::from_millis(150);

/// A flow between pods on which a connection can be held: one that is allowed and conforms.
pub fn candidate(rounds: &Rounds) -> Option<Cell> {
    let scene = &rounds.stage().scene;
    let is_pod = |cell: &&Cell| scene.pods.iter().any(|pod| pod.actor == cell.to);
    let is_open =
        |cell: &&Cell| rounds.book.ledger().verdict(cell, super::now()) == Some(Verdict::Conforms);
    let allowed = rounds.book.ledger().records();
    let allowed = allowed.filter(|(cell, record)| is_holdable(cell, &record.expected));
    allowed.map(|(cell, _)| cell).filter(is_pod).find(is_open).cloned()
}

/// Holds a connection of this flow, has its receiver's namespaces deny everything, and says what
/// became of it. The policies stay so.
pub async fn fate(lab: &mut LabCluster, cell: &Cell) -> anyhow::Result<Fate> {
    let unknown = |why: &str| Ok(Fate::Unknown(why.to_owned()));
    let stage = Arc::clone(&lab.stages().borrow());
    let session = |actor| stage.sessions.get(actor).and_then(|session| session.as_ref().ok());
    let (Some(sender), Some(receiver)) = (session(&cell.from), session(&cell.to)) else {
        return unknown("an end of it has no probe");
    };
    let Ok(flow) = asked(cell, &stage.scene.scenario, &stage.scene.stand_ins) else {
        return unknown("an end of it is not there");
    };
    let Receiver::Probe { identity } = &flow.receiver else {
        return unknown("its receiver is outside");
    };
    let held = match HeldConnection::open(Arc::clone(sender), flow.target, identity, TIMEOUT).await
    {
        Ok(held) => held,
        Err(why) => return Ok(Fate::Unknown(why)),
    };
    let namespaces = stage.scene.stand_ins.iter().filter(|one| one.desired.actor == cell.to);
    let namespaces: BTreeSet<_> = namespaces.map(|one| one.desired.namespace.as_str()).collect();
    let scene = stage.scene.denying(&namespaces);
    if !matches!(prediction(&scene).expected.get(cell), Some(Expected::Deny(_))) {
        return unknown("the policies cannot deny it");
    }
    lab.change(scene).await?;
    lab.in_force().await?;
    // A connection that goes on says something only where a new one is denied.
    let flows = [flow];
    let mut reached = Reached::new();
    let attempt = round::run(&flows, &stage.sessions, TIMEOUT, &mut reached);
    let (fate, pass) = tokio::join!(held.fate(receiver, cell.port, TIMEOUT), attempt);
    let is_denied = pass.seen.iter().all(|seen| {
        let outcome = seen.outcome.as_ref();
        seen.control == Control::Listening
            && outcome.is_ok_and(|outcome| {
                matches!(outcome, Outcome::TimedOut | Outcome::Refused | Outcome::Unreachable(_))
            })
    });
    Ok(if is_denied { fate } else { Fate::Unknown("new connections are not denied".to_owned()) })
}
