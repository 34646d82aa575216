//! Faults of memory and of time on a case: the objects before it, and what comes of the change to
//! it.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    time::{Duration, Instant},
};

use anyhow::Context;
use netproof_cases::NetworkCase;
use netproof_conformance::{
    diagnosis::{
        mutation::{Mutation, Past},
        scope::Scope,
    },
    flow::Family,
    snapshot::Snapshot,
    verdict::Verdict,
};
use netproof_lab::{
    cluster::LabCluster,
    diagnose::explain,
    objects::LabObjects,
    rounds::{Rounds, prediction},
    scene::{Scene, Setup},
};
use netproof_policy_agent::{fault::Fault, setting::Setting};
use serde_json::{Value, json};

use crate::cell::{Came, compare, named};

/// How long a fault of time lasts here: long enough to be noticed with certainty, and no longer.
pub const LASTING: Duration = Duration::from_secs(1);

/// How long a network under such a fault is watched.
const WATCHED: Duration = Duration::from_secs(8);

/// The time between two looks at it.
const LOOK: Duration = Duration::from_millis(60);

/// The objects before a case, such that the change to the case shows this fault if anything does;
/// none if the fault is not about changes.
pub fn before(fault: Fault, case: &NetworkCase) -> Option<Vec<Value>> {
    let all = || case.objects();
    match fault.name() {
        "keeps-deleted-policies" | "flapping" => Some(all()),
        "slow" => Some(case.cluster.clone()),
        "stale-pod-labels" => Some(rotated(all(), "Pod", "labels")),
        "stale-namespace-labels" => Some(rotated(all(), "Namespace", "labels")),
        "keeps-dead-addresses" => Some(others(all())),
        "late-isolation" => Some(elsewhere(all())),
        _ => None,
    }
}

/// The objects after the change.
fn after(fault: Fault, case: &NetworkCase) -> Vec<Value> {
    if fault.name() == "keeps-deleted-policies" { case.cluster.clone() } else { case.objects() }
}

/// Objects in which each of a kind has a field of its metadata from the next of the same kind.
fn rotated(mut objects: Vec<Value>, kind: &str, field: &str) -> Vec<Value> {
    let of_kind: Vec<usize> =
        (0..objects.len()).filter(|place| objects[*place]["kind"] == kind).collect();
    let fields: Vec<Value> =
        of_kind.iter().map(|place| objects[*place]["metadata"][field].clone()).collect();
    for (number, place) in of_kind.iter().enumerate() {
        objects[*place]["metadata"][field] = fields[(number + 1) % fields.len()].clone();
    }
    objects
}

/// Other pods at the same addresses, each with the next one's labels, which go with the change.
fn others(objects: Vec<Value>) -> Vec<Value> {
    let mut objects = rotated(objects, "Pod", "labels");
    for object in objects.iter_mut().filter(|object| object["kind"] == "Pod") {
        let name = object["metadata"]["name"].as_str().expect("a name");
        object["metadata"]["name"] = json!(format!("gone-{name}"));
    }
    objects
}

/// Every second pod at another address, so that it goes and comes anew with the change.
fn elsewhere(mut objects: Vec<Value>) -> Vec<Value> {
    let pods = objects.iter_mut().filter(|object| object["kind"] == "Pod");
    for (number, pod) in pods.enumerate().step_by(2) {
        let low = u8::try_from(number + 1).expect("few pods");
        for address in pod["status"]["podIPs"].as_array_mut().into_iter().flatten() {
            let text = address["ip"].as_str().expect("an address");
            address["ip"] = match Family::of(text.parse().expect("an address")) {
                Family::IPv4 => json!(IpAddr::from(Ipv4Addr::new(10, 253, 0, low))),
                Family::IPv6 => {
                    json!(IpAddr::from(Ipv6Addr::new(0xfd00, 0x253, 0, 0, 0, 0, 0, low.into())))
                }
            };
        }
    }
    objects
}

