//! Answers HTTP: metrics for everyone, reports for clients within the operator's pod.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use http_body_util::{BodyExt, Empty};
use hyper::{
    Method, Request, StatusCode,
    body::{Bytes, Incoming},
    client,
};
use hyper_util::rt::TokioIo;
use netproof_conformance::reference::ObjectRef;
use tokio::{
    net::{TcpListener, TcpStream},
    time::timeout,
};

use crate::{
    server::{self, HttpResponse, ServerLimits, text},
    shared::Shared,
};
use netproof_rounds::reports::{flow_lines, matrix_text};

/// What clients can cost. Few connections are enough, since only Prometheus and people ask, and an
/// answer may be large.
const LIMITS: ServerLimits = ServerLimits {
    connections: 32,
    request: Duration::from_secs(5),
    connection: Duration::from_secs(20),
};

/// How long the operator may take to accept a connection, to begin its answer, and to finish it.
const PATIENCE: Duration = Duration::from_secs(10);

/// The address that serves reports: the loopback of the operator's pod, since reports show the
/// topology of namespaces that not everyone may see.
pub const REPORTS: &str = "127.0.0.1:8082";

/// The pages that one port serves. All others are 404, and all methods but GET are 405.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Site {
    /// `/metrics`, in the text format of Prometheus.
    Public,
    /// `/matrix/NAMESPACE/NAME` and `/flows/NAMESPACE/NAME`, the reports of a test.
    Reports,
}

/// Serves a site for ever.
pub async fn serve(listener: TcpListener, site: Site, shared: Arc<Shared>) {
    server::serve(listener, LIMITS, move |request| respond(request, site, &shared)).await;
}

fn respond(request: &Request<Incoming>, site: Site, shared: &Shared) -> HttpResponse {
    if request.method() != Method::GET {
        return text(StatusCode::METHOD_NOT_ALLOWED, "only GET\n");
    }
    let path: Vec<&str> = request.uri().path().split('/').skip(1).collect();
    match (site, &path[..]) {
        (Site::Public, ["metrics"]) => {
            let world = Arc::clone(&shared.world.borrow());
            shared.metrics.leader(shared.standing.borrow().acts(std::time::Instant::now()));
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

/// Asks the operator in this pod for a report, by its path. An error says that no operator answers
/// in time, or what it answered instead. Ends within 30 s.
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
