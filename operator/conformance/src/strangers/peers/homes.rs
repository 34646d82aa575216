//! Lists the namespaces that strangers may be in.

use std::collections::BTreeSet;

use super::terms::StrangerTerms;
use crate::{
    select::{Labels, Selector},
    strangers::{
        normal::DirectionPolicies,
        subjects::{ChangedSubject, names_of_namespaces, strange_namespaces},
    },
};

/// A namespace that strangers may be in.
#[derive(Debug)]
pub(super) struct StrangerNamespace {
    pub(super) name: String,
    pub(super) labels: [Option<Labels>; 2],
    pub(super) words: String,
    pub(super) is_own: bool,
}

/// The subject's own namespace, and others such that no selector tells any that is left out from
/// all of them.
pub(super) fn homes(
    sides: &[DirectionPolicies<'_>; 2],
    subject: &ChangedSubject,
    terms: &StrangerTerms<'_>,
    is_complete: &mut bool,
) -> Vec<StrangerNamespace> {
    let own = subject.pods[0].name.namespace.clone();
    let vector = |home: &StrangerNamespace| -> Vec<bool> { matches(terms, home) };
    let mut homes = vec![StrangerNamespace {
        words: format!("in namespace {own}"),
        labels: subject.namespaces.clone(),
        name: own.clone(),
        is_own: true,
    }];
    let mut seen = BTreeSet::new();
    // Namespaces by their labels come first: labels tell more than a name.
    let (strangers, all) = strange_namespaces(sides, terms.namespaces.iter().copied());
    *is_complete &= all;
    let strangers = strangers.into_iter().map(|(name, labels, words)| StrangerNamespace {
        name,
        labels: [Some(labels.clone()), Some(labels)],
        words,
        is_own: false,
    });
    let here = names_of_namespaces(sides).into_iter().map(|name| {
        let labels = [0, 1].map(|n| sides[n].snapshot.namespaces.get(&name).cloned());
        let words = format!("in namespace {name}");
        StrangerNamespace { name, labels, words, is_own: false }
    });
    for home in strangers.chain(here).filter(|home| home.name != own) {
        if seen.insert(vector(&home)) {
            homes.push(home);
        }
    }
    homes
}

pub(super) fn matches(terms: &StrangerTerms<'_>, home: &StrangerNamespace) -> Vec<bool> {
    let of = |one: &&Selector| {
        home.labels
            .iter()
            .map(|labels| one.matches_namespace(&home.name, labels.as_ref()))
            .collect::<Vec<_>>()
    };
    terms.namespaces.iter().flat_map(of).collect()
}
