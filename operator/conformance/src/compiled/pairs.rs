//! All pairs of pods on one port: for each shape of senders a row of receivers, 64 to a word.

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
    hash::{DefaultHasher, Hash, Hasher},
    ops::AddAssign,
};

use super::{
    AffectedRows, Answer, Compiled,
    bits::{self, BitTable},
    rules::side,
    shapes::PodPlace,
    view::SideRows,
};
use crate::{
    flow::{Direction, End, Flow, PodId, Port},
    policy::Policy,
};

/// How many flows have which answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// How many flows both directions let pass.
    pub allow: u64,
    /// How many flows at least one direction stops.
    pub deny: u64,
    /// How many flows the API leaves to the network.
    pub unspecified: u64,
}

impl Counts {
    /// Adds so many flows with this answer.
    pub fn add(&mut self, answer: Answer, flows: u64) {
        match answer {
            Answer::Allow => self.allow += flows,
            Answer::Deny => self.deny += flows,
            Answer::Unspecified(_) => self.unspecified += flows,
        }
    }

    /// How many flows were counted, whatever their answers.
    pub fn total(&self) -> u64 {
        self.allow + self.deny + self.unspecified
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.allow += other.allow;
        self.deny += other.deny;
        self.unspecified += other.unspecified;
    }
}

/// How a pod behaves: pods of one signature have the same answers to the receivers and, if they are
/// receivers themselves, from all pods. Left aside are the flows of a pod to itself, and all with
/// pods of the host's network, where nodes make a difference.
///
/// ```
/// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/shop.rs")); }
/// # use example::*;
/// use netproof_conformance::{compiled::Compiled, flow::PodId};
///
/// let compiled = Compiled::new(shop());
/// let signatures = compiled.pairs(flow("web", "db").port, &[PodId(1)]).signatures();
/// assert_ne!(signatures[0], signatures[2], "web may reach db, and job may not");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Signature(u128);

/// The flows of each pod to each of some receivers, itself among them, on one port.
pub struct Pairs<'a> {
    compiled: &'a Compiled,
    port: Port,
    receivers: &'a [PodId],
    /// One for each reading of what the API leaves open: what may be stopped in one and may pass in
    /// another is unspecified.
    readings: Cow<'a, [ReadingRows]>,
}

/// The flows of each pod to each of some receivers on one port, kept while policies change.
///
/// ```
/// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/shop.rs")); }
/// # use example::*;
/// use netproof_conformance::{
///     compiled::{Compiled, PairAnswers},
///     flow::PodId,
///     policy::Isolation,
/// };
///
/// let db = vec![PodId(1)];
/// let mut matrix = PairAnswers::new(Compiled::new(shop()), flow("web", "db").port, db);
/// assert_eq!(matrix.pairs().counts().deny, 1);
///
/// let mut policy = shop().policies.remove(0);
/// policy.ingress = Isolation::Open;
/// matrix.replace(policy);
/// assert_eq!(matrix.pairs().counts().deny, 0);
/// ```
pub struct PairAnswers {
    compiled: Compiled,
    port: Port,
    receivers: Vec<PodId>,
    readings: Vec<ReadingRows>,
}

/// The rows of both sides of all flows, by one reading.
#[derive(Clone)]
struct ReadingRows {
    init_resolves: bool,
    sides: [SideRows; 2],
}

impl ReadingRows {
    fn all(compiled: &Compiled, port: Port) -> Vec<Self> {
        let readings = if compiled.shapes.has_init { &[false, true][..] } else { &[false] };
        let reading = |init_resolves| Self {
            init_resolves,
            sides: Direction::BOTH
                .map(|direction| SideRows::new(compiled, direction, port, init_resolves)),
        };
        readings.iter().copied().map(reading).collect()
    }
}

