//! One fault on one case: what has to be seen, what is seen, and what the diagnosis names.

use std::{collections::BTreeMap, time::Duration};

use anyhow::Context;
use netproof_conformance::{
    diagnosis::{
        Candidate, Diagnosis, RefusalManner,
        mutation::{Mutation, Past},
        scope::Scope,
    },
    evaluate::expect,
    expected::Expected,
    flow::{Family, Flow},
    matrix::Cell,
    snapshot::Snapshot,
    verdict::Verdict,
};
use netproof_lab::{
    cluster::LabCluster,
    diagnose::{explain, manner},
    rounds::{Rounds, prediction},
    scene::Scene,
};
use netproof_policy_agent::{fault::Fault, setting::Setting};

use crate::kept;

/// How long the flows of a case may take to be judged: a second, or minutes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// What came of a fault on a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Came {
    /// The same rules as without the fault are in force on every node.
    Same,
    /// The verdicts and the diagnosis are right.
    Right {
        /// How many flows were wrong, and were found.
        findings: usize,
        /// How the diagnosis stands to the fault.
        named: Named,
    },
    /// A verdict or the diagnosis is wrong, and how.
    Wrong(Vec<String>),
}

/// How a diagnosis stands to the fault that was set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    /// Nothing was wrong, and nothing is named.
    Nothing,
    /// The fault is named, and no other as simple would explain the same.
    Alone,
    /// The case cannot tell the fault from the one that is named, and the fault is listed beside
    /// it.
    Among,
}

/// A row of the table: a fault, and where it is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// The fault that is set.
    pub fault: Fault,
    /// The nodes that it is set on.
    pub at: Place,
}

/// The nodes that a fault is set on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// All nodes of the scene.
    Everywhere,
    /// The last of the nodes.
    OneNode,
}

impl Row {
    /// The name of the row, by which it can be chosen.
    pub fn name(self) -> String {
        match self.at {
            Place::Everywhere => self.fault.name().to_owned(),
            Place::OneNode => format!("{}@node", self.fault.name()),
        }
    }

    fn scope(self, scene: &Scene) -> Scope {
        match (self.at, scene.nodes.last()) {
            (Place::OneNode, Some(node)) => Scope::Node(node.clone()),
            (Place::Everywhere, _) | (_, None) => Scope::Cluster,
        }
    }

    fn setting(self, scene: &Scene) -> anyhow::Result<Setting> {
        let text = match self.scope(scene) {
            Scope::Node(node) => format!("{}@node={node}", self.fault),
            _ => self.fault.to_string(),
        };
        text.parse().context("a fault is a setting")
    }

    /// The snapshot with the fault, by the diagnosis's table of mutations.
    fn mutated(self, scene: &Scene, snapshot: &Snapshot) -> Snapshot {
        match Mutation::named(self.fault.name()) {
            Some(mutation) => {
                let after = mutation.apply(snapshot, &Past::default());
                self.scope(scene).restrict(snapshot, after)
            }
            None => snapshot.clone(),
        }
    }
}

/// Sets the fault, attempts everything, and compares what is seen with what has to be.
pub async fn check(
    cluster: &mut LabCluster,
    scene: &Scene,
    families: &[Family],
    row: Row,
    whole: &[Option<std::sync::Arc<str>>],
) -> anyhow::Result<Came> {
    cluster.fail(row.setting(scene)?).await?;
    let truth = prediction(scene).snapshot;
    let faulty = row.mutated(scene, &truth);
    let mut wrong = Vec::new();
    if cluster.scripts() == whole {
        for (cell, flow) in flows(scene, families) {
            if differs(&truth, &faulty, &flow) {
                wrong.push(format!("{cell}: the same rules are in force as without the fault"));
            }
        }
        return Ok(if wrong.is_empty() { Came::Same } else { Came::Wrong(wrong) });
    }
    let mut rounds: Vec<Rounds> =
        families.iter().map(|family| Rounds::new(cluster.stages(), Some(*family))).collect();
    let findings = match compare(&mut rounds, scene, &truth, &faulty).await? {
        Ok(findings) => findings,
        Err(wrong) => return Ok(Came::Wrong(wrong)),
    };
    let diagnosis = explain(&mut rounds).await;
    let named = named(row.fault, &row.scope(scene), &diagnosis, findings).and_then(|named| {
        let manner = manner(&rounds);
        in_manner(row.fault, manner).map(|by_manner| by_manner.unwrap_or(named))
    });
    let named = match named {
        Ok(named) if row.fault == Fault::KeepsConnections => {
            let kept = kept::check(cluster, scene, &rounds).await?;
            kept.map(|kept| kept.unwrap_or(named))
        }
        named => named,
    };
    Ok(match named {
        Ok(named) => Came::Right { findings, named },
        Err(why) => Came::Wrong(vec![why]),
    })
}

/// How the manner of denials stands to the fault, if the fault is one of manner; an error if the
/// manner is wrong.
fn in_manner(fault: Fault, manner: Option<RefusalManner>) -> Result<Option<Named>, String> {
    let wanted = match fault {
        Fault::DeniesWithReset => Some(RefusalManner::Reset),
        Fault::DeniesWithIcmp => Some(RefusalManner::Icmp),
        _ => None,
    };
    match (wanted, manner) {
        (Some(wanted), Some(manner)) if wanted == manner => Ok(Some(Named::Alone)),
        // Clients hear of an ICMP error for IPv6 only when they try again, a second later.
        (_, None) | (None | Some(RefusalManner::Icmp), Some(RefusalManner::Silence)) => Ok(None),
        (_, Some(manner)) => Err(format!("denied in another manner: {manner}")),
    }
}

