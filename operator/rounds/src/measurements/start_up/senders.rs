//! Chooses the senders that attempt a newcomer.

use std::collections::BTreeMap;

use netproof_conformance::{
    flow::{Port, Protocol},
    matrix::Cell,
};

use crate::engine::round::is_attemptable;

/// Of the denied flows to a newcomer, one from its own node and one from another node where there
/// are such, both to the one port for which most of the two exist; TCP wins a draw. `is_near` says
/// whether a flow's sender is on the newcomer's node, and none of a sender that cannot attempt.
pub fn choose<'a>(
    denied: impl Iterator<Item = &'a Cell>,
    is_near: impl Fn(&Cell) -> Option<bool>,
) -> Vec<Cell> {
    let mut ports: BTreeMap<Port, [Option<&Cell>; 2]> = BTreeMap::new();
    for cell in denied.filter(|cell| is_attemptable(cell.port.protocol)) {
        if let Some(near) = is_near(cell) {
            ports.entry(cell.port).or_default()[usize::from(!near)].get_or_insert(cell);
        }
    }
    let worth = |(port, cells): &(Port, [Option<&Cell>; 2])| {
        (cells.iter().flatten().count(), port.protocol == Protocol::Tcp)
    };
    let best = ports.into_iter().max_by_key(worth);
    best.into_iter().flat_map(|(_, cells)| cells.into_iter().flatten().cloned()).collect()
}
