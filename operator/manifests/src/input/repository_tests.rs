use super::testing::{Directory, yaml};

const POD: &str = "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\n";
const POLICY: &str = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\n\
                      metadata: {name: deny}\nspec: {podSelector: {}}\n";

#[test]
fn what_cannot_be_an_object_is_skipped_and_told_once() {
    let directory = Directory::with(&[
        ("base/kustomization.yaml", "resources: [np.yaml]\n"),
        ("base/np.yaml", &format!("# The first\n---\n{POLICY}---\n")),
        ("base/pods.yaml", POD),
        ("chart/Chart.yaml", "apiVersion: v2\nname: web\nversion: 0.1.0\n"),
        ("chart/values.yaml", "kind: ClusterIP\nreplicas: 2\n"),
        ("ci.yml", "on: [push]\njobs: {test: {steps: [{run: 'echo ${{ x }}'}]}}\n"),
        ("docs.yml", "nav: [kind.md, spec.md]\nindex: !!python/name:twemoji\n"),
        ("empty.yaml", "\n"),
        ("comments.yaml", "# nothing\n---\n# at all\n"),
        ("openapi.yaml", "openapi: 3.0.0\npaths: {}\n"),
        ("overlay/patch.yaml", "- {op: add, path: /metadata/labels, value: {a: b}}\n"),
        ("package.json", "{\"name\": \"web\"}"),
        ("text.yaml", "some words\n"),
        ("tsconfig.json", "{\n  // for the compiler\n  \"strict\": true,\n}"),
    ]);
    let input = directory.read();
    assert_eq!(input.names(), ["default/web"]);
    assert_eq!(input.cluster.snapshot.policies.len(), 1);
    assert_eq!(
        input.notes,
        ["no objects of Kubernetes, and skipped: 12 files: base/kustomization.yaml, \
          chart/Chart.yaml, chart/values.yaml, ci.yml, comments.yaml, docs.yml, empty.yaml, \
          openapi.yaml, overlay/patch.yaml, package.json, text.yaml, tsconfig.json"]
    );
}

#[test]
fn what_was_named_has_to_be_objects() {
    let directory = Directory::with(&[
        ("values.yaml", "replicas: 2\n"),
        ("comments.yaml", "# nothing\n"),
        ("list.yaml", "- 1\n"),
        ("pod.yaml", POD),
    ]);
    for file in ["values.yaml", "comments.yaml", "list.yaml"] {
        let problems = directory.read_named(&["pod.yaml", file]).problems();
        assert!(problems.len() == 1 && problems[0].starts_with(file), "{problems:?}");
    }
}

#[test]
fn a_directory_without_any_object_is_no_input() {
    let directory = Directory::with(&[("values.yaml", "replicas: 2\n")]);
    assert_eq!(directory.read().problems(), ["DIRECTORY: has no object of Kubernetes in it"]);
}

#[test]
fn what_is_half_an_object_is_an_error_in_a_directory_too() {
    for half in [
        "apiVersion: networking.k8s.io/v1\nmetadata: {name: deny}\n",
        "kind: NetworkPolicy\nspec: {podSelector: {}}\n",
        "metadata: {name: deny}\nspec: {podSelector: {}}\n",
        "apiVersion: networking.k8s.io/v1\nkind: {}\n",
        "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nspec: [\n",
        "spec: [\n",
    ] {
        let directory = Directory::with(&[("half.yaml", half), ("pod.yaml", POD)]);
        let problems = directory.read().problems();
        assert!(problems.len() == 1 && problems[0].starts_with("half.yaml"), "{half}{problems:?}");
    }
}

