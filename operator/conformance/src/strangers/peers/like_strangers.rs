//! Strangers of whom the same is said, in words.

use std::collections::BTreeSet;

use super::homes::StrangerNamespace;
use crate::{
    select::Labels,
    strangers::{
        addresses::{self, Range},
        grouped, labels,
    },
};

/// Strangers of whom the same is said.
#[derive(Default)]
pub(super) struct LikeStrangers<'a> {
    pub(super) ranges: Vec<Range>,
    pub(super) pods: Vec<(&'a StrangerNamespace, &'a Labels)>,
}

impl LikeStrangers<'_> {
    /// The strangers in words. `ranges` are all ranges of addresses, and `kinds` is how many kinds
    /// of pods each namespace has.
    pub(super) fn words(&self, ranges: &[Range], kinds: usize) -> Vec<String> {
        let mut words = addresses::words(&self.ranges, ranges);
        if self.ranges.is_empty() {
            words.clear();
        }
        let by_home = grouped(
            self.pods.iter().map(|(home, labels)| ((!home.is_own, home.words.clone()), *labels)),
        );
        let mut homes: Vec<(&StrangerNamespace, BTreeSet<String>)> = Vec::new();
        for ((_, name), all) in by_home {
            let Some((home, _)) = self.pods.iter().find(|(home, _)| home.words == name) else {
                continue;
            };
            homes.push((home, pods_in_words(&all, kinds)));
        }
        // A namespace that has more labels than one of which the same is said tells nothing more.
        let says_less = |home: &StrangerNamespace, pods: &BTreeSet<String>| {
            homes.iter().any(|(other, others)| {
                other.words != home.words
                    && pods == others
                    && is_general(other)
                    && is_general(home)
                    && labels::includes(of(home), of(other))
                    && of(home) != of(other)
            })
        };
        for (home, pods) in &homes {
            if !says_less(home, pods) {
                words.extend(pods.iter().map(|pods| format!("{pods} {}", home.words)));
            }
        }
        words
    }
}

/// Whether it stands for all namespaces with its labels that are not among the objects.
fn is_general(home: &StrangerNamespace) -> bool {
    !home.is_own && home.words.starts_with("in namespaces labelled")
        || home.words == "in other namespaces"
}

fn of(home: &StrangerNamespace) -> &Labels {
    static NONE: Labels = Labels::new();
    home.labels[0].as_ref().unwrap_or(&NONE)
}

/// The pods of one namespace in words. Pods with labels that include those of others are told by
/// the others.
fn pods_in_words(all: &[&Labels], kinds: usize) -> BTreeSet<String> {
    if all.len() == kinds {
        return ["pods".to_owned()].into();
    }
    let is_told = |labels: &&&Labels| {
        all.iter()
            .any(|other| !other.is_empty() && *other != **labels && labels::includes(labels, other))
    };
    let told = all.iter().filter(|labels| !is_told(labels)).map(|labels| {
        if labels.is_empty() {
            "pods without such labels".to_owned()
        } else {
            format!("pods labelled {}", labels::words(labels))
        }
    });
    told.collect()
}
