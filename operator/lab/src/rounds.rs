//! Runs rounds in the lab: the operator's predictions, engine and ledger, on processes instead of
//! attachments.

use std::{
    collections::{BTreeMap, BTreeSet},
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};

use netproof_conformance::{
    coverage::Coverage,
    diagnosis::{
        Observation,
        history::{Attempt, History},
    },
    flow::{Family, Flow},
    ledger::Ledger,
    matrix::{Actor, Cell, Matrix},
    verdict::{Outcome, Sighting, Verdict, Why},
};

use super::{
    scene::Scene,
    stage::{Stage, Stages},
};
use netproof_rounds::{
    clock::uptime,
    covering::{Covering, Moment},
    diagnosing::observations,
    engine::round::{self, Asked, Breadth, Reached},
    judging::{companions, details, judged, sight},
    predict::{Prediction, asked, naming, predict, snapshot},
    status::Detail,
};

/// Between two passes over flows that are settling.
const EAGER: Duration = Duration::from_millis(20);

/// How often an attempt that failed is made again: on a busy machine one may run out of time.
const AGAIN: usize = 4;

/// For how long what happened to a flow counts.
const MEMORY: Duration = Duration::from_secs(300);

/// Everything at a time that the probes take, with some room for whoever else asks them: nothing but
/// the lab is slowed down by it.
const BREADTH: Breadth = Breadth { per_probe: 112, probes: usize::MAX };

/// What is known of the flows of a lab, in one family of addresses.
pub struct Rounds {
    stages: Stages,
    family: Option<Family>,
    /// Flows that are attempted beside those that are asked for.
    beside: BTreeSet<Cell>,
    /// What was there when it was last looked at.
    seen: Option<Seen>,
    /// The pod that each actor was last seen as.
    known: BTreeMap<Actor, String>,
    /// Since when each actor is the pod that it is.
    born: BTreeMap<Actor, Duration>,
    /// What was.
    pub history: History,
    /// What was seen, and what that means.
    pub ledger: Ledger,
    /// How many attempts were judged, and how.
    pub tally: Tally,
}

/// What is there, as far as rounds are about it, and what the policies say.
#[derive(Clone)]
struct Seen {
    whole: Arc<Stage>,
    stage: Arc<Stage>,
    prediction: Arc<Prediction>,
}

/// How many attempts were judged, and how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// All of them.
    pub observations: u64,
    /// Those that conformed.
    pub conforming: u64,
    /// Those that did not, after the network had its time: the first in a row accuses nobody yet.
    pub doubtful: u64,
}

impl Rounds {
    /// Begins, with all pods there for longer than a network takes to notice them: they were put
    /// there, and the rules of all nodes are in force. Without a family, each flow takes the first
    /// that its ends share.
    pub fn new(stages: Stages, family: Option<Family>) -> Self {
        let scene = Arc::clone(&stages.borrow().scene);
        let mut ledger = Ledger::new(scene.scenario.patience);
        let now = uptime();
        let before = now.saturating_sub(scene.scenario.patience.settle);
        for stand_in in &scene.stand_ins {
            ledger.born(&stand_in.desired.actor, before, now);
        }
        let mut rounds = Self {
            stages,
            family,
            beside: BTreeSet::new(),
            seen: None,
            known: identities(&scene),
            born: BTreeMap::new(),
            history: History::new(MEMORY),
            ledger,
            tally: Tally::default(),
        };
        rounds.look();
        rounds
    }

