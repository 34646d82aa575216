//! The nodes that a test with `spread: EveryNode` is meant for, and those of them that take no new
//! stand-in at the moment. These are gaps of the test, and no reason to attempt fewer flows.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{Taint, Toleration};
use netproof_crds::Placement;

use crate::{decode::NodeState, world::ObjectMap};

/// The taint of a cordoned node, which follows the cordon a moment later.
const UNSCHEDULABLE: &str = "node.kubernetes.io/unschedulable";

/// Prefixes of taints that tell the state of a node, not that it is reserved for some workloads.
const PASSING: [&str; 4] = [
    "node.kubernetes.io/",
    "node.cloudprovider.kubernetes.io/",
    "ToBeDeletedByClusterAutoscaler",
    "DeletionCandidateOfClusterAutoscaler",
];

/// A node that the test is meant for and that takes no stand-in at the moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uncovered {
    /// The name of the Node object.
    pub node: String,
    /// Why it takes none, for people.
    pub why: String,
}

/// The nodes that a test is meant for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Meant {
    /// The names of all of them.
    pub nodes: Vec<String>,
    /// Those of them that take no stand-in at the moment.
    pub uncovered: Vec<Uncovered>,
}

/// Works out which nodes a test is meant for. A node with a taint that the test does not tolerate,
/// and that does not tell the node's state, is not among them, unless it is in `before`, the nodes
/// that the test was meant for last: a later taint does not end what runs there.
pub fn meant(
    placement: &Placement,
    nodes: &ObjectMap<NodeState>,
    before: &BTreeSet<String>,
) -> Meant {
    let mut meant = Meant::default();
    for (name, node) in nodes.iter().filter_map(|(n, read)| Some((n, read.meaning.as_ref().ok()?)))
    {
        let selector = &placement.node_selector;
        if !selector.iter().all(|(key, value)| node.labels.get(key) == Some(value)) {
            continue;
        }
        let in_the_way = in_the_way(node, &placement.tolerations);
        if in_the_way.iter().any(|taint| !is_passing(taint)) && !before.contains(&name.name) {
            continue;
        }
        meant.nodes.push(name.name.clone());
        if let Some(why) = obstacle(node, &in_the_way) {
            meant.uncovered.push(Uncovered { node: name.name.clone(), why });
        }
    }
    meant
}

/// Why a node takes no stand-in; none if it does.
fn obstacle(node: &NodeState, in_the_way: &[Taint]) -> Option<String> {
    if let Some(why) = &node.not_ready {
        return Some(format!("it is not ready: {why}"));
    }
    if in_the_way.iter().any(|taint| taint.key == UNSCHEDULABLE) {
        return Some("it is cordoned".into());
    }
    let taint = in_the_way.first()?;
    Some(format!(
        "it has the taint {}:{}, which the test does not tolerate",
        taint.key, taint.effect
    ))
}

/// The taints that keep a stand-in with these tolerations from a node.
fn in_the_way(node: &NodeState, tolerations: &[Toleration]) -> Vec<Taint> {
    let cordon = node.cordoned.then(|| Taint {
        key: UNSCHEDULABLE.into(),
        effect: "NoSchedule".into(),
        ..Taint::default()
    });
    let taints = node.taints.iter().cloned().chain(cordon);
    taints.filter(|taint| !tolerated(taint, tolerations)).collect()
}

fn is_passing(taint: &Taint) -> bool {
    PASSING.iter().any(|prefix| taint.key.starts_with(prefix))
}

fn tolerated(taint: &Taint, tolerations: &[Toleration]) -> bool {
    let soft = taint.effect == "PreferNoSchedule";
    soft || tolerations.iter().any(|toleration| {
        let effect = toleration.effect.as_deref().is_none_or(|e| e.is_empty() || e == taint.effect);
        let key = toleration.key.as_deref().is_none_or(|k| k.is_empty() || k == taint.key);
        let value = toleration.operator.as_deref() == Some("Exists")
            || toleration.value.as_deref().unwrap_or_default()
                == taint.value.as_deref().unwrap_or_default();
        effect && key && value
    })
}