impl PairAnswers {
    /// Answers all flows on one port.
    ///
    /// # Panics
    ///
    /// If a receiver is of another snapshot.
    pub fn new(compiled: Compiled, port: Port, receivers: Vec<PodId>) -> Self {
        let readings = ReadingRows::all(&compiled, port);
        Self { compiled, port, receivers, readings }
    }

    /// Puts a policy in the place of the one of its name, or beside the others if there is none.
    /// Where the policy mentions only labels, port names and blocks that others mention too, only
    /// the flows of its subjects are asked again.
    pub fn replace(&mut self, policy: Policy) {
        match self.compiled.take(policy) {
            AffectedRows::Everything => self.readings = ReadingRows::all(&self.compiled, self.port),
            AffectedRows::Profiles(stale) => {
                for ReadingRows { init_resolves, sides } in &mut self.readings {
                    for direction in Direction::BOTH {
                        let (rows, stale) = (&mut sides[side(direction)], &stale[side(direction)]);
                        rows.update(&self.compiled, direction, self.port, *init_resolves, stale);
                    }
                }
            }
        }
    }

    /// The snapshot as it is now.
    pub fn compiled(&self) -> &Compiled {
        &self.compiled
    }

    /// The flows as the policies have them now.
    pub fn pairs(&self) -> Pairs<'_> {
        let readings = Cow::Borrowed(&self.readings[..]);
        Pairs { compiled: &self.compiled, port: self.port, receivers: &self.receivers, readings }
    }
}

/// The flows of one shape with all others.
struct Row<'r> {
    passes: &'r [u64],
    stops: &'r [u64],
}

impl Compiled {
    /// The flows of each pod to each of `receivers`, itself included, on one port.
    ///
    /// # Panics
    ///
    /// If a receiver is of another snapshot.
    pub fn pairs<'a>(&'a self, port: Port, receivers: &'a [PodId]) -> Pairs<'a> {
        let readings = Cow::Owned(ReadingRows::all(self, port));
        Pairs { compiled: self, port, receivers, readings }
    }

    /// How many of the flows between some pods, on one port, have which answer.
    ///
    /// # Panics
    ///
    /// If a pod is of another snapshot.
    ///
    /// # Example
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/shop.rs")); }
    /// # use example::*;
    /// use netproof_conformance::{
    ///     compiled::{Compiled, Counts},
    ///     flow::PodId,
    /// };
    ///
    /// let pods = [0, 1, 2].map(PodId);
    /// let counts = Compiled::new(shop()).count(flow("web", "db").port, &pods, &pods);
    /// // `job` to `db` is denied, and `db` to itself is left open.
    /// assert_eq!(counts, Counts { allow: 7, deny: 1, unspecified: 1 });
    /// ```
    pub fn count(&self, port: Port, from: &[PodId], to: &[PodId]) -> Counts {
        let [senders, receivers] = [from, to].map(|pods| {
            let mut groups: HashMap<Alike<'_>, Vec<PodId>> = HashMap::new();
            for pod in pods {
                groups.entry(self.alike(*pod)).or_default().push(*pod);
            }
            groups
        });
        let mut known = HashMap::new();
        let mut counts = Counts::default();
        for (sender, senders) in &senders {
            for (receiver, receivers) in &receivers {
                let mut others = senders.len() as u64 * receivers.len() as u64;
                if sender == receiver {
                    let both: HashSet<&PodId> = senders.iter().collect();
                    let mut itself = receivers.iter().filter(|pod| both.contains(pod));
                    if let Some(first) = itself.next() {
                        let flows = 1 + itself.count() as u64;
                        others -= flows;
                        counts.add(self.pair(*first, *first, port), flows);
                    }
                }
                if others == 0 {
                    continue;
                }
                let answer = known.entry(sender.meeting(receiver)).or_insert_with(|| {
                    let mut pairs = senders
                        .iter()
                        .flat_map(|from| receivers.iter().map(move |to| (*from, *to)));
                    pairs.find(|(from, to)| from != to).map(|(from, to)| self.pair(from, to, port))
                });
                if let Some(answer) = answer {
                    counts.add(*answer, others);
                }
            }
        }
        counts
    }