/// What changed or went, for the mutations that remember.
fn past(before: &Snapshot, after: &Snapshot) -> Past {
    let pods: BTreeMap<_, _> = after.pods.iter().map(|pod| (&pod.name, pod)).collect();
    let changed = before
        .pods
        .iter()
        .filter(|pod| pods.get(&pod.name).is_some_and(|now| now.labels != pod.labels));
    let renamed = before
        .namespaces
        .iter()
        .filter(|(name, labels)| after.namespaces.get(*name).is_some_and(|now| now != *labels));
    let deleted = before
        .policies
        .iter()
        .filter(|policy| after.policies.iter().all(|now| now.name != policy.name));
    let gone = before.pods.iter().filter(|pod| !pods.contains_key(&pod.name));
    Past {
        pod_labels: changed.map(|pod| (pod.name.clone(), pod.labels.clone())).collect(),
        namespace_labels: renamed.map(|(name, l)| (name.clone(), l.clone())).collect(),
        deleted_policies: deleted.cloned().collect(),
        gone_pods: gone.cloned().collect(),
    }
}

/// Begins with the objects from before, with the fault in force; then changes to the case.
pub async fn check(
    cluster: &mut LabCluster,
    case: &NetworkCase,
    setup: &Setup,
    families: &[Family],
    fault: Fault,
    was: &[Value],
) -> anyhow::Result<Came> {
    let scene = |objects: &[Value]| -> anyhow::Result<Scene> {
        Scene::of(&LabObjects::from_values(objects, "default")?, None, setup.clone())
    };
    let (old, new) = (scene(was)?, scene(&after(fault, case))?);
    cluster.fail(Setting::default()).await?;
    cluster.change(old.clone()).await?;
    cluster.in_force().await?;
    if fault.name() == "late-isolation" {
        // Pods that are there already must not count as new.
        tokio::time::sleep(LASTING).await;
    }
    let setting: Setting = with_duration(fault).parse().context("a fault is a setting")?;
    cluster.fail(setting).await?;
    let mut rounds: Vec<Rounds> =
        families.iter().map(|family| Rounds::new(cluster.stages(), Some(*family))).collect();
    if fault.name() == "slow" {
        // A late change is only known of flows that were judged before it.
        for rounds in &mut rounds {
            rounds.judge(WATCHED).await;
        }
    }
    cluster.change(new.clone()).await?;
    let (before, truth) = (prediction(&old).snapshot, prediction(&new).snapshot);
    if fault.duration().is_some() {
        return over_time(&mut rounds, fault).await;
    }
    cluster.in_force().await?;
    let mutation = Mutation::named(fault.name()).context("a fault of memory is a mutation")?;
    let faulty = mutation.apply(&truth, &past(&before, &truth));
    let findings = match compare(&mut rounds, &new, &truth, &faulty).await? {
        Ok(findings) => findings,
        Err(wrong) => return Ok(Came::Wrong(wrong)),
    };
    let diagnosis = explain(&mut rounds).await;
    Ok(match named(fault, &Scope::Cluster, &diagnosis, findings) {
        Ok(named) => Came::Right { findings, named },
        Err(why) => Came::Wrong(vec![why]),
    })
}

fn with_duration(fault: Fault) -> String {
    match fault.duration() {
        Some(_) => format!("{}={}ms", fault.name(), LASTING.as_millis()),
        None => fault.name().to_owned(),
    }
}

/// Looks again and again. What goes wrong has to be right in the end, or by turns, and the
/// diagnosis has to name it.
async fn over_time(rounds: &mut [Rounds], fault: Fault) -> anyhow::Result<Came> {
    let deadline = Instant::now() + WATCHED;
    let lasts = Instant::now() + LASTING + Duration::from_millis(600);
    let mut was_wrong = 0;
    loop {
        let (mut open, mut wrong) = (0, 0);
        for rounds in rounds.iter_mut() {
            rounds.judge(LOOK).await;
            for (_, verdict) in rounds.book.ledger().verdicts(netproof_lab::now()).iter() {
                match verdict {
                    Verdict::Leak(_) | Verdict::Blocked(_) => wrong += 1,
                    Verdict::Settling => open += 1,
                    Verdict::Conforms | Verdict::Unspecified(_) | Verdict::Inconclusive(_) => {}
                }
            }
        }
        was_wrong = was_wrong.max(wrong);
        let late = Instant::now() > deadline;
        let by_turns = fault.name() == "flapping" && was_wrong > 0;
        if by_turns || (open + wrong == 0 && Instant::now() > lasts) || late {
            let diagnosis = explain(rounds).await;
            match named(fault, &Scope::Cluster, &diagnosis, was_wrong) {
                Ok(named) => return Ok(Came::Right { findings: was_wrong, named }),
                Err(why) if late || !by_turns => return Ok(Came::Wrong(vec![why])),
                Err(_) => {}
            }
        }
        tokio::time::sleep(LOOK).await;
    }
}
