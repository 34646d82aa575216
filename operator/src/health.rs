//! Says whether the operator lives and is ready: by a thread, a port and places of its own, so that
//! neither its work nor who asks for its figures can keep the kubelet from an answer.

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

/// More connections than anybody but an attacker opens: the kubelet has its place beside several
/// hundred that say nothing, and these go in a moment.
const LIMITS: ServerLimits = ServerLimits {
    connections: 512,
    request: Duration::from_secs(2),
    connection: Duration::from_secs(5),
};

/// How often the operator's runtime shows that it works.
const BEAT: Duration = Duration::from_secs(1);

/// Without a beat for so long it is stuck: no work of the operator holds a runtime for a tenth of
/// it.
const STUCK: Duration = Duration::from_secs(15);

/// When the operator's runtime last showed that it works.
#[derive(Clone)]
pub struct Pulse(Arc<AtomicU64>);

impl Pulse {
    /// Beats for as long as the runtime of this call works.
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

/// Answers from now on, for as long as the process is there. `readiness` says whether the operator
/// is ready at a moment, and either way a line about it.
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
