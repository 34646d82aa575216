use netproof_conformance::manifest::Objects;

use super::{
    document::{Parts, Reader},
    testing::{json, yaml},
};

const META: &str = "metadata: {name: a, namespace: b}\n";

fn policy(spec: &str) -> String {
    format!("apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\n{META}spec:\n{spec}")
}

fn of_cluster(kind: &str, name: &str, spec: &str) -> String {
    let version = if kind == "ClusterNetworkPolicy" { "v1alpha2" } else { "v1alpha1" };
    format!(
        "apiVersion: policy.networking.k8s.io/{version}\nkind: {kind}\nmetadata: {{name: {name}}}\n\
         spec:\n{spec}"
    )
}

/// The only problem of a text, without the file and the object.
fn problem(text: &str) -> String {
    let problems = yaml(text).problems();
    let [problem] = problems.as_slice() else { panic!("{problems:?} of {text}") };
    let problem = problem.strip_prefix("input.yaml:").expect("a line");
    let (line, rest) = problem.split_once(": ").expect("a line");
    let (_, rest) = rest.split_once(": ").expect("an object");
    format!("{line}: {rest}")
}

#[test]
fn a_typo_in_a_policy_is_refused_at_its_line_with_what_was_meant() {
    for (spec, told) in [
        ("  podselector: {}\n", "5: spec.podselector: is no field here: did you mean podSelector?"),
        (
            "  podSelector: {}\n  ingres: []\n",
            "6: spec.ingres: is no field here: did you mean ingress?",
        ),
        (
            "  podSelector: {}\n  ingress:\n  - form:\n    - podSelector: {}\n",
            "7: spec.ingress[0].form: is no field here: did you mean from?",
        ),
        (
            "  ingress:\n  - {}\n  - port: 5432\n",
            "7: spec.ingress[1].port: is no field here: did you mean ports?",
        ),
        (
            "  ingress:\n  - from:\n    - namespaceSelector:\n      matchLabels: {a: b}\n",
            "8: spec.ingress[0].from[0].matchLabels: is no field here: it is one of \
             namespaceSelector: indent it below that",
        ),
        (
            "  egress:\n  - to: []\n    policyTypes: [Egress]\n",
            "7: spec.egress[0].policyTypes: is no field here: it is one of spec: move it out there",
        ),
        (
            "  egress:\n  - from: []\n",
            "6: spec.egress[0].from: is no field here: there are to and ports",
        ),
        (
            "  egress:\n  - to:\n    - ipBlock: {cidr: 10.0.0.0/8, excpet: []}\n",
            "7: spec.egress[0].to[0].ipBlock.excpet: is no field here: did you mean except?",
        ),
        (
            "  egress:\n  - ports: [{port: 80, endport: 90}]\n",
            "6: spec.egress[0].ports[0].endport: is no field here: did you mean endPort?",
        ),
        (
            "  podSelector:\n    matchExpressions:\n    - {key: a, operator: In, value: [b]}\n",
            "7: spec.podSelector.matchExpressions[0].value: is no field here: did you mean values?",
        ),
        (
            "  podSelector:\n    matchLabel: {a: b}\n",
            "6: spec.podSelector.matchLabel: is no field here: did you mean matchLabels?",
        ),
        (
            "  podSelector: {app: web}\n",
            "5: spec.podSelector.app: is no field here: it is one of matchLabels: indent it below that",
        ),
        ("  podSelector: {}\nspecs: {}\n", "6: specs: is no field here: did you mean spec?"),
        (
            "  podSelector: {}\negress: []\n",
            "6: egress: is no field here: it is one of spec: indent it below that",
        ),
        (
            "  podSelector: {matchLabels: {a: b, a: c}}\n",
            "5: spec.podSelector.matchLabels.a: is there twice: keep one of the two",
        ),
        (
            "  podSelector: {}\n  podSelector: {}\n",
            "6: spec.podSelector: is there twice: keep one of the two",
        ),
        (
            "  unlike: null\n",
            "5: spec.unlike: is no field here: there are podSelector, ingress, egress and policyTypes",
        ),
    ] {
        assert_eq!(problem(&policy(spec)), told, "{spec}");
    }
}

