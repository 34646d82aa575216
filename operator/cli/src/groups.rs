//! Groups of ends that behave alike, so that a cluster fits on a page.

use std::{
    collections::{BTreeMap, HashMap},
    net::IpAddr,
};

use netproof_conformance::{
    compiled::{Answer, Counts, Signature},
    flow::{End, Flow, PodId, Port},
    pod::PodNetwork,
};

use super::{
    loaded::Loaded,
    pairs::{PairQuery, pods},
};

/// Ends that behave alike on all ports that are asked about.
#[derive(Debug)]
pub struct Group {
    /// The name of the group: its first member, and how many others there are.
    pub name: String,
    /// The ends of the group, sorted.
    pub members: Vec<End>,
}

/// The groups of senders, those of receivers on each port, and the answers of their flows.
#[derive(Debug)]
pub struct Groups {
    /// The groups of senders, the largest first.
    pub senders: Vec<Group>,
    /// The groups of receivers by port, the largest of each port first.
    pub receivers: Vec<(Group, Port)>,
    /// By sender, then receiver: the answers of all their flows.
    pub cells: Vec<Vec<Counts>>,
    /// The answers of all flows.
    pub counts: Counts,
}

/// The answers of a cell's flows, in short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupCell {
    /// All its flows have this answer.
    All(GroupAnswer),
    /// Its flows have different answers: flows of a pod to itself are among them, or pods on the
    /// host's network differ by their nodes.
    Mixed,
    /// The cell has no flows.
    Empty,
}

/// An answer without its reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupAnswer {
    /// The policies allow the flows.
    Allow,
    /// The policies deny the flows.
    Deny,
    /// The API leaves the flows open.
    Unspecified,
}

impl GroupCell {
    /// The cell of these answers.
    pub fn of(counts: Counts) -> Self {
        let Counts { allow, deny, unspecified } = counts;
        match (allow > 0, deny > 0, unspecified > 0) {
            (true, false, false) => Self::All(GroupAnswer::Allow),
            (false, true, false) => Self::All(GroupAnswer::Deny),
            (false, false, true) => Self::All(GroupAnswer::Unspecified),
            (false, false, false) => Self::Empty,
            _ => Self::Mixed,
        }
    }

    /// The character that a table shows for it.
    pub fn mark(self) -> char {
        match self {
            Self::All(GroupAnswer::Allow) => '.',
            Self::All(GroupAnswer::Deny) => 'X',
            Self::All(GroupAnswer::Unspecified) => '?',
            Self::Mixed => '~',
            Self::Empty => ' ',
        }
    }

    /// The word that a page shows for it; empty if there are no flows.
    pub fn word(self) -> &'static str {
        match self {
            Self::All(GroupAnswer::Allow) => "Allow",
            Self::All(GroupAnswer::Deny) => "Deny",
            Self::All(GroupAnswer::Unspecified) => "Unspecified",
            Self::Mixed => "mixed",
            Self::Empty => "",
        }
    }
}

impl Groups {
    /// Groups the ends of a query, and answers all their flows.
    pub fn new(question: &PairQuery, loaded: &Loaded) -> Self {
        let alike = EndSignatures::new(question, loaded);
        let senders = alike.group(&question.senders, loaded);
        let receivers: Vec<(Group, Port)> = question
            .receivers
            .iter()
            .flat_map(|(port, ends)| {
                alike.group(ends, loaded).into_iter().map(move |group| (group, *port))
            })
            .collect();
        let cells: Vec<Vec<Counts>> = senders
            .iter()
            .map(|from| receivers.iter().map(|(to, port)| cell(from, to, *port, loaded)).collect())
            .collect();
        let mut counts = Counts::default();
        for cell in cells.iter().flatten() {
            counts += *cell;
        }
        Self { senders, receivers, cells, counts }
    }

    /// The answers of one cell, in short.
    pub fn cell(&self, from: usize, to: usize) -> GroupCell {
        GroupCell::of(self.cells[from][to])
    }
}

/// The signatures of pods on all ports, by which pods behave alike.
struct EndSignatures {
    /// By pod, a signature for each port.
    signatures: Vec<Vec<Signature>>,
}

/// What the members of a group have in common.
#[derive(PartialEq, Eq, Hash)]
enum MemberKey<'a> {
    Behaviour(&'a [Signature]),
    Address(IpAddr),
}

