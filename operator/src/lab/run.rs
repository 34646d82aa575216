//! `netproof lab`: from files to a verdict.

use std::{
    io::{self, Write},
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use netproof_conformance::flow::Family;
use netproof_policy_agent::fault::Fault;

use super::{
    cluster::LabCluster,
    diagnose::{explain, manner, ruled_out_by},
    enter::enter,
    objects::Objects,
    rounds::Rounds,
    scene::{IpFamilies, Pace, Scene, Setup},
    verdict::{LabVerdict, OfFamily},
    watch::Watched,
};
use crate::{
    args::lab::{LabArgs, LabFormat},
    offline::{
        outcome::Outcome,
        world::{Notes, tell},
    },
};

/// How long flows may take to be judged.
const PATIENCE: Duration = Duration::from_secs(60);

/// Between two rounds of a watch.
const INTERVAL: Duration = Duration::from_secs(1);

/// The namespace of objects that name none.
const DEFAULT_NAMESPACE: &str = "default";

/// Does what the arguments say.
pub fn run(args: &LabArgs) -> anyhow::Result<Outcome> {
    if args.list_faults {
        return list_faults();
    }
    if args.watch && args.files.contains(&PathBuf::from("-")) {
        bail!("standard input cannot be watched: name files or directories by -f");
    }
    enter()?;
    carry_out(args)
}

fn list_faults() -> anyhow::Result<Outcome> {
    let mut out = io::stdout().lock();
    for fault in Fault::ALL {
        writeln!(out, "{:30}{}", fault.to_string(), fault.claim())?;
    }
    Ok(Outcome::Fine)
}

#[tokio::main(worker_threads = 2)]
async fn carry_out(args: &LabArgs) -> anyhow::Result<Outcome> {
    let began = Instant::now();
    let scene = scene(args, Notes::unless(args.quiet))?;
    let program = std::env::current_exe().context("finding this program's own file")?;
    for pod in &scene.left_out {
        tell(format_args!("note: left out, as it has no network of its own: pod {pod}"));
    }
    let families = families(args, &scene);
    let mut lab = LabCluster::start(scene, program, &args.network).await?;
    let mut rounds: Vec<Rounds> =
        families.iter().map(|family| Rounds::new(lab.stages(), *family)).collect();
    let verdict = judge(&mut rounds, began).await;
    print(args, &verdict)?;
    if args.watch {
        watch(args, &mut lab, &mut rounds, verdict).await
    } else {
        Ok(verdict.outcome())
    }
}

/// Reads the files and sets them up.
fn scene(args: &LabArgs, notes: Notes) -> anyhow::Result<Scene> {
    let objects = Objects::read(&args.files, DEFAULT_NAMESPACE, notes)?;
    let setup = Setup {
        pace: Pace {
            timeout: args.timeout.into(),
            settle: args.settle.into(),
            confirm: usize::from(args.confirm),
        },
        nodes: usize::from(args.nodes),
        families: args.ip.into(),
        ports: Vec::new(),
        outside: Vec::new(),
    };
    Scene::of(&objects, args.test.as_deref(), setup)
}

/// The families that are attempted: those that any two pods share.
fn families(args: &LabArgs, scene: &Scene) -> Vec<Option<Family>> {
    let of = |family| {
        let has = |pod: &&super::scene::LabPod| {
            pod.addresses.iter().any(|address| Family::of(*address) == family)
        };
        scene.pods.iter().filter(has).count() > 1
    };
    let families: Vec<_> =
        [Family::IPv4, Family::IPv6].into_iter().filter(|family| of(*family)).map(Some).collect();
    let fails_on_v6 = args.network.has(Fault::IgnoresIpv6);
    if fails_on_v6 && !families.contains(&Some(Family::IPv6)) {
        let hint = if IpFamilies::from(args.ip) == IpFamilies::V4 { ": try --ip dual" } else { "" };
        tell(format_args!("note: no two pods have IPv6, so that nothing will show{hint}"));
    }
    families
}

/// Attempts everything until it is judged, and asks what goes wrong.
async fn judge(rounds: &mut [Rounds], began: Instant) -> LabVerdict {
    for rounds in rounds.iter_mut() {
        rounds.judge(PATIENCE).await;
    }
    let diagnosis = explain(rounds).await;
    let manner = manner(rounds);
    let mut families: Vec<OfFamily> = rounds.iter().map(OfFamily::of).collect();
    if let Some(last) = families.last_mut() {
        last.tell(diagnosis.clone(), ruled_out_by(&diagnosis, rounds), manner);
    }
    LabVerdict { families, diagnosis, manner, took: began.elapsed() }
}

fn print(args: &LabArgs, verdict: &LabVerdict) -> anyhow::Result<()> {
    let text = match args.output {
        LabFormat::Text => verdict.text(),
        LabFormat::Json => format!("{}\n", verdict.json(&args.network.to_string())),
    };
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}

/// Goes on until it is interrupted: follows changes of the files, and tells each change of the
/// verdict.
async fn watch(
    args: &LabArgs,
    lab: &mut LabCluster,
    rounds: &mut [Rounds],
    mut told: LabVerdict,
) -> anyhow::Result<Outcome> {
    let mut files = Watched::new(&args.files);
    loop {
        tokio::select! {
            interrupted = tokio::signal::ctrl_c() => {
                interrupted.context("waiting for an interruption")?;
                return Ok(told.outcome());
            }
            () = tokio::time::sleep(INTERVAL) => {}
            () = files.changed() => {
                match scene(args, Notes::Hidden) {
                    Ok(scene) => {
                        tell(format_args!("The files have changed"));
                        lab.change(scene).await?;
                    }
                    // What was wrong was told; what was there before stays there.
                    Err(error) => tell(format_args!("error: {error:#}; the lab stays as it was")),
                }
            }
        }
        let verdict = judge(rounds, Instant::now()).await;
        if !verdict.says_the_same(&told) {
            print(args, &verdict)?;
        }
        told = verdict;
    }
}
