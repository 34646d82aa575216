//! How a command ended, as an exit code.

use std::process::ExitCode;

use netproof_conformance::compiled::Answer;
#[cfg(feature = "lab")]
use netproof_lab::verdict::Conclusion;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ExitStatus {
    /// Everything that was asked is answered, and nothing speaks against it.
    Fine,
    /// The answer is no: a flow is denied, something differs, something was found.
    No,
    /// There is no answer to some of what was asked.
    CannotTell,
}

impl ExitStatus {
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
impl From<Conclusion> for ExitStatus {
    fn from(conclusion: Conclusion) -> Self {
        match conclusion {
            Conclusion::Conforms => Self::Fine,
            Conclusion::Violates => Self::No,
            Conclusion::CannotTell => Self::CannotTell,
        }
    }
}

impl From<ExitStatus> for ExitCode {
    fn from(outcome: ExitStatus) -> Self {
        Self::from(match outcome {
            ExitStatus::Fine => 0,
            ExitStatus::No => 1,
            ExitStatus::CannotTell => 2,
        })
    }
}
