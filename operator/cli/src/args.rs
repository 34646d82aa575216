//! The command line: its commands and their arguments.

pub mod help;
#[cfg(feature = "lab")]
pub mod lab;
pub mod offline;
pub mod operator;

use clap::{Parser, Subcommand};
use clap_complete::Shell;

pub use offline::{DiffArgs, ExplainArgs, LintArgs, PredictArgs};
pub use operator::{OperatorArgs, ReportArgs};

/// Says what a cluster's `NetworkPolicies` mean, and proves by real connections whether its network
/// keeps them.
#[derive(Debug, Parser)]
#[command(version, about, after_help = help::EXIT_CODES, max_term_width = 100)]
pub struct Cli {
    /// What to do: one of the commands below.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands. Their doc comments are the help that users read.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Answers what the policies say of flows: of one, of a file of them, or of all pairs of pods.
    #[command(after_help = help::PREDICT_EXAMPLES, after_long_help = help::PREDICT)]
    Predict(PredictArgs),
    /// Tells the way of one flow: which policies isolate its ends, which rule lets it through, or
    /// what each rule lacks.
    #[command(after_help = help::EXPLAIN)]
    Explain(ExplainArgs),
    /// Finds the flows that a change of the objects gives another answer, and the policy that does
    /// it.
    #[command(after_help = help::DIFF)]
    Diff(DiffArgs),
    /// Finds what is legal in policies and almost surely a mistake.
    #[command(after_help = help::LINT)]
    Lint(LintArgs),
    /// Puts objects onto a network of this machine, whole or failing on purpose, and judges it by
    /// real connections: without a cluster, without Docker.
    #[cfg(feature = "lab")]
    #[command(after_help = help::LAB)]
    Lab(lab::LabArgs),
    /// Runs as a probe of the lab, which starts this program for each pod.
    #[cfg(feature = "lab")]
    #[command(hide = true, disable_help_flag = true)]
    LabProbe {
        /// The arguments, as the probe's own binary takes them.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<std::ffi::OsString>,
    },
    /// Runs the operator, in a cluster.
    Operator(OperatorArgs),
    /// Prints the matrix of a test: expected, observed, verdict. In the operator's pod.
    Matrix(ReportArgs),
    /// Prints a line for each flow of a test: from, to, port, expected, verdict. In the operator's
    /// pod.
    Flows(ReportArgs),
    /// Prints the completions of a shell, to be read by it at its start.
    #[command(after_help = help::COMPLETIONS)]
    Completions {
        /// The shell that reads the completions.
        shell: Shell,
    },
    /// Prints the manual page, in the form of man(7).
    #[command(after_help = help::MAN)]
    Man,
}
