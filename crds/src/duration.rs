//! A duration as users write it: `500ms`, `30s`, `1m30s`.

use std::{borrow::Cow, fmt, str::FromStr, time::Duration};

use k8s_openapi::jiff::fmt::friendly::{Designator, Spacing, SpanPrinter};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The texts that the API server accepts. [`DurationString::from_str`] accepts the same, and CEL's
/// `duration()` reads each of them.
pub(crate) const PATTERN: &str = "^([0-9]{1,5}(h|m|s|ms))+$";

/// The longest text of a duration, in bytes, so that five digits for each unit can never overflow.
const MAX_LENGTH: usize = 20;

/// A duration of whole milliseconds, written as numbers with the units h, m, s and ms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DurationString(Duration);

impl DurationString {
    /// A duration of this many milliseconds.
    pub const fn from_millis(millis: u64) -> Self {
        Self(Duration::from_millis(millis))
    }

    /// A duration of this many seconds.
    pub const fn from_secs(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    /// The duration as the standard library has it.
    pub const fn get(self) -> Duration {
        self.0
    }
}

/// The error for a text that is no duration.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{text:?} is not a duration such as 500ms, 30s or 1m30s")]
pub struct ParseDurationError {
    /// The text that was to be read.
    text: String,
}

impl FromStr for DurationString {
    type Err = ParseDurationError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || ParseDurationError { text: text.to_owned() };
        if text.len() > MAX_LENGTH || !has_whole_numbers(text) {
            return Err(error());
        }
        let duration: kube::core::Duration = text.parse().map_err(|_| error())?;
        Ok(Self(duration.into()))
    }
}

/// Whether a duration that Go would read has neither signs nor fractions, no unit below a
/// millisecond, and no number without a unit or with more digits than [`PATTERN`] admits.
///
/// `read` in operator/lab/agent/src/duration.rs makes the same check for the settings of faults.
/// The agent shares no code with netproof, so the two are kept alike by hand.
fn has_whole_numbers(text: &str) -> bool {
    const LETTERS: [char; 3] = ['h', 'm', 's'];
    let is_number = |part: &str| part.len() <= 5 && part.bytes().all(|byte| byte.is_ascii_digit());
    text.ends_with(LETTERS) && text.split(LETTERS).all(is_number)
}

impl fmt::Display for DurationString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            &SpanPrinter::new()
                .designator(Designator::Compact)
                .spacing(Spacing::None)
                .unsigned_duration_to_string(&self.0),
        )
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

    // A CEL rule rather than `pattern`: it has a message that users can act on.
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
        check("30s1m", 90_000, "1m30s");
        check("1s2s", 3_000, "3s");
        check("0s", 0, "0s");
        check("99999h", 359_996_400_000, "99999h");
    }

    #[test]
    fn what_is_not_a_duration_is_refused() {
        for text in [
            "", "0", "30", "s", "1d", "1.5s", ".5s", "1e1s", "-1s", "+1s", " 1s", "1s ", "1 s",
            "1hm", "1s0", "1s2", "123456s", "1ns",
        ] {
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
