//! The exit codes of commands.

use std::process::ExitCode;

use netproof_conformance::compiled::Answer;
#[cfg(feature = "lab")]
use netproof_lab::verdict::Conclusion;

/// How a command ended, in the order in which one outweighs the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ExitStatus {
    /// Everything that was asked is answered, and nothing speaks against it: exit code 0.
    Fine,
    /// The answer is no: a flow is denied, something differs, something was found. Exit code 1.
    No,
    /// Some of what was asked has no answer: exit code 2.
    CannotTell,
}

impl ExitStatus {
    /// The status for one flow that was asked about. An answer that the API leaves open is
    /// [`CannotTell`](Self::CannotTell).
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
