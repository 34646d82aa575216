//! A fault about how the policies of one pod add up.

use super::{mark, rewrite::and};
use crate::{pod::Pod, policy::Policy, select::Requirement, snapshot::Snapshot};

/// Lets each policy select only the pods of which it is the newest policy. A policy without a time
/// is older than any that has one; of the same time, the last by name is the newest.
pub(super) fn newest_policy_only(snapshot: &Snapshot) -> Snapshot {
    let newest = |pod: &Pod| {
        let selecting =
            snapshot.policies.iter().enumerate().filter(|(_, policy)| policy.selects(pod));
        let newest = selecting.max_by_key(|(_, policy)| (&policy.created, &policy.name));
        newest.map(|(place, _)| place.to_string())
    };
    let mut mutated = snapshot.clone();
    let key = mark(&mut mutated, "newest", newest);
    for (place, policy) in mutated.policies.iter_mut().enumerate() {
        let only = Requirement::In(key.clone(), [place.to_string()].into());
        *policy = Policy { subjects: and(&policy.subjects, [only]), ..policy.clone() };
    }
    mutated
}
