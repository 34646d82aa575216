//! One side of all flows on one port: a row of peers for each profile.

use std::collections::HashMap;

use super::{
    Compiled, PortsOf,
    bits::{self, BitTable},
    index, mask,
    profiles::Profile,
    rules::{self, CompiledClusterRule, CompiledPeer, CompiledRule, side},
    shapes::AddressFamilies,
    tiers::{self, Matches},
};
use crate::flow::{Direction, Family, Port};

/// By profile, the shapes at the other end with which a flow may pass this side, and those with
/// which it may be stopped.
#[derive(Clone)]
pub(super) struct SideRows {
    pub(super) passes: BitTable,
    /// None where it is just what does not pass.
    pub(super) stops: Option<BitTable>,
}

/// What all rows of one side have in common.
struct RowsView<'a> {
    compiled: &'a Compiled,
    direction: Direction,
    port: Port,
    init_resolves: bool,
    /// By the name of a port: the shapes on which it means the one asked for.
    named: HashMap<u32, Vec<u64>>,
}

/// Which peers a list of ports matches.
enum PortMask {
    None,
    All,
    Only(Vec<u64>),
}

impl SideRows {
    pub(super) fn new(
        compiled: &Compiled,
        direction: Direction,
        port: Port,
        init_resolves: bool,
    ) -> Self {
        let view = RowsView::new(compiled, direction, port, init_resolves);
        let bits = compiled.shapes.all.len();
        let stops = view.is_open().then(|| BitTable::new(bits));
        let mut rows = Self { passes: BitTable::new(bits), stops };
        let profiles = 0..compiled.profiles[side(direction)].all.len();
        profiles.for_each(|profile| rows.fill(&view, profile));
        rows
    }

    /// Asks again for some profiles, and for those that are new.
    pub(super) fn update(
        &mut self,
        compiled: &Compiled,
        direction: Direction,
        port: Port,
        init_resolves: bool,
        profiles: &[u32],
    ) {
        let view = RowsView::new(compiled, direction, port, init_resolves);
        for profile in profiles {
            self.fill(&view, *profile as usize);
        }
    }

    fn fill(&mut self, view: &RowsView<'_>, number: usize) {
        let profile = &view.compiled.profiles[side(view.direction)].all[number];
        let families = view.families(profile.families);
        let admitted = view.admitted(profile, &families);
        let row = self.passes.row_or_new(number);
        let Some(stops) = &mut self.stops else {
            row.copy_from_slice(&admitted);
            return;
        };
        let stopped = stops.row_or_new(number);
        view.tiers(profile, &families, &admitted, row, stopped);
        let [four, six] = &families;
        for word in 0..row.len() {
            let without = !(four[word] | six[word]);
            row[word] |= without;
            stopped[word] |= without;
        }
    }
}

/// Names mean what the receiver's containers give them: the subject's own for ingress.
fn named(
    compiled: &Compiled,
    direction: Direction,
    port: Port,
    init_resolves: bool,
) -> HashMap<u32, Vec<u64>> {
    let mut named: HashMap<u32, Vec<u64>> = HashMap::new();
    if direction == Direction::Ingress {
        return named;
    }
    let shapes = &compiled.shapes;
    for (place, shape) in shapes.all.iter().enumerate() {
        let ports = shapes.named[shape.named as usize].iter().filter(|one| {
            (one.number, one.protocol) == (port.number, port.protocol)
                && (init_resolves || !one.is_init)
        });
        for port in ports {
            let row = named.entry(port.name).or_insert_with(|| vec![0; shapes.width()]);
            row[place / 64] |= 1 << (place % 64);
        }
    }
    named
}

impl<'a> RowsView<'a> {
    fn new(compiled: &'a Compiled, direction: Direction, port: Port, init_resolves: bool) -> Self {
        let named = named(compiled, direction, port, init_resolves);
        Self { compiled, direction, port, init_resolves, named }
    }

    /// Whether what passes and what is stopped may be the same flows.
    fn is_open(&self) -> bool {
        let has = |family| self.compiled.shapes.all.iter().any(|shape| shape.families == family);
        !self.compiled.rules.cluster.is_empty()
            || (has(AddressFamilies::Four) && has(AddressFamilies::Six))
    }

    /// By family: the peers with which a flow of a subject with these families is of that family.
    fn families(&self, own: AddressFamilies) -> [Vec<u64>; 2] {
        let shapes = &self.compiled.shapes;
        let mut rows = [vec![0; shapes.width()], vec![0; shapes.width()]];
        let by_peer = AddressFamilies::ALL.map(|peer| match self.direction {
            Direction::Egress => peer.common(own, None),
            Direction::Ingress => own.common(peer, None),
        });
        for (place, shape) in shapes.all.iter().enumerate() {
            if let Some(family) = by_peer[shape.families as usize] {
                rows[index(family)][place / 64] |= 1 << (place % 64);
            }
        }
        rows
    }

