//! Finds directions that `policyTypes` leaves out though something is written for them.

use super::{Census, Code, FindingPlace, LintFinding, Object};
use crate::reference::ObjectRef;

pub(super) fn check(census: &Census<'_>) -> Vec<LintFinding> {
    let mut findings = Vec::new();
    for written in census.written {
        let (metadata, spec) = (&written.policy.metadata, &written.policy.spec);
        let name = ObjectRef { namespace: metadata.namespace.clone(), name: metadata.name.clone() };
        let place = |field: &str| FindingPlace {
            object: Object::NetworkPolicy(name.clone()),
            field: field.to_owned(),
        };
        let is_left_out = |word: &str| {
            !spec.policy_types.is_empty() && !spec.policy_types.iter().any(|one| one == word)
        };
        let lists = [
            ("Ingress", "spec.ingress", spec.ingress.len()),
            ("Egress", "spec.egress", spec.egress.len()),
        ];
        for (word, field, rules) in lists {
            if rules > 0 && is_left_out(word) {
                findings.push(place(field).find(
                    Code::InertRules,
                    format!(
                        "policyTypes names {} only, so that the rules here do nothing.",
                        spec.policy_types.join(" and ")
                    ),
                    format!("Add {word} to spec.policyTypes, or remove the rules."),
                ));
            }
        }
        if written.has_empty_egress && spec.egress.is_empty() && spec.policy_types.is_empty() {
            findings.push(place("spec.egress").find(
                Code::EmptyEgress,
                "Without policyTypes, an empty egress leaves all egress open.",
                "To deny all egress, write policyTypes: [Ingress, Egress]; else remove egress.",
            ));
        }
    }
    findings
}
