//! Serves small answers over HTTP, with bounds on the number of connections and their time.

use std::{convert::Infallible, sync::Arc, time::Duration};

use http_body_util::Full;
use hyper::{
    Request, Response, StatusCode,
    body::{Bytes, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::{sleep, timeout},
};
use tracing::debug;

/// The answer to a request, whole in memory.
pub type HttpResponse = Response<Full<Bytes>>;

/// What clients may take, all together and each.
#[derive(Clone, Copy, Debug)]
pub struct ServerLimits {
    /// Connections at once; further ones are closed as they come.
    pub connections: usize,
    /// How long a client may take to send the head of its request.
    pub request: Duration,
    /// How long a connection may last in all.
    pub connection: Duration,
}

/// Answers requests on `listener` for ever, one on each connection. If the future is dropped,
/// connections that are open last until [`ServerLimits::connection`].
pub async fn serve(
    listener: TcpListener,
    limits: ServerLimits,
    answer: impl Fn(&Request<Incoming>) -> HttpResponse + Send + Sync + 'static,
) {
    let places = Arc::new(Semaphore::new(limits.connections));
    let answer = Arc::new(answer);
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                debug!(%error, "Connection not accepted");
                sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        // A client that waited for a place would wait for the slowest of all others.
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else { continue };
        let answer = Arc::clone(&answer);
        tokio::spawn(async move {
            converse(stream, limits, &*answer).await;
            drop(place);
        });
    }
}

async fn converse(
    stream: TcpStream,
    limits: ServerLimits,
    answer: &(impl Fn(&Request<Incoming>) -> HttpResponse + Send + Sync),
) {
    let service = service_fn(|request| {
        let answer = answer(&request);
        async move { Ok::<_, Infallible>(answer) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.request)
        .max_buf_size(16 * 1024)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    if let Ok(Err(error)) = timeout(limits.connection, connection).await {
        debug!(%error, "Connection failed");
    }
}

/// An answer in plain text.
pub fn text(status: StatusCode, body: impl Into<Bytes>) -> HttpResponse {
    Response::builder()
        .status(status)
        .header("content-type", "text/plain; charset=utf-8")
        .body(Full::new(body.into()))
        .expect("the status and the header are valid")
}

#[cfg(test)]
#[path = "server_tests.rs"]
mod tests;
