//! Durations as a setting writes them: `500ms`, `2s`, `1m30s`.

use std::time::Duration;

use k8s_openapi::jiff::fmt::friendly::{Designator, Spacing, SpanPrinter};

/// The letters that end a unit: `h`, `m`, `s` and `ms`.
const LETTERS: [char; 3] = ['h', 'm', 's'];

/// The most digits of a number, so that no sum overflows.
const MOST_DIGITS: usize = 5;

/// Reads a duration above zero; none if the text is not one.
pub(crate) fn read(text: &str) -> Option<Duration> {
    // Of what Go reads, neither signs nor fractions, no unit below ms, and no number without a
    // unit. `has_whole_numbers` in crds/src/duration.rs makes the same check: the agent shares no
    // code with netproof, so the two are kept alike by hand.
    let is_number =
        |part: &str| part.len() <= MOST_DIGITS && part.bytes().all(|byte| byte.is_ascii_digit());
    if !text.ends_with(LETTERS) || !text.split(LETTERS).all(is_number) {
        return None;
    }
    let duration = text.parse::<kube::core::Duration>().ok()?.into();
    (duration > Duration::ZERO).then_some(duration)
}

/// Writes a duration of whole milliseconds so that [`read`] reads it.
pub(crate) fn written(duration: Duration) -> String {
    SpanPrinter::new()
        .designator(Designator::Compact)
        .spacing(Spacing::None)
        .unsigned_duration_to_string(&duration)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_written() {
        for (text, millis) in [
            ("500ms", 500),
            ("2s", 2_000),
            ("1m30s", 90_000),
            ("1h1ms", 3_600_001),
            ("99999h", 359_996_400_000),
        ] {
            assert_eq!(read(text), Some(Duration::from_millis(millis)), "{text}");
            assert_eq!(written(Duration::from_millis(millis)), text);
        }
        for (text, millis) in [("90s", 90_000), ("30s1m", 90_000), ("1s2s", 3_000), ("007ms", 7)] {
            assert_eq!(read(text), Some(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_not_read() {
        for text in [
            "", "0", "0s", "2", "s", "2 s", "-2s", "+2s", "1.5s", ".5s", "2e1s", "2d", "2ns",
            "2hm", "2s0", "2s3", "100000h",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
