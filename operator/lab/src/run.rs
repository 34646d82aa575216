//! `netproof lab`: from files to a verdict.

use std::{
    io::{self, Write},
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use netproof_conformance::{
    flow::Family,
    matrix::{Actor, Cell},
};
use netproof_policy_agent::fault::Fault;
use tokio::signal::unix::{SignalKind, signal};

use super::{
    change_latency::follow,
    cluster::{LabCluster, Network},
    diagnose::{explain, manner, ruled_out_by},
    fault_targets::FaultTargets,
    new_pod::{Attempting, PACE},
    objects::LabObjects,
    process::this_program,
    rounds::Rounds,
    scene::{IpFamilies, LabPace, LabPod, Scene, Setup},
    stage::Stage,
    trials::{existing, how_they_started, start_up},
    user_namespace::enter,
    verdict::{Conclusion, LabVerdict, OfFamily},
    watched_files::WatchedFiles,
};
use netproof_manifests::notes::{Notes, tell};
use netproof_rounds::measurements::start_up::ObservedStart;

/// How long flows may take to be judged.
const PATIENCE: Duration = Duration::from_secs(60);

/// The time between two rounds of a watch.
const INTERVAL: Duration = Duration::from_secs(1);

/// The namespace of objects that name none.
const DEFAULT_NAMESPACE: &str = "default";

/// What is put into the lab, and how the lab is to behave.
#[derive(Clone, Debug)]
pub struct LabSettings {
    /// Files, directories, or `-` for standard input.
    pub files: Vec<PathBuf>,
    /// The name of the `ConnectivityTest` to carry out; to be given if there are several.
    pub test: Option<String>,
    /// What enforces the policies, and with which faults.
    pub network: Network,
    /// Whether the lab follows the files, and tells each change of the verdict.
    pub watch: bool,
    /// How many nodes there are, if the objects name none.
    pub nodes: usize,
    /// The families of the addresses that pods get if the objects give them none.
    pub families: IpFamilies,
    /// Timeouts and patience of the lab.
    pub pace: LabPace,
    /// Whether starts are not tried, by which a new pod is seen to be isolated from its first
    /// instant.
    pub no_start_up: bool,
    /// The form in which the verdict is told.
    pub output: Output,
    /// Whether notes about how the objects were read are told.
    pub notes: Notes,
}

/// The form in which the verdict is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// The matrix and a sentence for each finding.
    Text,
    /// One object with the matrix, the findings and the diagnosis.
    Json,
}

/// Puts the objects of files onto a network, judges it, and prints the verdict. To be called before
/// the process has a second thread; with `watch` it ends with an interruption or an error.
pub fn run(settings: &LabSettings) -> anyhow::Result<Conclusion> {
    if settings.watch && settings.files.contains(&PathBuf::from("-")) {
        bail!("standard input cannot be watched: name files or directories by -f");
    }
    enter()?;
    carry_out(settings)
}

/// Writes a line for each fault to standard output: its name, and what a network with it is like.
pub fn list_faults() -> io::Result<()> {
    let mut out = io::stdout().lock();
    for fault in Fault::ALL {
        writeln!(out, "{:30}{}", fault.to_string(), fault.claim())?;
    }
    Ok(())
}

#[tokio::main(worker_threads = 2)]
async fn carry_out(settings: &LabSettings) -> anyhow::Result<Conclusion> {
    let began = Instant::now();
    let scene = scene(settings, settings.notes, Vec::new())?;
    let program = this_program()?;
    for pod in &scene.left_out {
        tell(format_args!("note: left out, as it has no network of its own: pod {pod}"));
    }
    let aim = FaultTargets { scene: &scene, watches: settings.watch };
    aim.check(&settings.network)?;
    for note in aim.notes(&settings.network) {
        tell(format_args!("note: {note}"));
    }
    let families = families(&scene);
    let mut lab = LabCluster::start(scene, program, &settings.network).await?;
    let mut rounds: Vec<Rounds> =
        families.iter().map(|family| Rounds::new(lab.stages(), *family)).collect();
    let mut verdict = judge(&mut rounds, began).await;
    if settings.watch {
        print(settings, &verdict)?;
        return watch(settings, &mut lab, &mut rounds, verdict).await;
    }
    if !settings.no_start_up {
        verdict.start(start_up(&mut lab, &rounds).await?);
    }
    if let Some(fate) = existing(&mut lab, &rounds).await? {
        verdict.existing(&fate);
    }
    print(settings, &verdict)?;
    Ok(verdict.conclusion())
}

/// Reads the files into a scene, in which pods of `before` keep their nodes and addresses.
fn scene(settings: &LabSettings, notes: Notes, before: Vec<LabPod>) -> anyhow::Result<Scene> {
    let objects = LabObjects::read(&settings.files, DEFAULT_NAMESPACE, notes)?;
    let setup = Setup {
        pace: settings.pace,
        nodes: settings.nodes,
        families: settings.families,
        ports: Vec::new(),
        outside: Vec::new(),
        before,
    };
    Scene::of(&objects, settings.test.as_deref(), setup)
}

/// The families that are attempted: those in which a pod can attempt something.
fn families(scene: &Scene) -> Vec<Option<Family>> {
    let families = [Family::IPv4, Family::IPv6].into_iter();
    families.filter(|family| scene.is_shared(*family)).map(Some).collect()
}