#[test]
fn a_selector_that_is_wrapped_once_too_often_is_no_label() {
    let told = problem(&of_cluster(
        "AdminNetworkPolicy",
        "a",
        "  priority: 1\n  subject: {namespaces: {namespaceSelector: {}}}\n",
    ));
    assert_eq!(
        told,
        "6: spec.subject.namespaces.namespaceSelector: is no field here: there are matchLabels and \
         matchExpressions"
    );
}

#[test]
fn what_decides_nothing_may_be_twice() {
    let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {x: 1, x: 2}\n";
    assert_eq!(yaml(pod).names(), ["default/a"]);
}

#[test]
fn metadata_is_read_as_strictly() {
    for (metadata, told) in [
        ("name: a, namspace: b", "3: metadata.namspace: is no field here: did you mean namespace?"),
        ("name: a, labls: {a: b}", "3: metadata.labls: is no field here: did you mean labels?"),
        (
            "name: a, app: web",
            "3: metadata.app: is no field here: it is one of labels: indent it below that",
        ),
    ] {
        let policy = policy("  podSelector: {}\n").replace("name: a, namespace: b", metadata);
        assert_eq!(problem(&policy), told);
    }
}

#[test]
fn every_kind_of_policy_is_read_as_strictly() {
    let subject = "  subject: {namespaces: {}}\n";
    let cnp = |more: &str| {
        of_cluster(
            "ClusterNetworkPolicy",
            "a",
            &format!("  tier: Admin\n  priority: 1\n{subject}{more}"),
        )
    };
    let anp = |more: &str| {
        of_cluster("AdminNetworkPolicy", "a", &format!("  priority: 1\n{subject}{more}"))
    };
    let banp = |more: &str| {
        of_cluster("BaselineAdminNetworkPolicy", "default", &format!("{subject}{more}"))
    };
    for (text, field) in [
        (cnp("  ingress: [{action: Deny, form: []}]\n"), "spec.ingress[0].form"),
        (
            cnp("  ingress: [{action: Deny, from: [{namespace: {}}]}]\n"),
            "spec.ingress[0].from[0].namespace",
        ),
        (
            cnp("  egress: [{action: Deny, to: [{pods: {podselector: {}}}]}]\n"),
            "spec.egress[0].to[0].pods.podselector",
        ),
        (
            cnp("  egress: [{action: Deny, to: [{namespaces: {}}], protocols: [{tpc: {}}]}]\n"),
            "spec.egress[0].protocols[0].tpc",
        ),
        (
            cnp(
                "  egress: [{action: Deny, to: [{namespaces: {}}], protocols: [{tcp: {destinationPort: {numbr: 1}}}]}]\n",
            ),
            "spec.egress[0].protocols[0].tcp.destinationPort.numbr",
        ),
        (cnp("  Priority: 1\n"), "spec.Priority"),
        (
            anp("  ingress: [{action: Deny, from: [{namespaces: {}}], port: []}]\n"),
            "spec.ingress[0].port",
        ),
        (
            anp(
                "  egress: [{action: Deny, to: [{namespaces: {}}], ports: [{portnumber: {port: 1}}]}]\n",
            ),
            "spec.egress[0].ports[0].portnumber",
        ),
        (banp("  egres: []\n"), "spec.egres"),
        (banp("  priority: 1\n"), "spec.priority"),
    ] {
        let told = problem(&text);
        assert!(told.contains(&format!(" {field}: is no field here: ")), "{told}");
    }
    for good in [cnp(""), anp(""), banp("")] {
        assert_eq!(yaml(&good).problems(), [""; 0]);
    }
}

