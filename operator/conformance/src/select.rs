//! Label selectors, and which labels they match.

use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet},
    hash::{Hash, Hasher},
};

/// Labels of an object, by key.
pub type Labels = BTreeMap<String, String>;

/// The label that the API server sets on every namespace, to the namespace's own name
/// (KEP-2161). Whatever a manifest says of it is overwritten.
pub(crate) const NAMESPACE_NAME: &str = "kubernetes.io/metadata.name";

/// A label selector: all of its requirements have to hold, so that one without any matches
/// everything. Selectors that ask for the same, in whatever order and however it is written, are
/// equal.
///
/// The absent selector of the API, which differs from the empty one, is no value of this type:
/// where it may be absent, an enum says what that means.
///
/// ```
/// use netproof_conformance::select::{Requirement, Selector};
///
/// let is_web = Requirement::In("app".to_owned(), ["web".to_owned()].into());
/// let selector = Selector::from_iter([is_web, Requirement::DoesNotExist("debug".to_owned())]);
/// let label = |key: &str, value: &str| (key.to_owned(), value.to_owned());
/// assert!(selector.matches(&[label("app", "web")].into()));
/// assert!(!selector.matches(&[label("app", "web"), label("debug", "")].into()));
/// assert!(Selector::everything().matches(&[].into()));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Selector {
    requirements: BTreeMap<Requirement, RequirementForm>,
}

/// How an object writes a requirement. It makes no difference to what a selector matches, only to
/// networks that do not read all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RequirementForm {
    /// In `matchLabels`, if perhaps in `matchExpressions` too.
    AsLabel,
    /// In `matchExpressions` alone, which some networks read less well than `matchLabels`.
    AsExpression,
}

/// A condition on one label, with the meaning of the API's `LabelSelectorRequirement`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Requirement {
    /// The key is there, with one of these values. `matchLabels` is this with a single one.
    In(String, BTreeSet<String>),
    /// The key is absent, or has none of these values.
    NotIn(String, BTreeSet<String>),
    /// The key is there; its value may be empty.
    Exists(String),
    /// The key is absent.
    DoesNotExist(String),
}

impl Selector {
    /// The empty selector, which matches everything.
    pub fn everything() -> Self {
        Self::default()
    }

    /// Whether all requirements hold for these labels.
    pub fn matches(&self, labels: &Labels) -> bool {
        self.matches_by(|key| labels.get(key).map(String::as_str))
    }

    /// Whether all requirements hold for the namespace of this name, given its other labels where
    /// they are known.
    pub(crate) fn matches_namespace(&self, name: &str, labels: Option<&Labels>) -> bool {
        self.matches_by(|key| match key {
            NAMESPACE_NAME => Some(name),
            _ => labels?.get(key).map(String::as_str),
        })
    }

    fn matches_by<'a>(&self, value: impl Fn(&str) -> Option<&'a str>) -> bool {
        self.requirements().all(|requirement| requirement.holds(value(requirement.key())))
    }

    /// What has to hold, in the order of their kinds and keys.
    pub fn requirements(&self) -> impl ExactSizeIterator<Item = &Requirement> {
        self.requirements.keys()
    }

    /// The requirements, and how each is written.
    pub(crate) fn written(&self) -> impl ExactSizeIterator<Item = (&Requirement, RequirementForm)> {
        self.requirements.iter().map(|(requirement, written)| (requirement, *written))
    }
}

/// Collects requirements as they are written; one that is written both ways counts as a label.
impl FromIterator<(Requirement, RequirementForm)> for Selector {
    fn from_iter<I: IntoIterator<Item = (Requirement, RequirementForm)>>(written: I) -> Self {
        let mut requirements = BTreeMap::new();
        for (requirement, written) in written {
            match written {
                RequirementForm::AsLabel => {
                    requirements.insert(requirement, written);
                }
                RequirementForm::AsExpression => {
                    requirements.entry(requirement).or_insert(written);
                }
            }
        }
        Self { requirements }
    }
}

/// Collects requirements that no object writes: those that could be labels count as such.
impl FromIterator<Requirement> for Selector {
    fn from_iter<I: IntoIterator<Item = Requirement>>(requirements: I) -> Self {
        let written = |requirement| match &requirement {
            Requirement::In(_, values) if values.len() == 1 => {
                (requirement, RequirementForm::AsLabel)
            }
            Requirement::In(..)
            | Requirement::NotIn(..)
            | Requirement::Exists(_)
            | Requirement::DoesNotExist(_) => (requirement, RequirementForm::AsExpression),
        };
        requirements.into_iter().map(written).collect()
    }
}

impl PartialEq for Selector {
    fn eq(&self, other: &Self) -> bool {
        self.requirements().eq(other.requirements())
    }
}

impl Eq for Selector {}

impl PartialOrd for Selector {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Selector {
    fn cmp(&self, other: &Self) -> Ordering {
        self.requirements().cmp(other.requirements())
    }
}

impl Hash for Selector {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_usize(self.requirements.len());
        self.requirements().for_each(|requirement| requirement.hash(state));
    }
}

impl Requirement {
    /// The key of the label that the requirement is about, and the values that it names.
    pub(crate) fn terms(&self) -> (&str, impl Iterator<Item = &String>) {
        match self {
            Self::In(key, values) | Self::NotIn(key, values) => {
                (key, Some(values).into_iter().flatten())
            }
            Self::Exists(key) | Self::DoesNotExist(key) => (key, None.into_iter().flatten()),
        }
    }

    /// The key of the label that the requirement speaks of.
    pub fn key(&self) -> &str {
        match self {
            Self::In(key, _)
            | Self::NotIn(key, _)
            | Self::Exists(key)
            | Self::DoesNotExist(key) => key,
        }
    }

    /// Whether the requirement holds where the label has this value, or is absent.
    pub fn holds(&self, value: Option<&str>) -> bool {
        match self {
            Self::In(_, values) => value.is_some_and(|value| values.contains(value)),
            Self::NotIn(_, values) => value.is_none_or(|value| !values.contains(value)),
            Self::Exists(_) => value.is_some(),
            Self::DoesNotExist(_) => value.is_none(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::hash::{BuildHasher, RandomState};

    use super::*;

    #[test]
    fn selectors_that_ask_for_the_same_are_equal_however_they_are_written() {
        let is = || Requirement::In("app".to_owned(), BTreeSet::from(["web".to_owned()]));
        let as_written = |written| Selector::from_iter([(is(), written)]);
        let [label, expression] =
            [RequirementForm::AsLabel, RequirementForm::AsExpression].map(as_written);
        let hasher = RandomState::new();
        assert_eq!(label, expression);
        assert_eq!(label.cmp(&expression), Ordering::Equal);
        assert_eq!(hasher.hash_one(&label), hasher.hash_one(&expression));
        assert_ne!(label, Selector::everything());
    }

    #[test]
    fn what_is_written_both_ways_is_a_label() {
        let is = || Requirement::In("app".to_owned(), BTreeSet::from(["web".to_owned()]));
        for ways in [
            [RequirementForm::AsLabel, RequirementForm::AsExpression],
            [RequirementForm::AsExpression, RequirementForm::AsLabel],
        ] {
            let selector: Selector = ways.into_iter().map(|written| (is(), written)).collect();
            assert_eq!(selector.written().collect::<Vec<_>>(), [(&is(), RequirementForm::AsLabel)]);
        }
    }
}
