//! A connection that exists when policies begin to deny it: cut by a network that keeps its
//! policies, and kept by one with the fault that is called so.

use netproof_lab::{cluster::LabCluster, existing, rounds::Rounds, scene::Scene};
use netproof_policy_agent::setting::Setting;
use netproof_rounds::measurements::existing::Fate;

use crate::cell::Named;

/// Holds a connection under the fault that is in force, and one under none. None where the case has
/// no flow that shows it.
pub async fn check(
    cluster: &mut LabCluster,
    scene: &Scene,
    rounds: &[Rounds],
) -> anyhow::Result<Result<Option<Named>, String>> {
    let Some(cell) = rounds.iter().find_map(existing::candidate) else { return Ok(Ok(None)) };
    let with_fault = existing::fate(cluster, &cell).await?;
    cluster.fail(Setting::default()).await?;
    cluster.change(scene.clone()).await?;
    cluster.in_force().await?;
    let without = existing::fate(cluster, &cell).await?;
    cluster.change(scene.clone()).await?;
    cluster.in_force().await?;
    Ok(match (with_fault, without) {
        (Fate::Survives, Fate::Cut(_)) => Ok(Some(Named::Alone)),
        // Without a policy there, nothing is known of the connection to be kept or cut by.
        (Fate::Unknown(_), _) | (_, Fate::Unknown(_)) => Ok(None),
        (with_fault, without) => Err(format!("{cell}: {with_fault:?}; without it {without:?}")),
    })
}
