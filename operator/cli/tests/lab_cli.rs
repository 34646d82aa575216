//! `netproof lab`, tested by running its binary.

mod cli;
#[path = "lab_cli/running.rs"]
mod running;

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use cli::{Run, directory, netproof};
use running::{Running, finished, is_alive, probes_of};
use serde_json::Value;

const BINARY: &str = env!("CARGO_BIN_EXE_netproof");
const THREE_TIER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/three-tier");

const SHOP: &str = "
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {app: web}}
spec: {nodeName: node-1, containers: [{name: c, ports: [{containerPort: 8080}]}]}
---
apiVersion: v1
kind: Pod
metadata: {name: db, namespace: shop, labels: {app: db}}
spec: {nodeName: node-2, containers: [{name: c, ports: [{containerPort: 3306}]}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db, namespace: shop}
spec: {podSelector: {matchLabels: {app: db}}, policyTypes: [Ingress]}
";

const TWICE: &str = "
apiVersion: netproof.dev/v1alpha1
kind: ConnectivityTest
metadata: {name: t, namespace: shop}
spec:
  endpoints:
  - {name: a, standIn: {labels: {app: a}, ports: [{port: 80}]}}
  - {name: a, standIn: {labels: {app: b}, ports: [{port: 81}]}}
";

/// Pods that may neither send nor receive.
const CLOSED: &str = "
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {app: web}}
spec: {nodeName: node-1, containers: [{name: c, ports: [{containerPort: 8080}]}]}
---
apiVersion: v1
kind: Pod
metadata: {name: db, namespace: shop, labels: {app: db}}
spec: {nodeName: node-2, containers: [{name: c, ports: [{containerPort: 3306}]}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: closed, namespace: shop}
spec: {podSelector: {}, policyTypes: [Ingress, Egress]}
";

fn lab(arguments: &[&str]) -> Run {
    netproof(&[&["lab", "-q"], arguments].concat())
}

/// Runs a shell script as root of a user namespace with mounts of its own: no other process sees
/// what it changes. Its first argument is the binary.
fn apart(script: &str, arguments: &[&str]) -> Run {
    let mut command = Command::new("unshare");
    command.args(["-Urm", "sh", "-ec", script, "sh", BINARY]).args(arguments);
    finished(&mut command)
}

/// A pod that may not send, and an address outside.
const ALONE: &str = "
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {app: web}}
spec: {nodeName: node-1, containers: [{name: c, ports: [{containerPort: 8080}]}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: closed, namespace: shop}
spec: {podSelector: {}, policyTypes: [Ingress, Egress]}
";

const WAY_OUT: &str = "
---
apiVersion: netproof.dev/v1alpha1
kind: ConnectivityTest
metadata: {name: t, namespace: shop}
spec:
  endpoints:
  - {name: web, standIn: {labels: {app: web}, ports: [{port: 8080}]}}
  - {name: backup, external: {address: 203.0.113.7, ports: [{port: 80}]}}
  checks:
  - {from: [web], to: [backup]}
";

#[test]
fn a_pod_alone_proves_nothing_and_that_is_said() {
    let folder = directory(&[("all.yaml", ALONE)]);
    let run = lab(&["-f", &folder.path("all.yaml")]);
    assert_eq!(run.code, 2, "{}", run.stdout);
    assert!(run.stdout.contains("Conformant=Unknown (NothingProved)"), "{}", run.stdout);
}

#[test]
fn a_port_that_no_probe_can_attempt_is_said_not_to_be_attempted() {
    let sctp = "{containerPort: 3306}, {containerPort: 38412, protocol: SCTP}";
    let folder = directory(&[("all.yaml", &SHOP.replace("{containerPort: 3306}", sctp))]);
    let file = folder.path("all.yaml");
    let run = lab(&["-f", &file]);
    let said = "Not attempted: shop/db port 38412/SCTP; this version of the probe does not speak";
    assert!(run.stdout.contains(said), "{}", run.stdout);
    let run = lab(&["-f", &file, "-o", "json"]);
    assert_eq!(run.json()["notAttempted"], serde_json::json!(["shop/db port 38412/SCTP"]));
}

#[test]
fn the_way_out_of_a_single_pod_is_attempted() {
    let folder = directory(&[("all.yaml", &format!("{ALONE}{WAY_OUT}"))]);
    let file = folder.path("all.yaml");
    let run = lab(&["-f", &file, "--network", "plain"]);
    assert_eq!(run.code, 1, "{}", run.stdout);
    assert!(run.stdout.contains("Leak: web"), "{}", run.stdout);
    let run = lab(&["-f", &file]);
    assert_eq!(run.code, 2, "nobody reached it: {}", run.stdout);
}

#[test]
fn where_nothing_may_connect_nothing_is_proved_and_it_says_what_to_add() {
    let folder = directory(&[("closed.yaml", CLOSED)]);
    let file = folder.path("closed.yaml");
    for network in ["enforcing", "fault=blocks-all"] {
        let run = lab(&["-f", &file, "--network", network]);
        assert_eq!(run.code, 2, "{run:?}");
        assert!(run.stdout.contains("Conformant=Unknown (NothingProved)"), "{}", run.stdout);
        assert!(run.stdout.contains("add an endpoint that the policies let these reach"));
    }
    let run = lab(&["-f", &file, "--network", "plain"]);
    assert_eq!(run.code, 1, "{run:?}");
}

#[test]
fn the_exit_code_says_whether_everything_conforms() {
    let run = lab(&["-f", THREE_TIER]);
    assert_eq!(run.code, 0, "{run:?}");
    assert!(run.stdout.contains("Conformant=True (AllConform): 36 of 36 flows conform"));
    assert!(run.stdout.contains("was isolated from its first instant"), "{}", run.stdout);
    assert!(run.stdout.contains("Existing connections are cut by a new deny"), "{}", run.stdout);
    let run = lab(&["-f", THREE_TIER, "--network", "plain"]);
    assert_eq!(run.code, 1, "{run:?}");
    assert!(run.stdout.contains("Leak: web "), "{}", run.stdout);
    let run = lab(&["-f", THREE_TIER, "--network", "fault=blocks-all"]);
    assert_eq!(run.code, 1, "{run:?}");
    assert!(run.stdout.contains("Blocked: "), "{}", run.stdout);
}

#[test]
fn json_has_the_matrix_the_findings_and_the_diagnosis() {
    let run =
        lab(&["-f", THREE_TIER, "-o", "json", "--network", "fault=ignores-egress@node=node-2"]);
    assert_eq!(run.code, 1, "{run:?}");
    let object = run.json();
    assert_eq!(object["network"], "fault=ignores-egress@node=node-2");
    assert_eq!(object["verdict"], "violates");
    assert_eq!(object["matrix"].as_array().map(Vec::len), Some(36));
    assert_eq!(object["diagnosis"]["name"], "ignores-egress");
    let findings = object["findings"].as_array().expect("a list");
    assert!(findings.iter().any(|finding| finding["verdict"] == "leak"), "{findings:?}");
    assert!(object["startUps"].is_array() && object["coverage"].is_array());
    let object = lab(&["-f", THREE_TIER, "-o", "json"]).json();
    assert_eq!(
        (&object["verdict"], &object["findings"]),
        (&"conforms".into(), &Value::Array(vec![]))
    );
    assert_eq!(object["existingConnections"], "Cut");
    assert_eq!(object["startUps"][0]["result"], "isolated", "{}", object["startUps"]);
}

#[test]
fn a_start_up_leak_is_a_violation_that_is_named() {
    let network = "fault=late-isolation=500ms";
    let run = lab(&["-f", THREE_TIER, "-o", "json", "--network", network]);
    assert_eq!(run.code, 1, "{run:?}");
    let object = run.json();
    assert_eq!(object["diagnosis"]["name"], "late-isolation");
    assert_eq!(object["findings"][0]["verdict"], "startupLeak");
    for start_up in object["startUps"].as_array().expect("a list") {
        assert_eq!(start_up["result"], "leaked");
        let accepted = start_up["acceptedMs"].as_u64().expect("a number");
        assert!((400..600).contains(&accepted), "{accepted} ms");
    }
    let run = lab(&["-f", THREE_TIER, "--network", network, "--no-start-up"]);
    assert_eq!(run.code, 0, "{run:?}");
    assert!(!run.stdout.contains("Start-up"), "{}", run.stdout);
}

#[test]
fn connections_that_survive_are_a_fact_and_no_violation() {
    let run = lab(&["-f", THREE_TIER, "-o", "json", "--network", "fault=keeps-connections"]);
    assert_eq!((run.code, run.json()["existingConnections"].as_str()), (0, Some("Survive")));
}

#[test]
fn all_faults_are_listed() {
    let run = lab(&["--list-faults"]);
    assert_eq!((run.code, run.stdout.lines().count()), (0, 35), "{}", run.stdout);
}

#[test]
fn what_cannot_be_carried_out_is_an_error_that_says_why() {
    let folder = directory(&[
        ("bad.yaml", "kind: ["),
        ("none.yaml", "apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n"),
        ("shop.yaml", SHOP),
        ("twice.yaml", TWICE),
    ]);
    let [bad, none, shop, twice] =
        ["bad.yaml", "none.yaml", "shop.yaml", "twice.yaml"].map(|file| folder.path(file));
    let missing = folder.path("missing.yaml");
    for (arguments, words) in [
        (vec!["-f", &shop, "--network", "fault=no-such"], "no-such"),
        (vec!["-f", &shop, "--network", "odd"], "--list-faults"),
        (vec!["-f", &shop, "--network", "fault=slow@node=n"], "there is no node n, only node-1"),
        (vec!["-f", &shop, "--network", "fault=slow@namespace=n"], "only shop"),
        (
            vec!["-f", &shop, "--network", "fault=slow@pod=n/p"],
            "no pod n/p, only shop/db, shop/web",
        ),
        (vec!["-f", &shop, "--network", "fault="], "fault= names none"),
        (vec!["-f", &shop, "--timeout", "0s"], "not within 1ms and 60s"),
        (vec!["-f", &twice], "endpoint a is there twice"),
        (vec!["-f", &bad], "bad.yaml"),
        (vec!["-f", &missing], "missing.yaml"),
        (vec!["-f", &none], "there is nothing to connect"),
        (vec!["-f", &shop, "--test", "none"], "there is no ConnectivityTest none"),
        (vec!["-f", "-", "--watch"], "standard input cannot be watched"),
        (vec![], "--filename"),
    ] {
        let run = lab(&arguments);
        assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{arguments:?}: {run:?}");
        assert!(run.stderr.contains(words), "{arguments:?}: {}", run.stderr);
    }
}

#[test]
fn without_nft_it_says_at_once_how_to_get_it() {
    let began = Instant::now();
    let hide = "for folder in /usr/sbin /sbin /usr/local/sbin; do mount -t tmpfs none $folder; done
        PATH=/nowhere exec \"$@\"";
    let run = apart(hide, &["lab", "-f", THREE_TIER]);
    assert_eq!(run.code, 2, "{run:?}");
    assert!(run.stderr.contains("install the package nftables"), "{}", run.stderr);
    assert!(run.stderr.contains("No such file or directory"), "{}", run.stderr);
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

#[test]
fn what_nft_says_is_told_at_once() {
    let folder = directory(&[(
        "nft",
        "#!/bin/sh\ncat >/dev/null\necho 'no such table today' >&2\nexit 1\n",
    )]);
    let nft = folder.path("nft");
    fs::set_permissions(&nft, fs::Permissions::from_mode(0o755)).expect("our own file");
    let script = format!("mount --bind {nft} \"$(readlink -f /usr/sbin/nft)\"; exec \"$@\"");
    let began = Instant::now();
    let run = apart(&script, &["lab", "-f", THREE_TIER]);
    assert_eq!(run.code, 2, "{run:?}");
    assert!(run.stderr.contains("nft refused the script: no such table today"), "{}", run.stderr);
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

#[test]
fn where_namespaces_are_forbidden_it_says_what_is_missing_and_how_to_get_it() {
    // These limits are the user namespace's own.
    let forbid = "echo 0 >/proc/sys/user/max_net_namespaces
        echo 0 >/proc/sys/user/max_user_namespaces
        exec \"$@\"";
    let run = apart(forbid, &["lab", "-f", THREE_TIER]);
    assert_eq!(run.code, 2, "{run:?}");
    for words in ["does not let us make network namespaces", "sysctl -w", "docker run --privileged"]
    {
        assert!(run.stderr.contains(words), "{}", run.stderr);
    }
}

#[test]
fn a_user_without_rights_can_run_it() {
    let mut command = if is_root() {
        // Other users may not read the directory where the binary is built.
        let folder = directory(&[]);
        let copy = folder.path("netproof");
        fs::copy(BINARY, &copy).expect("room for a copy");
        for path in [folder.path(""), copy.clone()] {
            fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("our own");
        }
        let mut command = Command::new("setpriv");
        command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups", &copy]);
        let objects = directory(&[("shop.yaml", SHOP)]);
        let run = finished(command.args(["lab", "-q", "-f", &objects.path("shop.yaml")]));
        assert_eq!(run.code, 0, "{run:?}");
        return;
    } else {
        Command::new(BINARY)
    };
    let run = finished(command.args(["lab", "-q", "-f", THREE_TIER]));
    assert_eq!(run.code, 0, "{run:?}");
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0)
}

#[test]
fn two_labs_at_once_and_one_after_another_are_in_nobodys_way() {
    let runs: Vec<_> = (0..2)
        .map(|_| thread::spawn(|| [lab(&["-f", THREE_TIER]), lab(&["-f", THREE_TIER])]))
        .collect();
    for run in runs.into_iter().flat_map(|runs| runs.join().expect("no panic")) {
        assert_eq!(run.code, 0, "{run:?}");
    }
}

#[test]
fn both_families_are_judged_where_there_are_both() {
    let run = lab(&["-f", THREE_TIER, "--ip", "dual", "-o", "json"]);
    assert_eq!(run.code, 0, "{run:?}");
    let object = run.json();
    let of = |family| {
        let flows = object["matrix"].as_array().expect("a list").iter();
        flows.filter(|flow| flow["family"] == family).count()
    };
    assert!(of("IPv4") >= 30 && of("IPv6") >= 30, "{} and {}", of("IPv4"), of("IPv6"));
    let faulty = lab(&["-f", THREE_TIER, "--ip", "dual", "--network", "fault=ignores-ipv6"]);
    assert_eq!(faulty.code, 1, "{faulty:?}");
    assert!(faulty.stdout.contains("IPv6"), "{}", faulty.stdout);
}

#[test]
fn nothing_of_a_lab_is_left_when_it_is_killed() {
    let mut running = Running::start(&["lab", "-q", "--watch", "-f", THREE_TIER]);
    running.wait_for("The verdict took");
    let probes = probes_of(running.id());
    assert!(probes.len() > 4, "{probes:?}");
    running.signal("KILL");
    running.end();
    let deadline = Instant::now() + Duration::from_secs(5);
    while probes.iter().any(|probe| is_alive(*probe)) {
        assert!(Instant::now() < deadline, "some of {probes:?} are left");
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_pod_that_dies_is_never_green() {
    let folder = directory(&[("shop.yaml", SHOP)]);
    // A timeout that is long enough for the pod to be killed meanwhile.
    let arguments = ["lab", "-q", "--timeout", "2s", "-o", "json", "-f", &folder.path("shop.yaml")];
    let mut running = Running::start(&arguments);
    let deadline = Instant::now() + Duration::from_secs(10);
    let probes = loop {
        let probes = probes_of(running.id());
        if probes.len() == 2 {
            break probes;
        }
        assert!(Instant::now() < deadline, "there are {probes:?}");
        thread::sleep(Duration::from_millis(5));
    };
    thread::sleep(Duration::from_millis(700));
    let kill = Command::new("kill").args(["-KILL", &probes[0].to_string()]).status();
    assert!(kill.is_ok_and(|status| status.success()));
    let run = running.end();
    assert_eq!(run.code, 2, "{run:?}");
    let object = run.json();
    assert_eq!(object["verdict"], "cannotTell");
    let findings = object["findings"].as_array().expect("a list");
    assert!(findings.iter().any(|finding| finding["verdict"] == "inconclusive"), "{object}");
}

#[test]
fn a_change_of_the_files_is_followed_until_it_is_interrupted() {
    let folder = directory(&[("shop.yaml", SHOP)]);
    let path = folder.path("shop.yaml");
    let mut running = Running::start(&["lab", "--watch", "-f", &path]);
    running.wait_for("Diagnosis: behaves as the policies say");
    let late = format!(
        "{SHOP}---\napiVersion: v1\nkind: Pod\nmetadata: {{name: late, namespace: shop, labels: {{app: db}}}}\nspec: {{nodeName: node-1, containers: [{{name: c, ports: [{{containerPort: 3306}}]}}]}}\n"
    );
    fs::write(&path, &late).expect("our own file");
    running.wait_for("The files have changed");
    running.wait_for("New pod shop/late (shop/late) was isolated from its first instant");
    let open = late.replace("policyTypes: [Ingress]", "policyTypes: [Ingress], ingress: [{}]");
    fs::write(&path, open).expect("our own file");
    running.wait_for("The network followed after");
    fs::write(&path, "kind: [").expect("our own file");
    running.wait_for("the lab stays as it was");
    running.signal("INT");
    let run = running.end();
    assert_eq!(run.code, 0, "{run:?}");
}

#[test]
fn pods_listen_on_what_is_asked_of_them_after_a_change_too() {
    let pods = SHOP.rsplit_once("---").expect("the policy is the last one").0;
    let pods = pods.replace("ports: [{containerPort: 3306}]", "image: i");
    // Policies mention more ports than pods listen on, so that the ports of a removed policy make
    // room for others; and a pod may declare other ports than before.
    let policy = |number: u32| {
        format!(
            "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\n\
             metadata: {{name: p{number}, namespace: shop}}\n\
             spec: {{podSelector: {{matchLabels: {{app: db}}}}, ingress: [{{ports: [{{port: {number}000}}]}}]}}\n"
        )
    };
    let folder = directory(&[("pods.yaml", &pods)]);
    for number in 1..=9 {
        fs::write(folder.path(&format!("p{number}.yaml")), policy(number)).expect("our own file");
    }
    let mut running = Running::start(&["lab", "--watch", "--no-start-up", "-f", &folder.path("")]);
    running.wait_for("Conformant=True");
    for number in 1..=2 {
        fs::remove_file(folder.path(&format!("p{number}.yaml"))).expect("it is there");
        running.wait_for(&format!("shop/db {}000/TCP", 6 + number));
    }
    fs::write(folder.path("pods.yaml"), pods.replace("8080", "8081")).expect("our own file");
    running.wait_for("shop/web 8081/TCP");
    running.signal("INT");
    let run = running.end();
    assert!(!run.stdout.contains("was not told to listen"), "{}", run.stdout);
    assert_eq!(run.code, 0, "{run:?}");
}

#[test]
fn a_fault_that_one_look_does_not_show_is_said_to_need_another() {
    for (network, words) in [
        ("fault=slow=1h", "note: slow shows only when objects change: --watch follows the files"),
        ("fault=ignores-ipv6", "note: ignores-ipv6 shows only where pods have IPv6: try --ip dual"),
    ] {
        let run = lab(&["-f", THREE_TIER, "--network", network]);
        assert!(run.stderr.contains(words), "{}", run.stderr);
    }
}

#[test]
fn faults_of_time_are_named_while_files_are_watched() {
    let denies = "policyTypes: [Ingress]";
    let admits =
        "policyTypes: [Ingress], ingress: [{from: [{podSelector: {matchLabels: {app: web}}}]}]";
    let admitting = SHOP.replace(denies, admits);
    let relabelled = admitting.replace("labels: {app: web}", "labels: {app: other}");
    let without = SHOP.rsplit_once("---").expect("the policy is the last one").0;
    let folder = directory(&[]);
    let path = folder.path("shop.yaml");
    for (fault, before, after, words) in [
        (
            "stale-pod-labels",
            admitting.as_str(),
            relabelled.as_str(),
            "does not follow changes of the labels of pods",
        ),
        ("slow=1500ms", &admitting, SHOP, "follows changes after about"),
        ("keeps-deleted-policies", SHOP, without, "goes on enforcing policies that are deleted"),
    ] {
        fs::write(&path, before).expect("our own file");
        let network = format!("fault={fault}");
        let mut running = Running::start(&["lab", "--watch", "-f", &path, "--network", &network]);
        running.wait_for("Diagnosis: behaves as the policies say");
        fs::write(&path, after).expect("our own file");
        running.wait_for("The files have changed");
        running.wait_for(words);
        running.signal("INT");
        running.end();
    }
}

#[test]
fn a_pipe_among_the_files_of_a_directory_holds_nothing_up() {
    let folder = directory(&[("shop.yaml", SHOP)]);
    let made = Command::new("mkfifo").arg(folder.path("pipe.yaml")).status();
    assert!(made.is_ok_and(|status| status.success()));
    let run = lab(&["-f", &folder.path(""), "--no-start-up"]);
    assert_eq!(run.code, 0, "{run:?}");
}

#[test]
fn what_leaks_by_turns_is_never_green() {
    let folder = directory(&[("shop.yaml", SHOP)]);
    let network = "fault=flapping=1500ms";
    let path = folder.path("shop.yaml");
    let mut running = Running::start(&["lab", "--watch", "-f", &path, "--network", network]);
    running.wait_for("enforces policies by turns");
    running.signal("INT");
    let run = running.end();
    assert_eq!(run.code, 1, "{run:?}");
    let last = run.stdout.rsplit("Conformant=").next().expect("a verdict");
    assert!(last.starts_with("False (Leaks)"), "{run:?}");
}

#[test]
fn root_without_rights_is_told_what_is_missing() {
    if !is_root() {
        return;
    }
    let mut command = Command::new("setpriv");
    command.args(["--bounding-set=-all", "--inh-caps=-all", BINARY, "lab", "-f", THREE_TIER]);
    let run = finished(&mut command);
    assert_eq!(run.code, 2, "{run:?}");
    assert!(run.stderr.contains("The lab needs one of these"), "{run:?}");
}

#[test]
fn what_was_found_beside_the_flows_asked_for_is_shown() {
    let policy =
        SHOP.replace("policyTypes: [Ingress]", "ingress: [{ports: [{port: 3306, endPort: 3310}]}]");
    let folder = directory(&[("shop.yaml", &policy)]);
    let network = "fault=end-port-first-only";
    let run = lab(&["-f", &folder.path("shop.yaml"), "-o", "json", "--network", network]);
    let object = run.json();
    let beside = object["beside"].as_array().expect("a list").iter();
    let found = beside.filter(|flow| flow["verdict"] == "blocked").count();
    let findings = object["findings"].as_array().map_or(0, Vec::len);
    let explained = object["diagnosis"]["findings"].as_u64().unwrap_or_default();
    assert_eq!(u64::try_from(found + findings), Ok(explained), "{object}");
}
