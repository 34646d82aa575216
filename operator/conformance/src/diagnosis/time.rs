//! Faults of time: the network does what it should, but not always, or not at once.

use std::{fmt, time::Duration};

/// A fault of time: the network does what it should, but not always, or not at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TimeFault {
    /// The network follows changes later than it may.
    Slow {
        /// The longest time that the network took.
        after: Duration,
        /// How many flows show it.
        flows: usize,
    },
    /// The network does not isolate new pods from their first instant.
    LateIsolation {
        /// The highest age of a stand-in when a flow of it leaked.
        until: Duration,
        /// How many flows show it.
        flows: usize,
    },
    /// The network enforces policies by turns.
    Flapping {
        /// How many flows show it.
        flows: usize,
    },
}

impl TimeFault {
    /// The stable names of all variants, in their order.
    pub(super) const NAMES: [&str; 3] = ["slow", "late-isolation", "flapping"];

    /// The stable name, such as `late-isolation`, for metrics and statuses.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Slow { .. } => "slow",
            Self::LateIsolation { .. } => "late-isolation",
            Self::Flapping { .. } => "flapping",
        }
    }
}

impl fmt::Display for TimeFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("behaves as a network that ")?;
        let seen = |flows: &usize| match flows {
            1 => "seen in 1 flow".to_owned(),
            flows => format!("seen in {flows} flows"),
        };
        match self {
            Self::Slow { after, flows } => {
                write!(f, "follows changes after about {}; {}", seconds(*after), seen(flows))
            }
            Self::LateIsolation { until, flows } => write!(
                f,
                "does not isolate new pods for about {}; {}",
                seconds(*until),
                seen(flows)
            ),
            Self::Flapping { flows } => {
                write!(f, "enforces policies by turns; {}", seen(flows))
            }
        }
    }
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}