#[test]
fn what_the_api_server_gives_is_no_typo() {
    let stored = policy("  podSelector: {}\nstatus: {}\n").replace(
        META,
        "metadata:\n  name: a\n  namespace: b\n  uid: x\n  generation: 1\n  resourceVersion: '1'\n  \
         creationTimestamp: null\n  selfLink: x\n  labels: {a: b}\n  annotations: {c: d}\n  \
         finalizers: []\n  generateName: a\n  deletionTimestamp: null\n  \
         deletionGracePeriodSeconds: 0\n  ownerReferences: [{apiVersion: v1, kind: Pod, \
         name: a, uid: b, controller: true, blockOwnerDeletion: true}]\n  managedFields: [{fieldsV1: {'f:spec': {}}}]\n",
    );
    assert_eq!(yaml(&stored).problems(), [""; 0]);
}

#[test]
fn json_has_lines_too() {
    let text = "{\"apiVersion\":\"networking.k8s.io/v1\",\"kind\":\"NetworkPolicy\",\n\
                \"metadata\":{\"name\":\"a\"},\n\"spec\":{\"podSelector\":{},\n\"ingres\":[]}}";
    assert_eq!(
        json(text).problems(),
        ["input.json:4: NetworkPolicy a: spec.ingres: is no field here: did you mean ingress?"]
    );
}

#[test]
fn a_typo_below_an_alias_or_a_merge_is_found() {
    for rule in ["*r", "{<<: *r}"] {
        let spec = format!("  podSelector: {{}}\n  ingress:\n  - &r {{form: []}}\n  - {rule}\n");
        assert_eq!(yaml(&policy(&spec)).problems().len(), 2, "{rule}");
    }
}

#[test]
fn what_decides_in_other_objects_is_read_strictly_and_the_rest_is_left_to_later_versions() {
    let pod = |metadata: &str, spec: &str| {
        format!("apiVersion: v1\nkind: Pod\nmetadata: {{name: a, {metadata}}}\nspec: {{{spec}}}\n")
    };
    for (text, field) in [
        (pod("lables: {a: b}", ""), "metadata.lables"),
        (pod("", "hostnetwork: true"), "spec.hostnetwork"),
        (pod("", "container: []"), "spec.container"),
        (pod("", "containers: [{port: []}]"), "spec.containers[0].port"),
        (
            pod("", "containers: [{ports: [{containerport: 80}]}]"),
            "spec.containers[0].ports[0].containerport",
        ),
        (
            "apiVersion: v1\nkind: Namespace\nmetadata: {name: a, label: {}}\n".to_owned(),
            "metadata.label",
        ),
        (
            "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {selectors: {}}\n"
                .to_owned(),
            "spec.selectors",
        ),
        (
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\n\
             spec: {template: {metadata: {lables: {}}}}\n"
                .to_owned(),
            "spec.template.metadata.lables",
        ),
        (
            "apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: a}\n\
             spec: {jobTemplate: {spec: {templates: {}}}}\n"
                .to_owned(),
            "spec.jobTemplate.spec.templates",
        ),
    ] {
        let told = problem(&text);
        assert!(told.contains(&format!(" {field}: is no field here: ")), "{told}");
    }
    let newer =
        pod("annotations: {}", "brandNew: 1, containers: [{name: c, image: i, alsoNew: {}}]");
    assert_eq!(yaml(&newer).problems(), [""; 0]);
}

#[test]
fn a_list_without_its_items_is_no_empty_list() {
    let told = yaml("apiVersion: v1\nkind: List\nitmes: []\n").problems();
    assert_eq!(
        told,
        ["input.yaml:3: List without a name: itmes: is no field here: did you mean items?"]
    );
}