    /// Takes over what is there now: pods that are new have to settle. Returns it, and the flows of
    /// which something is other than it was.
    fn look(&mut self) -> (Seen, BTreeSet<Cell>) {
        let whole = Arc::clone(&self.stages.borrow_and_update());
        if let Some(seen) = &self.seen
            && Arc::ptr_eq(&seen.whole, &whole)
        {
            return (seen.clone(), BTreeSet::new());
        }
        let stage = Arc::new(self.part_of(&whole));
        let scene = &stage.scene;
        let now = uptime();
        let known = identities(scene);
        let is_new =
            |(actor, identity): &(&Actor, &String)| self.known.get(actor) != Some(identity);
        let newcomers: BTreeSet<Actor> =
            known.iter().filter(is_new).map(|(actor, _)| actor.clone()).collect();
        for actor in &newcomers {
            self.ledger.born(actor, now, now);
            self.born.insert(actor.clone(), now);
        }
        self.known = known;
        // Of both families: what is gone had all its addresses at once.
        self.history.snapshot(&snapshot(&whole.scene.stand_ins, &whole.scene.world));
        let prediction = Arc::new(prediction(scene));
        let mut changed = self.ledger.expect(&prediction.expected, now);
        let of_newcomers = scene.scenario.flows.iter().map(|(cell, _)| cell);
        let of_newcomers = of_newcomers
            .filter(|cell| newcomers.contains(&cell.from) || newcomers.contains(&cell.to));
        changed.extend(of_newcomers.cloned());
        let seen = Seen { whole, stage, prediction };
        self.seen = Some(seen.clone());
        (seen, changed)
    }

    /// The family of addresses that they are about.
    pub fn family(&self) -> Option<Family> {
        self.family
    }

    /// All of what is there.
    pub fn whole(&self) -> Arc<Scene> {
        Arc::clone(&self.stages.borrow().scene)
    }

    /// What is known of the lab now, as far as these rounds are about it.
    pub fn stage(&self) -> Arc<Stage> {
        let whole = Arc::clone(&self.stages.borrow());
        match &self.seen {
            Some(seen) if Arc::ptr_eq(&seen.whole, &whole) => Arc::clone(&seen.stage),
            Some(_) | None => Arc::new(self.part_of(&whole)),
        }
    }

    fn part_of(&self, stage: &Stage) -> Stage {
        let mut scene = match self.family {
            Some(family) => stage.scene.of_family(family),
            None => Scene::clone(&stage.scene),
        };
        if !self.beside.is_empty() {
            let beside = self.beside.iter().map(|cell| (cell.clone(), BTreeSet::new()));
            let asked = scene.scenario.flows.iter().map(|(cell, of)| (cell.clone(), of.clone()));
            scene.scenario.flows = beside.chain(asked).collect();
        }
        Stage { scene: Arc::new(scene), sessions: stage.sessions.clone() }
    }

    /// Attempts all flows, and those that need it again, until there is a verdict on every one of
    /// them or the time is up.
    pub async fn judge(&mut self, at_most: Duration) {
        let cells =
            self.stage().scene.scenario.flows.iter().map(|(cell, _)| cell.clone()).collect();
        self.judge_these(cells, at_most).await;
    }

