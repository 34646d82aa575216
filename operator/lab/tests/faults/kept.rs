//! Connections that exist when policies begin to deny them: cut by a network that keeps its
//! policies, and kept by one with the fault `keeps-connections`.

use netproof_lab::{cluster::LabCluster, existing, rounds::Rounds, scene::Scene};
use netproof_policy_agent::setting::Setting;
use netproof_rounds::measurements::existing::Fate;

use crate::cell::Named;

/// Holds a connection under the fault that is in force, and one under none. None if the case has no
/// flow that shows the difference.
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
        // Without a policy there, the network keeps no state of the connection to cut it by.
        (Fate::Unknown(_), _) | (_, Fate::Unknown(_)) => Ok(None),
        (with_fault, without) => Err(format!("{cell}: {with_fault:?}; without it {without:?}")),
    })
}