#[test]
fn kinds_and_groups_that_are_almost_read_are_refused_with_the_right_ones() {
    for (api_version, kind, told) in [
        ("networking.k8s.io/v1", "Networkpolicy", "kind: is \"Networkpolicy\""),
        ("networking.k8s.io/v1", "NetworkPolicies", "kind: is \"NetworkPolicies\""),
        ("networking.k8s.io/v1", "NetworkPolcy", "kind: is \"NetworkPolcy\""),
        ("network.k8s.io/v1", "NetworkPolicy", "apiVersion: is \"network.k8s.io/v1\""),
        ("networking.k8s.oi/v1", "NetworkPolicy", "apiVersion: is \"networking.k8s.oi/v1\""),
        ("v1", "NetworkPolicy", "apiVersion: is \"v1\""),
        ("apps/v1", "NetworkPolicy", "apiVersion: is \"apps/v1\""),
        (
            "networking.k8s.io/v1beta1",
            "NetworkPolicy",
            "apiVersion: is \"networking.k8s.io/v1beta1\"",
        ),
        ("policy.networking.k8s.io/v1alpha2", "ClusterNetworkPolicys", "kind: is"),
        ("policy.network.k8s.io/v1alpha2", "ClusterNetworkPolicy", "apiVersion: is"),
        ("networking.k8s.io/v1", "AdminNetworkPolicy", "apiVersion: is"),
        (
            "apps/v1beta1",
            "Deployment",
            "apiVersion: is \"apps/v1beta1\", which this program cannot read: write apps/v1",
        ),
        ("batch/v1beta1", "CronJob", "apiVersion: is"),
        ("v1", "Deployment", "apiVersion: is \"v1\""),
        ("apps/v1", "deployment", "kind: is \"deployment\""),
        ("v1", "Pods", "kind: is \"Pods\""),
    ] {
        let text = format!("apiVersion: {api_version}\nkind: {kind}\n{META}");
        let problems = yaml(&text).problems();
        assert!(problems.len() == 1 && problems[0].contains(told), "{told}: {problems:?}");
    }
}

#[test]
fn kinds_of_others_are_not_taken_for_ours() {
    for (api_version, kind) in [
        ("v1", "PodTemplate"),
        ("v1", "ServiceAccount"),
        ("v1", "Endpoints"),
        ("networking.k8s.io/v1", "Ingress"),
        ("networking.k8s.io/v1", "IngressClass"),
        ("serving.knative.dev/v1", "Service"),
        ("apps.kruise.io/v1alpha1", "DaemonSet"),
        ("batch.volcano.sh/v1alpha1", "Job"),
        ("k8s.cni.cncf.io/v1beta1", "MultiNetworkPolicy"),
        ("metrics.k8s.io/v1beta1", "PodMetrics"),
        ("security.example.com/v1", "NetworkPolicy"),
    ] {
        let text = format!("apiVersion: {api_version}\nkind: {kind}\n{META}");
        assert_eq!(yaml(&text).problems(), [""; 0], "{api_version} {kind}");
    }
}

#[test]
fn a_field_that_only_a_newer_api_server_knows_is_not_answered_without() {
    let of_cluster = |spec: &str| {
        let mut reader = Reader::of_api_server(Objects::new("default"));
        let list = format!(
            "{{\"apiVersion\":\"networking.k8s.io/v1\",\"kind\":\"NetworkPolicyList\",\"items\":[\
             {{\"metadata\":{{\"name\":\"a\",\"brandNew\":1}},\"spec\":{spec},\"status\":{{\"x\":1}}}}]}}"
        );
        reader.page(&"cluster".into(), &list).expect("a list");
        let Parts { objects, .. } = reader.into_parts();
        objects.finish().rejected.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(of_cluster("{\"podSelector\":{}}"), [""; 0]);
    let told = of_cluster("{\"podSelector\":{},\"brandNew\":1}");
    assert!(
        told.len() == 1 && told[0].contains("spec.brandNew: is a field of a later version"),
        "{told:?}"
    );
}
