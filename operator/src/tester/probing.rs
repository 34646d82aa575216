//! Keeps track of which of a test's probes run, speak, or are missing.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use k8s_openapi::jiff::Timestamp;
use netproof_conformance::matrix::{Actor, Cell};

use super::{Tester, timing::ProbeLinks};
use crate::{
    assignment::Assignment,
    probes::{PodRef, Probe},
};
use netproof_rounds::{
    clock::uptime,
    engine::round::Sessions,
    predict::{StandIn, asked, not_running},
};

impl Tester {
    /// Notes which probes speak, and returns whether one speaks that did not before.
    pub(super) fn note_speaking(&mut self, stand_ins: &[StandIn]) -> bool {
        let sessions = self.sessions(stand_ins);
        let speaking: BTreeSet<Actor> =
            sessions.into_iter().filter(|(_, s)| s.is_ok()).map(|(actor, _)| actor).collect();
        let newcomers = !speaking.is_subset(&self.speaking);
        self.speaking = speaking;
        newcomers
    }

    /// Attaches to the probes that run, and lets go of all others.
    pub(super) fn keep_probes(&mut self, stand_ins: &[StandIn]) {
        let mut running = BTreeMap::new();
        for stand_in in stand_ins {
            if let Some((name, pod)) = stand_in.running() {
                let id = PodRef::of(name, pod);
                running.insert(stand_in.desired.actor.clone(), (id, pod.started));
            }
        }
        self.probes.retain(|id, _| running.values().any(|(other, _)| other == id));
        for (actor, (id, started)) in running {
            if !self.probes.contains_key(&id) {
                let streaming = self.shared.streaming.clone();
                let probe = Probe::keep(streaming, id.clone(), self.turned.clone());
                self.probes.insert(id.clone(), probe);
            }
            let age = started.map_or(0, |at| Timestamp::now().as_second() - at.as_second());
            let age = Duration::from_secs(u64::try_from(age).unwrap_or(0));
            let now = uptime();
            self.book.meet(&actor, &id.uid, now.saturating_sub(age), now);
        }
        let links = self.probes.iter().map(|(id, probe)| (id.clone(), probe.line())).collect();
        self.links.send_if_modified(|known: &mut Arc<ProbeLinks>| {
            let differs = !known.keys().eq(self.probes.keys());
            *known = Arc::new(links);
            differs
        });
    }

    pub(super) fn sessions(&self, stand_ins: &[StandIn]) -> Sessions {
        stand_ins
            .iter()
            .map(|stand_in| {
                let conversation = match self.probe(stand_in) {
                    Some(probe) => probe.conversation(),
                    None => Err(not_running(stand_in).message),
                };
                (stand_in.desired.actor.clone(), conversation)
            })
            .collect()
    }

    pub(super) fn probe(&self, stand_in: &StandIn) -> Option<&Probe> {
        let (name, pod) = stand_in.running()?;
        let id = PodRef::of(name, pod);
        self.probes.get(&id)
    }

    /// Notes why flows without a probe at both ends are inconclusive, whether or not there is a
    /// round.
    pub(super) fn note_missing(&mut self, assignment: &Assignment) {
        let Ok(scenario) = &assignment.scenario else { return };
        let sessions = self.sessions(&assignment.stand_ins);
        let why = |cell: &Cell| {
            asked(cell, scenario, &assignment.stand_ins).err().or_else(|| {
                [&cell.from, &cell.to]
                    .into_iter()
                    .find_map(|actor| sessions.get(actor)?.as_ref().err().cloned())
            })
        };
        self.book.note_missing(why, uptime());
    }
}
