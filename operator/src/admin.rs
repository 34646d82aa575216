//! Answers HTTP: health and figures for everyone, reports for those on the same host.

use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};

use http_body_util::{BodyExt, Empty, Full};
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    client, server,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use netproof_conformance::snapshot::ObjectRef;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::{Instant, timeout},
};
use tracing::debug;

use crate::{
    readiness::readiness,
    reports::{flow_lines, matrix_text},
    tester::Shared,
};

/// Connections served at a time; more wait. A slow client holds one of these, and nothing else.
const CONNECTIONS: usize = 32;

/// How long a client may take for its request, and for taking the answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where reports are asked for: within the operator's own pod only, since they show the topology
/// of namespaces that not everyone may see.
pub const REPORTS: &str = "127.0.0.1:8081";

/// What is answered on a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Site {
    /// `/livez`, `/readyz`, `/metrics`.
    Public,
    /// `/matrix/NAMESPACE/NAME`, `/flows/NAMESPACE/NAME`.
    Reports,
}

/// Serves a site for ever.
pub async fn serve(listener: TcpListener, site: Site, shared: Arc<Shared>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let place = Arc::clone(&places).acquire_owned().await.expect("it is never closed");
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                debug!(%error, "Connection not accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            let service = service_fn(|request| {
                let response = respond(&request, site, &shared);
                async move { Ok::<_, Infallible>(response) }
            });
            let connection = server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(PATIENCE)
                .max_buf_size(16 * 1024)
                .keep_alive(false)
                .serve_connection(TokioIo::new(stream), service);
            if let Ok(Err(error)) = timeout(2 * PATIENCE, connection).await {
                debug!(%error, "Connection failed");
            }
            drop(place);
        });
    }
}

fn respond(request: &Request<Incoming>, site: Site, shared: &Shared) -> Response<Full<Bytes>> {
    if request.method() != Method::GET {
        return text(StatusCode::METHOD_NOT_ALLOWED, "only GET\n");
    }
    let path: Vec<&str> = request.uri().path().split('/').skip(1).collect();
    match (site, &path[..]) {
        (Site::Public, ["livez"]) => text(StatusCode::OK, "ok\n"),
        (Site::Public, ["readyz"]) => match readiness(shared, Instant::now().into_std()) {
            Ok(said) => text(StatusCode::OK, format!("{said}\n")),
            Err(why) => text(StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")),
        },
        (Site::Public, ["metrics"]) => {
            let world = Arc::clone(&shared.world.borrow());
            shared.metrics.leader(shared.standing.borrow().acts(Instant::now().into_std()));
            text(StatusCode::OK, shared.metrics.text(&world))
        }
        (Site::Reports, [what @ ("matrix" | "flows"), namespace, name]) => {
            let test = ObjectRef { namespace: (*namespace).into(), name: (*name).into() };
            match shared.reports.get(&test) {
                Some(view) if *what == "matrix" => text(StatusCode::OK, matrix_text(&view)),
                Some(view) => text(StatusCode::OK, flow_lines(&view)),
                None => {
                    let why = format!("the operator carries out no ConnectivityTest {test}\n");
                    text(StatusCode::NOT_FOUND, why)
                }
            }
        }
        (Site::Public | Site::Reports, _) => text(StatusCode::NOT_FOUND, "no such page\n"),
    }
}

fn text(status: StatusCode, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    Response::builder()
        .status(status)
        .header("content-type", "text/plain; charset=utf-8")
        .body(Full::new(body.into()))
        .expect("the status and the header are valid")
}

/// Asks the operator on this host for a report.
pub async fn ask(path: &str) -> anyhow::Result<String> {
    let address: SocketAddr = REPORTS.parse().expect("it is an address");
    let stream = timeout(PATIENCE, TcpStream::connect(address)).await?.map_err(|error| {
        anyhow::anyhow!("no operator answers at {address}: {error}; run this in the operator's pod")
    })?;
    let (mut sender, connection) = client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    let request = Request::get(path).header("host", REPORTS).body(Empty::<Bytes>::new())?;
    let response = timeout(PATIENCE, sender.send_request(request)).await??;
    let status = response.status();
    let body = timeout(PATIENCE, response.into_body().collect()).await??.to_bytes();
    connection.abort();
    let body = String::from_utf8_lossy(&body).into_owned();
    anyhow::ensure!(status.is_success(), "{}", body.trim_end());
    Ok(body)
}
