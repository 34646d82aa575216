//! Starts the operator's parts, and ends them in order.

use std::{
    net::SocketAddr,
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use anyhow::Context as _;
use futures::StreamExt;
use hyper::{Method, Request};
use kube::{
    Client, Config,
    client::{Body, ClientBuilder},
};
use tokio::{
    net::TcpListener,
    signal::unix::{Signal, SignalKind, signal},
    sync::watch,
    task::JoinHandle,
    time::timeout,
};
use tower::{BoxError, filter::FilterLayer};
use tracing::{info, warn};

use crate::{
    admin::{self, Site},
    controller::{self, Context},
    health::{self, Pulse},
    installation, janitor, keeper,
    lease::{
        Holder, Standing,
        keep::{Farewell, Keeper},
    },
    metrics::Metrics,
    pacing::{self, Pacing},
    readiness::readiness,
    removal::{self, Itself},
    shared::Shared,
    stand_in_pod::PodSettings,
};
use netproof_rounds::{clock::nonce, reports::Reports, world::World};

/// How long a request, other than a stream, may be without an answer.
const UNARY: Duration = Duration::from_secs(15);

/// How long a stream may be without a byte. Bookmarks come about every minute on a watch, and
/// heartbeats every few seconds on an attachment.
const STREAM: Duration = Duration::from_secs(100);

/// How long the end may take before the Lease is given back: less than the pod's grace period.
const FAREWELL: Duration = Duration::from_secs(20);

/// The settings of the operator, from its command line.
#[derive(Clone, Debug)]
pub struct OperatorSettings {
    /// The image of the probe, which all stand-ins run.
    pub probe_image: String,
    /// The priority class of stand-ins; the cluster's default if there is none.
    pub priority_class: Option<String>,
    /// The age at which the kubelet ends a stand-in, even if the operator is gone.
    pub stand_in_lifetime: Duration,
    /// The address that serves metrics.
    pub listen: SocketAddr,
    /// The address that serves `/livez` and `/readyz`.
    pub health_listen: SocketAddr,
    /// How many flows a test may name; one that names more is not accepted.
    pub flows_per_test: usize,
    /// The namespace of the operator itself.
    pub namespace: String,
    /// The name of the operator's own pod, under which it holds the Lease; none for a random name.
    pub pod: Option<String>,
    /// The namespace of the Lease by which one operator of the cluster acts and all others wait.
    pub lease_namespace: String,
    /// The operator's own Deployment. If that is gone when the operator is told to end, the
    /// operator removes its stand-ins.
    pub deployment: String,
}

/// Runs the operator until SIGTERM or SIGINT. An error says that it could not start, that another
/// operator has taken over, or that a part of it ended.
pub async fn operator(settings: OperatorSettings) -> anyhow::Result<()> {
    let mut told = EndSignals::listen()?;
    let config = Config::infer().await.context("no way to a cluster")?;
    let (standings, standing) =
        watch::channel(Standing::Unknown("the Lease was not read yet".into()));
    let pacing = Pacing::default();
    let plain = pacing::client(for_requests(&config), &pacing)?;
    let fence = FilterLayer::new(fence(standing.clone()));
    let fenced = ClientBuilder::try_from(for_requests(&config))?
        .with_layer(&pacing)
        .with_layer(&fence)
        .build();
    let streaming = client_for_streams(&config, &pacing)?;

    let public = TcpListener::bind(settings.listen)
        .await
        .with_context(|| format!("cannot listen on {}", settings.listen))?;
    let reports = TcpListener::bind(admin::REPORTS)
        .await
        .with_context(|| format!("cannot listen on {}", admin::REPORTS))?;

    let (pictures, world) = watch::channel(Arc::new(World::default()));
    let shared = Arc::new(Shared {
        client: fenced,
        streaming: streaming.clone(),
        world: world.clone(),
        metrics: Metrics::new(),
        reports: Reports::default(),
        standing,
        installation: OnceLock::new(),
    });
    let asked = Arc::clone(&shared);
    health::begin(settings.health_listen, Pulse::begin(), move |now| readiness(&asked, now))?;
    let mut keeper = tokio::spawn(keeper::keep(streaming, pictures));
    let servers = [(public, Site::Public), (reports, Site::Reports)]
        .map(|(listener, site)| tokio::spawn(admin::serve(listener, site, Arc::clone(&shared))));
    info!(version = env!("CARGO_PKG_VERSION"), "Operator started");

    let turn = tokio::select! {
        lease = take_turn(&settings, plain, standings, &shared) => Some(lease),
        () = told.ending() => None,
        ended = &mut keeper => anyhow::bail!("the keeper of the picture ended: {ended:?}"),
    };
    if let Some(lease) = turn {
        act(settings, lease, shared, told, keeper).await?;
    }
    for server in servers {
        server.abort();
    }
    Ok(())
}

/// Waits until this operator is the one that acts. Has no deadline.
async fn take_turn(
    settings: &OperatorSettings,
    client: Client,
    standings: watch::Sender<Standing>,
    shared: &Arc<Shared>,
) -> Keeper {
    let installation = installation::find(&client, &settings.namespace).await;
    let installation = shared.installation.get_or_init(|| installation).clone();
    let world = shared.world.clone();
    tokio::spawn(installation::census(Arc::clone(shared), installation.clone(), world));
    let pod = settings.pod.clone().unwrap_or_else(|| format!("operator-{}", nonce()));
    let identity = format!("{}/{pod}", settings.namespace);
    let me = Holder { identity, installation: Some(installation) };
    let lease = Keeper::begin(client, &settings.lease_namespace, me, standings);
    lease.acts().await;
    lease
}

/// Carries tests out until told to end.
async fn act(
    settings: OperatorSettings,
    lease: Keeper,
    shared: Arc<Shared>,
    mut told: EndSignals,
    keeper: JoinHandle<()>,
) -> anyhow::Result<()> {
    let world = shared.world.clone();
    let itself = Itself { namespace: settings.namespace, deployment: settings.deployment };
    let pod_settings = PodSettings {
        image: settings.probe_image,
        priority_class: settings.priority_class,
        lifetime: settings.stand_in_lifetime,
        installation: shared.installation.get().cloned().unwrap_or_default(),
    };
    let context = Arc::new(Context::new(
        shared,
        pod_settings,
        itself.namespace.clone(),
        settings.flows_per_test,
    ));
    let sweeper = tokio::spawn(janitor::run(Arc::clone(&context), world.clone()));
    let (stop, mut stopped) = watch::channel(());
    let shutdown = async move { stopped.changed().await.unwrap_or_default() };
    let mut controller =
        tokio::spawn(controller::run(Arc::clone(&context), news(world.clone()), shutdown));

    let removed = tokio::select! {
        () = told.ending() => false,
        () = removal::begins(&itself, world) => true,
        by = lease.succeeded() => anyhow::bail!("another operator has taken over: {by}"),
        ended = keeper => anyhow::bail!("the keeper of the picture ended: {ended:?}"),
        ended = sweeper => anyhow::bail!("the janitor ended: {ended:?}"),
    };
    context.close();
    stop.send_replace(());
    let farewell = async {
        let removed = removed || removal::is_meant(&context, &itself).await;
        if removed {
            removal::carry_out(&context).await;
        } else {
            context.stop();
        }
        removed
    };
    let removed = timeout(FAREWELL, farewell).await.unwrap_or_else(|_| {
        warn!("Not everything ended in time");
        removed
    });
    // Nothing that the controller has begun may go on once a successor acts.
    controller.abort();
    drop((&mut controller).await);
    lease.end(if removed { Farewell::Remove } else { Farewell::Release }).await;
    if removed {
        // If the process ended before its pod is deleted, the kubelet would start another.
        told.ending().await;
    }
    Ok(())
}

/// The signals that tell the operator to end.
struct EndSignals {
    terminate: Signal,
    interrupt: Signal,
    already: bool,
}

impl EndSignals {
    fn listen() -> anyhow::Result<Self> {
        let [terminate, interrupt] = [SignalKind::terminate(), SignalKind::interrupt()].map(signal);
        Ok(Self { terminate: terminate?, interrupt: interrupt?, already: false })
    }

    /// Waits for the first signal; returns at once after that.
    async fn ending(&mut self) {
        if self.already {
            return;
        }
        tokio::select! {
            _ = self.terminate.recv() => info!("Told to terminate"),
            _ = self.interrupt.recv() => info!("Interrupted"),
        }
        self.already = true;
    }
}

/// Refuses writes unless this operator acts at the moment: also those that a process decided before
/// it was paused for a while, and would send before it notices.
fn fence(
    standing: watch::Receiver<Standing>,
) -> impl Fn(Request<Body>) -> Result<Request<Body>, BoxError> + Clone {
    move |request| {
        let reads = [Method::GET, Method::HEAD].contains(request.method());
        if reads || standing.borrow().acts(Instant::now()) {
            return Ok(request);
        }
        Err("this operator does not act: the Lease is not held".into())
    }
}

/// One item for each change of the World, for the controller; changes that come together are one.
fn news(world: watch::Receiver<Arc<World>>) -> impl futures::Stream<Item = ()> + Send + 'static {
    futures::stream::unfold(world, |mut world| async move {
        world.changed().await.ok()?;
        world.borrow_and_update();
        Some(((), world))
    })
    .boxed()
}

