//! The arguments of `netproof lab`.

use std::{path::PathBuf, time::Duration};

use clap::{Args, ValueEnum};
use netproof_conformance::ledger::SILENCE;
use netproof_crds::DurationString;
use netproof_policy_agent::setting::Setting;
use netproof_probe::wire::MAX_TIMEOUT_MS;

use netproof_lab::{
    cluster::Network,
    run::{LabSettings, Output},
    scene::{IpFamilies, LabPace},
};
use netproof_manifests::notes::Notes;

/// What is put into the lab, and how the lab is to behave.
#[derive(Clone, Debug, Args)]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub struct LabArgs {
    /// Files, directories (all .yaml, .yml and .json in them and below) or - for standard input:
    /// namespaces, policies, workloads or pods, and perhaps a `ConnectivityTest`. Without one,
    /// every pod and workload speaks to every one that listens.
    #[arg(
        short = 'f',
        long = "filename",
        value_name = "PATH",
        num_args = 1..,
        required_unless_present = "list_faults"
    )]
    pub files: Vec<PathBuf>,
    /// The `ConnectivityTest` to carry out, where there are several.
    #[arg(long, value_name = "NAME")]
    pub test: Option<String>,
    /// What enforces the policies: nothing (plain), the policy agent (enforcing), or the policy
    /// agent failing on purpose: fault=NAME,... where a NAME may be followed by =DURATION, and by
    /// @node=NODE, @namespace=NAME or @pod=NAMESPACE/NAME.
    #[arg(long, value_name = "NETWORK", default_value = "enforcing", value_parser = network)]
    pub network: Network,
    /// Lists the faults, and what each is like.
    #[arg(long)]
    pub list_faults: bool,
    /// Looks at the files again and again, and tells each change of the verdict.
    #[arg(long)]
    pub watch: bool,
    /// How many nodes there are, where the objects name none.
    #[arg(long, value_name = "NUMBER", default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=16))]
    pub nodes: u8,
    /// Which addresses pods get, where the objects give them none.
    #[arg(long, value_enum, value_name = "FAMILY", default_value = "4")]
    pub ip: Ip,
    /// How long an attempt waits for an answer.
    #[arg(long, value_name = "DURATION", default_value = "200ms", value_parser = timeout)]
    pub timeout: DurationString,
    /// How long the network may take to follow a change.
    #[arg(long, value_name = "DURATION", default_value = "500ms")]
    pub settle: DurationString,
    /// How many attempts have to agree before a flow is called wrong.
    #[arg(long, value_name = "NUMBER", default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=10))]
    pub confirm: u8,
    /// For how long a leak stands after it was last proven, whatever later attempts say.
    #[arg(long, value_name = "DURATION", default_value = "5m")]
    pub leak_retention: DurationString,
    /// Ends with the flows: tries no new pod to see whether it is isolated from its first instant.
    /// With --watch, new pods are tried that the files bring.
    #[arg(long)]
    pub no_start_up: bool,
    /// How the verdict is told.
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value = "text")]
    pub output: LabFormat,
    /// Hides notes about how the objects were read; errors are always shown.
    #[arg(short, long)]
    pub quiet: bool,
}

impl From<LabArgs> for LabSettings {
    fn from(args: LabArgs) -> Self {
        Self {
            files: args.files,
            test: args.test,
            network: args.network,
            watch: args.watch,
            nodes: args.nodes.into(),
            families: args.ip.into(),
            pace: LabPace {
                timeout: args.timeout.into(),
                settle: args.settle.into(),
                confirm: args.confirm.into(),
                silence: SILENCE,
                leak_retention: args.leak_retention.into(),
            },
            no_start_up: args.no_start_up,
            output: args.output.into(),
            notes: Notes::unless(args.quiet),
        }
    }
}

/// The families of the addresses that pods get.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Ip {
    /// IPv4 alone, the default.
    #[value(name = "4")]
    V4,
    /// IPv6 alone, without IPv4.
    #[value(name = "6")]
    V6,
    /// Both families, IPv4 first.
    Dual,
}

impl From<Ip> for IpFamilies {
    fn from(ip: Ip) -> Self {
        match ip {
            Ip::V4 => Self::V4,
            Ip::V6 => Self::V6,
            Ip::Dual => Self::Dual,
        }
    }
}

/// The form in which the verdict is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LabFormat {
    /// The matrix and a sentence for each finding.
    Text,
    /// One object with the matrix, the findings and the diagnosis.
    Json,
}

impl From<LabFormat> for Output {
    fn from(format: LabFormat) -> Self {
        match format {
            LabFormat::Text => Self::Text,
            LabFormat::Json => Self::Json,
        }
    }
}

fn timeout(text: &str) -> Result<DurationString, String> {
    let timeout: DurationString = text.parse().map_err(|error| format!("{error}"))?;
    let longest = Duration::from_millis(MAX_TIMEOUT_MS.into());
    if Duration::from(timeout) < Duration::from_millis(1) || Duration::from(timeout) > longest {
        return Err(format!("it is not within 1ms and {}s", longest.as_secs()));
    }
    Ok(timeout)
}

fn network(text: &str) -> Result<Network, String> {
    match text.split_once('=') {
        None if text == "plain" => Ok(Network::Plain),
        None if text == "enforcing" => Ok(Network::Enforcing(Setting::default())),
        Some(("fault", setting)) => match setting.parse() {
            Ok(Setting(none)) if none.is_empty() => {
                Err("fault= names none; netproof lab --list-faults lists them".to_owned())
            }
            Ok(setting) => Ok(Network::Enforcing(setting)),
            Err(error) => Err(format!("{error}")),
        },
        _ => Err("write plain, enforcing, or fault= with the names of faults; netproof lab --list-faults lists them".to_owned()),
    }
}
