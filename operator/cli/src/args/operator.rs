//! The arguments of the operator, and of the commands that ask it.

use std::{net::SocketAddr, time::Duration};

use clap::Args;
use netproof_crds::DurationString;

use netproof_operator::run::OperatorSettings;

/// The test to report on.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// The name of the `ConnectivityTest`.
    pub name: String,
    /// The namespace of the `ConnectivityTest`.
    #[arg(short, long, default_value = "default")]
    pub namespace: String,
}

/// How the operator runs.
#[derive(Clone, Debug, Args)]
pub struct OperatorArgs {
    /// The image of the probe, which every stand-in runs.
    #[arg(long, env = "NETPROOF_PROBE_IMAGE")]
    pub probe_image: String,
    /// The priority class of stand-ins; the cluster's default if it is not given.
    #[arg(long)]
    pub priority_class: Option<String>,
    /// The kubelet ends a stand-in after this long, even if the operator is gone; while it is
    /// there, it replaces stand-ins before.
    #[arg(long, default_value = "1h", value_parser = lifetime)]
    pub stand_in_lifetime: Duration,
    /// The address and port where metrics are served.
    #[arg(long, default_value = "0.0.0.0:8080")]
    pub listen: SocketAddr,
    /// The address and port that answer whether the operator lives and is ready.
    #[arg(long, default_value = "0.0.0.0:8081")]
    pub health_listen: SocketAddr,
    /// A test that names more flows is not accepted; each of its stand-ins counts as 22. README
    /// says how much memory they take.
    #[arg(long, default_value_t = 1_600)]
    pub flows_per_test: usize,
    /// The namespace of the operator itself.
    #[arg(long, env = "POD_NAMESPACE", default_value = "netproof-system")]
    pub namespace: String,
    /// The name of the operator's own pod, under which it holds the Lease; a random name if it is
    /// not given.
    #[arg(long, env = "POD_NAME")]
    pub pod: Option<String>,
    /// The namespace of the Lease by which one operator of the cluster acts and all others wait:
    /// the same for all installations, since they would act on the same tests.
    #[arg(long, default_value = "kube-system")]
    pub lease_namespace: String,
    /// The operator's own Deployment: when it is gone, the operator takes its stand-ins with it.
    #[arg(long, default_value = "netproof-operator")]
    pub deployment: String,
}

impl From<OperatorArgs> for OperatorSettings {
    fn from(args: OperatorArgs) -> Self {
        let OperatorArgs {
            probe_image,
            priority_class,
            stand_in_lifetime,
            listen,
            health_listen,
            flows_per_test,
            namespace,
            pod,
            lease_namespace,
            deployment,
        } = args;
        Self {
            probe_image,
            priority_class,
            stand_in_lifetime,
            listen,
            health_listen,
            flows_per_test,
            namespace,
            pod,
            lease_namespace,
            deployment,
        }
    }
}

fn lifetime(text: &str) -> Result<Duration, String> {
    let lifetime = Duration::from(text.parse::<DurationString>().map_err(|e| e.to_string())?);
    if lifetime < Duration::from_secs(60) { Err("at least 1m".into()) } else { Ok(lifetime) }
}
