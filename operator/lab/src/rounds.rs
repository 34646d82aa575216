//! Runs rounds in the lab: the operator's predictions, engine and ledger, with processes instead of
//! attach streams.

use std::{
    collections::{BTreeMap, BTreeSet},
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};

use netproof_conformance::{
    coverage::Coverage,
    diagnosis::Observation,
    flow::{Family, Flow},
    ledger::Interval,
    matrix::{Actor, Cell, Matrix},
    verdict::{Verdict, Why},
};

use super::{
    scene::Scene,
    stage::{Stage, Stages},
};
use netproof_rounds::{
    book::Book,
    clock::uptime,
    engine::round::{self, Breadth, Reached},
    flow_budget::Moment,
    pass::Looked,
    predict::{Prediction, naming, predict},
    report::Detail,
};

/// The time between two passes over flows that are settling.
const EAGER: Duration = Duration::from_millis(20);

/// How often failed attempts are made again: on a busy machine one may run out of time.
const AGAIN: usize = 4;

/// As many attempts at a time as the probes take, with some room for other requests: nothing but
/// the lab is slowed down by them.
const BREADTH: Breadth = Breadth { per_probe: 112, probes: usize::MAX };

/// The rounds of a lab, in one family of addresses: the waiting and attempting around a [`Book`].
pub struct Rounds {
    stages: Stages,
    family: Option<Family>,
    /// The stage when it was last looked at.
    seen: Option<StageView>,
    /// What is known of the flows.
    pub book: Book,
}

/// A stage, the part of it that is of these rounds' family, and what the policies say.
#[derive(Clone)]
struct StageView {
    whole: Arc<Stage>,
    stage: Arc<Stage>,
    looked: Looked,
}

impl Rounds {
    /// Begins with the lab as it is. Its pods count as settled: the rules of all nodes are in force
    /// before rounds begin. Without a family, each flow takes the first that its ends share.
    pub fn new(stages: Stages, family: Option<Family>) -> Self {
        let scene = Arc::clone(&stages.borrow().scene);
        let mut book = Book::new(scene.scenario.patience);
        let now = uptime();
        let before = now.saturating_sub(scene.scenario.patience.settle);
        for (actor, identity) in identities(&scene) {
            book.meet(&actor, &identity, before, now);
        }
        let mut rounds = Self { stages, family, seen: None, book };
        rounds.look();
        rounds
    }

    /// Takes over the stage of now: new pods settle. Returns it, with what has changed since the
    /// last look.
    fn look(&mut self) -> StageView {
        let whole = Arc::clone(&self.stages.borrow_and_update());
        if let Some(seen) = &mut self.seen
            && Arc::ptr_eq(&seen.whole, &whole)
        {
            seen.looked.changed.clear();
            seen.looked.moved.clear();
            return seen.clone();
        }
        let stage = Arc::new(self.part_of(&whole));
        let now = uptime();
        for (actor, identity) in identities(&stage.scene) {
            self.book.meet(&actor, &identity, now, now);
        }
        let looked = self.book.look(moment(&stage.scene), Some(&whole.scene.stand_ins));
        let seen = StageView { whole, stage, looked };
        self.seen = Some(seen.clone());
        seen
    }

    /// The family of addresses that the rounds are about; none if each flow takes the first that
    /// its ends share.
    pub fn family(&self) -> Option<Family> {
        self.family
    }

    /// The whole scene of now, with the addresses of every family.
    pub fn whole(&self) -> Arc<Scene> {
        Arc::clone(&self.stages.borrow().scene)
    }

    /// The stage of now, as far as it is of these rounds' family.
    pub fn stage(&self) -> Arc<Stage> {
        let whole = Arc::clone(&self.stages.borrow());
        match &self.seen {
            Some(seen) if Arc::ptr_eq(&seen.whole, &whole) => Arc::clone(&seen.stage),
            Some(_) | None => Arc::new(self.part_of(&whole)),
        }
    }

    fn part_of(&self, stage: &Stage) -> Stage {
        let scene = match self.family {
            Some(family) => Arc::new(stage.scene.of_family(family)),
            None => Arc::clone(&stage.scene),
        };
        Stage { scene, sessions: stage.sessions.clone() }
    }

    /// Attempts all flows, extra ones included, and those that need it again, until each has a
    /// verdict. Begins no further pass after `at_most`.
    pub async fn judge(&mut self, at_most: Duration) {
        let mut cells = self.all();
        cells.extend(self.book.extra().iter().cloned());
        self.judge_these(cells, at_most).await;
    }