    /// Attempts flows that nobody asked for, until there is a verdict on them or the time is up.
    pub async fn judge_beside(&mut self, cells: BTreeSet<Cell>, at_most: Duration) {
        self.beside.extend(cells.iter().cloned());
        self.seen = None;
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
            if self.ledger.unconfirmed().is_empty() {
                tokio::time::sleep(EAGER).await;
            }
        }
    }

    /// Attempts flows once, with those without which nothing can be said of them.
    pub async fn attempt(&mut self, mut cells: BTreeSet<Cell>) {
        let (seen, _) = self.look();
        cells.extend(companions(&self.ledger, &cells, &seen.stage.scene.scenario));
        self.pass(&seen, &cells).await;
    }

    /// Attempts all flows once.
    pub async fn attempt_all(&mut self) {
        let (seen, _) = self.look();
        let cells = seen.stage.scene.scenario.flows.iter().map(|(cell, _)| cell.clone()).collect();
        self.pass(&seen, &cells).await;
    }

    /// Flows that another attempt may decide; those included, perhaps, whose attempt failed.
    fn undecided(&self, failed: bool) -> BTreeSet<Cell> {
        let now = uptime();
        let is_open = |cell: &&Cell| match self.ledger.verdict(cell, now) {
            Some(Verdict::Settling | Verdict::Inconclusive(Why::Unconfirmed)) => true,
            Some(Verdict::Inconclusive(Why::Failed(_))) => failed,
            _ => false,
        };
        self.ledger.records().map(|(cell, _)| cell).filter(is_open).cloned().collect()
    }

    /// Attempts each flow once, and judges it by what was known all the while: what changed and
    /// changed back is no flow to be judged.
    async fn pass(&mut self, before: &Seen, cells: &BTreeSet<Cell>) {
        let Stage { scene, sessions } = &*before.stage;
        let (mut flows, mut absent) = (Vec::<Asked>::new(), Vec::new());
        for cell in cells {
            match asked(cell, &scene.scenario, &scene.stand_ins) {
                Ok(flow) => flows.push(flow),
                Err(why) => absent.push((cell.clone(), why)),
            }
        }
        let (mut reached, mut moved) = (Reached::new(), BTreeSet::new());
        let timeout = scene.scenario.timeout;
        let pass = {
            let pass = round::run_broadly(&flows, sessions, timeout, BREADTH, &mut reached);
            let mut pass = pin!(pass);
            loop {
                tokio::select! {
                    pass = &mut pass => break pass,
                    Ok(()) = self.stages.changed() => moved.extend(self.look().1),
                }
            }
        };
        let (after, changed) = self.look();
        moved.extend(changed);
        for (cell, why) in absent {
            let sighting = Sighting::Inconclusive(Why::NoProbe(why));
            self.ledger.observe(&cell, sighting, None, uptime());
        }
        for seen in pass.seen {
            let stand_ins = &after.stage.scene.stand_ins;
            let (cell, sighting, outcome) =
                sight(seen, &before.prediction, &after.prediction, stand_ins);
            let sighting = if moved.contains(&cell) { Sighting::Moved } else { sighting };
            self.observe(&cell, sighting, outcome);
        }
        let at = uptime();
        let verdicts = self.ledger.verdicts(at);
        self.history.judged(verdicts.iter(), at);
    }

    fn observe(&mut self, cell: &Cell, sighting: Sighting, outcome: Option<Outcome>) {
        let now = uptime();
        let born =
            [&cell.from, &cell.to].into_iter().filter_map(|actor| self.born.get(actor)).max();
        let age = born.map(|born| now.saturating_sub(*born));
        self.history.attempted(&Attempt { cell, sighting: &sighting, age }, now);
        self.tally.observations += 1;
        self.tally.conforming += u64::from(sighting == Sighting::Conforms);
        self.tally.doubtful += u64::from(self.ledger.would_accuse(cell, &sighting, now));
        if let Some(followed) = self.ledger.observe(cell, sighting, outcome, now) {
            let settle = self.stages.borrow().scene.scenario.patience.settle;
            self.history.followed(cell, followed, settle, now);
        }
    }

    /// What is known, for people, of the flows that were asked for, and of those beside them.
    pub fn details(&self) -> [Matrix<Detail>; 2] {
        let stage = self.stage();
        let scene = &stage.scene;
        let all = details(&self.ledger, &scene.scenario, &scene.stand_ins, &scene.world);
        [false, true].map(|beside| {
            let of = all.iter().filter(|(cell, _)| self.beside.contains(cell) == beside);
            of.map(|(cell, detail)| (cell.clone(), detail.clone())).collect()
        })
    }

    /// What the flows that are judged show of the policies.
    pub fn coverage(&self) -> Arc<Coverage> {
        let stage = self.stage();
        let Scene { scenario, stand_ins, world, .. } = &*stage.scene;
        let moment = Moment { scenario, stand_ins, world, now: Duration::ZERO };
        let judged = judged(&self.ledger);
        let attempted = scenario.flows.iter().map(|(cell, _)| cell.clone()).collect();
        Covering::default().coverage(moment, &judged, attempted)
    }

    /// What was seen, for a diagnosis.
    pub fn observed(&self) -> BTreeMap<Cell, Observation> {
        let scene = &self.stage().scene;
        let flow = naming(&scene.scenario, &scene.stand_ins);
        let of_family = |cell: &Cell| flow(cell).map(|flow| Flow { family: self.family, ..flow });
        let flapped = |cell: &Cell| self.history.flaps(cell);
        observations(&self.ledger, flapped, &of_family, Duration::ZERO)
    }
}

fn identities(scene: &Scene) -> BTreeMap<Actor, String> {
    scene.pods.iter().map(|pod| (pod.actor.clone(), pod.identity.clone())).collect()
}

/// What the policies say.
pub fn prediction(scene: &Scene) -> Prediction {
    predict(&scene.scenario, &scene.stand_ins, &scene.world)
}
