//! Checks that the operator's role lets it list and watch the kinds that it follows, and no others.

use std::collections::BTreeSet;

use k8s_openapi::api::rbac::v1::{ClusterRole, PolicyRule};
use netproof_conformance::kinds::{Availability, KindRow};
use netproof_rounds::kind::Kind;

/// A group, a resource, and the names of the objects; none for all objects.
type Right = (String, String, Option<BTreeSet<String>>);

fn rules() -> Vec<PolicyRule> {
    let text = include_str!("../../deploy/rbac/operator.yaml");
    let documents = text.split("\n---\n").map(|document| {
        serde_saphyr::from_str::<serde_json::Value>(document).expect("a document of YAML")
    });
    let mut roles = documents.filter(|document| document["kind"] == "ClusterRole");
    let (role, other) = (roles.next().expect("a ClusterRole"), roles.next());
    assert_eq!(other, None, "one role says it all");
    let role: ClusterRole = serde_json::from_value(role).expect("a ClusterRole");
    role.rules.expect("rules")
}

fn granted(verb: &str) -> BTreeSet<Right> {
    let rules = rules();
    let with_verb = rules.iter().filter(|rule| rule.verbs.iter().any(|granted| granted == verb));
    let each = with_verb.flat_map(|rule| {
        let names = rule.resource_names.clone().map(BTreeSet::from_iter);
        let groups = rule.api_groups.iter().flatten();
        groups.flat_map(move |group| {
            let names = names.clone();
            let resources = rule.resources.iter().flatten();
            resources.map(move |resource| (group.clone(), resource.clone(), names.clone()))
        })
    });
    each.collect()
}

/// Every kind that is followed, and the definitions of those that a cluster may lack.
fn followed() -> BTreeSet<Right> {
    let rows = || Kind::all().map(Kind::row);
    let optional = rows().filter(|row| match row.availability {
        Availability::Always => false,
        Availability::WhereDefined => true,
    });
    let definitions = (
        "apiextensions.k8s.io".to_owned(),
        "customresourcedefinitions".to_owned(),
        Some(optional.map(KindRow::definition).collect()),
    );
    let kinds = rows().map(|row| (row.group().to_owned(), row.plural.to_owned(), None));
    kinds.chain([definitions]).collect()
}

#[test]
fn the_operator_may_list_and_watch_what_it_follows_and_nothing_else() {
    for verb in ["list", "watch"] {
        assert_eq!(granted(verb), followed(), "{verb}");
    }
}
