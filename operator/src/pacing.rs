//! Keeps all requests of the operator from coming faster than the API server wants them.
//!
//! Callers wait after failures of their own accord. This is for what callers cannot see: the header
//! `Retry-After`, which kube's errors do not carry, and watches that kube's controller begins anew
//! as soon as one ends.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Arc, Mutex},
    task::{Context, Poll},
    time::Duration,
};

use futures::{
    FutureExt,
    future::{BoxFuture, ready},
};
use http_body_util::{BodyExt, Full};
use hyper::{Method, Request, Response, StatusCode, header::RETRY_AFTER};
use kube::{
    Client, Config,
    client::{Body, ClientBuilder, DynBody},
};
use serde_json::json;
use tokio::time::{Instant, sleep};
use tower::{BoxError, Layer, Service};

use crate::backoff::{LIVED, Rest};

/// The longest `Retry-After` that is obeyed, in seconds, whatever a proxy on the way may say.
const LONGEST: u64 = 600;

/// Makes a client of the API server that obeys what `pacing` has learned, and adds to it. The error
/// is that of a configuration that no client can be made from.
pub fn client(config: Config, pacing: &Pacing) -> Result<Client, kube::Error> {
    Ok(ClientBuilder::try_from(config)?.with_layer(pacing).build())
}

/// What was learned of the API server's wishes. Clones share it: all clients of the operator do.
#[derive(Clone, Default)]
pub struct Pacing(Arc<Mutex<Learned>>);

#[derive(Default)]
struct Learned {
    /// The rests that the API server asked for, by method and path of the requests.
    rests: HashMap<(Method, String), AskedRest>,
    /// The rest before the last beginning of each watch, by its name.
    watches: HashMap<String, Rest>,
}

/// A rest that the API server has asked for, and the status of its answer.
#[derive(Clone, Copy)]
struct AskedRest {
    until: Instant,
    status: StatusCode,
}

/// When a request is to be made, if at all.
enum Turn {
    /// The request is made after this time.
    After(Duration),
    /// The request is not made, and gets the answer of this rest.
    Never(AskedRest),
}

impl Pacing {
    fn turn(&self, request: &Request<Body>) -> Turn {
        let now = Instant::now();
        let mut learned = self.0.lock().expect("no holder of this lock can panic");
        if let Some(rest) = learned.rests.get(&place(request)).filter(|rest| now < rest.until) {
            return Turn::Never(*rest);
        }
        let Some(watch) = watch(request) else { return Turn::After(Duration::ZERO) };
        // A watch that begins again within LIVED has ended too soon, however well it began.
        learned.watches.retain(|_, rest| rest.over_for() < LIVED);
        match learned.watches.entry(watch) {
            Entry::Occupied(mut rest) => Turn::After(rest.get_mut().begin() - now),
            Entry::Vacant(place) => {
                place.insert(Rest::default());
                Turn::After(Duration::ZERO)
            }
        }
    }

    /// Remembers the `Retry-After` of an answer that is an error, for requests of this place.
    fn learn<B>(&self, place: (Method, String), answer: &Response<B>) {
        let status = answer.status();
        let seconds = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        let seconds = seconds.and_then(|text| text.trim().parse::<u64>().ok());
        let Some(seconds) =
            seconds.filter(|_| status.is_client_error() || status.is_server_error())
        else {
            return;
        };
        let asked = Duration::from_secs(seconds.min(LONGEST));
        // Up to a tenth more, so that clients that were told the same do not come back together.
        let millis = u64::try_from(asked.as_millis()).unwrap_or_default();
        let more = Duration::from_millis(netproof_rounds::clock::random() % (millis / 10 + 1));
        let now = Instant::now();
        let mut learned = self.0.lock().expect("no holder of this lock can panic");
        learned.rests.retain(|_, rest| now < rest.until);
        learned.rests.insert(place, AskedRest { until: now + asked + more, status });
    }
}

/// The method and path of a request: what a `Retry-After` is about.
fn place<B>(request: &Request<B>) -> (Method, String) {
    (request.method().clone(), request.uri().path().to_owned())
}

/// The name of a watch: path and selectors, without the version that it goes on from. None if the
/// request is no watch.
fn watch<B>(request: &Request<B>) -> Option<String> {
    let query = request.uri().query()?;
    if !query.split('&').any(|part| part == "watch=true") {
        return None;
    }
    let selects = |part: &&str| part.contains("Selector=");
    let selectors: Vec<&str> = query.split('&').filter(selects).collect();
    Some(format!("{}?{}", request.uri().path(), selectors.join("&")))
}

impl<S> Layer<S> for Pacing {
    type Service = Paced<S>;

    fn layer(&self, inner: S) -> Paced<S> {
        Paced { inner, pacing: self.clone() }
    }
}

/// A service that delays or refuses requests as its [`Pacing`] says.
pub struct Paced<S> {
    inner: S,
    pacing: Pacing,
}

impl<S> Service<Request<Body>> for Paced<S>
where
    S: Service<Request<Body>, Response = Response<Box<DynBody>>, Error = BoxError>,
    S::Future: Send + 'static,
{
    type Response = Response<Box<DynBody>>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let delay = match self.pacing.turn(&request) {
            Turn::After(delay) => delay,
            Turn::Never(rest) => return ready(Ok(refusal(rest))).boxed(),
        };
        let (place, pacing) = (place(&request), self.pacing.clone());
        // The client sends nothing before its future is awaited.
        let answer = self.inner.call(request);
        async move {
            if !delay.is_zero() {
                sleep(delay).await;
            }
            let answer = answer.await?;
            pacing.learn(place, &answer);
            Ok(answer)
        }
        .boxed()
    }
}

/// The answer in place of a request during a rest: the status that the API server gave before.
fn refusal(AskedRest { until, status }: AskedRest) -> Response<Box<DynBody>> {
    let left = until.saturating_duration_since(Instant::now()).as_secs();
    let said = json!({
        "apiVersion": "v1", "kind": "Status", "status": "Failure",
        "code": status.as_u16(), "reason": "TooManyRequests",
        "message": format!("the API server wants not to be asked for another {left} s"),
    });
    let body = Full::from(said.to_string()).map_err(BoxError::from);
    let mut answer = Response::new(Box::new(body) as Box<DynBody>);
    *answer.status_mut() = status;
    answer
}

#[cfg(test)]
#[path = "pacing_tests.rs"]
mod tests;
