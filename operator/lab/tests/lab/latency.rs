//! How fast a network follows, as measured by attempts, compared with what the node itself says.

use std::time::Duration;

use anyhow::{Context, ensure};
use netproof_lab::{change_latency::follow, cluster::LabCluster, scene::Scene};
use netproof_policy_agent::setting::Setting;
use serde_json::json;
use tokio::time::Instant;

use crate::objects::{deny, lab, pod, scene};

pub const CLAIM: &str = "the latency of a change is measured to 50 ms";

const EXACT: Duration = Duration::from_millis(50);

/// The delays that the node is given, in milliseconds.
const DELAYS: [u64; 4] = [0, 100, 250, 500];

/// How many changes are measured with each delay.
const CHANGES: usize = 8;

/// The node of the pod that the changes are about.
const NODE: usize = 1;

pub async fn check() -> anyhow::Result<()> {
    let open = [pod("near", "node-1", None), pod("far", "node-2", None)];
    let mut denied = open.to_vec();
    denied.push(deny(&json!({"matchLabels": {"app": "far"}})));
    let scenes = [scene(&denied)?, scene(&open)?];
    let mut lab = lab(&open, "").await?;
    let mut errors = Vec::new();
    for delay in DELAYS {
        let setting = if delay == 0 { String::new() } else { format!("slow={delay}ms") };
        lab.fail(setting.parse::<Setting>()?).await?;
        for scene in scenes.iter().cycle().take(CHANGES) {
            let (measured, truth) = change(&mut lab, scene.clone()).await?;
            ensure!(truth >= Duration::from_millis(delay), "{truth:?} is sooner than {delay} ms");
            errors.push((measured.abs_diff(truth), delay, measured, truth));
        }
    }
    errors.sort();
    let median = errors[errors.len() / 2].0;
    let (worst, delay, measured, truth) = errors.last().context("there are changes")?;
    println!(
        "       {} changes: measured within {median:?} at the median, {worst:?} at most (slow={delay}ms: {measured:?} for {truth:?})",
        errors.len()
    );
    ensure!(*worst <= EXACT, "{worst:?} is not within {EXACT:?}");
    Ok(())
}

/// How long the network took to follow a change: as measured by attempts, and as the node says.
async fn change(lab: &mut LabCluster, scene: Scene) -> anyhow::Result<(Duration, Duration)> {
    let stages = lab.stages();
    let before = stages.borrow().clone();
    let script = lab.scripts()[NODE].clone();
    lab.change(scene).await?;
    let (now, told) = (stages.borrow().clone(), lab.told());
    let within = Duration::from_secs(3);
    let (timed, in_force) = tokio::join!(follow(&before, &now, told, within), async {
        loop {
            let new = lab.scripts()[NODE].clone();
            if new.is_some() && new != script {
                return Instant::now();
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
    let [timed] = timed.as_slice() else { anyhow::bail!("{timed:?} is not one flow") };
    Ok((timed.latency.context("the network did not follow")?, in_force - told))
}