    /// Attempts extra flows, as many as there is room for, until each has a verdict. Begins no
    /// further pass after `at_most`.
    pub async fn judge_extra(&mut self, cells: &BTreeSet<Cell>, at_most: Duration) {
        let stage = self.stage();
        self.book.take_on(cells, &stage.scene.scenario);
        self.seen = None;
        let cells = self.book.extra().intersection(cells).cloned().collect();
        self.judge_these(cells, at_most).await;
    }

    async fn judge_these(&mut self, mut cells: BTreeSet<Cell>, at_most: Duration) {
        let deadline = Instant::now() + at_most;
        for again in (0..AGAIN).rev().chain(std::iter::repeat(0)) {
            self.attempt(cells).await;
            cells = self.undecided(again > 0);
            if cells.is_empty() || Instant::now() >= deadline {
                return;
            }
            if !self.book.has_unconfirmed() {
                tokio::time::sleep(EAGER).await;
            }
        }
    }

    /// Attempts all flows of the scenario once.
    pub async fn attempt_all(&mut self) {
        self.attempt(self.all()).await;
    }

    fn all(&self) -> BTreeSet<Cell> {
        self.stage().scene.scenario.flows.iter().map(|(cell, _)| cell.clone()).collect()
    }

    /// The flows that another attempt may decide. Those with a failed attempt are included if
    /// `failed`.
    fn undecided(&self, failed: bool) -> BTreeSet<Cell> {
        self.book.cells_where(uptime(), |verdict| match verdict {
            Verdict::Settling => true,
            verdict if verdict.awaits_repetition() => true,
            Verdict::Inconclusive(Why::Failed(_) | Why::Late { .. } | Why::Unanswered) => failed,
            _ => false,
        })
    }

    /// Attempts each of these flows once, looks again whenever the stage changes meanwhile, and
    /// judges what was seen.
    pub async fn attempt(&mut self, cells: BTreeSet<Cell>) {
        let before = self.look();
        let Stage { scene, sessions } = &*before.stage;
        let (mut pass, flows) =
            self.book.begin(&cells, &before.looked, &scene.scenario, &scene.stand_ins, uptime());
        let (mut reached, began) = (Reached::new(), uptime());
        let timeout = scene.scenario.timeout;
        let attempted = {
            let attempting = round::run_broadly(&flows, sessions, timeout, BREADTH, &mut reached);
            let mut attempting = pin!(attempting);
            loop {
                tokio::select! {
                    attempted = &mut attempting => break attempted,
                    Ok(()) = self.stages.changed() => {
                        let now = self.look();
                        pass.look(&now.looked);
                        pass.meet(&now.stage.scene.stand_ins);
                    }
                }
            }
        };
        let after = self.look();
        let stand_ins = &after.stage.scene.stand_ins;
        pass.look(&after.looked);
        pass.meet(stand_ins);
        let sighted = self.book.judge(pass, attempted.seen, &after.looked, stand_ins);
        self.book.take(sighted, Interval { began, ended: uptime() });
        self.book.remember(uptime());
    }

    /// What is known, for people, of the flows of the scenario, and of the extra flows.
    pub fn details(&self) -> [Matrix<Detail>; 2] {
        let stage = self.stage();
        let moment = moment(&stage.scene);
        [self.book.details(moment), self.book.extra_details(moment)]
    }

    /// What the flows with a verdict show of the policies.
    pub fn coverage(&mut self) -> Arc<Coverage> {
        let stage = self.stage();
        let attempted = self.all();
        self.book.coverage(moment(&stage.scene), attempted)
    }

    /// What was observed of the flows of the scenario and of the extra flows, for a diagnosis.
    pub fn observed(&self) -> BTreeMap<Cell, Observation> {
        let scene = &self.stage().scene;
        let flow = naming(&scene.scenario, &scene.stand_ins);
        let of_family = |cell: &Cell| flow(cell).map(|flow| Flow { family: self.family, ..flow });
        let [own, extra] = self.book.observations(&of_family, Duration::ZERO, uptime());
        own.into_iter().chain(extra).collect()
    }
}

/// A scene at the present moment.
fn moment(scene: &Scene) -> Moment<'_> {
    let Scene { scenario, stand_ins, world, .. } = scene;
    Moment { scenario, stand_ins, world, now: uptime() }
}

fn identities(scene: &Scene) -> BTreeMap<Actor, String> {
    scene.pods.iter().map(|pod| (pod.actor.clone(), pod.identity.clone())).collect()
}

/// What the policies say of the flows of a scene.
pub fn prediction(scene: &Scene) -> Prediction {
    predict(&scene.scenario, &scene.stand_ins, &scene.world)
}
