//! Puts two sets of labels side by side: those that a part of a network remembers of objects,
//! beside those that objects have.

use crate::{
    select::{Labels, NAMESPACE_NAME, Requirement, Selector},
    snapshot::Snapshot,
};

use super::rewrite::selectors;

/// What the keys of remembered labels begin with. No label's key has a NUL.
const ASIDE: &str = "\0aside ";

/// A rewriting of a snapshot, in the labels of that snapshot: where it has given pods or namespaces
/// other labels, those are put under other keys, which its policies then go by. So policies of
/// both can stand in one snapshot. Policies of the cluster go by the labels that objects have.
pub(in crate::diagnosis) fn labels_aside(before: &Snapshot, after: Snapshot) -> Snapshot {
    let has = |labels: &Labels, all: &Labels| {
        all.iter().all(|(key, value)| labels.get(key) == Some(value))
    };
    let mut pods = after.pods.iter().zip(&before.pods);
    let mut namespaces = before.namespaces.iter();
    let are_kept = pods.all(|(after, before)| has(&after.labels, &before.labels))
        && namespaces.all(|(name, labels)| after.namespaces.get(name) == Some(labels));
    if are_kept {
        return after;
    }
    let mut aside = selectors(&after, by_labels_aside);
    for (pod, before) in aside.pods.iter_mut().zip(&before.pods) {
        pod.labels = both(&before.labels, &pod.labels);
    }
    let none = Labels::new();
    for (name, labels) in &mut aside.namespaces {
        *labels = both(before.namespaces.get(name).unwrap_or(&none), labels);
    }
    aside
}

fn both(own: &Labels, remembered: &Labels) -> Labels {
    let aside = remembered.iter().map(|(key, value)| (format!("{ASIDE}{key}"), value.clone()));
    own.clone().into_iter().chain(aside).collect()
}

fn by_labels_aside(selector: &Selector) -> Selector {
    // The label with a namespace's name never changes, so nobody remembers another.
    let aside = |key: &str| match key {
        NAMESPACE_NAME => key.to_owned(),
        _ => format!("{ASIDE}{key}"),
    };
    let all = selector.written().map(|(requirement, written)| {
        let requirement = match requirement {
            Requirement::In(key, values) => Requirement::In(aside(key), values.clone()),
            Requirement::NotIn(key, values) => Requirement::NotIn(aside(key), values.clone()),
            Requirement::Exists(key) => Requirement::Exists(aside(key)),
            Requirement::DoesNotExist(key) => Requirement::DoesNotExist(aside(key)),
        };
        (requirement, written)
    });
    all.collect()
}
