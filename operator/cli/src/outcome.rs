//! How a command ended, as an exit code.

use std::process::ExitCode;

use netproof_conformance::compiled::Answer;
#[cfg(feature = "lab")]
use netproof_lab::verdict::Conclusion;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// Everything that was asked is answered, and nothing speaks against it.
    Fine,
    /// The answer is no: a flow is denied, something differs, something was found.
    No,
    /// There is no answer to some of what was asked.
    CannotTell,
}

impl Outcome {
    /// Of one flow that was asked of. What the API leaves open is no yes.
    pub fn of(answer: Answer) -> Self {
        match answer {
            Answer::Allow => Self::Fine,
            Answer::Deny => Self::No,
            Answer::Unspecified(_) => Self::CannotTell,
        }
    }
}

#[cfg(feature = "lab")]
impl From<Conclusion> for Outcome {
    fn from(conclusion: Conclusion) -> Self {
        match conclusion {
            Conclusion::Conforms => Self::Fine,
            Conclusion::Violates => Self::No,
            Conclusion::CannotTell => Self::CannotTell,
        }
    }
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        Self::from(match outcome {
            Outcome::Fine => 0,
            Outcome::No => 1,
            Outcome::CannotTell => 2,
        })
    }
}