/// Attempts everything until it is judged, and makes a diagnosis.
async fn judge(rounds: &mut [Rounds], began: Instant) -> LabVerdict {
    for rounds in rounds.iter_mut() {
        rounds.judge(PATIENCE).await;
    }
    let diagnosis = explain(rounds).await;
    let manner = manner(rounds);
    let mut families: Vec<OfFamily> = rounds.iter_mut().map(OfFamily::of).collect();
    if let Some(last) = families.last_mut() {
        last.tell(diagnosis.clone(), ruled_out_by(&diagnosis, rounds), manner);
    }
    let took = began.elapsed();
    let unspoken = rounds.first().map(|rounds| rounds.whole().unspoken.clone());
    let unspoken = unspoken.unwrap_or_default();
    LabVerdict { families, unspoken, diagnosis, manner, start_ups: Vec::new(), took }
}

fn print(settings: &LabSettings, verdict: &LabVerdict) -> anyhow::Result<()> {
    let text = match settings.output {
        Output::Text => verdict.text(),
        Output::Json => format!("{}\n", verdict.json(&settings.network.to_string())),
    };
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}

/// Follows the files until an interruption, whatever is under way then.
async fn watch(
    settings: &LabSettings,
    lab: &mut LabCluster,
    rounds: &mut [Rounds],
    told: LabVerdict,
) -> anyhow::Result<Conclusion> {
    let interruption = "waiting for an interruption";
    let mut interrupted = signal(SignalKind::interrupt()).context(interruption)?;
    let mut conclusion = told.conclusion();
    tokio::select! {
        _ = interrupted.recv() => {}
        failed = follow_files(settings, lab, rounds, told, &mut conclusion) => failed?,
    }
    Ok(conclusion)
}

/// Follows changes of the files, and tells each change of the verdict. Ends only with an error.
async fn follow_files(
    settings: &LabSettings,
    lab: &mut LabCluster,
    rounds: &mut [Rounds],
    mut told: LabVerdict,
    conclusion: &mut Conclusion,
) -> anyhow::Result<()> {
    let mut files = WatchedFiles::new(&settings.files);
    let mut start_ups = Vec::new();
    loop {
        tokio::select! {
            () = tokio::time::sleep(INTERVAL) => {}
            () = files.changed() => {
                let before = lab.stages().borrow().scene.pods.clone();
                match scene(settings, Notes::Hidden, before) {
                    Ok(scene) => {
                        tell(format_args!("The files have changed"));
                        start_ups = change(settings, lab, scene, start_ups).await?;
                    }
                    // The error is told, and the lab stays as it was.
                    Err(error) => tell(format_args!("error: {error:#}; the lab stays as it was")),
                }
            }
        }
        let mut verdict = judge(rounds, Instant::now()).await;
        verdict.start(start_ups.clone());
        if !verdict.says_the_same(&told) {
            print(settings, &verdict)?;
        }
        *conclusion = verdict.conclusion();
        told = verdict;
    }
}

/// Changes the scene, and tells how fast the network followed. Returns how new pods started: those
/// that came now, and those that came before and are still there.
async fn change(
    settings: &LabSettings,
    lab: &mut LabCluster,
    scene: Scene,
    mut start_ups: Vec<ObservedStart>,
) -> anyhow::Result<Vec<ObservedStart>> {
    let stages = lab.stages();
    let before = Arc::clone(&stages.borrow());
    let may = |_: &Cell, _| !settings.no_start_up;
    let newcomers = lab.change_greeting(scene, &Attempting { pace: PACE, may: &may }).await?;
    let now = Arc::clone(&stages.borrow());
    let within = now.scene.scenario.patience.settle;
    let following = follow(&before, &now, lab.told(), within);
    let (timed, started) = tokio::join!(following, how_they_started(newcomers));
    match timed.iter().map(|timed| timed.latency).collect::<Option<Vec<_>>>() {
        Some(latencies) => {
            if let Some(slowest) = latencies.iter().max() {
                tell(format_args!("The network followed after {} ms", slowest.as_millis()));
            }
        }
        None => tell(format_args!("The network has not followed after {} ms", within.as_millis())),
    }
    let identity = |stage: &Stage, actor: &Actor| {
        let pod = stage.scene.pods.iter().find(|pod| pod.actor == *actor);
        pod.map(|pod| pod.identity.clone())
    };
    start_ups.retain(|one| identity(&before, &one.cell.to) == identity(&now, &one.cell.to));
    start_ups.extend(started?);
    Ok(start_ups)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use netproof_conformance::diagnosis::Diagnosis;

    use super::*;

    /// Faults that are in how flows are denied, and in no flow that passes or does not.
    const OF_MANNER: [&str; 3] = ["denies-with-icmp", "denies-with-reset", "keeps-connections"];

    /// What a diagnosis says where it names no fault.
    const OF_NO_FAULT: [&str; 3] = ["combination", "none", "unexplained"];

    #[test]
    fn a_network_can_be_made_to_fail_in_every_way_that_a_diagnosis_names() {
        let named: BTreeSet<&str> = Diagnosis::names().collect();
        let made = Fault::ALL.map(Fault::name);
        let all: BTreeSet<&str> = named.iter().copied().chain(made).collect();
        let only_made: Vec<&str> = all.difference(&named).copied().collect();
        let only_named: Vec<&str> = all.difference(&made.into()).copied().collect();
        assert_eq!((only_made, only_named), (OF_MANNER.into(), OF_NO_FAULT.into()));
    }
}
