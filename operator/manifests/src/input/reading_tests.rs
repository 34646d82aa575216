use std::{os::unix::fs::symlink, path::PathBuf};

use super::{
    read, read_bytes,
    testing::{Directory, json, yaml},
};

const POD: &str = "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\n";

/// A pod with this label and this port.
fn pod(label: &str, port: &str) -> String {
    format!("{POD}  # comment\nspec: {{containers: [{{ports: [{{containerPort: {port}}}]}}]}}\n")
        .replace("{name: web}", &format!("{{name: web, labels: {{app: {label}}}}}"))
}

#[test]
fn a_directory_is_read_with_all_below_but_what_is_hidden() {
    let named = |name: &str| POD.replace("web", name);
    let directory = Directory::with(&[
        ("b.yaml", &named("b")),
        ("sub/a.yml", &named("a")),
        ("sub/c.json", r#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"c"}}"#),
        ("README.md", "# not a manifest"),
        (".git/d.yaml", "{"),
        (".hidden.yaml", "{"),
    ]);
    symlink(directory.path(), directory.path().join("sub/loop")).expect("a link");
    let input = directory.read();
    assert_eq!(input.names(), ["default/a", "default/b", "default/c"]);
    assert_eq!(input.notes, ["2 hidden files or directories were not read"]);
}

#[test]
fn every_file_that_cannot_be_read_is_named() {
    let directory = Directory::with(&[
        ("a.yaml", "kind: Pod\n  name: x: y\n"),
        ("b.json", "{\"kind\": \n\n oops}"),
        ("c.yaml", "\n \n"),
        ("d.yaml", &format!("{POD}---\nlist: [1\n---\n{}", POD.replace("web", "other"))),
        ("e.yaml", "apiVersion: v1\nmetadata: {name: x}\n"),
        ("f.yaml", "- 1\n"),
        ("g.yaml", "# nothing but a comment\n"),
    ]);
    let named = ["a.yaml", "b.json", "c.yaml", "d.yaml", "e.yaml", "f.yaml"];
    let input = directory.read_named(&named);
    assert_eq!(
        input.problems(),
        [
            "a.yaml:2: document 1 is no valid YAML: mapping values are not allowed in this context",
            "b.json:3: document 1 is no valid JSON: expected value",
            "c.yaml: is empty: leave it out, or write a manifest into it",
            "d.yaml:5: document 2 is no valid YAML: unclosed bracket '['",
            "e.yaml:1: document 1 has no apiVersion or no kind, so that nobody can tell what it is: \
             complete it, or leave it out",
            "f.yaml: document 1 is no object of Kubernetes: invalid type: sequence, expected an object",
        ]
    );
    // Documents after a broken one are read.
    assert_eq!(input.cluster.snapshot.pods.len(), 2);
    assert_eq!(
        directory.read_named(&["g.yaml"]).problems(),
        ["g.yaml: has no object of Kubernetes in it"]
    );
    // A file of a directory that cannot be an object is skipped.
    let lying = directory.read();
    let names: Vec<&str> = lying.unreadable.iter().map(|one| &*one.input).collect();
    assert_eq!(names, ["a.yaml", "b.json", "d.yaml", "e.yaml"]);
    assert_eq!(
        lying.notes,
        ["no objects of Kubernetes, and skipped: 3 files: c.yaml, f.yaml, g.yaml"]
    );
}

#[test]
fn paths_without_manifests_are_named() {
    let directory = Directory::with(&[("README.md", "")]);
    assert_eq!(
        directory.read().problems(),
        ["DIRECTORY: has no file called .yaml, .yml or .json in it, or in a directory below"]
    );
    let missing = read(&[PathBuf::from("/nowhere/at-all.yaml")], "default");
    assert_eq!(
        missing.problems(),
        ["/nowhere/at-all.yaml: cannot be read: No such file or directory (os error 2)"]
    );
    let bytes = read_bytes("input.yaml", b"a: b\nc: \xff\n".to_vec(), "default");
    assert_eq!(bytes.problems(), ["input.yaml:2: is not UTF-8 from here on: save it as UTF-8"]);
}

#[test]
fn lists_are_taken_apart_wherever_they_are() {
    let all = json(
        r#"{"apiVersion":"v1","kind":"List","items":[
            {"apiVersion":"v1","kind":"Pod","metadata":{"name":"a"}},
            {"apiVersion":"v1","kind":"PodList","items":[{"metadata":{"name":"b"}}]}]}
        {"apiVersion":"v1","kind":"PodList","items":[{"metadata":{"name":"c"}}]}{"apiVersion":"v1","kind":"PodList","items":[]}"#,
    );
    assert_eq!(all.names(), ["default/a", "default/b", "default/c"]);
    let lines: Vec<_> = all.cluster.pods.iter().map(|pod| pod.source.to_string()).collect();
    assert_eq!(lines, ["input.json:2", "input.json:3", "input.json:4"]);
    let yaml = yaml(
        "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Pod\n  metadata: {name: a}\n- apiVersion: v1\n  kind: Pod\n  metadata: {name: b}\n",
    );
    assert_eq!(yaml.names(), ["default/a", "default/b"]);
    let lines: Vec<_> = yaml.cluster.pods.iter().map(|pod| pod.source.to_string()).collect();
    assert_eq!(lines, ["input.yaml:4", "input.yaml:7"]);
}

