//! The arguments of the commands that need no operator.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::{end_spec::EndSpec, port::PortSpec};

/// The files or the cluster from which objects are read.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Objects")]
pub struct InputArgs {
    /// Files, directories (all .yaml, .yml and .json in them and below) or - for standard input,
    /// instead of a cluster.
    #[arg(short = 'f', long = "filename", value_name = "PATH", num_args = 1..)]
    pub files: Vec<PathBuf>,
    /// The context of the kubeconfig that names the cluster; the current one if it is not given.
    #[arg(long, conflicts_with = "files")]
    pub context: Option<String>,
    /// The one namespace of the cluster that is read, or, with -f, the namespace of objects that
    /// name none.
    #[arg(short, long, value_name = "NAMESPACE")]
    pub namespace: Option<String>,
    /// Reads all namespaces of the cluster.
    #[arg(short = 'A', long, conflicts_with_all = ["files", "namespace"])]
    pub all_namespaces: bool,
    /// Hides notes about how the objects were read; errors are always shown.
    #[arg(short, long)]
    pub quiet: bool,
}

/// What to predict, and how to show it.
#[derive(Clone, Debug, Args)]
pub struct PredictArgs {
    /// The objects that policies and pods come from.
    #[command(flatten)]
    pub input: InputArgs,
    /// A file of flows, one JSON object a line, or - for standard input.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["from", "to", "port"])]
    pub flows: Option<PathBuf>,
    /// Only from here: NAMESPACE/POD, a workload or Service by name, svc/NAMESPACE/NAME, or an
    /// address.
    #[arg(long, value_name = "END")]
    pub from: Option<EndSpec>,
    /// Only to here, spelled likewise.
    #[arg(long, value_name = "END")]
    pub to: Option<EndSpec>,
    /// Only on this port, whether the receivers declare it or not: 3306, 53/UDP, or a name that a
    /// receiver declares. Of a Service it is the Service's port.
    #[arg(long, value_name = "PORT")]
    pub port: Option<PortSpec>,
    /// How the answers are shown [default: table; for --flows it is jsonl]
    #[arg(short, long, value_enum, value_name = "FORMAT")]
    pub output: Option<PredictFormat>,
    /// Prints one line of JSON with figures instead of the answers.
    #[arg(long, conflicts_with = "explain")]
    pub summary: bool,
    /// Adds to each answer which policies and rules decide it (jsonl and json).
    #[arg(long)]
    pub explain: bool,
}

/// The form in which answers are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PredictFormat {
    /// A page: ends that behave alike are one row or column.
    Table,
    /// One array of all flows.
    Json,
    /// One object a line, one line a flow.
    Jsonl,
    /// One line a flow, under a line of names.
    Csv,
    /// A graph for Graphviz, of ends that behave alike.
    Dot,
    /// A page for browsers that needs no other file.
    Html,
}

/// Which flow to explain, and how.
#[derive(Clone, Debug, Args)]
pub struct ExplainArgs {
    /// The objects that policies and pods come from.
    #[command(flatten)]
    pub input: InputArgs,
    /// The end that opens the flow: NAMESPACE/POD, a workload or Service by name,
    /// svc/NAMESPACE/NAME, or an address.
    #[arg(long, value_name = "END")]
    pub from: EndSpec,
    /// The end that receives it, spelled likewise.
    #[arg(long, value_name = "END")]
    pub to: EndSpec,
    /// The receiver's port: 3306, 53/UDP, or a name that it declares. Of a Service it is the
    /// Service's port; left out, all ports that the receiver declares.
    #[arg(long, value_name = "PORT")]
    pub port: Option<PortSpec>,
    /// How the explanation is told.
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value = "text")]
    pub output: ExplainFormat,
}

/// The form in which an explanation is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ExplainFormat {
    /// Text in sentences, for people.
    Text,
    /// One array with an object a flow.
    Json,
}

/// What to compare, and how to show it.
#[derive(Clone, Debug, Args)]
pub struct DiffArgs {
    /// The objects before and after: twice a file, a directory, or - for standard input.
    #[arg(short = 'f', long = "filename", value_name = "PATH", num_args = 1.., required = true)]
    pub files: Vec<PathBuf>,
    /// The namespace of objects that name none.
    #[arg(short, long, value_name = "NAMESPACE", default_value = "default")]
    pub namespace: String,
    /// Only on this port: 3306 or 53/UDP.
    #[arg(long, value_name = "PORT")]
    pub port: Option<PortSpec>,
    /// How the changes are shown.
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value = "table")]
    pub output: DiffFormat,
    /// Hides notes about how the objects were read; errors are always shown.
    #[arg(short, long)]
    pub quiet: bool,
}

/// The form in which changes are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DiffFormat {
    /// Text, a block for each group of changes.
    Table,
    /// One object with everything.
    Json,
    /// One object a line: each group of changes.
    Jsonl,
    /// A table for a comment on a review.
    Markdown,
}

/// What to check, and how to show it.
#[derive(Clone, Debug, Args)]
pub struct LintArgs {
    /// The objects that policies and pods come from.
    #[command(flatten)]
    pub input: InputArgs,
    /// How the findings are shown.
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value = "text")]
    pub output: LintFormat,
}

/// The form in which findings are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LintFormat {
    /// One line for each finding.
    Text,
    /// One array of all findings.
    Json,
    /// SARIF 2.1.0, which code hosts show beside the code.
    Sarif,
}
