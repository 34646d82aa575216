//! The soak: one task changes objects, two attempt, and the end says what came of it.

use std::{
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use netproof_conformance::flow::Family;
use netproof_lab::{
    cluster::{LabCluster, Network},
    process::this_program,
    rounds::Rounds,
};
use netproof_policy_agent::setting::Setting;
use netproof_rounds::book::Tally;
use tokio::sync::watch;

use crate::{accused::Accused, world::World};

/// The time between two lines of progress.
const TOLD: Duration = Duration::from_secs(10);

/// The time from one change to the next, in milliseconds.
const BETWEEN: std::ops::Range<u64> = 100..500;

/// The counts of a soak while it goes on.
#[derive(Default)]
struct Progress {
    observations: AtomicU64,
    conforming: AtomicU64,
    doubtful: AtomicU64,
    changes: AtomicU64,
    accusations: AtomicU64,
}

/// Soaks until this many observations are made, and prints what came of it.
#[tokio::main]
pub async fn run(wanted: u64, seed: u64) -> ExitCode {
    println!("seed {seed}, {wanted} observations");
    let came = match soak(wanted, seed).await {
        Ok(came) => came,
        Err(error) => {
            println!("BROKEN {error:#}\n0 passed, 1 failed");
            return ExitCode::FAILURE;
        }
    };
    let failed = came.iter().filter(|(_, is_so)| !is_so).count();
    for (claim, is_so) in &came {
        println!("{} {claim}", if *is_so { "ok    " } else { "FAILED" });
    }
    println!("{} passed, {failed} failed", came.len() - failed);
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn soak(wanted: u64, seed: u64) -> anyhow::Result<Vec<(String, bool)>> {
    let world = World::new(seed);
    let program = this_program()?;
    let network = Network::Enforcing(Setting::default());
    let lab = LabCluster::start(world.scene()?, program, &network).await?;
    let families = [Family::IPv4, Family::IPv6];
    let rounds = families.map(|family| Rounds::new(lab.stages(), Some(family)));
    let progress = Arc::new(Progress::default());
    let began = Instant::now();
    let (enough, until) = watch::channel(false);
    let changing = tokio::spawn(change(lab, world, Arc::clone(&progress), until));
    let attempting =
        rounds.map(|rounds| tokio::spawn(attempt(rounds, wanted, Arc::clone(&progress))));
    let telling = tokio::spawn({
        let progress = Arc::clone(&progress);
        async move {
            loop {
                tokio::time::sleep(TOLD).await;
                println!("{}", progress.line(began));
            }
        }
    });
    let mut accused = Vec::new();
    let mut attempted = Vec::new();
    for attempting in attempting {
        let (rounds, said) = attempting.await?;
        attempted.push(rounds);
        accused.extend(said.said);
    }
    telling.abort();
    println!("{}", progress.line(began));
    enough.send_replace(true);
    let (lab, world, mut followed) = changing.await??;
    followed.sort();
    let median = followed.get(followed.len() / 2).copied().unwrap_or_default();
    let slowest = followed.last().copied().unwrap_or_default();
    println!("nodes followed changes after {median:?} at the median, {slowest:?} at most");
    for said in &accused {
        println!("FALSE {said}");
    }
    let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let (observations, conforming) = (count(&progress.observations), count(&progress.conforming));
    let found = is_found_out(lab, world, attempted).await?;
    Ok(vec![
        (
            format!("{} false leaks or blocked in {observations} observations", accused.len()),
            accused.is_empty(),
        ),
        (format!("{conforming} observations were conclusive"), 2 * conforming > observations),
        (format!("in the end, a network that enforces nothing shows {found} leaks"), found > 0),
    ])
}

/// Changes something every now and then, until told to end. Returns how long the nodes took to
/// follow each change.
async fn change(
    mut lab: LabCluster,
    mut world: World,
    progress: Arc<Progress>,
    mut until: watch::Receiver<bool>,
) -> anyhow::Result<(LabCluster, World, Vec<Duration>)> {
    let mut followed = Vec::new();
    loop {
        let pause = Duration::from_millis(world.draw(BETWEEN));
        tokio::select! {
            _ = until.wait_for(|enough| *enough) => return Ok((lab, world, followed)),
            () = tokio::time::sleep(pause) => {}
        }
        let what = world.change();
        let scene = world.scene().with_context(|| what.clone())?;
        lab.change(scene).await.with_context(|| what.clone())?;
        let told = Instant::now();
        lab.in_force().await.with_context(|| what)?;
        followed.push(told.elapsed());
        progress.changes.fetch_add(1, Ordering::Relaxed);
    }
}

/// Attempts everything over and over, until all tasks together have made enough observations.
async fn attempt(mut rounds: Rounds, wanted: u64, progress: Arc<Progress>) -> (Rounds, Accused) {
    let mut accused = Accused::default();
    let mut before = Tally::default();
    while progress.observations.load(Ordering::Relaxed) < wanted {
        rounds.attempt_all().await;
        accused.note(&rounds);
        let now = rounds.book.tally();
        for (counter, more) in [
            (&progress.observations, now.observations - before.observations),
            (&progress.conforming, now.conforming - before.conforming),
            (&progress.doubtful, now.doubtful - before.doubtful),
        ] {
            counter.fetch_add(more, Ordering::Relaxed);
        }
        before = now;
        progress.accusations.fetch_max(accused.said.len() as u64, Ordering::Relaxed);
    }
    (rounds, accused)
}

/// How many leaks are found once the network enforces nothing: zero would mean that the soak sees
/// none.
async fn is_found_out(
    mut lab: LabCluster,
    mut world: World,
    mut rounds: Vec<Rounds>,
) -> anyhow::Result<usize> {
    world.deny_all();
    lab.change(world.scene()?).await?;
    lab.in_force().await?;
    for rounds in &mut rounds {
        rounds.judge(Duration::from_secs(20)).await;
        ensure!(rounds.book.ledger().wrong().is_empty(), "what denies everything is no leak");
    }
    lab.fail("ignores-all".parse()?).await?;
    let mut found = 0;
    for rounds in &mut rounds {
        rounds.judge(Duration::from_secs(20)).await;
        found += rounds.book.ledger().wrong().len();
    }
    Ok(found)
}

impl Progress {
    fn line(&self, began: Instant) -> String {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let elapsed = began.elapsed().as_secs_f64();
        let observations = count(&self.observations);
        #[allow(clippy::cast_precision_loss, reason = "a rate for people")]
        let rate = observations as f64 / elapsed;
        format!(
            "{elapsed:6.1} s: {observations} observations, {rate:.0} a second; {} conclusive, {} doubtful at first; {} changes; {} false verdicts",
            count(&self.conforming),
            count(&self.doubtful),
            count(&self.changes),
            count(&self.accusations),
        )
    }
}
