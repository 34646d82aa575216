//! Has each new stand-in attempted from others that the policies deny it, from before it answers.

use std::{sync::Arc, time::Duration};

use k8s_openapi::jiff::Timestamp;
use netproof_conformance::{
    expected::Expected,
    matrix::{Cell, Matrix},
};
use netproof_crds::{Finding, StartUp};
use tracing::{debug, info};

use super::{Done, Timing, stand_in};
use crate::assignment::Assignment;
use netproof_rounds::{
    measurements::start_up::{self, Found, Newcomer, ObservedStart, Pace, Started, Window, search},
    predict::{StandIn, between, place},
    scenario::Scenario,
};

/// How many new stand-ins of a test are attempted at once. Each takes 200 attempts a second.
const AT_ONCE: usize = 4;

/// How long after its container started the start of a stand-in is over, in seconds.
const RECENT: i64 = 5;

/// How long a newcomer is attempted at least.
const SHORTEST: Duration = Duration::from_secs(5);

/// A new stand-in of the test that is being attempted.
pub(super) struct Greeted {
    stand_in: StandIn,
    newcomer: Newcomer,
}

/// Chooses the flows by which to attempt a newcomer. `node` gives the node of a flow's sender; none
/// if that has no probe that speaks.
pub(super) fn choose(
    newcomer: &StandIn,
    expected: &Matrix<Expected>,
    node: impl Fn(&Cell) -> Option<Option<String>>,
) -> Vec<Cell> {
    let home = newcomer.pod.as_ref().and_then(|(_, pod)| pod.node.clone());
    let denied = expected.iter().filter(|(cell, expected)| {
        cell.to == newcomer.desired.actor && matches!(expected, Expected::Deny(_))
    });
    start_up::choose(denied.map(|(cell, _)| cell), |cell| Some(node(cell)? == home))
}

impl Timing {
    /// Starts to attempt stand-ins that have an address and have not spoken yet, and tells those
    /// under way what changed.
    pub(super) fn greet_newcomers(&mut self, scenario: &Scenario, assignment: &Assignment) {
        for Greeted { stand_in, newcomer } in self.newcomers.values() {
            newcomer.expect(|cell| matches!(self.expected.get(cell), Some(Expected::Deny(_))));
            if !newcomer.has_arrived()
                && let Some(session) = self.session(stand_in)
            {
                newcomer.arrived(session);
            }
        }
        let there = |uid: &String| {
            let mut pods = assignment.stand_ins.iter().filter_map(|s| s.pod.as_ref());
            pods.any(|(_, pod)| pod.uid == *uid)
        };
        self.started.retain(there);
        for stand_in in &assignment.stand_ins {
            self.greet(stand_in, scenario, assignment);
        }
    }

    fn greet(&mut self, newcomer: &StandIn, scenario: &Scenario, assignment: &Assignment) {
        let Some((_, pod)) = &newcomer.pod else { return };
        if pod.addresses.is_empty() || self.started.contains(&pod.uid) {
            return;
        }
        let age = pod.started.map_or(0, |at| Timestamp::now().as_second() - at.as_second());
        if scenario.start_up == StartUp::Off || age > RECENT || self.session(newcomer).is_some() {
            self.started.insert(pod.uid.clone());
            return;
        }
        if self.newcomers.len() >= AT_ONCE {
            return;
        }
        let cells = choose(newcomer, &self.expected, |cell| {
            let sender = stand_in(&cell.from, assignment)?;
            self.session(sender)?;
            Some(sender.pod.as_ref()?.1.node.clone())
        });
        let sender = |cell: &Cell| {
            let sender = stand_in(&cell.from, assignment)?;
            let flow = between(cell, &sender.pod.as_ref()?.1, pod).ok()?;
            Some((flow, self.session(sender)?))
        };
        let Some((greeted, (senders, arriving))) = Newcomer::greet(cells, sender) else { return };
        debug!(pod = %pod.uid, senders = senders.len(), "Attempting a new stand-in");
        self.started.insert(pod.uid.clone());
        let uid = pod.uid.clone();
        let pace = Pace::within(scenario.patience.settle.max(SHORTEST));
        self.jobs.spawn({
            let uid = uid.clone();
            async move { Done::Started { uid, found: search(senders, arriving, pace).await } }
        });
        self.newcomers.insert(uid, Greeted { stand_in: newcomer.clone(), newcomer: greeted });
    }