#[test]
fn a_part_of_a_list_is_not_taken_for_the_whole() {
    let part =
        json(r#"{"apiVersion":"v1","kind":"PodList","metadata":{"continue":"x"},"items":[]}"#);
    assert_eq!(
        part.problems(),
        ["input.json:1: document 1 is a part of a list (metadata.continue is set): get the whole \
          list, as kubectl get does"]
    );
}

#[test]
fn what_begins_like_json_may_be_yaml() {
    assert_eq!(yaml("{apiVersion: v1, kind: Pod, metadata: {name: a}}").names(), ["default/a"]);
    let json = "\u{feff}{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"a\"}}\n";
    assert_eq!(yaml(json).names(), ["default/a"]);
}

#[test]
fn a_scalar_is_what_it_is_to_kubernetes() {
    for (written, number) in [("80", 80), ("0x1F", 31), ("010", 8), ("1_000", 1000), ("+7", 7)] {
        let input = yaml(&pod("web", written));
        assert_eq!(input.cluster.pods[0].declared[0].number, number, "{written}");
    }
    for written in ["'80'", "80.5", "1e3", "yes", "08", "0x", "2026-01-01", "[80]"] {
        assert_eq!(yaml(&pod("web", written)).problems().len(), 1, "{written}");
    }
    for label in ["web", "'on'", "\"yes\"", "1.2.3", "v1_000", "!!str 80", "a-y", "0.0.0"] {
        assert_eq!(yaml(&pod(label, "80")).names().len(), 1, "{label}");
    }
    for label in ["on", "yes", "No", "true", "80", "1e3", "0o7", "1_000", "! &x !y z", "!own web"] {
        assert_eq!(yaml(&pod(label, "80")).problems().len(), 1, "{label}");
    }
}

#[test]
fn a_label_that_yaml_takes_for_something_else_is_refused_with_its_name() {
    assert_eq!(
        yaml(&pod("on", "80")).problems(),
        [
            "input.yaml:1: Pod web: metadata.labels.app: invalid type: boolean `true`, expected a string"
        ]
    );
    assert_eq!(
        yaml(&pod("web", "'80'")).problems(),
        ["input.yaml:1: Pod web: spec.containers[0].ports[0].containerPort: invalid type: string \
          \"80\", expected i64"]
    );
}

#[test]
fn keys_that_come_twice_are_refused() {
    let twice = yaml("apiVersion: v1\nkind: Pod\nmetadata: {name: a, labels: {app: x, app: y}}\n");
    assert_eq!(twice.problems().len(), 1);
    let twice = yaml("apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {}\nspec: {}\n");
    assert_eq!(twice.problems().len(), 1);
}

#[test]
fn aliases_and_merges_are_written_out() {
    let input = yaml(
        "apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\n  labels: &l {app: x, tier: front}\n---\n\
         apiVersion: v1\nkind: Pod\nx: &base {app: x, tier: front}\nz: &more {tier: z, team: w}\n\
         metadata:\n  name: b\n  labels: {<<: [*base, *more], tier: own}\n---\n\
         apiVersion: v1\nkind: Pod\nx: &base {app: x}\nmetadata: {name: c, labels: *base}\n",
    );
    assert_eq!(input.names().len(), 3);
    let labels = |index: usize| format!("{:?}", input.cluster.snapshot.pods[index].labels);
    assert_eq!(labels(1), r#"{"app": "x", "team": "w", "tier": "own"}"#);
    assert_eq!(labels(2), r#"{"app": "x"}"#);
    for wrong in ["{app: own, <<: *base}", "{<<: *base, <<: *base}", "{<<: x}", "{? [a] : b}"] {
        let text = format!("x: &base {{app: x}}\n{POD}").replace("web", "b, labels: ") + "";
        let text = text.replace("labels: }", &format!("labels: {wrong}}}"));
        assert_eq!(yaml(&text).problems().len(), 1, "{wrong}");
    }
}

#[test]
fn aliases_that_grow_without_bound_are_refused() {
    let mut bomb = String::from("a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol, lol]\n");
    for level in 1..12 {
        let last = level - 1;
        let list = vec![format!("*a{last}"); 10].join(", ");
        bomb.extend([format!("a{level}: &a{level} [{list}]\n")]);
    }
    let problems = yaml(&bomb).problems();
    assert!(problems[0].contains("stand for more than 16 MiB"), "{problems:?}");
    assert!(yaml("a: &a [*a]\n").problems()[0].contains("itself"), "an anchor in itself");
}

#[test]
fn what_nests_too_deep_is_refused() {
    for text in ["[".repeat(100_000), "{\"a\":".repeat(100_000), "- ".repeat(100_000)] {
        assert!(!yaml(&text).problems().is_empty());
        assert!(!json(&text).problems().is_empty());
    }
}

#[test]
fn the_example_is_read() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/three-tier");
    let input = read(&[path.into()], "default");
    assert_eq!(input.names(), ["shop/db", "shop/was", "shop/web"]);
    assert_eq!(input.cluster.snapshot.policies.len(), 5);
    assert_eq!(input.cluster.services.len(), 3);
    assert_eq!(input.cluster.assumed_addresses(), 3);
    assert_eq!(input.cluster.skipped.len(), 2);
    assert!(input.cluster.assumed_namespaces.is_empty());
}