    /// Whom the `NetworkPolicies` admit; everyone where none isolates.
    fn admitted(&self, profile: &Profile, families: &[Vec<u64>; 2]) -> Vec<u64> {
        let width = self.compiled.shapes.width();
        if profile.isolating.is_empty() {
            return vec![u64::MAX; width];
        }
        let (mut row, mut scratch) = (vec![0; width], vec![0; width]);
        let rules = profile.isolating.iter().filter_map(|number| {
            self.compiled.rules.network[*number as usize][side(self.direction)].as_ref()
        });
        for CompiledRule { peers, ports } in rules.flatten() {
            match (self.mask(ports.as_deref(), profile), peers) {
                (PortMask::None, _) => {}
                (PortMask::All, None) => return vec![u64::MAX; width],
                (PortMask::Only(mask), None) => bits::or(&mut row, &mask),
                (PortMask::All, Some(peers)) => {
                    for who in peers {
                        self.add(*who, families, &mut row);
                    }
                }
                (PortMask::Only(mask), Some(peers)) => {
                    scratch.fill(0);
                    for who in peers {
                        self.add(*who, families, &mut scratch);
                    }
                    bits::and(&mut scratch, &mask);
                    bits::or(&mut row, &scratch);
                }
            }
        }
        row
    }

    fn add(&self, who: CompiledPeer, families: &[Vec<u64>; 2], into: &mut [u64]) {
        match who {
            CompiledPeer::Pods(row) => bits::or(into, self.compiled.rules.pods.row(row as usize)),
            CompiledPeer::Block(row) => {
                for family in [Family::IPv4, Family::IPv6].map(index) {
                    let blocks = self.compiled.shapes.blocks[family].row(row as usize);
                    let both = blocks.iter().zip(&families[family]);
                    into.iter_mut().zip(both).for_each(|(into, (one, other))| *into |= one & other);
                }
            }
        }
    }

    fn mask(&self, list: Option<&[rules::CompiledPort]>, profile: &Profile) -> PortMask {
        let own = profile.named.map(|number| &*self.compiled.shapes.named[number as usize]);
        let ports = PortsOf {
            port: self.port,
            named: own.unwrap_or_default(),
            init_resolves: self.init_resolves,
        };
        if ports.certainly_and_perhaps(list).0 {
            return PortMask::All;
        }
        let mut found = PortMask::None;
        for port in list.unwrap_or_default() {
            let rules::CompiledPort::Named { protocol, name } = port else { continue };
            let Some(row) = self.named.get(name) else { continue };
            if protocol.is_none_or(|protocol| protocol == self.port.protocol) {
                match &mut found {
                    PortMask::Only(mask) => bits::or(mask, row),
                    PortMask::None | PortMask::All => found = PortMask::Only(row.clone()),
                }
            }
        }
        found
    }

    /// The tiers around the `NetworkPolicies`, where the profile has them.
    fn tiers(
        &self,
        profile: &Profile,
        families: &[Vec<u64>; 2],
        admitted: &[u64],
        passes: &mut [u64],
        stops: &mut [u64],
    ) {
        for word in 0..admitted.len() {
            let matches = |rule: &CompiledClusterRule| self.matches(rule, profile, families, word);
            let rules = &self.compiled.rules;
            let outcomes =
                tiers::outcomes(profile, self.direction, rules, &matches, || admitted[word]);
            passes[word] = outcomes.passes;
            stops[word] = outcomes.stops;
        }
    }

    fn matches(
        &self,
        rule: &CompiledClusterRule,
        profile: &Profile,
        families: &[Vec<u64>; 2],
        word: usize,
    ) -> Matches {
        let is = |who: &CompiledPeer| match who {
            CompiledPeer::Pods(row) => self.compiled.rules.pods.row(*row as usize)[word],
            CompiledPeer::Block(row) => [0, 1]
                .map(|six| {
                    self.compiled.shapes.blocks[six].row(*row as usize)[word] & families[six][word]
                })
                .into_iter()
                .fold(0, |one, other| one | other),
        };
        let certain = rule.peers.iter().map(is).fold(0, |one, other| one | other);
        let doubtful = rule.doubtful.iter().map(|who| who.as_ref().map_or(u64::MAX, is));
        let doubtful = doubtful.fold(0, |one, other| one | other);
        let port = match self.mask(rule.ports.as_deref(), profile) {
            PortMask::None => 0,
            PortMask::All => u64::MAX,
            PortMask::Only(row) => row[word],
        };
        let unknown =
            rule.ports.as_ref().is_some_and(|list| list.contains(&rules::CompiledPort::Unknown));
        Matches {
            certainly: certain & port,
            perhaps: (certain | doubtful) & (port | mask(unknown)),
        }
    }
}
