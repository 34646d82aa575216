//! A duration as users write it: `500ms`, `30s`, `1m30s`.

use std::{borrow::Cow, fmt, str::FromStr, time::Duration};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// What the API server accepts; [`DurationString::from_str`] accepts the same, and CEL's
/// `duration()` reads each of these.
pub(crate) const PATTERN: &str = "^([0-9]{1,5}(h|m|s|ms))+$";

/// No duration is longer than this text, so that five digits a unit can never overflow.
const MAX_LENGTH: usize = 20;

/// A duration of whole milliseconds, written as numbers with the units h, m, s and ms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DurationString(Duration);

impl DurationString {
    /// A duration of that many milliseconds.
    pub const fn from_millis(millis: u64) -> Self {
        Self(Duration::from_millis(millis))
    }

    /// A duration of that many seconds.
    pub const fn from_secs(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    /// The duration itself.
    pub const fn get(self) -> Duration {
        self.0
    }
}

/// The text is not a duration.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{text:?} is not a duration such as 500ms, 30s or 1m30s")]
pub struct ParseDurationError {
    /// What was to be read.
    text: String,
}

impl FromStr for DurationString {
    type Err = ParseDurationError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || ParseDurationError { text: text.to_owned() };
        if text.is_empty() || text.len() > MAX_LENGTH {
            return Err(error());
        }
        let (mut rest, mut total) = (text, Duration::ZERO);
        while !rest.is_empty() {
            let (part, after) = leading_part(rest).ok_or_else(error)?;
            (rest, total) = (after, total + part);
        }
        Ok(Self(total))
    }
}

/// Reads one number with its unit; the second value is what follows.
fn leading_part(text: &str) -> Option<(Duration, &str)> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    if !(1..=5).contains(&digits) {
        return None;
    }
    let (number, rest) = text.split_at(digits);
    let unit_end = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
    let (unit, rest) = rest.split_at(unit_end);
    let millis_per_unit = match unit {
        "h" => 3_600_000,
        "m" => 60_000,
        "s" => 1_000,
        "ms" => 1,
        _ => return None,
    };
    Some((Duration::from_millis(number.parse::<u64>().ok()? * millis_per_unit), rest))
}

impl fmt::Display for DurationString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.as_millis();
        if millis == 0 {
            return f.write_str("0s");
        }
        let parts = [
            (millis / 3_600_000, "h"),
            (millis / 60_000 % 60, "m"),
            (millis / 1_000 % 60, "s"),
            (millis % 1_000, "ms"),
        ];
        parts.iter().filter(|(n, _)| *n > 0).try_for_each(|(n, unit)| write!(f, "{n}{unit}"))
    }
}

impl TryFrom<String> for DurationString {
    type Error = ParseDurationError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<DurationString> for String {
    fn from(duration: DurationString) -> Self {
        duration.to_string()
    }
}

impl From<DurationString> for Duration {
    fn from(duration: DurationString) -> Self {
        duration.0
    }
}

impl JsonSchema for DurationString {
    fn schema_name() -> Cow<'static, str> {
        "DurationString".into()
    }

    fn inline_schema() -> bool {
        true
    }

    // A CEL rule rather than `pattern`: its message is the one that users can act on.
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "maxLength": MAX_LENGTH,
            "x-kubernetes-validations": [{
                "rule": format!("self.matches('{PATTERN}')"),
                "message": "must be a duration such as 500ms, 30s or 1m30s",
            }],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, millis: u64, canonical: &str) {
        let duration: DurationString = text.parse().expect(text);
        assert_eq!(duration, DurationString::from_millis(millis), "{text}");
        assert_eq!(duration.to_string(), canonical);
        assert_eq!(canonical.parse(), Ok(duration));
    }

    #[test]
    fn durations_are_read_and_written() {
        check("500ms", 500, "500ms");
        check("30s", 30_000, "30s");
        check("90s", 90_000, "1m30s");
        check("1m30s", 90_000, "1m30s");
        check("1h1ms", 3_600_001, "1h1ms");
        check("0s", 0, "0s");
        check("99999h", 359_996_400_000, "99999h");
    }

    #[test]
    fn what_is_not_a_duration_is_refused() {
        for text in ["", "30", "s", "1d", "1.5s", "-1s", " 1s", "1s ", "1 s", "123456s", "1ns"] {
            assert!(text.parse::<DurationString>().is_err(), "{text:?}");
        }
        assert!("1s".repeat(11).parse::<DurationString>().is_err(), "longer than the API allows");
    }

    #[test]
    fn json_is_the_text() {
        let duration: DurationString = serde_json::from_str("\"1m30s\"").unwrap();
        assert_eq!(serde_json::to_string(&duration).unwrap(), "\"1m30s\"");
        let error = serde_json::from_str::<DurationString>("\"soon\"").unwrap_err();
        assert!(error.to_string().starts_with("\"soon\" is not a duration"), "{error}");
    }
}
