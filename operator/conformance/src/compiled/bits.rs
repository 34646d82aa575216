//! Rows of bits, 64 to a word.

use std::ops::Range;

/// Rows of the same width.
#[derive(Clone, Debug, Default)]
pub(crate) struct BitTable {
    width: usize,
    words: Vec<u64>,
}

impl BitTable {
    /// A table without rows, for rows of so many bits.
    pub(crate) fn new(bits: usize) -> Self {
        Self { width: words(bits), words: Vec::new() }
    }

    /// Adds a row without a bit set, and returns its number.
    pub(crate) fn add(&mut self) -> usize {
        let rows = self.words.len().checked_div(self.width).unwrap_or_default();
        self.words.resize(self.words.len() + self.width, 0);
        rows
    }

    pub(crate) fn row(&self, row: usize) -> &[u64] {
        &self.words[row * self.width..][..self.width]
    }

    pub(super) fn row_mut(&mut self, row: usize) -> &mut [u64] {
        &mut self.words[row * self.width..][..self.width]
    }

    /// A row. It and the rows before it are added, empty, if they are not there yet.
    pub(super) fn row_or_new(&mut self, row: usize) -> &mut [u64] {
        self.words.resize(self.words.len().max((row + 1) * self.width), 0);
        self.row_mut(row)
    }

    pub(crate) fn get(&self, row: usize, bit: usize) -> bool {
        self.words[row * self.width + bit / 64] >> (bit % 64) & 1 != 0
    }

    pub(crate) fn set(&mut self, row: usize, bit: usize) {
        self.words[row * self.width + bit / 64] |= 1 << (bit % 64);
    }
}

/// How many words hold that many bits.
pub(super) fn words(bits: usize) -> usize {
    bits.div_ceil(64)
}

/// A row with the bits of a range set.
pub(super) fn range(bits: &Range<usize>, width: usize) -> Vec<u64> {
    let mut row = vec![0; width];
    for bit in bits.clone() {
        row[bit / 64] |= 1 << (bit % 64);
    }
    row
}

/// The places of the bits that are set.
pub(super) fn ones(row: &[u64]) -> impl Iterator<Item = usize> {
    row.iter().enumerate().flat_map(|(index, &word)| {
        let mut left = word;
        std::iter::from_fn(move || {
            let bit = (left != 0).then_some(left.trailing_zeros() as usize)?;
            left &= left - 1;
            Some(index * 64 + bit)
        })
    })
}

/// Adds the bits of one row to another.
pub(super) fn or(into: &mut [u64], from: &[u64]) {
    into.iter_mut().zip(from).for_each(|(into, from)| *into |= from);
}

/// Keeps the bits that another row has too.
pub(super) fn and(into: &mut [u64], from: &[u64]) {
    into.iter_mut().zip(from).for_each(|(into, from)| *into &= from);
}

/// Mirrors a square of bits: bit `j` of word `i` becomes bit `i` of word `j`. By halves, then
/// quarters, down to single bits (Hacker's Delight, 7-3).
pub(super) fn transpose(square: &mut [u64; 64]) {
    let mut half = 32;
    let mut mask = u64::MAX >> 32;
    while half != 0 {
        let mut row = 0;
        while row < 64 {
            let swapped = (square[row] >> half ^ square[row + half]) & mask;
            square[row] ^= swapped << half;
            square[row + half] ^= swapped;
            row = (row + half + 1) & !half;
        }
        half >>= 1;
        mask ^= mask << half;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_square_is_mirrored() {
        let mut square = [0; 64];
        for (row, word) in square.iter_mut().enumerate() {
            *word = (row as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        }
        let before = square;
        transpose(&mut square);
        for (row, word) in before.iter().enumerate() {
            for (column, mirrored) in square.iter().enumerate() {
                assert_eq!(word >> column & 1, mirrored >> row & 1);
            }
        }
    }

    #[test]
    fn bits_are_found_where_they_were_set() {
        let mut table = BitTable::new(130);
        assert_eq!((table.add(), table.add()), (0, 1));
        for bit in [0, 63, 64, 129] {
            table.set(1, bit);
        }
        assert_eq!(ones(table.row(1)).collect::<Vec<_>>(), [0, 63, 64, 129]);
        assert!(table.get(1, 129) && !table.get(1, 128) && !table.get(0, 129));
        assert_eq!(ones(&range(&(62..66), 3)).collect::<Vec<_>>(), [62, 63, 64, 65]);
    }
}