#[cfg(test)]
mod tests {
    use netproof_conformance::reference::ObjectRef;

    use super::*;
    use crate::world::Read;

    fn taint(key: &str, effect: &str) -> Taint {
        Taint { key: key.into(), effect: effect.into(), ..Taint::default() }
    }

    fn node(taints: &[Taint]) -> NodeState {
        NodeState { taints: taints.to_vec(), ..NodeState::default() }
    }

    /// How many nodes a test is meant for in a cluster of this one node, and why it does not cover
    /// them.
    fn of(node: NodeState, placement: &Placement, before: &[&str]) -> (usize, Vec<String>) {
        let read = Read { version: "1".into(), meaning: Ok(node) };
        let nodes = [(ObjectRef::of_cluster("n"), read)].into();
        let before = before.iter().map(ToString::to_string).collect();
        let Meant { nodes, uncovered } = meant(placement, &nodes, &before);
        (nodes.len(), uncovered.into_iter().map(|uncovered| uncovered.why).collect())
    }

    fn anywhere(node: NodeState, before: &[&str]) -> (usize, Vec<String>) {
        of(node, &Placement::default(), before)
    }

    fn tolerating(key: &str) -> Placement {
        let toleration = Toleration {
            key: Some(key.into()),
            operator: Some("Exists".into()),
            ..Toleration::default()
        };
        Placement { tolerations: vec![toleration], ..Placement::default() }
    }

    #[test]
    fn a_node_that_takes_the_stand_in_is_covered() {
        assert_eq!(anywhere(node(&[]), &[]), (1, vec![]));
        assert_eq!(anywhere(node(&[taint("x", "PreferNoSchedule")]), &[]), (1, vec![]));
    }

    #[test]
    fn a_cordoned_node_is_a_gap() {
        let cordoned = NodeState { cordoned: true, ..NodeState::default() };
        assert_eq!(anywhere(cordoned.clone(), &[]), (1, vec!["it is cordoned".into()]));
        let tainted = node(&[taint(UNSCHEDULABLE, "NoSchedule")]);
        assert_eq!(anywhere(tainted, &[]), (1, vec!["it is cordoned".into()]));
        assert_eq!(of(cordoned, &tolerating(UNSCHEDULABLE), &[]), (1, vec![]));
    }

    #[test]
    fn a_node_that_is_not_ready_is_a_gap_whatever_is_tolerated() {
        let silent = NodeState {
            not_ready: Some("NodeStatusUnknown".into()),
            ..node(&[taint("node.kubernetes.io/unreachable", "NoExecute")])
        };
        let gap = (1, vec!["it is not ready: NodeStatusUnknown".to_owned()]);
        assert_eq!(anywhere(silent.clone(), &[]), gap);
        assert_eq!(of(silent, &tolerating("node.kubernetes.io/unreachable"), &[]), gap);
    }

    #[test]
    fn a_node_that_is_kept_for_others_was_never_meant() {
        let kept = node(&[taint("node-role.kubernetes.io/control-plane", "NoSchedule")]);
        assert_eq!(anywhere(kept.clone(), &[]), (0, vec![]));
        let silent = NodeState { not_ready: Some("x".into()), cordoned: true, ..kept };
        assert_eq!(anywhere(silent, &[]), (0, vec![]));
    }

    #[test]
    fn a_taint_that_comes_later_makes_a_gap() {
        for effect in ["NoSchedule", "NoExecute"] {
            let (nodes, why) = anywhere(node(&[taint("gpu", effect)]), &["n"]);
            assert_eq!((nodes, why.len()), (1, 1));
            assert!(why[0].contains(&format!("taint gpu:{effect}")), "{why:?}");
        }
    }

    #[test]
    fn a_node_without_the_labels_is_not_meant_even_if_it_was() {
        let selector = [("pool".to_owned(), "a".to_owned())].into();
        let placement = Placement { node_selector: selector, ..Placement::default() };
        assert_eq!(of(node(&[]), &placement, &["n"]), (0, vec![]));
    }
}
