//! Label selectors, and which labels they match.

use std::collections::BTreeSet;

use crate::snapshot::Labels;

/// The label that the API server sets on every namespace, to the namespace's own name
/// (KEP-2161). Whatever a manifest says of it is overwritten.
pub const NAMESPACE_NAME: &str = "kubernetes.io/metadata.name";

/// A label selector: all of its requirements have to hold, so that one without any matches
/// everything. Selectors that ask for the same, in whatever order, are equal.
///
/// The absent selector of the API, which differs from the empty one, is no value of this type:
/// where it may be absent, an enum says what that means.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Selector {
    requirements: BTreeSet<Requirement>,
}

/// One condition on one label, with the meaning that the API's `LabelSelectorRequirement` has.
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
    pub fn matches_namespace(&self, name: &str, labels: Option<&Labels>) -> bool {
        self.matches_by(|key| match key {
            NAMESPACE_NAME => Some(name),
            _ => labels?.get(key).map(String::as_str),
        })
    }

    /// What has to hold.
    pub(crate) fn requirements(&self) -> impl Iterator<Item = &Requirement> {
        self.requirements.iter()
    }

    fn matches_by<'a>(&self, value: impl Fn(&str) -> Option<&'a str>) -> bool {
        self.requirements.iter().all(|requirement| requirement.holds(&value))
    }
}

impl FromIterator<Requirement> for Selector {
    fn from_iter<I: IntoIterator<Item = Requirement>>(requirements: I) -> Self {
        Self { requirements: requirements.into_iter().collect() }
    }
}

impl Requirement {
    /// The label that it is about, and the values that it names.
    pub(crate) fn terms(&self) -> (&str, impl Iterator<Item = &String>) {
        match self {
            Self::In(key, values) | Self::NotIn(key, values) => {
                (key, Some(values).into_iter().flatten())
            }
            Self::Exists(key) | Self::DoesNotExist(key) => (key, None.into_iter().flatten()),
        }
    }

    fn holds<'a>(&self, value: impl Fn(&str) -> Option<&'a str>) -> bool {
        match self {
            Self::In(key, values) => value(key).is_some_and(|value| values.contains(value)),
            Self::NotIn(key, values) => value(key).is_none_or(|value| !values.contains(value)),
            Self::Exists(key) => value(key).is_some(),
            Self::DoesNotExist(key) => value(key).is_none(),
        }
    }
}
