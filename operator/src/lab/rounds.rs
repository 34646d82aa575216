//! Runs rounds in the lab: the operator's predictions, engine and ledger, on processes instead of
//! attachments.

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use netproof_conformance::{
    ledger::Ledger,
    matrix::{Cell, Matrix},
    verdict::{Sighting, Verdict, Why},
};

use super::{
    scene::Scene,
    stage::{Stage, Stages},
};
use crate::{
    engine::round::{self, Asked, Reached},
    judging::{companions, details, sight},
    predict::{Prediction, asked, predict},
    status::Detail,
    uptime,
};

/// Between two passes over flows that are settling.
const EAGER: Duration = Duration::from_millis(20);

/// What is known of the flows of a lab.
pub struct Rounds {
    stages: Stages,
    /// What was seen, and what that means.
    pub ledger: Ledger,
    /// How many attempts were judged.
    pub observations: u64,
}

impl Rounds {
    /// Begins, with all pods there for longer than a network takes to notice them: they were put
    /// there, and the rules of all nodes are in force.
    pub fn new(stages: Stages) -> Self {
        let scene = Arc::clone(&stages.borrow().scene);
        let mut ledger = Ledger::new(scene.scenario.patience);
        let now = uptime();
        let before = now.saturating_sub(scene.scenario.patience.settle);
        for stand_in in &scene.stand_ins {
            ledger.born(&stand_in.desired.actor, before, now);
        }
        Self { stages, ledger, observations: 0 }
    }

    fn stage(&self) -> Arc<Stage> {
        Arc::clone(&self.stages.borrow())
    }

    /// Attempts all flows, and those that need it again, until there is a verdict on every one of
    /// them or the time is up.
    pub async fn judge(&mut self, at_most: Duration) {
        let deadline = Instant::now() + at_most;
        let stage = self.stage();
        self.ledger.expect(&prediction(&stage.scene).expected, uptime());
        let mut cells: BTreeSet<Cell> =
            stage.scene.scenario.flows.iter().map(|(cell, _)| cell.clone()).collect();
        loop {
            self.attempt(cells).await;
            cells = self.undecided();
            if cells.is_empty() || Instant::now() >= deadline {
                return;
            }
            if self.ledger.unconfirmed().is_empty() {
                tokio::time::sleep(EAGER).await;
            }
        }
    }

    /// Attempts flows once, with those without which nothing can be said of them.
    pub async fn attempt(&mut self, mut cells: BTreeSet<Cell>) {
        let stage = self.stage();
        cells.extend(companions(&self.ledger, &cells, &stage.scene.scenario));
        self.pass(&stage, &cells).await;
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

    /// Attempts each flow once, and judges it by what was known before and after.
    async fn pass(&mut self, stage: &Stage, cells: &BTreeSet<Cell>) {
        let scene = &stage.scene;
        let before = prediction(scene);
        let (mut flows, mut absent) = (Vec::<Asked>::new(), Vec::new());
        for cell in cells {
            match asked(cell, &scene.scenario, &scene.stand_ins) {
                Ok(flow) => flows.push(flow),
                Err(why) => absent.push((cell.clone(), why)),
            }
        }
        let mut reached = Reached::new();
        let pass = round::run(&flows, &stage.sessions, scene.scenario.timeout, &mut reached).await;
        let now = self.stage();
        let after = prediction(&now.scene);
        self.ledger.expect(&after.expected, uptime());
        for (cell, why) in absent {
            let sighting = Sighting::Inconclusive(Why::NoProbe(why));
            self.ledger.observe(&cell, sighting, None, uptime());
        }
        for seen in pass.seen {
            let (cell, sighting, outcome) = sight(seen, &before, &after, &now.scene.stand_ins);
            self.ledger.observe(&cell, sighting, outcome, uptime());
            self.observations += 1;
        }
    }

    /// What is known, for people.
    pub fn details(&self) -> Matrix<Detail> {
        let scene = &self.stage().scene;
        details(&self.ledger, &scene.scenario, &scene.stand_ins, &scene.world)
    }
}

/// What the policies say.
pub fn prediction(scene: &Scene) -> Prediction {
    predict(&scene.scenario, &scene.stand_ins, &scene.world)
}