    fn pair(&self, from: PodId, to: PodId, port: Port) -> Answer {
        let (from, to) = (End::Pod(from), End::Pod(to));
        self.answer(&Flow { from, to, port, family: None })
    }

    /// The class of a pod: pods of one class have the same answers, on every port.
    ///
    /// # Panics
    ///
    /// If the pod is of another snapshot.
    ///
    /// # Example
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/shop.rs")); }
    /// # use example::*;
    /// use netproof_conformance::{compiled::Compiled, flow::PodId};
    ///
    /// let compiled = Compiled::new(shop());
    /// let [web, db, job] = [0, 1, 2].map(|place| compiled.alike(PodId(place)));
    /// // Towards `db` it makes a difference which of the two sends, towards `web` it makes none.
    /// assert_ne!(web.meeting(&db), job.meeting(&db));
    /// assert_eq!(db.meeting(&web), db.meeting(&web));
    /// ```
    pub fn alike(&self, pod: PodId) -> Alike<'_> {
        let place = self.shapes.places[pod.0 as usize];
        // Only pods of the host's network make a difference between nodes.
        let node = match place {
            PodPlace::Shape(_) | PodPlace::Host(_) if self.has_hosts => {
                self.snapshot.pod(pod).node.as_deref()
            }
            PodPlace::Shape(_) | PodPlace::Host(_) | PodPlace::Void => None,
        };
        Alike { place, node }
    }
}

