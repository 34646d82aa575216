//! Reads lines of bounded length.

use std::io::{self, BufRead, Read};

/// The longest line, in bytes. Longer than any flow; a longer line is not kept in memory.
const LONGEST: u64 = 1 << 16;

/// The lines of an input, one after the other.
pub(super) struct InputLines<R> {
    input: R,
    line: Vec<u8>,
    number: u64,
}

/// The next item of an input.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next<'a> {
    /// A line, with its newline.
    Line(&'a [u8]),
    /// A line that was skipped, because it is too long.
    TooLong,
    /// The end of the input.
    End,
}

impl<R: BufRead> InputLines<R> {
    pub(super) fn new(input: R) -> Self {
        Self { input, line: Vec::new(), number: 0 }
    }

    /// How many lines were read, skipped ones included.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Reads the next line, in memory that is bounded by [`LONGEST`].
    pub(super) fn next(&mut self) -> io::Result<Next<'_>> {
        self.line.clear();
        (&mut self.input).take(LONGEST).read_until(b'\n', &mut self.line)?;
        if self.line.is_empty() {
            return Ok(Next::End);
        }
        self.number += 1;
        if self.line.last() != Some(&b'\n') && self.line.len() as u64 == LONGEST {
            self.skip()?;
            return Ok(Next::TooLong);
        }
        Ok(Next::Line(&self.line))
    }

    fn skip(&mut self) -> io::Result<()> {
        loop {
            let buffer = self.input.fill_buf()?;
            if buffer.is_empty() {
                return Ok(());
            }
            let end = buffer.iter().position(|byte| *byte == b'\n');
            let used = end.map_or(buffer.len(), |end| end + 1);
            self.input.consume(used);
            if end.is_some() {
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_too_long_is_skipped_and_counted() {
        let long = "x".repeat(200_000);
        let text = format!("a\n\n{long}\nb");
        let mut lines = InputLines::new(text.as_bytes());
        assert_eq!(lines.next().unwrap(), Next::Line(b"a\n"));
        assert_eq!(lines.next().unwrap(), Next::Line(b"\n"));
        assert_eq!(lines.next().unwrap(), Next::TooLong);
        assert_eq!(lines.next().unwrap(), Next::Line(b"b"));
        assert_eq!(lines.number(), 4);
        assert_eq!(lines.next().unwrap(), Next::End);
    }
}
