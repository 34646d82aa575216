//! Combines labels into sets that selectors tell apart.

use std::collections::{BTreeMap, BTreeSet};

use crate::select::{Labels, Requirement, Selector};

/// A value that no selector names.
pub(super) const OTHER: &str = "another-value";

/// How many combinations of labels are tried at most.
const MOST: usize = 2048;

/// Sets of labels, and whether selectors tell all others from none of them.
#[derive(Debug)]
pub(super) struct Combinations {
    /// The combinations, those of the fewest labels first.
    pub(super) all: Vec<Labels>,
    pub(super) is_complete: bool,
}

/// Sets of labels such that any other set is, to these selectors, like one of them. Where there
/// would be too many, labels that the later selectors ask for may be left out.
pub(super) fn combinations<'a>(selectors: impl Iterator<Item = &'a Selector>) -> Combinations {
    let selectors: Vec<&Selector> = selectors.collect();
    let mut options: BTreeMap<&str, BTreeSet<Option<&str>>> = BTreeMap::new();
    let mut is_complete = true;
    for requirement in selectors.iter().flat_map(|selector| selector.requirements()) {
        let before = options.get(requirement.key()).cloned();
        let of_key = options.entry(requirement.key()).or_insert_with(|| [None].into());
        match requirement {
            // To `In`, a value that it does not name is like no label at all.
            Requirement::In(_, values) => {
                of_key.extend(values.iter().map(|value| Some(value.as_str())));
            }
            Requirement::NotIn(_, values) => {
                of_key.extend(values.iter().map(|value| Some(value.as_str())).chain([Some(OTHER)]));
            }
            Requirement::Exists(_) | Requirement::DoesNotExist(_) => {
                of_key.insert(Some(OTHER));
            }
        }
        let count =
            options.values().try_fold(1usize, |count, of_key| count.checked_mul(of_key.len()));
        if count.is_none_or(|count| count > MOST) {
            is_complete = false;
            match before {
                Some(before) => options.insert(requirement.key(), before),
                None => options.remove(requirement.key()),
            };
        }
    }
    let mut all = vec![Labels::new()];
    for (key, values) in options {
        let with = |labels: &Labels| {
            let labels = labels.clone();
            values.iter().map(move |value| {
                let mut labels = labels.clone();
                if let Some(value) = value {
                    labels.insert(key.to_owned(), (*value).to_owned());
                }
                labels
            })
        };
        all = all.iter().flat_map(with).collect();
    }
    // Where not all combinations are tried, those that the selectors ask for are.
    if !is_complete {
        all.extend(selectors.iter().filter_map(|selector| smallest(selector)));
    }
    all.sort_by_key(Labels::len);
    Combinations { all, is_complete }
}

/// The fewest labels that a selector matches, if it matches any.
fn smallest(selector: &Selector) -> Option<Labels> {
    let labels: Labels = selector
        .requirements()
        .filter_map(|requirement| match requirement {
            Requirement::In(key, values) => Some((key.clone(), values.first()?.clone())),
            Requirement::Exists(key) => Some((key.clone(), OTHER.to_owned())),
            Requirement::NotIn(..) | Requirement::DoesNotExist(_) => None,
        })
        .collect();
    selector.matches(&labels).then_some(labels)
}

/// Labels as people write them, joined by commas.
pub(super) fn words(labels: &Labels) -> String {
    let each = labels.iter().map(|(key, value)| match value.as_str() {
        OTHER => format!("{key} with another value"),
        value => format!("{key}={value}"),
    });
    each.collect::<Vec<_>>().join(",")
}

/// Whether one set has all labels that the other has.
pub(super) fn includes(one: &Labels, other: &Labels) -> bool {
    other.iter().all(|(key, value)| one.get(key) == Some(value))
}
