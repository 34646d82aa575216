//! Durations as a setting writes them: `500ms`, `2s`, `1m30s`.

use std::time::Duration;

/// The units, the longest first.
const UNITS: [(&str, u64); 4] = [("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// No number that is longer than this is read, so that no sum overflows.
const MOST_DIGITS: usize = 5;

/// Reads one that is above zero.
pub(crate) fn read(text: &str) -> Option<Duration> {
    let (mut rest, mut millis) = (text, 0);
    while !rest.is_empty() {
        let (number, after) = split(rest, |c| !c.is_ascii_digit());
        let (unit, after) = split(after, |c| c.is_ascii_digit());
        let (_, length) = UNITS.into_iter().find(|(name, _)| *name == unit)?;
        if number.len() > MOST_DIGITS {
            return None;
        }
        millis += number.parse::<u64>().ok()? * length;
        rest = after;
    }
    (millis > 0).then_some(Duration::from_millis(millis))
}

/// The text before the first such character, and the text from there.
fn split(text: &str, ends: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(ends).unwrap_or(text.len()))
}

/// Writes one of whole milliseconds as it is read.
pub(crate) fn written(duration: Duration) -> String {
    let mut rest = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let part = |(unit, length): (&str, u64)| {
        let number = rest / length;
        rest %= length;
        (number > 0).then(|| format!("{number}{unit}"))
    };
    UNITS.into_iter().filter_map(part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_written() {
        for (text, millis) in
            [("500ms", 500), ("2s", 2_000), ("1m30s", 90_000), ("1h1ms", 3_600_001)]
        {
            assert_eq!(read(text), Some(Duration::from_millis(millis)), "{text}");
            assert_eq!(written(Duration::from_millis(millis)), text);
        }
    }

    #[test]
    fn what_is_no_duration_is_not_read() {
        for text in ["", "0s", "2", "s", "2 s", "-2s", "1.5s", "2d", "100000h"] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
