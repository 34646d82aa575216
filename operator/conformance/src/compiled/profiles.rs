//! Gives shapes to which the same policies apply, in one direction, one profile.

use std::{
    collections::{BTreeMap, HashMap},
    ops::Range,
};

use super::{
    bits,
    rules::{Rules, in_namespaces, side},
    shapes::{AddressFamilies, Shapes},
    terms::Terms,
};
use crate::{
    flow::Direction,
    policy::{
        Isolation, Policy,
        cluster::{Priority, Tier},
    },
    snapshot::Snapshot,
};

/// The policies that apply to the shapes of one profile, in one direction.
#[derive(Clone, Debug)]
pub(super) struct Profile {
    /// The `NetworkPolicies` that isolate, by their places in the snapshot.
    pub(super) isolating: Vec<u32>,
    pub(super) admin: TierPolicies,
    pub(super) baseline: TierPolicies,
    pub(super) families: AddressFamilies,
    /// The named ports, where they decide: on the receiver's side.
    pub(super) named: Option<u32>,
}

/// The policies of one tier, by their places in the snapshot.
#[derive(Clone, Debug, Default)]
pub(super) struct TierPolicies {
    /// The policies with a priority, a group for each priority, in the order in which groups are
    /// asked.
    pub(super) by_priority: Vec<Vec<u32>>,
    /// The policies without a priority.
    pub(super) without_priority: Vec<u32>,
}

impl TierPolicies {
    fn new(tier: Tier, cluster: &[u32], rules: &Rules) -> Self {
        let mut asked = Self::default();
        let mut by_priority: BTreeMap<u16, Vec<u32>> = BTreeMap::new();
        for &number in cluster {
            let policy = &rules.cluster[number as usize];
            match policy.priority {
                _ if policy.tier != tier => {}
                Priority::At(priority) => by_priority.entry(priority).or_default().push(number),
                Priority::Open => asked.without_priority.push(number),
            }
        }
        asked.by_priority = by_priority.into_values().collect();
        asked
    }
}

/// The profiles of one direction.
#[derive(Clone, Debug)]
pub(super) struct Profiles {
    pub(super) all: Vec<Profile>,
    /// The profile of each shape: a place in `all`.
    pub(super) of: Vec<u32>,
    known: HashMap<Vec<u32>, u32>,
}

/// The policies that apply to each shape, whatever the direction.
#[derive(Clone, Debug)]
pub(super) struct ShapeProfiles {
    /// The `NetworkPolicies` that apply to each shape.
    pub(super) network: Vec<Vec<u32>>,
    /// The policies of the cluster that apply to each shape.
    pub(super) cluster: Vec<Vec<u32>>,
}

impl ShapeProfiles {
    pub(super) fn new(snapshot: &Snapshot, terms: &Terms, shapes: &Shapes) -> Self {
        let count = shapes.all.len();
        let mut subjects =
            Self { network: vec![Vec::new(); count], cluster: vec![Vec::new(); count] };
        let mut row = vec![0; shapes.width()];
        for (number, policy) in (0u32..).zip(&snapshot.policies) {
            subjects.add(number, policy, terms, shapes, &mut row);
        }
        for (number, policy) in (0u32..).zip(&snapshot.cluster_policies) {
            let within = in_namespaces(&policy.subjects.namespaces, snapshot, shapes);
            row.fill(0);
            shapes.select(&policy.subjects.pods, terms, &within, 0..shapes.width(), &mut row);
            for shape in bits::ones(&row) {
                subjects.cluster[shape].push(number);
            }
        }
        subjects
    }

    /// Adds a `NetworkPolicy` to what applies to its subjects.
    fn add(
        &mut self,
        number: u32,
        policy: &Policy,
        terms: &Terms,
        shapes: &Shapes,
        row: &mut [u64],
    ) {
        let Some(range) = shapes.namespaces.get(&policy.name.namespace) else { return };
        let words = range.start / 64..bits::words(range.end);
        row[words.clone()].fill(0);
        let home = bits::range(range, shapes.width());
        shapes.select(&policy.subjects, terms, &home, words.clone(), row);
        for shape in bits::ones(&row[words.clone()]) {
            let applying = &mut self.network[words.start * 64 + shape];
            if let Err(place) = applying.binary_search(&number) {
                applying.insert(place, number);
            }
        }
    }

    /// Replaces the `NetworkPolicy` of this number by another.
    pub(super) fn replace(&mut self, number: u32, policy: &Policy, terms: &Terms, shapes: &Shapes) {
        let Some(range) = shapes.namespaces.get(&policy.name.namespace) else { return };
        for applying in &mut self.network[range.clone()] {
            applying.retain(|other| *other != number);
        }
        self.add(number, policy, terms, shapes, &mut vec![0; shapes.width()]);
    }
}

/// What profiles are made from.
#[derive(Clone, Copy)]
pub(super) struct Picture<'a> {
    pub(super) snapshot: &'a Snapshot,
    pub(super) shapes: &'a Shapes,
    pub(super) rules: &'a Rules,
    pub(super) subjects: &'a ShapeProfiles,
}

impl Profiles {
    /// The profiles of a direction.
    pub(super) fn new(direction: Direction, picture: Picture<'_>) -> Self {
        let mut profiles = Self { all: Vec::new(), of: Vec::new(), known: HashMap::new() };
        for place in 0..picture.shapes.all.len() {
            let profile = profiles.profile(direction, place, picture);
            profiles.of.push(profile);
        }
        profiles
    }

    /// Asks again what applies to some shapes, and returns the profiles that mean something else
    /// now that a `NetworkPolicy` is another, the new ones last.
    pub(super) fn replace(
        &mut self,
        number: u32,
        places: Range<usize>,
        direction: Direction,
        picture: Picture<'_>,
    ) -> Vec<u32> {
        let before = u32::try_from(self.all.len()).unwrap_or(u32::MAX);
        for place in places {
            self.of[place] = self.profile(direction, place, picture);
        }
        let all = (0u32..).zip(&self.all);
        let stale = all.filter(|(profile, Profile { isolating, .. })| {
            *profile >= before || isolating.contains(&number)
        });
        stale.map(|(profile, _)| profile).collect()
    }

    fn profile(&mut self, direction: Direction, place: usize, picture: Picture<'_>) -> u32 {
        let Picture { snapshot, shapes, rules, subjects } = picture;
        let shape = &shapes.all[place];
        let isolates = |number: &u32| match snapshot.policies[*number as usize].isolation(direction)
        {
            Isolation::Open => false,
            Isolation::Isolated(_) => true,
        };
        let isolating: Vec<u32> =
            subjects.network[place].iter().copied().filter(isolates).collect();
        let has_rules =
            |number: &u32| !rules.cluster[*number as usize].rules[side(direction)].is_empty();
        let cluster: Vec<u32> = subjects.cluster[place].iter().copied().filter(has_rules).collect();
        let named = match direction {
            Direction::Egress => None,
            Direction::Ingress => Some(shape.named),
        };
        let families = shape.families;
        let mut key = vec![families as u32, named.unwrap_or_default()];
        key.push(u32::try_from(isolating.len()).unwrap_or(u32::MAX));
        key.extend(isolating.iter().chain(&cluster));
        let next = u32::try_from(self.all.len()).unwrap_or(u32::MAX);
        let number = *self.known.entry(key).or_insert(next);
        if number == next {
            let [admin, baseline] =
                [Tier::Admin, Tier::Baseline].map(|tier| TierPolicies::new(tier, &cluster, rules));
            self.all.push(Profile { isolating, admin, baseline, families, named });
        }
        number
    }
}
