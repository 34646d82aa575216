//! Runs rounds in the lab: the operator's predictions, engine and ledger, on processes instead of
//! attachments.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use netproof_conformance::{
    ledger::Ledger,
    matrix::{Cell, Matrix},
    verdict::{Sighting, Verdict, VerdictKind, Why},
};

use super::scene::Scene;
use crate::{
    engine::round::{self, Asked, Reached, Sessions},
    judging::{companions, details, sight},
    predict::{Prediction, asked, predict},
    status::Detail,
    uptime,
};

/// A pass over flows that are settling takes no longer than this from the last one.
const EAGER: Duration = Duration::from_millis(20);

/// What is known of a scene's flows.
pub struct Rounds {
    /// What was seen, and what that means.
    pub ledger: Ledger,
}

impl Rounds {
    /// Begins, with all pods there for longer than a network takes to notice them: they were put
    /// there, and the rules of all nodes are in force.
    pub fn new(scene: &Scene) -> Self {
        let mut rounds = Self { ledger: Ledger::new(scene.scenario.patience) };
        let now = uptime();
        let before = now.saturating_sub(scene.scenario.patience.settle);
        for stand_in in &scene.stand_ins {
            rounds.ledger.born(&stand_in.desired.actor, before, now);
        }
        rounds
    }

    /// Attempts all flows, and those that need it again, until there is a verdict on every one of
    /// them or the time is up.
    pub async fn judge(&mut self, scene: &Scene, sessions: &Sessions, at_most: Duration) {
        let deadline = Instant::now() + at_most;
        self.ledger.expect(&prediction(scene).expected, uptime());
        let mut cells: BTreeSet<Cell> =
            scene.scenario.flows.iter().map(|(cell, _)| cell.clone()).collect();
        loop {
            cells.extend(companions(&self.ledger, &cells, &scene.scenario));
            self.pass(scene, sessions, &cells).await;
            cells = self.undecided();
            if cells.is_empty() || Instant::now() >= deadline {
                return;
            }
            let waits = self.ledger.unconfirmed().is_empty();
            if waits {
                tokio::time::sleep(EAGER).await;
            }
        }
    }

    /// Flows that another attempt may decide.
    fn undecided(&self) -> BTreeSet<Cell> {
        let now = uptime();
        let is_open = |cell: &&Cell| {
            matches!(
                self.ledger.verdict(cell, now),
                Some(Verdict::Settling | Verdict::Inconclusive(Why::Unconfirmed))
            )
        };
        self.ledger.records().map(|(cell, _)| cell).filter(is_open).cloned().collect()
    }

    /// Attempts each flow once, and judges it.
    async fn pass(&mut self, scene: &Scene, sessions: &Sessions, cells: &BTreeSet<Cell>) {
        let before = prediction(scene);
        let (mut flows, mut absent) = (Vec::<Asked>::new(), Vec::new());
        for cell in cells {
            match asked(cell, &scene.scenario, &scene.stand_ins) {
                Ok(flow) => flows.push(flow),
                Err(why) => absent.push((cell.clone(), why)),
            }
        }
        let mut reached = Reached::new();
        let pass = round::run(&flows, sessions, scene.scenario.timeout, &mut reached).await;
        for (cell, why) in absent {
            let sighting = Sighting::Inconclusive(Why::NoProbe(why));
            self.ledger.observe(&cell, sighting, None, uptime());
        }
        for seen in pass.seen {
            let (cell, sighting, outcome) = sight(seen, &before, &before, &scene.stand_ins);
            self.ledger.observe(&cell, sighting, outcome, uptime());
        }
    }

    /// What is known, for people.
    pub fn details(&self, scene: &Scene) -> Matrix<Detail> {
        details(&self.ledger, &scene.scenario, &scene.stand_ins, &scene.world)
    }

    /// How many flows have a verdict of this kind.
    pub fn count(&self, kind: VerdictKind) -> usize {
        let verdicts = self.ledger.verdicts(uptime());
        verdicts.iter().filter(|(_, verdict)| verdict.kind() == kind).count()
    }
}

/// What the policies say.
pub fn prediction(scene: &Scene) -> Prediction {
    predict(&scene.scenario, &scene.stand_ins, &scene.world)
}