/// The configuration for requests that are no streams. kube would retry 429, 503 and 504 up to 15
/// times with waits of many minutes; here every caller tries again in its own way.
fn for_requests(config: &Config) -> Config {
    let mut config = config.clone();
    config.read_timeout = Some(UNARY);
    config.write_timeout = Some(UNARY);
    config.connect_timeout = Some(Duration::from_secs(5));
    config.reset_reader_on_write = true;
    config.default_retry = false;
    config
}

fn client_for_streams(config: &Config, pacing: &Pacing) -> anyhow::Result<Client> {
    let mut config = config.clone();
    // With this on, kube's own pings would hide a peer that does not answer any more.
    config.reset_reader_on_write = false;
    config.read_timeout = Some(STREAM);
    config.default_retry = false;
    Ok(pacing::client(config, pacing)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lease::DEADLINE;

    #[test]
    fn nothing_is_written_by_one_that_does_not_act() {
        let (standings, standing) = watch::channel(Standing::Unknown("x".into()));
        let fence = fence(standing);
        let passes = |method: Method| {
            let request = Request::builder().method(method).body(Body::empty());
            fence(request.expect("a request")).is_ok()
        };
        let writes = [Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
        assert!(passes(Method::GET) && !writes.clone().into_iter().any(passes));
        standings.send_replace(Standing::Acting { until: Instant::now() + DEADLINE });
        assert!(writes.clone().into_iter().all(passes));
        // The deadline has passed, as after a pause of the process.
        standings.send_replace(Standing::Acting { until: Instant::now() });
        assert!(passes(Method::GET) && !writes.into_iter().any(passes));
    }
}
