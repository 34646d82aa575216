//! One line of figures about a prediction.

use std::{fs, io::Write, time::Duration};

use netproof_conformance::compiled::Counts;
use serde::Serialize;

use super::loaded::Loaded;

/// The figures of one prediction.
#[derive(Debug, Serialize)]
pub struct Summary {
    pods: usize,
    policies: usize,
    flows: u64,
    allow: u64,
    deny: u64,
    unspecified: u64,
    load_ms: f64,
    predict_ms: f64,
    peak_rss_bytes: Option<u64>,
}

impl Summary {
    /// The figures of these answers. The time of the prediction is that of preparing and counting.
    pub fn new(loaded: &Loaded, counts: Counts, counting: Duration) -> Self {
        let snapshot = loaded.snapshot();
        let Counts { allow, deny, unspecified } = counts;
        Self {
            pods: snapshot.pods.len(),
            policies: snapshot.policies.len() + snapshot.cluster_policies.len(),
            flows: allow + deny + unspecified,
            allow,
            deny,
            unspecified,
            load_ms: milliseconds(loaded.loading),
            predict_ms: milliseconds(loaded.preparing + counting),
            peak_rss_bytes: peak(),
        }
    }

    /// Writes the line, as one JSON object.
    pub fn write(&self, out: &mut impl Write) -> anyhow::Result<()> {
        serde_json::to_writer(&mut *out, self)?;
        out.write_all(b"\n")?;
        Ok(())
    }
}

/// Milliseconds, rounded to microseconds.
fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

/// The most memory that this process has had, in bytes; none if the system does not tell.
fn peak() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kibibytes * 1024)
}