impl Pairs<'_> {
    /// How many of the flows have which answer.
    pub fn counts(&self) -> Counts {
        let shapes = &self.compiled.shapes;
        let receiving = self.receiving();
        let weights = Weights::new(&receiving);
        let everyone: u64 = receiving.iter().sum();
        let mut counts = Counts::default();
        self.visit(Direction::Egress, |sender, row| {
            let (mut passing, mut open) = (0, 0);
            for (weight, plane) in &weights.planes {
                let (mut some_passing, mut some_open) = (0, 0);
                for ((passes, stops), plane) in row.passes.iter().zip(row.stops).zip(plane) {
                    some_passing += u64::from((passes & plane).count_ones());
                    some_open += u64::from((passes & stops & plane).count_ones());
                }
                passing += some_passing * weight;
                open += some_open * weight;
            }
            let senders = shapes.all[sender].pods.len() as u64;
            counts.allow += (passing - open) * senders;
            counts.unspecified += open * senders;
            counts.deny += (everyone - passing) * senders;
            // Each receiver is among the senders, and its flow to itself may be exempt.
            let [passes, stops] =
                [row.passes, row.stops].map(|row| row[sender / 64] >> (sender % 64) & 1 != 0);
            let itself = receiving[sender];
            if stops && !passes {
                counts.deny -= itself;
                counts.unspecified += itself;
            }
        });
        self.count_hosts(&mut counts);
        let senders = self.compiled.snapshot.pods.len() as u64;
        counts.unspecified += senders * self.receivers.len() as u64 - counts.total();
        counts
    }

    /// How many pods of each shape are receivers.
    fn receiving(&self) -> Vec<u64> {
        let mut receiving = vec![0; self.compiled.shapes.all.len()];
        for receiver in self.receivers {
            if let PodPlace::Shape(shape) = self.place(*receiver) {
                receiving[shape as usize] += 1;
            }
        }
        receiving
    }

    fn place(&self, pod: PodId) -> PodPlace {
        self.compiled.shapes.places[pod.0 as usize]
    }

    /// Shows the row of each shape: as a sender to all shapes, or as a receiver from them.
    fn visit(&self, own: Direction, mut show: impl FnMut(usize, Row<'_>)) {
        let shapes = &self.compiled.shapes;
        let width = shapes.width();
        let other = match own {
            Direction::Egress => Direction::Ingress,
            Direction::Ingress => Direction::Egress,
        };
        let [mine, theirs] =
            [own, other].map(|direction| &self.compiled.profiles[side(direction)].of);
        let mut turned = [vec![0; 64 * width], vec![0; 64 * width]];
        let mut rows = [vec![0; width], vec![0; width]];
        let mut all: Vec<[Vec<u64>; 2]> = Vec::new();
        for block in 0..width {
            let places = block * 64..shapes.all.len().min(block * 64 + 64);
            all.clear();
            all.resize(places.len(), [Vec::new(), Vec::new()]);
            for (number, reading) in self.readings.iter().enumerate() {
                let their_rows = &reading.sides[side(other)];
                turn(&their_rows.passes, theirs, block, width, &mut turned[0]);
                if let Some(stops) = &their_rows.stops {
                    turn(stops, theirs, block, width, &mut turned[1]);
                }
                for (inside, place) in places.clone().enumerate() {
                    let my_rows = &reading.sides[side(own)];
                    let profile = mine[place] as usize;
                    let [turned_passes, turned_stops] =
                        [&turned[0], &turned[1]].map(|rows| &rows[inside * width..][..width]);
                    let [passes, stops] = &mut rows;
                    let my_passes = my_rows.passes.row(profile);
                    for word in 0..width {
                        passes[word] = my_passes[word] & turned_passes[word];
                    }
                    match (&my_rows.stops, &their_rows.stops) {
                        (Some(my_stops), Some(_)) => {
                            let my_stops = my_stops.row(profile);
                            for word in 0..width {
                                stops[word] = my_stops[word] | turned_stops[word];
                            }
                        }
                        // A flow that is open on one side is open as a whole.
                        (Some(_), None) | (None, _) => {
                            for word in 0..width {
                                stops[word] = !passes[word];
                            }
                        }
                    }
                    if self.readings.len() == 1 {
                        show(place, Row { passes, stops });
                        continue;
                    }
                    let [all_passes, all_stops] = &mut all[inside];
                    if number == 0 {
                        all_passes.clone_from(passes);
                        all_stops.clone_from(stops);
                    } else {
                        bits::or(all_passes, passes);
                        bits::or(all_stops, stops);
                    }
                }
            }
            if self.readings.len() > 1 {
                for ([passes, stops], place) in all.iter().zip(places) {
                    show(place, Row { passes, stops });
                }
            }
        }
    }

    /// Counts the flows from and to pods of the host's network, except those with
    /// [`PodPlace::Void`].
    fn count_hosts(&self, counts: &mut Counts) {
        if !self.compiled.has_hosts {
            return;
        }
        let all = (0u32..).map(PodId).take(self.compiled.snapshot.pods.len());
        let is_host = |pod: &PodId| matches!(self.place(*pod), PodPlace::Host(_));
        let (hosts, others): (Vec<PodId>, Vec<PodId>) =
            all.filter(|pod| self.place(*pod) != PodPlace::Void).partition(is_host);
        let receivers = self.receivers.iter().copied();
        let (host_receivers, other_receivers): (Vec<PodId>, Vec<PodId>) =
            receivers.filter(|pod| self.place(*pod) != PodPlace::Void).partition(is_host);
        *counts += self.between(&hosts, &host_receivers);
        *counts += self.between(&hosts, &other_receivers);
        *counts += self.between(&others, &host_receivers);
    }

    /// How many of the flows between some pods have which answer.
    pub fn between(&self, from: &[PodId], to: &[PodId]) -> Counts {
        self.compiled.count(self.port, from, to)
    }

    /// The signature of each pod, in the order of the snapshot's pods.
    pub fn signatures(&self) -> Vec<Signature> {
        let shapes = &self.compiled.shapes;
        let mask = Weights::new(&self.receiving()).some;
        let mut hashes = vec![[DefaultHasher::new(), DefaultHasher::new()]; shapes.all.len()];
        for hashes in &mut hashes {
            hashes[1].write_u8(1);
        }
        self.visit(Direction::Egress, |sender, row| {
            for hash in &mut hashes[sender] {
                for ((passes, stops), mask) in row.passes.iter().zip(row.stops).zip(&mask) {
                    hash.write_u64(passes & mask);
                    hash.write_u64(stops & mask);
                }
            }
        });
        self.visit(Direction::Ingress, |receiver, row| {
            if mask[receiver / 64] >> (receiver % 64) & 1 == 0 {
                return;
            }
            for hash in &mut hashes[receiver] {
                for (passes, stops) in row.passes.iter().zip(row.stops) {
                    hash.write_u64(*passes);
                    hash.write_u64(*stops);
                }
            }
        });
        let of_shapes: Vec<u128> = hashes.into_iter().map(finish).collect();
        let receivers: HashSet<&PodId> = self.receivers.iter().collect();
        let pods = (0u32..).map(PodId).take(shapes.places.len());
        let signatures = pods.map(|pod| {
            let mut hashes = [DefaultHasher::new(), DefaultHasher::new()];
            for (salt, hash) in (0u8..).zip(&mut hashes) {
                hash.write_u8(salt);
                receivers.contains(&pod).hash(hash);
                match self.place(pod) {
                    PodPlace::Shape(shape) => of_shapes[shape as usize].hash(hash),
                    PodPlace::Host(kind) => (0u8, kind).hash(hash),
                    PodPlace::Void => hash.write_u8(1),
                }
            }
            Signature(finish(hashes))
        });
        signatures.collect()
    }
}

