//! Splits a byte stream into lines, and never holds more than [`MAX_LINE`] bytes of one.

use std::io;

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};

use crate::wire::MAX_LINE;

/// Reads a stream line by line.
pub(super) struct Lines<R> {
    reader: BufReader<R>,
    line: Vec<u8>,
}

/// A line that was read, of which at most [`MAX_LINE`] bytes are kept.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ReceivedLine<'a> {
    /// The bytes of a line, without its newline.
    Whole(&'a [u8]),
    /// A line over [`MAX_LINE`], skipped to its newline.
    TooLong,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    pub(super) fn new(reader: R) -> Self {
        Self { reader: BufReader::new(reader), line: Vec::new() }
    }

    /// Reads the next line; none at the end of the stream. The last line need not have a newline.
    /// Not cancel safe: what was read of a line is lost with the future.
    pub(super) async fn next(&mut self) -> io::Result<Option<ReceivedLine<'_>>> {
        self.line.clear();
        let mut length = 0;
        loop {
            let bytes = self.reader.fill_buf().await?;
            if bytes.is_empty() && length == 0 {
                return Ok(None);
            }
            let newline = bytes.iter().position(|byte| *byte == b'\n');
            let part = &bytes[..newline.unwrap_or(bytes.len())];
            let ended = bytes.is_empty() || newline.is_some();
            length += part.len();
            if length <= MAX_LINE {
                self.line.extend_from_slice(part);
            }
            let consumed = part.len() + usize::from(newline.is_some());
            self.reader.consume(consumed);
            if ended {
                let line = if length > MAX_LINE {
                    ReceivedLine::TooLong
                } else {
                    ReceivedLine::Whole(&self.line)
                };
                return Ok(Some(line));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncWriteExt, duplex};

    use super::*;

    async fn check(input: &[u8], expected: &[ReceivedLine<'_>]) {
        // A stream that gives a few bytes at a time.
        let (mut give, take) = duplex(7);
        let giving = async move { give.write_all(input).await.expect("it is taken") };
        let taking = async {
            let mut lines = Lines::new(take);
            for line in expected {
                assert_eq!(lines.next().await.expect("it is given").as_ref(), Some(line));
            }
            assert_eq!(lines.next().await.expect("it is given"), None);
        };
        tokio::join!(giving, taking);
    }

    #[tokio::test]
    async fn lines_end_with_a_newline_or_with_the_stream() {
        check(b"", &[]).await;
        check(b"\n", &[ReceivedLine::Whole(b"")]).await;
        check(
            b"one\n\ntwo",
            &[ReceivedLine::Whole(b"one"), ReceivedLine::Whole(b""), ReceivedLine::Whole(b"two")],
        )
        .await;
    }

    #[tokio::test]
    async fn the_longest_line_is_read_and_a_longer_one_skipped_to_its_newline() {
        let longest = vec![b'a'; MAX_LINE];
        let input = [&longest[..], b"\n", &longest, b"a\nnext\n"].concat();
        check(
            &input,
            &[ReceivedLine::Whole(&longest), ReceivedLine::TooLong, ReceivedLine::Whole(b"next")],
        )
        .await;
    }

    #[tokio::test]
    async fn a_line_too_long_is_not_kept() {
        let mut lines = Lines::new(io::Cursor::new(vec![b'a'; 100 * MAX_LINE]));
        assert_eq!(lines.next().await.expect("memory"), Some(ReceivedLine::TooLong));
        assert!(lines.line.capacity() <= 2 * MAX_LINE);
    }
}
