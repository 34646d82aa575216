//! Finds policies that apply to nobody, or to pods for which the API leaves open whether they do.

use super::{Census, Code, FindingPlace, LintFinding};
use crate::{near_miss::near_selector, phrases, pod::PodNetwork, policy::Policy};

pub(super) fn check(census: &Census<'_>) -> Vec<LintFinding> {
    let policies = census.snapshot.policies.iter();
    policies.filter_map(|policy| nobody(census, policy).or_else(|| host(census, policy))).collect()
}

fn nobody(census: &Census<'_>, policy: &Policy) -> Option<LintFinding> {
    if census.subjects(policy).next().is_some() {
        return None;
    }
    let namespace = &policy.name.namespace;
    let here = census.in_namespace(namespace);
    let place = FindingPlace::of(policy, "spec.podSelector");
    if here.is_empty() {
        return Some(place.find(
            Code::NoPods,
            format!("Namespace {namespace} has no pods."),
            "Check the namespace of the policy, or leave it for pods to come.",
        ));
    }
    let near = here.iter().find_map(|class| {
        let near = near_selector(&policy.subjects, class.labels)?;
        Some((class, near))
    });
    let nobody = format!(
        "No pod of namespace {namespace} has the labels {}",
        phrases::selector(&policy.subjects)
    );
    Some(match near {
        Some((class, (requirement, near))) => {
            let key = requirement.key();
            place.find(
                Code::NoSubject,
                format!(
                    "{nobody}; {} comes near ({}).",
                    class.example.1.name,
                    phrases::near_label(&near, key)
                ),
                format!("Write {}.", phrases::instead(&near, key)),
            )
        }
        None => place.find(
            Code::NoSubject,
            format!("{nobody}."),
            "Correct the labels, or remove the policy.",
        ),
    })
}

fn host(census: &Census<'_>, policy: &Policy) -> Option<LintFinding> {
    let host = census.subjects(policy).find(|class| class.network == PodNetwork::Host)?;
    Some(FindingPlace::of(policy, "spec.podSelector").find(
        Code::HostSubject,
        format!(
            "It selects {}, which uses its node's network: the API leaves open whether the policy \
             applies to it.",
            host.example.1.name
        ),
        "Do not rely on it for this pod; protect the node instead.",
    ))
}
