//! Joins the operator's parts, and ends them in order.

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use futures::StreamExt;
use kube::{Client, Config};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    sync::watch,
    time::timeout,
};
use tracing::{info, warn};

use crate::{
    admin::{self, Site},
    args::OperatorArgs,
    controller::{self, Context},
    installation, janitor,
    metrics::Metrics,
    reports::Reports,
    standin::Mould,
    tester::Shared,
    world::{self, World},
};

/// A request that ends is given up after this long without an answer.
const UNARY: Duration = Duration::from_secs(15);

/// A stream is given up after this long without a byte: bookmarks come about every minute on a
/// watch, and heartbeats every few seconds on an attachment.
const STREAM: Duration = Duration::from_secs(100);

/// The time that cleaning up may take at the end; less than the pod's grace period.
const FAREWELL: Duration = Duration::from_secs(12);

/// Runs the operator until it is told to end.
pub async fn operator(args: OperatorArgs) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let config = Config::infer().await.context("no way to a cluster")?;
    let client = client(&config, UNARY)?;
    let streaming = client_for_streams(&config)?;

    let public = TcpListener::bind(args.listen)
        .await
        .with_context(|| format!("cannot listen on {}", args.listen))?;
    let reports = TcpListener::bind(admin::REPORTS)
        .await
        .with_context(|| format!("cannot listen on {}", admin::REPORTS))?;

    let (pictures, world) = watch::channel(Arc::new(World::default()));
    let shared = Arc::new(Shared {
        client,
        streaming: streaming.clone(),
        world: world.clone(),
        metrics: Metrics::new(),
        reports: Reports::default(),
    });
    let installation = tokio::select! {
        found = installation::find(&shared.client, &args.namespace) => found,
        _ = terminate.recv() => return Ok(()),
        _ = interrupt.recv() => return Ok(()),
    };
    let mould = Mould {
        image: args.probe_image,
        priority_class: args.priority_class,
        lifetime: args.stand_in_lifetime,
        installation,
    };
    let context = Arc::new(Context::new(Arc::clone(&shared), mould));
    let keeper = tokio::spawn(world::keep(streaming, pictures));
    let sweeper = tokio::spawn(janitor::run(Arc::clone(&context), world.clone()));
    let servers = [(public, Site::Public), (reports, Site::Reports)]
        .map(|(listener, site)| tokio::spawn(admin::serve(listener, site, Arc::clone(&shared))));

    let (stop, mut stopped) = watch::channel(());
    let shutdown = async move { stopped.changed().await.unwrap_or_default() };
    let controller = tokio::spawn(controller::run(Arc::clone(&context), news(world), shutdown));
    info!(version = env!("CARGO_PKG_VERSION"), "Operator started");

    tokio::select! {
        _ = terminate.recv() => info!("Told to terminate"),
        _ = interrupt.recv() => info!("Interrupted"),
        ended = keeper => anyhow::bail!("the keeper of the picture ended: {ended:?}"),
        ended = sweeper => anyhow::bail!("the janitor ended: {ended:?}"),
    }
    stop.send_replace(());
    context.stop();
    let farewell = async {
        janitor::clean_up(&context, &args.namespace, &args.deployment).await;
        if let Err(error) = controller.await {
            warn!(%error, "Controller ended badly");
        }
    };
    if timeout(FAREWELL, farewell).await.is_err() {
        warn!("Not everything ended in time");
    }
    for server in servers {
        server.abort();
    }
    Ok(())
}

/// Every change of the picture, for the controller.
fn news(world: watch::Receiver<Arc<World>>) -> impl futures::Stream<Item = ()> + Send + 'static {
    futures::stream::unfold(world, |mut world| async move {
        world.changed().await.ok()?;
        world.borrow_and_update();
        Some(((), world))
    })
    .boxed()
}

/// kube retries 429, 503 and 504 up to 15 times with waits of many minutes; here every caller has
/// its own way of trying again.
fn client(config: &Config, silence: Duration) -> anyhow::Result<Client> {
    let mut config = config.clone();
    config.read_timeout = Some(silence);
    config.write_timeout = Some(silence);
    config.connect_timeout = Some(Duration::from_secs(5));
    config.reset_reader_on_write = true;
    config.default_retry = false;
    Ok(Client::try_from(config)?)
}

fn client_for_streams(config: &Config) -> anyhow::Result<Client> {
    let mut config = config.clone();
    // kube's own pings would hide a peer that does not answer any more.
    config.reset_reader_on_write = false;
    config.read_timeout = Some(STREAM);
    config.default_retry = false;
    Ok(Client::try_from(config)?)
}
