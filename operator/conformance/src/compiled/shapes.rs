//! Sorts pods into shapes: pods that no policy can tell apart are of one shape.

use std::{collections::HashMap, net::IpAddr, ops::Range};

use super::{
    bits::{self, BitTable},
    terms::Terms,
};
use crate::{
    flow::{Family, PodId, Protocol},
    pod::{ContainerKind, Lifecycle, Pod, PodNetwork},
    select::{Requirement, Selector},
    snapshot::Snapshot,
};

/// The families of a pod's addresses, in the order of the first of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum AddressFamilies {
    Four,
    Six,
    FourSix,
    SixFour,
}

impl AddressFamilies {
    pub(super) const ALL: [Self; 4] = [Self::Four, Self::Six, Self::FourSix, Self::SixFour];

    fn of(first: Family, has_both: bool) -> Self {
        match (first, has_both) {
            (Family::IPv4, false) => Self::Four,
            (Family::IPv4, true) => Self::FourSix,
            (Family::IPv6, false) => Self::Six,
            (Family::IPv6, true) => Self::SixFour,
        }
    }

    fn has(self, family: Family) -> bool {
        match family {
            Family::IPv4 => self != Self::Six,
            Family::IPv6 => self != Self::Four,
        }
    }

    fn in_order(self) -> [Family; 2] {
        match self {
            Self::Four | Self::FourSix => [Family::IPv4, Family::IPv6],
            Self::Six | Self::SixFour => [Family::IPv6, Family::IPv4],
        }
    }

    /// The family of a flow from `sender` to a receiver with these families; none if there is none.
    pub(super) fn common(self, sender: Self, asked: Option<Family>) -> Option<Family> {
        let mut usable = self.in_order().into_iter().filter(|family| self.has(*family));
        usable.find(|family| asked.is_none_or(|asked| asked == *family) && sender.has(*family))
    }
}

/// A port that a name stands for on pods of a shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Named {
    pub(super) name: u32,
    pub(super) number: u16,
    pub(super) protocol: Protocol,
    pub(super) is_init: bool,
}

/// What pods have in common that no policy can tell apart.
#[derive(Clone, Debug)]
pub(super) struct PodShape {
    /// Which pods of the snapshot are of this shape. Never empty.
    pub(super) pods: Vec<PodId>,
    pub(super) families: AddressFamilies,
    /// The number of its set of named ports.
    pub(super) named: u32,
    namespace: u32,
    labels: Vec<u32>,
    /// By family: the blocks that the first address lies in.
    blocks: [Vec<u32>; 2],
}

/// What a pod is to the tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum PodPlace {
    /// The pod has a network of its own, and is like all others of this shape.
    Shape(u32),
    /// Of the host's network, of this kind: which reading holds for it is asked flow by flow.
    Host(u32),
    /// Without an address, or finished: nothing can be said of it.
    Void,
}

/// All shapes, those of one namespace beside each other.
#[derive(Clone, Debug)]
pub(super) struct Shapes {
    pub(super) all: Vec<PodShape>,
    /// Where each pod of the snapshot is found, by [`PodId`].
    pub(super) places: Vec<PodPlace>,
    /// Sets of named ports, by their numbers.
    pub(super) named: Vec<Vec<Named>>,
    /// Whether a name stands for a port of an init container anywhere.
    pub(super) has_init: bool,
    /// The shapes of each namespace.
    pub(super) namespaces: HashMap<String, Range<usize>>,
    /// By key or value of labels: the shapes that have it.
    labels: BitTable,
    /// By block: the shapes whose address lies in it, of IPv4 and of IPv6.
    pub(super) blocks: [BitTable; 2],
}

impl Shapes {
    pub(super) fn new(snapshot: &Snapshot, terms: &Terms) -> Self {
        let mut sorter = Sorter::new(snapshot, terms);
        let places: Vec<PodPlace> = snapshot
            .pods
            .iter()
            .zip(0u32..)
            .map(|(pod, id)| sorter.place(pod, PodId(id)))
            .collect();
        sorter.finish(places)
    }

    /// The words of a row.
    pub(super) fn width(&self) -> usize {
        bits::words(self.all.len())
    }

    /// Adds to a row the shapes, within a range, whose labels a selector matches.
    pub(super) fn select(
        &self,
        selector: &Selector,
        terms: &Terms,
        within: &[u64],
        words: Range<usize>,
        into: &mut [u64],
    ) {
        let mut matching = within[words.clone()].to_vec();
        let mut some = vec![0; matching.len()];
        for requirement in selector.requirements() {
            some.fill(0);
            let (key, values) = requirement.terms();
            let Some(known) = terms.keys.get(key) else { continue };
            let row = |number: u32| &self.labels.row(number as usize)[words.clone()];
            for value in values {
                if let Some(number) = known.values.get(value) {
                    bits::or(&mut some, row(*number));
                }
            }
            match requirement {
                Requirement::In(..) => bits::and(&mut matching, &some),
                Requirement::NotIn(..) => without(&mut matching, &some),
                Requirement::Exists(_) => bits::and(&mut matching, row(known.number)),
                Requirement::DoesNotExist(_) => without(&mut matching, row(known.number)),
            }
        }
        bits::or(&mut into[words], &matching);
    }
}

fn without(row: &mut [u64], taken: &[u64]) {
    row.iter_mut().zip(taken).for_each(|(row, taken)| *row &= !taken);
}

/// Puts pods of one shape together.
struct Sorter<'a> {
    terms: &'a Terms,
    namespaces: HashMap<&'a str, u32>,
    found: HashMap<Vec<u32>, u32>,
    hosts: HashMap<Vec<u32>, u32>,
    shapes: Vec<PodShape>,
    named: HashMap<Vec<Named>, u32>,
}

