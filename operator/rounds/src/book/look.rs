//! Takes over what the policies say now, and has flows settle anew of which they say something
//! else.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use netproof_conformance::{
    expected::{Decision, Expected, Ruling},
    matrix::{Actor, Cell, Matrix},
};

use super::Book;
use crate::{
    flow_budget::{Moment, have_same_policies},
    journal::Unseen,
    pass::Looked,
    predict::{StandIn, Unreliable, predict, snapshot},
};

impl Book {
    /// Takes over what the policies say now. If the stand-ins of `moment` have only some of their
    /// addresses, such as those of one family, `everyone` are the same with all of them: the
    /// history sees a deleted pod lose all of its addresses at once.
    pub fn look(&mut self, moment: Moment<'_>, everyone: Option<&[StandIn]>) -> Looked {
        let Moment { scenario, stand_ins, world, now } = moment;
        self.ledger.set_patience(scenario.patience);
        self.extra.set_patience(scenario.patience);
        self.extra.keep(scenario);
        let prediction = predict(&self.extra.beside(scenario), stand_ins, world);
        let policies_changed = !have_same_policies(&self.snapshot, &prediction.snapshot);
        if policies_changed {
            self.changed = now;
        }
        if prediction.unreliable == Unreliable::default() {
            match everyone {
                Some(everyone) => self.history.snapshot(&snapshot(everyone, world)),
                None => self.history.snapshot(&prediction.snapshot),
            }
        }
        self.snapshot = prediction.snapshot.clone();
        let unseen = world.journal.unseen_since(self.place);
        self.place = world.journal.place();
        let (own, extra) = self.extra.split(&prediction.expected);
        let handed_over = self.handed_over(&prediction.expected);
        let mut changed = self.ledger.expect(&own, now);
        changed.extend(self.extra.expect(&extra, now));
        // Flows in `changed` settle from now on already.
        let mut moved = self.doubt(&unseen, stand_ins, &changed, now);
        let is_handed_over = |cell: &Cell| handed_over.contains(cell);
        moved.extend(self.ledger.doubt(is_handed_over, now));
        moved.extend(self.extra.doubt(is_handed_over, now));
        moved.extend(changed.iter().cloned());
        Looked { prediction: Arc::new(prediction), changed, moved, policies_changed }
    }

    /// The flows that are denied as before, but at the other end: one node may have ceased to deny
    /// while the other has not begun, so that they settle as after a change from allow to deny.
    fn handed_over(&self, expected: &Matrix<Expected>) -> BTreeSet<Cell> {
        let is_handed_over = |cell: &Cell, now: &Expected| {
            let record = self.ledger.record(cell).or_else(|| self.extra.ledger().record(cell));
            let before = record.map(|record| denying_ends(&record.expected));
            match (before, denying_ends(now)) {
                (Some([false, false]) | None, _) | (_, [false, false]) => false,
                (Some([egress, ingress]), [still_egress, still_ingress]) => {
                    !(egress && still_egress || ingress && still_ingress)
                }
            }
        };
        let flows = expected.iter().filter(|(cell, now)| is_handed_over(cell, now));
        flows.map(|(cell, _)| cell.clone()).collect()
    }

    /// Has flows settle anew of which the policies may have said something else for a while.
    fn doubt(
        &mut self,
        unseen: &Unseen,
        stand_ins: &[StandIn],
        changed: &BTreeSet<Cell>,
        now: Duration,
    ) -> BTreeSet<Cell> {
        let namespaces = match unseen {
            Unseen::Nothing => return BTreeSet::new(),
            Unseen::Namespaces(namespaces) => Some(namespaces),
            Unseen::Everything => None,
        };
        let touched: BTreeSet<&Actor> = stand_ins
            .iter()
            .filter(|one| namespaces.is_none_or(|all| all.contains(&one.desired.namespace)))
            .map(|one| &one.desired.actor)
            .collect();
        let is_meant = |cell: &Cell| {
            !changed.contains(cell) && (touched.contains(&cell.from) || touched.contains(&cell.to))
        };
        let mut doubted = self.ledger.doubt(is_meant, now);
        doubted.extend(self.extra.doubt(is_meant, now));
        doubted
    }
}

/// Whether a flow is denied at its sender (egress), and at its receiver (ingress).
fn denying_ends(expected: &Expected) -> [bool; 2] {
    let Expected::Deny(because) = expected else { return [false, false] };
    [&because.egress, &because.ingress].map(|decision| match decision {
        Decision::DeniedBy(_) | Decision::Ruled(Ruling::Deny, _) => true,
        Decision::Exempt
        | Decision::NotIsolated
        | Decision::AllowedBy(_)
        | Decision::Ruled(Ruling::Accept, _) => false,
    })
}
