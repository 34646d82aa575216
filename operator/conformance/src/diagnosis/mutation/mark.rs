//! Labels that no object can have, by which a rewritten policy tells pods apart.

use crate::{pod::Pod, snapshot::Snapshot};

/// Gives pods a label, under a key of its own that is returned. No label's key has a NUL, so that
/// nothing that an object says matches it.
pub(in crate::diagnosis) fn mark(
    snapshot: &mut Snapshot,
    what: &str,
    value: impl Fn(&Pod) -> Option<String>,
) -> String {
    let mut key = format!("\0{what}");
    while snapshot.pods.iter().any(|pod| pod.labels.contains_key(&key)) {
        key.push('+');
    }
    let values: Vec<_> = snapshot.pods.iter().map(value).collect();
    for (pod, value) in snapshot.pods.iter_mut().zip(values) {
        if let Some(value) = value {
            pod.labels.insert(key.clone(), value);
        }
    }
    key
}
