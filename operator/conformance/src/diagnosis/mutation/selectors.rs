//! Faults about what selectors match.

use super::rewrite::{and, selectors};
use crate::{
    select::{Requirement, RequirementForm},
    snapshot::Snapshot,
};

pub(super) fn ignores_match_expressions(snapshot: &Snapshot) -> Snapshot {
    selectors(snapshot, |selector| {
        let written = selector.written().filter(|(_, how)| *how == RequirementForm::AsLabel);
        written.map(|(requirement, how)| (requirement.clone(), how)).collect()
    })
}

pub(super) fn not_in_needs_key(snapshot: &Snapshot) -> Snapshot {
    selectors(snapshot, |selector| {
        let needed = selector.requirements().filter_map(|requirement| match requirement {
            Requirement::NotIn(key, _) => Some(Requirement::Exists(key.clone())),
            Requirement::In(..) | Requirement::Exists(_) | Requirement::DoesNotExist(_) => None,
        });
        and(selector, needed)
    })
}