#[test]
fn a_patch_of_a_kustomization_is_no_object() {
    let patch = POLICY.replace("podSelector: {}", "policyTypes: [Egress]");
    for kustomization in [
        "resources: [../base]\npatches: [{path: patch.yaml}]\n",
        "resources: [../base]\npatchesStrategicMerge:\n- patch.yaml\n- |-\n  kind: Pod\n",
    ] {
        let directory = Directory::with(&[
            ("base/np.yaml", POLICY),
            ("base/kustomization.yaml", "resources: [np.yaml]\n"),
            ("overlay/patch.yaml", &patch),
            ("overlay/kustomization.yaml", kustomization),
        ]);
        let input = directory.read();
        assert_eq!(input.problems(), [""; 0]);
        assert_eq!(input.cluster.snapshot.policies.len(), 1);
        let [note] = input.notes.as_slice() else { panic!("{:?}", input.notes) };
        assert!(note.contains("overlay/patch.yaml (a patch"), "{note}");
        // A patch that the user names is read.
        assert_eq!(directory.read_named(&["overlay/patch.yaml"]).cluster.policies.len(), 1);
    }
}

#[test]
fn a_resource_is_read_even_if_it_is_a_patch_elsewhere() {
    let directory = Directory::with(&[
        ("np.yaml", POLICY),
        ("kustomization.yaml", "resources: [np.yaml]\n"),
        ("other/kustomization.yaml", "patches: [{path: ../np.yaml}]\n"),
    ]);
    assert_eq!(directory.read().cluster.snapshot.policies.len(), 1);
}

#[test]
fn a_template_of_a_policy_is_an_error_that_says_what_to_do() {
    let template = format!("{{{{- if .Values.on }}}}\n{POLICY}{{{{- end }}}}\n");
    let name = POLICY.replace("deny", "{{ .Release.Name }}");
    let kind = POLICY.replace("kind: NetworkPolicy", "kind: {{ .Values.kind }}");
    for template in [&template, &name, &kind] {
        let directory = Directory::with(&[("t.yaml", template), ("pod.yaml", POD)]);
        for input in [directory.read(), directory.read_named(&["t.yaml"])] {
            let problems = input.problems();
            assert_eq!(problems.len(), 1, "{problems:?}");
            assert!(problems[0].starts_with("t.yaml:"), "{problems:?}");
            assert!(problems[0].contains("is a template: render it first"), "{problems:?}");
        }
    }
}

#[test]
fn another_template_is_skipped_in_a_directory_and_refused_by_name() {
    let template = POD.replace("web", "{{ .Release.Name }}");
    let directory = Directory::with(&[("t.yaml", &template), ("pod.yaml", POD)]);
    let input = directory.read();
    assert_eq!(input.names(), ["default/web"]);
    assert!(input.notes[0].ends_with("t.yaml (a template, which is not rendered)"));
    assert_eq!(directory.read_named(&["t.yaml"]).unreadable.len(), 1);
}

#[test]
fn braces_in_strings_make_no_template() {
    let pod = POD.replace("{name: web}", "{name: web, annotations: {a: '{{ $labels.x }}'}}");
    assert_eq!(yaml(&pod).names(), ["default/web"]);
}

#[test]
fn tabs_inside_of_brackets_are_spaces_and_nowhere_else() {
    for list in ["[\n\tIngress\n  ]", "[\n \t Ingress,\n\tEgress\n\t]", "[Ingress,\n\t\tEgress]"] {
        let policy = format!("{POLICY}  \n").replace("{podSelector: {}}", "");
        let text = format!("{policy}  podSelector: {{}}\n  policyTypes: {list}\n");
        assert_eq!(yaml(&text).names(), [""; 0], "{text}");
    }
    let braces = POLICY.replace("{podSelector: {}}", "{\n\tpodSelector: {\n\t}\n\t}");
    assert_eq!(yaml(&braces).cluster.snapshot.policies.len(), 1);
    let block = POLICY.replace("{podSelector: {}}", "\n\tpodSelector: {}");
    assert_eq!(yaml(&block).unreadable.len(), 1);
    let text =
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  a: |\n    b: [\n    \tc]\n";
    assert_eq!(yaml(text).unreadable.len(), 0);
}
