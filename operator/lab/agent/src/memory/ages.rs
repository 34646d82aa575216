//! Faults that come and go by the clock: each is `ignores-all` somewhere for a while.

use std::{collections::BTreeMap, time::Duration};

use tokio::time::Instant;

use crate::{
    fault::Fault,
    setting::{Failing, Scope, Setting},
    world::ObjectName,
};

/// What is not enforced now, and the moments at which that changes.
pub(super) fn failing(
    heard: &BTreeMap<ObjectName, Instant>,
    since: &[(Failing, Instant)],
    setting: &Setting,
    node: &str,
    now: Instant,
) -> (Vec<Failing>, Vec<Instant>) {
    let late = heard.iter().filter_map(|(name, heard)| {
        let until = *heard + lateness(&setting.of_pod(node, name))?;
        (now < until).then(|| (Some(open(pod(name))), until))
    });
    let flapping = since.iter().filter_map(|(failing, since)| {
        let Fault::Flapping(half) = failing.fault else { return None };
        let (phase, until) = phase(*since, half, now);
        let pause = (phase % 2 == 1).then(|| open(failing.scope.clone()));
        Some((pause, until))
    });
    let (failing, changes): (Vec<_>, _) = late.chain(flapping).unzip();
    (failing.into_iter().flatten().collect(), changes)
}

fn open(scope: Scope) -> Failing {
    Failing { fault: Fault::IgnoresAll, scope }
}

fn pod(name: &ObjectName) -> Scope {
    let namespace = name.namespace.clone().unwrap_or_default();
    Scope::Pod { namespace, name: name.name.clone() }
}

fn lateness(faults: &[Fault]) -> Option<Duration> {
    let late =
        |fault: &Fault| if let Fault::LateIsolation(late) = fault { Some(*late) } else { None };
    faults.iter().filter_map(late).max()
}

/// The number of the half period that `now` is in, and when the next one begins.
fn phase(since: Instant, half: Duration, now: Instant) -> (u128, Instant) {
    // A half period of nothing would never end.
    let half = half.max(Duration::from_millis(1));
    let age = now.saturating_duration_since(since);
    let phase = age.as_nanos() / half.as_nanos();
    let into = Duration::from_nanos(u64::try_from(age.as_nanos() % half.as_nanos()).unwrap_or(0));
    (phase, now + half.saturating_sub(into))
}
