//! A file of cases, each with the cluster that it is about.

use std::{collections::BTreeMap, fs, path::Path};

use netproof_conformance::{
    policy::{Rejected, network_policy},
    snapshot::{Revision, Snapshot},
};
use serde_json::Value;

pub use crate::text::{By, Reasons, Refusal};
use crate::{
    drawing::{DrawnCell, cells},
    error::{CaseProblem, Error},
    text::{CaseText, FileText},
};

/// The cases of one file.
#[derive(Debug)]
pub struct CaseFile {
    /// The name of the file, without its ending.
    pub name: String,
    /// The cases, in the order of the file.
    pub cases: Vec<Case>,
}

/// Some policies, and what they say of flows.
#[derive(Debug)]
pub struct Case {
    /// The claim: a sentence that holds.
    pub claim: String,
    /// The numbers of the lines of the law that the case shows.
    pub law: Vec<u32>,
    /// The names of Kubernetes' own test cases that say the same.
    pub upstream: Vec<String>,
    /// The cluster with the case's policies, without those that were refused.
    pub snapshot: Snapshot,
    /// The case's `NetworkPolicies`, as they are written.
    pub policies: Vec<Value>,
    /// The policies that were refused.
    pub refused: Vec<Rejected>,
    /// The policies that have to be refused, and how.
    pub refusals: Vec<Refusal>,
    /// The flows that the case asks for, with the expected answers.
    pub cells: Vec<DrawnCell>,
    /// Why cells are unspecified; not compared if there is none.
    pub reason: Option<Reasons>,
    /// What decides cells, by the cells' names.
    pub by: BTreeMap<String, By>,
}

impl CaseFile {
    pub(crate) fn read(path: &Path) -> Result<Self, Error> {
        let text = fs::read_to_string(path)
            .map_err(|source| Error::Read { path: path.to_owned(), source })?;
        Self::parse(path, &text)
    }

    fn parse(path: &Path, text: &str) -> Result<Self, Error> {
        let text: FileText = serde_saphyr::from_str(text)
            .map_err(|source| Error::Parse { path: path.to_owned(), source: Box::new(source) })?;
        let FileText { namespaces, pods, nodes, cases } = text;
        let cluster = FileText { namespaces, pods, nodes, cases: vec![] };
        let case = |text: CaseText| {
            let claim = text.claim.clone();
            Case::read(&cluster, text).map_err(|source| {
                let path = path.to_owned();
                Error::Case { path, claim, source }
            })
        };
        Ok(Self {
            name: path.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
            cases: cases.into_iter().map(case).collect::<Result<_, _>>()?,
        })
    }
}

impl Case {
    /// Reads a case, about the cluster with what the case changes in it.
    fn read(cluster: &FileText, text: CaseText) -> Result<Self, CaseProblem> {
        let mut refused = vec![];
        let policies = text.policies.iter().map(|policy| network_policy::compile(&policy.typed));
        let snapshot = Snapshot {
            revision: Revision::default(),
            namespaces: merged(&cluster.namespaces, &text.namespaces),
            pods: merged(&cluster.pods, &text.pods)
                .iter()
                .zip(1u8..)
                .map(|((name, pod), place)| pod.read(name, place))
                .collect::<Result<_, _>>()?,
            policies: held(policies, &mut refused),
            cluster_policies: held(text.cluster_policies.0, &mut refused),
            nodes: cluster.nodes.clone(),
        };
        let strays = snapshot.policies.iter().map(|policy| &policy.name);
        let strays = strays.filter(|name| !snapshot.namespaces.contains_key(&name.namespace));
        let strays: Vec<String> = strays.map(ToString::to_string).collect();
        if !strays.is_empty() {
            return Err(CaseProblem::UnknownNamespace(strays.join(", ")));
        }
        let mut asked = vec![];
        for (heading, drawing) in &text.expect {
            asked.extend(cells(heading, drawing, &snapshot)?);
        }
        Ok(Self {
            claim: text.claim,
            law: text.law,
            upstream: text.upstream,
            snapshot,
            policies: text.policies.into_iter().map(|policy| policy.written).collect(),
            refused,
            refusals: text.rejected,
            cells: asked,
            reason: text.reason,
            by: text.by,
        })
    }
}

/// Those that hold; the others are told.
fn held<T>(
    compiled: impl IntoIterator<Item = Result<T, Rejected>>,
    refused: &mut Vec<Rejected>,
) -> Vec<T> {
    compiled.into_iter().filter_map(|one| one.map_err(|why| refused.push(why)).ok()).collect()
}

fn merged<T: Clone>(all: &BTreeMap<String, T>, ours: &BTreeMap<String, T>) -> BTreeMap<String, T> {
    all.clone().into_iter().chain(ours.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATH: &str = "somewhere.yaml";

    fn refusal(text: &str) -> String {
        CaseFile::parse(Path::new(PATH), text).expect_err("it is wrong").to_string()
    }

    #[test]
    fn an_unknown_field_is_refused_on_every_level() {
        for (field, text) in [
            ("node", "node: {}\ncases: []"),
            ("expects", "cases: [{claim: c, expects: {}}]"),
            ("label", "pods: {x/a: {label: {}}}\ncases: []"),
            ("why", "cases: [{claim: c, rejected: [{object: a, field: b, message: c, why: d}]}]"),
            ("egres", "cases: [{claim: c, by: {a > b 80/TCP: {egres: exempt}}}]"),
        ] {
            let error = refusal(text);
            assert!(error.starts_with(PATH), "{error}");
            assert!(error.contains(&format!("unknown field `{field}`")), "{error}");
        }
    }

    #[test]
    fn a_policy_that_is_no_policy_is_refused() {
        let error = refusal("cases: [{claim: c, policies: [{metadata: {name: n, namespace: 1}}]}]");
        assert!(error.contains("expected a string"), "{error}");
    }

    #[test]
    fn a_field_that_is_there_twice_is_refused() {
        let error = refusal("cases: [{claim: c, policies: [{spec: {}, spec: {}}]}]");
        assert!(error.contains("duplicate"), "{error}");
    }

    #[test]
    fn what_a_cluster_cannot_mean_is_refused_with_the_claim() {
        let pods = "namespaces: {x: {}}\npods: {x/a: {}, x/b: {}}";
        for (problem, text) in [
            ("the cluster has no pod c", "{claim: It holds, expect: {80/TCP: \"> c\\na .\"}}"),
            ("row a has 2 cells of 1", "{claim: It holds, expect: {80/TCP: \"> b\\na . .\"}}"),
            ("x is no cell", "{claim: It holds, expect: {80/TCP: \"> b\\na x\"}}"),
            ("80 is no port", "{claim: It holds, expect: {80: \"> b\\na .\"}}"),
            ("web is no named port", "{claim: It holds, pods: {x/a: {ports: [web]}}}"),
            ("pod c needs a namespace", "{claim: It holds, pods: {c: {}}}"),
            (
                "the cluster has no such namespace: q/p",
                "{claim: It holds, policies: [{metadata: {name: p, namespace: q}}]}",
            ),
        ] {
            let error = refusal(&format!("{pods}\ncases: [{text}]"));
            assert_eq!(error, format!("{PATH}: It holds: {problem}"));
        }
    }
}