/// Attempts everything. Returns how many flows are wrong, if these are exactly the ones that have
/// to be; or else what is not as it has to be.
pub async fn compare(
    rounds: &mut [Rounds],
    scene: &Scene,
    truth: &Snapshot,
    faulty: &Snapshot,
) -> anyhow::Result<Result<usize, Vec<String>>> {
    let (mut findings, mut wrong) = (0, Vec::new());
    for rounds in rounds {
        rounds.judge(PATIENCE).await;
        let verdicts = rounds.book.ledger().verdicts(netproof_lab::now());
        let observed = rounds.observed();
        for (cell, flow) in flows_of(scene, rounds.family()) {
            let verdict = verdicts.get(&cell).context("every flow has a verdict")?;
            let has_to_be = (expect(truth, &flow), expect(faulty, &flow));
            let outcome = observed.get(&cell).map(|seen| seen.outcome.to_string());
            match (has_to_be, verdict) {
                ((Expected::Unspecified(_), _) | (_, Expected::Unspecified(_)), _)
                | (
                    (Expected::Allow(_), Expected::Allow(_))
                    | (Expected::Deny(_), Expected::Deny(_)),
                    Verdict::Conforms,
                ) => {}
                ((Expected::Deny(_), Expected::Allow(_)), Verdict::Leak(_))
                | ((Expected::Allow(_), Expected::Deny(_)), Verdict::Blocked(_)) => findings += 1,
                // A silence of an external address that no probe may reach proves nothing.
                (_, Verdict::Inconclusive(_)) if is_outside(scene, &cell) => {}
                ((expected, with_fault), verdict) => wrong.push(format!(
                    "{cell}: policies {}, with the fault {}, seen {outcome:?}, verdict {verdict:?}",
                    word(&expected),
                    word(&with_fault)
                )),
            }
        }
    }
    Ok(if wrong.is_empty() { Ok(findings) } else { Err(wrong) })
}

fn is_outside(scene: &Scene, cell: &Cell) -> bool {
    scene.scenario.externals.contains_key(&cell.to.endpoint)
}

/// How a diagnosis stands to a fault and its scope; an error if it is wrong.
pub fn named(
    fault: Fault,
    scope: &Scope,
    diagnosis: &Diagnosis,
    findings: usize,
) -> Result<Named, String> {
    let is_it = |candidate: &Candidate| match candidate.faults.as_slice() {
        [one] => one.mutation.name == fault.name() && one.scope == *scope,
        _ => false,
    };
    match diagnosis {
        Diagnosis::Conforms { .. } | Diagnosis::NoEvidence if findings == 0 => Ok(Named::Nothing),
        Diagnosis::Explained(explained) => {
            let others = || explained.rivals.iter().chain(&explained.equivalents);
            let is_simple = |other: &Candidate| is_as_simple(other, scope) && !is_it(other);
            if is_it(&explained.chosen) && !others().any(is_simple) {
                Ok(Named::Alone)
            } else if is_it(&explained.chosen) || explained.equivalents.iter().any(is_it) {
                Ok(Named::Among)
            } else {
                Err(format!("{findings} findings, diagnosis: {diagnosis}"))
            }
        }
        Diagnosis::OfTime(time) if time.name() == fault.name() => Ok(Named::Alone),
        Diagnosis::Conforms { .. }
        | Diagnosis::NoEvidence
        | Diagnosis::OfTime(_)
        | Diagnosis::Unexplained(_) => Err(format!("{findings} findings, diagnosis: {diagnosis}")),
    }
}

/// Whether a candidate is a single fault with a scope as simple as this one: the cluster, or, if
/// this is a node, any node.
fn is_as_simple(candidate: &Candidate, scope: &Scope) -> bool {
    match (candidate.faults.as_slice(), scope) {
        ([one], Scope::Node(_)) => matches!(one.scope, Scope::Cluster | Scope::Node(_)),
        ([one], _) => one.scope == Scope::Cluster,
        _ => false,
    }
}

fn flows(scene: &Scene, families: &[Family]) -> Vec<(Cell, Flow)> {
    families.iter().flat_map(|family| flows_of(scene, Some(*family))).collect()
}

fn flows_of(scene: &Scene, family: Option<Family>) -> BTreeMap<Cell, Flow> {
    let view = family.map_or_else(|| scene.clone(), |family| scene.of_family(family));
    let flow = netproof_rounds::predict::naming(&view.scenario, &view.stand_ins);
    let cells = view.scenario.flows.iter();
    cells.filter_map(|(cell, _)| Some((cell.clone(), Flow { family, ..flow(cell)? }))).collect()
}

fn differs(truth: &Snapshot, faulty: &Snapshot, flow: &Flow) -> bool {
    matches!(
        (expect(truth, flow), expect(faulty, flow)),
        (Expected::Allow(_), Expected::Deny(_)) | (Expected::Deny(_), Expected::Allow(_))
    )
}

fn word(expected: &Expected) -> &'static str {
    match expected {
        Expected::Allow(_) => "allow",
        Expected::Deny(_) => "deny",
        Expected::Unspecified(_) => "leave open",
    }
}