impl EndSignatures {
    fn new(question: &PairQuery, loaded: &Loaded) -> Self {
        let mut signatures = vec![Vec::new(); loaded.snapshot().pods.len()];
        for (port, receivers) in &question.receivers {
            let receivers: Vec<PodId> = pods(receivers).collect();
            let of_port = loaded.compiled.pairs(*port, &receivers).signatures();
            for (all, one) in signatures.iter_mut().zip(of_port) {
                all.push(one);
            }
        }
        Self { signatures }
    }

    fn group(&self, ends: &[End], loaded: &Loaded) -> Vec<Group> {
        let mut groups: HashMap<MemberKey<'_>, Vec<End>> = HashMap::new();
        for end in ends {
            let key = match end {
                End::Pod(id) => MemberKey::Behaviour(&self.signatures[id.0 as usize]),
                End::Address(address) => MemberKey::Address(*address),
            };
            groups.entry(key).or_default().push(*end);
        }
        let mut groups: Vec<Group> = groups
            .into_values()
            .map(|mut members| {
                members.sort_unstable();
                Group { name: name(&members, loaded), members }
            })
            .collect();
        groups.sort_by(|one, other| {
            (other.members.len(), &one.members).cmp(&(one.members.len(), &other.members))
        });
        groups
    }
}

/// The name of a group. The labels that all members share say more than a long list of names.
fn name(members: &[End], loaded: &Loaded) -> String {
    let Some(first) = members.first() else { return String::new() };
    match members.len() - 1 {
        0 => loaded.name(*first),
        others => format!("{} and {others} more{}", loaded.name(*first), shared(members, loaded)),
    }
}

fn shared(members: &[End], loaded: &Loaded) -> String {
    let mut labels: Option<BTreeMap<&str, &str>> = None;
    for pod in pods(members).map(|id| loaded.snapshot().pod(id)) {
        let of_pod = pod.labels.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        match &mut labels {
            None => labels = Some(of_pod.collect()),
            Some(labels) => labels
                .retain(|key, value| pod.labels.get(*key).is_some_and(|other| other == *value)),
        }
    }
    let words: Vec<String> = labels
        .unwrap_or_default()
        .iter()
        .filter(|(key, _)| !key.contains("hash"))
        .take(2)
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    if words.is_empty() { String::new() } else { format!(" ({})", words.join(",")) }
}

fn cell(from: &Group, to: &Group, port: Port, loaded: &Loaded) -> Counts {
    let all_pods = |group: &Group| {
        let pods: Vec<PodId> = pods(&group.members).collect();
        (pods.len() == group.members.len()).then_some(pods)
    };
    if let (Some(from), Some(to)) = (all_pods(from), all_pods(to)) {
        let is_host = |pod: &PodId| loaded.snapshot().pod(*pod).network == PodNetwork::Host;
        return if from.iter().chain(&to).any(is_host) {
            loaded.compiled.count(port, &from, &to)
        } else {
            alike(&from, &to, port, loaded)
        };
    }
    let mut counts = Counts::default();
    for from in &from.members {
        for to in &to.members {
            let flow = Flow { from: *from, to: *to, port, family: None };
            counts.add(loaded.compiled.answer(&flow), 1);
        }
    }
    counts
}

/// Counts answers between pods that behave alike: one flow stands for all but those of a pod to
/// itself.
fn alike(from: &[PodId], to: &[PodId], port: Port, loaded: &Loaded) -> Counts {
    let answer = |from: PodId, to: PodId| -> Answer {
        let (from, to) = (End::Pod(from), End::Pod(to));
        loaded.compiled.answer(&Flow { from, to, port, family: None })
    };
    let mut counts = Counts::default();
    let itself: Vec<PodId> =
        from.iter().copied().filter(|pod| to.binary_search(pod).is_ok()).collect();
    for pod in &itself {
        counts.add(answer(*pod, *pod), 1);
    }
    let others = from.len() as u64 * to.len() as u64 - itself.len() as u64;
    let pair = from.iter().find_map(|from| Some((*from, *to.iter().find(|to| *to != from)?)));
    if let Some((from, to)) = pair.filter(|_| others > 0) {
        counts.add(answer(from, to), others);
    }
    counts
}
