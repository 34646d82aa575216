//! All that policies can tell pods apart by: the label keys and values, the port names and the
//! ranges of addresses that they mention. What none mentions makes no difference.

use std::collections::HashMap;

use super::blocks::Blocks;
use crate::select::Selector;

/// The mentioned values of one label key.
#[derive(Clone, Debug)]
pub(super) struct LabelTerms {
    /// The key itself: keys and values are numbered together, from 0.
    pub(super) number: u32,
    /// The numbers of its values. Every other value has the number of the key.
    pub(super) values: HashMap<String, u32>,
}

/// What is mentioned, by numbers.
#[derive(Clone, Debug, Default)]
pub(super) struct Terms {
    pub(super) keys: HashMap<String, LabelTerms>,
    pub(super) names: HashMap<String, u32>,
    pub(super) blocks: Blocks,
    /// How many numbers keys and values have taken.
    labels: u32,
}

impl Terms {
    /// Takes in a selector of pods.
    pub(super) fn mention(&mut self, selector: &Selector) {
        for requirement in selector.requirements() {
            let (key, values) = requirement.terms();
            if !self.keys.contains_key(key) {
                // The key's number stands for values that nobody mentions, too.
                let key_of = LabelTerms { number: self.labels, values: HashMap::new() };
                self.labels += 1;
                self.keys.insert(key.to_owned(), key_of);
            }
            let Some(known) = self.keys.get_mut(key) else { continue };
            for value in values {
                if !known.values.contains_key(value) {
                    known.values.insert(value.clone(), self.labels);
                    self.labels += 1;
                }
            }
        }
    }

    /// Whether nothing in a selector is new.
    pub(super) fn knows(&self, selector: &Selector) -> bool {
        selector.requirements().all(|requirement| {
            let (key, mut values) = requirement.terms();
            self.keys
                .get(key)
                .is_some_and(|known| values.all(|value| known.values.contains_key(value)))
        })
    }

    /// The number of a port's name.
    pub(super) fn name(&mut self, name: &str) -> u32 {
        let next = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
        *self.names.entry(name.to_owned()).or_insert(next)
    }

    /// How many keys and values there are.
    pub(super) fn labels(&self) -> usize {
        self.labels as usize
    }
}

impl LabelTerms {
    /// The number of a value: its own, or the key's where nobody mentions it.
    pub(super) fn value(&self, value: &str) -> u32 {
        self.values.get(value).copied().unwrap_or(self.number)
    }
}