impl<'a> Sorter<'a> {
    fn new(snapshot: &'a Snapshot, terms: &'a Terms) -> Self {
        let mut namespaces = HashMap::new();
        for pod in &snapshot.pods {
            let next = u32::try_from(namespaces.len()).unwrap_or(u32::MAX);
            namespaces.entry(pod.name.namespace.as_str()).or_insert(next);
        }
        Self {
            terms,
            namespaces,
            found: HashMap::new(),
            hosts: HashMap::new(),
            shapes: Vec::new(),
            named: HashMap::new(),
        }
    }

    fn place(&mut self, pod: &Pod, id: PodId) -> PodPlace {
        let Some(first) = pod.addresses.first() else { return PodPlace::Void };
        if pod.lifecycle == Lifecycle::Finished {
            return PodPlace::Void;
        }
        let shape = self.shape(pod, first.to_canonical());
        let PodShape { labels, blocks: [four, six], .. } = &shape;
        let mut key = vec![shape.namespace, shape.named, shape.families as u32];
        for list in [labels, four, six] {
            key.push(u32::try_from(list.len()).unwrap_or(u32::MAX));
            key.extend(list);
        }
        if pod.network == PodNetwork::Host {
            let next = u32::try_from(self.hosts.len()).unwrap_or(u32::MAX);
            return PodPlace::Host(*self.hosts.entry(key).or_insert(next));
        }
        let next = u32::try_from(self.shapes.len()).unwrap_or(u32::MAX);
        let number = *self.found.entry(key).or_insert(next);
        if number == next {
            self.shapes.push(shape);
        }
        self.shapes[number as usize].pods.push(id);
        PodPlace::Shape(number)
    }

    fn shape(&mut self, pod: &Pod, first: IpAddr) -> PodShape {
        let addresses = pod.addresses.iter().map(IpAddr::to_canonical);
        let other = addresses.into_iter().find(|one| one.is_ipv4() != first.is_ipv4());
        let mut blocks = [Vec::new(), Vec::new()];
        for address in [Some(first), other].into_iter().flatten() {
            blocks[usize::from(address.is_ipv6())] = self.terms.blocks.of(address);
        }
        PodShape {
            pods: Vec::new(),
            families: AddressFamilies::of(Family::of(first), other.is_some()),
            named: self.named(pod),
            namespace: self
                .namespaces
                .get(pod.name.namespace.as_str())
                .copied()
                .unwrap_or_default(),
            labels: self.labels(pod),
            blocks,
        }
    }

    fn labels(&self, pod: &Pod) -> Vec<u32> {
        let mentioned = pod.labels.iter().filter_map(|(key, value)| {
            let known = self.terms.keys.get(key)?;
            Some([known.number, known.value(value)])
        });
        let mut labels: Vec<u32> = mentioned.flatten().collect();
        labels.sort_unstable();
        labels.dedup();
        labels
    }

    fn named(&mut self, pod: &Pod) -> u32 {
        let mentioned = pod.named_ports.iter().filter_map(|port| {
            Some(Named {
                name: *self.terms.names.get(&port.name)?,
                number: port.number,
                protocol: port.protocol,
                is_init: port.container == ContainerKind::Init,
            })
        });
        let mut named: Vec<Named> = mentioned.collect();
        named.sort_unstable();
        named.dedup();
        let next = u32::try_from(self.named.len()).unwrap_or(u32::MAX);
        *self.named.entry(named).or_insert(next)
    }

    fn finish(self, places: Vec<PodPlace>) -> Shapes {
        // Those of one namespace beside each other.
        let mut order: Vec<usize> = (0..self.shapes.len()).collect();
        order.sort_by_key(|shape| self.shapes[*shape].namespace);
        let mut moved = vec![0; order.len()];
        for (to, from) in (0u32..).zip(&order) {
            moved[*from] = to;
        }
        let mut unsorted: Vec<Option<PodShape>> = self.shapes.into_iter().map(Some).collect();
        let all: Vec<PodShape> = order.iter().filter_map(|shape| unsorted[*shape].take()).collect();
        let places = places.into_iter().map(|place| match place {
            PodPlace::Shape(shape) => PodPlace::Shape(moved[shape as usize]),
            PodPlace::Host(_) | PodPlace::Void => place,
        });
        let namespaces = self.namespaces.into_iter().map(|(name, number)| {
            let from = all.partition_point(|shape| shape.namespace < number);
            let to = all.partition_point(|shape| shape.namespace <= number);
            (name.to_owned(), from..to)
        });
        let mut named = vec![Vec::new(); self.named.len()];
        for (set, number) in self.named {
            named[number as usize] = set;
        }
        Shapes {
            places: places.collect(),
            namespaces: namespaces.collect(),
            has_init: named.iter().flatten().any(|port| port.is_init),
            named,
            labels: table(&all, self.terms.labels(), |shape| &shape.labels),
            blocks: [0, 1]
                .map(|six| table(&all, self.terms.blocks.len(), |shape| &shape.blocks[six])),
            all,
        }
    }
}

/// By each number that shapes have: which do.
fn table(shapes: &[PodShape], rows: usize, numbers: impl Fn(&PodShape) -> &Vec<u32>) -> BitTable {
    let mut table = BitTable::new(shapes.len());
    (0..rows).for_each(|_| {
        table.add();
    });
    for (place, shape) in shapes.iter().enumerate() {
        for number in numbers(shape) {
            table.set(*number as usize, place);
        }
    }
    table
}
