//! Remembers which questions came over UDP lately. Only the listener knows: to the dialler, an
//! answer that was lost or late looks as if the question had not arrived.

use std::{
    collections::VecDeque,
    hash::{BuildHasher, RandomState},
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::challenge::Nonce;

/// How many questions are remembered: far more than come to a probe between the attempts of a round
/// and its end.
const KEPT: usize = 4096;

/// The latest [`KEPT`] questions, by the hashes of their nonces.
#[derive(Debug, Default)]
pub(super) struct Heard {
    hasher: RandomState,
    latest: Mutex<VecDeque<u64>>,
}

impl Heard {
    /// Remembers that a question with this nonce came, in place of the oldest.
    pub(super) fn note(&self, nonce: &Nonce) {
        let hash = self.hash(nonce);
        let mut latest = self.latest();
        // A dialler sends its question up to three times in one attempt.
        if latest.back() == Some(&hash) {
            return;
        }
        if latest.len() >= KEPT {
            latest.pop_front();
        }
        latest.push_back(hash);
    }

    /// Those of the nonces that are remembered.
    pub(super) fn of(&self, nonces: Vec<Nonce>) -> Vec<Nonce> {
        let latest = self.latest();
        nonces.into_iter().filter(|nonce| latest.contains(&self.hash(nonce))).collect()
    }

    fn hash(&self, nonce: &Nonce) -> u64 {
        self.hasher.hash_one(nonce.as_str())
    }

    fn latest(&self) -> MutexGuard<'_, VecDeque<u64>> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nonce(number: usize) -> Nonce {
        Nonce::new(format!("{number:x}")).expect("digits")
    }

    #[test]
    fn what_came_is_known_and_what_did_not_is_not() {
        let heard = Heard::default();
        heard.note(&nonce(1));
        assert_eq!(heard.of(vec![nonce(2), nonce(1)]), [nonce(1)]);
    }

    #[test]
    fn the_latest_are_kept() {
        let heard = Heard::default();
        (0..=KEPT).for_each(|number| {
            heard.note(&nonce(number));
            heard.note(&nonce(number));
        });
        assert_eq!(heard.of(vec![nonce(0), nonce(1), nonce(KEPT)]), [nonce(1), nonce(KEPT)]);
    }
}
