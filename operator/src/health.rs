//! Says whether the operator lives and is ready. A thread, a port and connections of its own keep
//! the answers to the kubelet apart from the operator's work and from requests for metrics.

use std::{
    net::{SocketAddr, TcpListener},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use hyper::{Method, Request, StatusCode};
use tokio::{runtime, time::interval};

use crate::server::{HttpResponse, ServerLimits, serve, text};
use netproof_rounds::clock::uptime;

/// What clients can cost. There is room for the kubelet beside several hundred connections that say
/// nothing, each of which is closed within 5 s.
const LIMITS: ServerLimits = ServerLimits {
    connections: 512,
    request: Duration::from_secs(2),
    connection: Duration::from_secs(5),
};

/// How often the operator's runtime shows that it works.
const BEAT: Duration = Duration::from_secs(1);

/// Without a beat for so long the runtime is stuck: no work of the operator holds a runtime for a
/// tenth of this.
const STUCK: Duration = Duration::from_secs(15);

/// The time at which the operator's runtime last showed that it works. Clones share it.
#[derive(Clone)]
pub struct Pulse(Arc<AtomicU64>);

impl Pulse {
    /// Beats once a second on the runtime of this call, for as long as that works.
    pub fn begin() -> Self {
        let pulse = Self(Arc::new(AtomicU64::new(now())));
        let beating = pulse.clone();
        tokio::spawn(async move {
            let mut beats = interval(BEAT);
            loop {
                beats.tick().await;
                beating.0.store(now(), Ordering::Relaxed);
            }
        });
        pulse
    }

    fn age(&self) -> Duration {
        Duration::from_millis(now().saturating_sub(self.0.load(Ordering::Relaxed)))
    }
}

fn now() -> u64 {
    u64::try_from(uptime().as_millis()).unwrap_or(u64::MAX)
}

/// Answers `/livez` and `/readyz` for as long as the process is there, and returns the address that
/// was bound. `readiness` says whether the operator is ready at a moment, with a line about it
/// either way.
pub fn begin(
    listen: SocketAddr,
    pulse: Pulse,
    readiness: impl Fn(Instant) -> Result<String, String> + Send + Sync + 'static,
) -> anyhow::Result<SocketAddr> {
    let listener =
        TcpListener::bind(listen).with_context(|| format!("cannot listen on {listen}"))?;
    listener.set_nonblocking(true)?;
    let bound = listener.local_addr()?;
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    let answering = async move {
        let listener = tokio::net::TcpListener::from_std(listener).expect("it does not block");
        serve(listener, LIMITS, move |request| answer(request, &pulse, &readiness)).await;
    };
    thread::Builder::new().name("health".into()).spawn(move || runtime.block_on(answering))?;
    Ok(bound)
}

fn answer<B>(
    request: &Request<B>,
    pulse: &Pulse,
    readiness: &impl Fn(Instant) -> Result<String, String>,
) -> HttpResponse {
    if request.method() != Method::GET {
        return text(StatusCode::METHOD_NOT_ALLOWED, "only GET\n");
    }
    let said = match request.uri().path() {
        "/livez" => match pulse.age() {
            age if age > STUCK => Err(format!("nothing was done for {} s", age.as_secs())),
            _ => Ok("ok".to_owned()),
        },
        "/readyz" => readiness(Instant::now()),
        _ => return text(StatusCode::NOT_FOUND, "no such page\n"),
    };
    match said {
        Ok(said) => text(StatusCode::OK, format!("{said}\n")),
        Err(why) => text(StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")),
    }
}

#[cfg(test)]
#[path = "health_tests.rs"]
mod tests;
