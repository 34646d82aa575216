//! What changed from one picture of the cluster to a later one.
//!
//! A reader sees the newest picture, and not each. A policy that was removed and put back in
//! between leaves both pictures alike, while the network may have followed twice; the journal tells
//! that there were two changes.

use std::collections::{BTreeSet, VecDeque};

/// How many of the last changes are remembered one by one.
const KEPT: usize = 256;

/// The changes of what policies mean, the newest last.
#[derive(Clone, Debug, Default)]
pub struct Journal {
    /// How many changes there were in all.
    count: u64,
    /// The last [`KEPT`] of them.
    last: VecDeque<Touched>,
}

/// The flows that a change may concern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Touched {
    /// Flows with an end in this namespace: a `NetworkPolicy` applies to pods of its own namespace,
    /// and labels of a namespace are asked of its pods.
    Namespace(String),
    /// All flows: a policy of the cluster may apply to any pod.
    Everything,
}

/// What two pictures do not tell of the time between them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Unseen {
    /// Nothing: there was one change at most, and the pictures are before and after it.
    #[default]
    Nothing,
    /// There may have been pictures in between, by which flows with an end in these namespaces were
    /// expected otherwise.
    Namespaces(BTreeSet<String>),
    /// There may have been pictures in between, by which any flow was expected otherwise.
    Everything,
}

impl Journal {
    /// Takes note of one change.
    pub fn note(&mut self, touched: Touched) {
        self.count += 1;
        self.last.push_back(touched);
        if self.last.len() > KEPT {
            self.last.pop_front();
        }
    }

    /// Takes note that there may have been any changes, any number of times: a list has replaced
    /// what was known.
    pub fn note_gap(&mut self) {
        self.note(Touched::Everything);
        self.note(Touched::Everything);
    }

    /// The place of the present picture: how many changes there were.
    pub fn place(&self) -> u64 {
        self.count
    }

    /// What the picture at this place and the present one do not tell of the time between them.
    /// Once more than 256 changes have passed, that is everything.
    pub fn unseen_since(&self, place: u64) -> Unseen {
        let number = self.count.saturating_sub(place);
        if number < 2 {
            return Unseen::Nothing;
        }
        let Some(skipped) =
            usize::try_from(number).ok().and_then(|n| self.last.len().checked_sub(n))
        else {
            return Unseen::Everything;
        };
        let mut namespaces = BTreeSet::new();
        for touched in self.last.iter().skip(skipped) {
            match touched {
                Touched::Namespace(name) => namespaces.insert(name.clone()),
                Touched::Everything => return Unseen::Everything,
            };
        }
        Unseen::Namespaces(namespaces)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn journal(namespaces: &[&str]) -> Journal {
        let mut journal = Journal::default();
        for name in namespaces {
            journal.note(Touched::Namespace((*name).to_owned()));
        }
        journal
    }

    #[test]
    fn one_change_is_told_by_the_pictures_on_its_two_sides() {
        let journal = journal(&["a", "b"]);
        assert_eq!(journal.unseen_since(2), Unseen::Nothing);
        assert_eq!(journal.unseen_since(1), Unseen::Nothing);
    }

    #[test]
    fn of_two_changes_the_picture_between_them_is_not_seen() {
        let both = journal(&["x", "a", "b"]).unseen_since(1);
        assert_eq!(both, Unseen::Namespaces(["a".to_owned(), "b".to_owned()].into()));
    }

    #[test]
    fn a_list_tells_nothing_of_what_was_before_it() {
        let mut journal = journal(&["a"]);
        let place = journal.place();
        journal.note_gap();
        assert_eq!(journal.unseen_since(place), Unseen::Everything);
        assert_eq!(journal.unseen_since(journal.place()), Unseen::Nothing);
    }

    #[test]
    fn what_is_not_remembered_may_have_been_anything() {
        let journal = journal(&["a"; KEPT + 2]);
        assert_eq!(journal.unseen_since(1), Unseen::Everything);
        assert_eq!(journal.unseen_since(2), Unseen::Namespaces(["a".to_owned()].into()));
    }
}