    pub(super) fn note_start(&mut self, uid: &str, found: &[Found]) {
        let Some(greeted) = self.newcomers.remove(uid) else { return };
        let actor = &greeted.stand_in.desired.actor;
        let worst = found.iter().filter_map(|found| match found {
            Found::Leaked(window) => Some(window.accepted()),
            Found::Isolated { .. } | Found::Inconclusive(_) => None,
        });
        let worst = worst.max();
        let result = Started::of(found);
        info!(stand_in = %actor, ?result, ?found, "New stand-in was attempted");
        self.metrics().startup(result, worst);
        self.sources.measurements.send_modify(|measurements| {
            let measurements = Arc::make_mut(measurements);
            measurements.starts.retain(|uid, _| self.started.contains(uid));
            measurements.starts.insert(uid.to_owned(), result);
        });
        if result == Started::Inconclusive {
            return;
        }
        let leaks = self.leaks(&greeted, found);
        let generation = self.seen.as_ref().map_or(0, |(assignment, _)| assignment.generation);
        let mut measurements = self.sources.measurements.borrow().as_ref().clone();
        let mut stand: Vec<_> = measurements.standing(generation).cloned().collect();
        // The leaks of an endpoint's newest pod replace those of earlier pods.
        stand.retain(|(leak, _)| {
            leak.to.endpoint != actor.endpoint || (actor.on.is_some() && leak.to.node != actor.on)
        });
        stand.extend(leaks);
        (measurements.generation, measurements.leaks) = (generation, stand);
        self.sources.measurements.send_replace(Arc::new(measurements));
    }

    /// The leaks of a newcomer, as findings, and the time for which each accepted connections.
    fn leaks(&self, greeted: &Greeted, found: &[Found]) -> Vec<(Finding, Option<Window>)> {
        let Some((assignment, world)) = &self.seen else { return vec![] };
        let Ok(scenario) = &assignment.scenario else { return vec![] };
        let policies = world.understood_policies();
        let finding = |(cell, found): (&Cell, &Found)| {
            let expected = self.expected.get(cell)?.clone();
            let from = place(&cell.from, scenario, &assignment.stand_ins);
            let to = place(&cell.to, scenario, std::slice::from_ref(&greeted.stand_in));
            let start_up =
                ObservedStart::new(cell, None, expected, [from, to], found.clone(), &policies);
            Some((start_up.finding(Timestamp::now())?, start_up.leak().copied()))
        };
        greeted.newcomer.cells().zip(found).filter_map(finding).collect()
    }
}

#[cfg(test)]
mod tests {
    use netproof_conformance::{
        expected::{Because, Decision},
        flow::{Port, Protocol},
        matrix::Actor,
    };

    use super::*;
    use netproof_rounds::{decode::PodProgress, fixtures::stand_in};

    fn newcomer(node: &str) -> StandIn {
        let mut stand_in = stand_in("db", "10.0.0.9");
        if let Some((_, pod)) = &mut stand_in.pod {
            pod.node = Some(node.into());
            pod.progress = PodProgress::Starting;
        }
        stand_in
    }

    fn denied(flows: &[(&str, u16, Protocol)]) -> Matrix<Expected> {
        let because = Because { egress: Decision::NotIsolated, ingress: Decision::NotIsolated };
        let cell = |(from, number, protocol): &(&str, u16, Protocol)| Cell {
            from: Actor::sole(*from),
            to: Actor::sole("db"),
            port: Port { number: *number, protocol: *protocol },
        };
        flows.iter().map(|flow| (cell(flow), Expected::Deny(because.clone()))).collect()
    }

    /// Whom the newcomer on node `one` is attempted by, where these are denied; who is called
    /// `mute` does not speak, and the others are on the node that begins their name.
    fn check(flows: &[(&str, u16, Protocol)], expected: &[(&str, u16)]) {
        let node = |cell: &Cell| {
            let name = &cell.from.endpoint;
            (name != "mute").then(|| name.split('-').next().map(str::to_owned))
        };
        let chosen = choose(&newcomer("one"), &denied(flows), node);
        let chosen: Vec<_> =
            chosen.iter().map(|c| (c.from.endpoint.as_str(), c.port.number)).collect();
        assert_eq!(chosen, expected);
    }

    #[test]
    fn a_newcomer_is_attempted_from_its_own_node_and_from_another() {
        use Protocol::{Tcp, Udp};
        check(
            &[("one-a", 80, Tcp), ("one-b", 80, Tcp), ("two-a", 80, Tcp), ("two-b", 80, Tcp)],
            &[("one-a", 80), ("two-a", 80)],
        );
        check(&[("two-a", 80, Tcp), ("mute", 80, Tcp)], &[("two-a", 80)]);
        check(
            &[("one-a", 80, Tcp), ("one-a", 90, Tcp), ("two-a", 90, Tcp)],
            &[("one-a", 90), ("two-a", 90)],
        );
        check(&[("one-a", 53, Udp), ("one-a", 80, Tcp)], &[("one-a", 80)]);
    }

    #[test]
    fn what_is_allowed_is_not_attempted() {
        let chosen = choose(&newcomer("one"), &Matrix::default(), |_| Some(None));
        assert_eq!(chosen, []);
    }
}
