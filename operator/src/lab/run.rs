//! `netproof lab`: from files to a verdict.

use std::{
    io::{self, Write},
    time::{Duration, Instant},
};

use anyhow::Context;
use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};
use netproof_crds::{ConditionStatus, ConditionType, LastRound};
use netproof_policy_agent::fault::Fault;

use super::{
    cluster::LabCluster,
    enter::enter,
    objects::Objects,
    rounds::Rounds,
    scene::{Pace, Scene, Setup},
};
use crate::{
    args::lab::LabArgs,
    offline::{outcome::Outcome, world::Notes},
    reports::matrix_text,
    status::{Phase, View},
};

/// How long flows may take to be judged.
const PATIENCE: Duration = Duration::from_secs(60);

/// The namespace of objects and ends that name none.
const DEFAULT_NAMESPACE: &str = "default";

/// Does what the arguments say.
pub fn run(args: &LabArgs) -> anyhow::Result<Outcome> {
    if args.list_faults {
        return list_faults();
    }
    enter()?;
    once(args)
}

fn list_faults() -> anyhow::Result<Outcome> {
    let mut out = io::stdout().lock();
    for fault in Fault::ALL {
        writeln!(out, "{:28}{}", fault.to_string(), fault.claim())?;
    }
    Ok(Outcome::Fine)
}

#[tokio::main(worker_threads = 2)]
async fn once(args: &LabArgs) -> anyhow::Result<Outcome> {
    let began = Instant::now();
    let notes = Notes::unless(args.quiet);
    let objects = Objects::read(&args.files, DEFAULT_NAMESPACE, notes)?;
    let pace = Pace {
        timeout: args.timeout.into(),
        settle: args.settle.into(),
        confirm: usize::from(args.confirm),
    };
    let setup = Setup {
        pace,
        nodes: usize::from(args.nodes),
        families: args.ip.into(),
        ports: Vec::new(),
        outside: Vec::new(),
    };
    let scene = Scene::of(&objects, args.test.as_deref(), setup)?;
    let wanted = scene.stand_ins.len();
    let program = std::env::current_exe().context("finding this program's own file")?;
    let cluster = LabCluster::start(scene, program, &args.network).await?;
    let ready = began.elapsed();
    let round_began = Instant::now();
    let mut rounds = Rounds::new(cluster.stages(), None);
    rounds.judge(PATIENCE).await;
    let took = round_began.elapsed();
    let view = View {
        generation: 1,
        phase: Phase::Active,
        once: false,
        details: rounds.details(),
        wanted,
        attached: wanted,
        missing: None,
        last_round: Some(LastRound {
            time: Time(Timestamp::now()),
            duration_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        }),
        stale: None,
    };
    let mut out = io::stdout().lock();
    out.write_all(matrix_text(&view).as_bytes())?;
    writeln!(
        out,
        "ready after {} ms, judged after {} ms",
        ready.as_millis(),
        began.elapsed().as_millis()
    )?;
    Ok(outcome(&view))
}

/// What the Conformant condition says, as an exit code.
fn outcome(view: &View) -> Outcome {
    let conditions = view.conditions();
    let found = conditions.iter().find(|(type_, ..)| *type_ == ConditionType::Conformant);
    match found.map(|(_, status, ..)| *status) {
        Some(ConditionStatus::True) => Outcome::Fine,
        Some(ConditionStatus::False) => Outcome::No,
        Some(ConditionStatus::Unknown) | None => Outcome::CannotTell,
    }
}