fn finish(hashes: [DefaultHasher; 2]) -> u128 {
    let [high, low] = hashes.map(|hash| u128::from(hash.finish()));
    high << 64 | low
}

/// A class of pods that have the same answers, but to themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Alike<'a> {
    place: PodPlace,
    /// The node of the pods, where nodes make a difference.
    node: Option<&'a str>,
}

/// All that decides between two different pods on a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Meeting {
    from: PodPlace,
    to: PodPlace,
    on_one_node: bool,
}

impl Alike<'_> {
    /// What decides where a pod of this class sends to another pod, of the class `to`.
    pub fn meeting(&self, to: &Alike<'_>) -> Meeting {
        let on_one_node = self.node.is_some() && self.node == to.node;
        Meeting { from: self.place, to: to.place, on_one_node }
    }
}

/// Turns the rows of a block of 64 shapes: from what each other shape has for these, by its
/// profile, to what each of these has with all others.
fn turn(table: &BitTable, profiles: &[u32], block: usize, width: usize, into: &mut [u64]) {
    let mut square = [0; 64];
    for others in 0..width {
        square.fill(0);
        let places = others * 64..profiles.len().min(others * 64 + 64);
        for (word, place) in square.iter_mut().zip(places) {
            *word = table.row(profiles[place] as usize)[block];
        }
        bits::transpose(&mut square);
        for (inside, word) in square.iter().enumerate() {
            into[inside * width + others] = *word;
        }
    }
}

/// Numbers, one a place, as rows of bits: a row for each power of two.
struct Weights {
    planes: Vec<(u64, Vec<u64>)>,
    /// The places of the numbers that are not 0, as a row of bits.
    some: Vec<u64>,
}

impl Weights {
    fn new(numbers: &[u64]) -> Self {
        let width = bits::words(numbers.len());
        let most = numbers.iter().copied().max().unwrap_or_default();
        let mut some = vec![0; width];
        let powers = (0..64).map(|power| 1u64 << power).take_while(|power| *power <= most);
        let planes = powers.map(|power| {
            let mut plane = vec![0; width];
            for (place, _) in numbers.iter().enumerate().filter(|(_, n)| **n & power != 0) {
                plane[place / 64] |= 1 << (place % 64);
            }
            bits::or(&mut some, &plane);
            (power, plane)
        });
        Self { planes: planes.collect(), some }
    }
}
