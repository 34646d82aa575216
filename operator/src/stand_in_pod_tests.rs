use std::collections::BTreeMap;

use netproof_conformance::matrix::Actor;
use netproof_crds::NamedPort;

use super::*;

fn test() -> TestRef {
    TestRef { namespace: "shop".into(), name: "three-tier".into(), uid: "u-1".into() }
}

fn settings() -> PodSettings {
    PodSettings {
        image: "probe:1".into(),
        priority_class: None,
        lifetime: Duration::from_secs(3600),
        installation: "here".into(),
    }
}

fn desired() -> Desired {
    Desired {
        actor: Actor::sole("web"),
        namespace: "shop".into(),
        labels: [("app".to_owned(), "web".to_owned())].into(),
        ports: vec![],
        node: None,
        node_selector: BTreeMap::new(),
        tolerations: vec![],
    }
}

fn port(number: u16) -> NamedPort {
    NamedPort { name: None, port: number, protocol: netproof_crds::Protocol::Tcp }
}

#[test]
fn another_port_makes_another_stand_in() {
    let other = Desired { ports: vec![port(80)], ..desired() };
    assert_ne!(settings().hash(&desired(), &test()), settings().hash(&other, &test()));
}

#[test]
fn incarnations_differ_in_name_only() {
    let [first, second] = [0, 1].map(|n| settings().pod(&desired(), &test(), "set", n));
    assert_ne!(first.metadata.name, second.metadata.name);
    assert_eq!(first.spec, second.spec);
    assert_eq!(first.metadata.labels, second.metadata.labels);
}

#[test]
fn long_names_fit_a_label() {
    let test = TestRef { name: "t".repeat(63), ..test() };
    let desired = Desired { actor: Actor::sole("e".repeat(40)), ..desired() };
    let pod = settings().pod(&desired, &test, "set", 0);
    assert!(pod.metadata.name.expect("it is named").len() <= 63);
}

#[test]
fn no_service_counts_it_and_no_replica_set_adopts_it() {
    let pod = settings().pod(&desired(), &test(), "set", 0);
    let owner = &pod.metadata.owner_references.expect("it is owned")[0];
    assert_eq!((owner.controller, owner.kind.as_str()), (Some(true), "StandInSet"));
    let gates = pod.spec.expect("it has a spec").readiness_gates.expect("it has a gate");
    assert_eq!(gates[0].condition_type, READINESS_GATE);
}

#[test]
fn it_has_no_rights_and_an_end() {
    let spec = settings().pod(&desired(), &test(), "set", 0).spec.expect("it has a spec");
    assert_eq!(spec.automount_service_account_token, Some(false));
    assert_eq!(spec.active_deadline_seconds, Some(3600));
    let security = spec.security_context.expect("it has a security context");
    assert_eq!(security.run_as_non_root, Some(true));
    assert_eq!(security.sysctls, Some(vec![]), "no sysctl without need");
    let container = spec.containers[0].security_context.clone().expect("so has its container");
    assert_eq!(container.allow_privilege_escalation, Some(false));
    assert_eq!(container.capabilities.and_then(|c| c.drop), Some(vec!["ALL".to_owned()]));
}

#[test]
fn ports_below_1024_need_no_root() {
    let desired = Desired { ports: vec![port(53)], ..desired() };
    let spec = settings().pod(&desired, &test(), "set", 0).spec.expect("it has a spec");
    let sysctls = spec.security_context.and_then(|security| security.sysctls);
    assert_eq!(sysctls.map(|sysctls| sysctls.len()), Some(1));
    assert_eq!(spec.containers[0].args, Some(vec!["--listen".to_owned(), "tcp/53".to_owned()]));
}

#[test]
fn only_in_its_own_namespace_the_test_owns_the_set() {
    assert!(set(&test(), "shop", "here").metadata.owner_references.is_some());
    assert!(set(&test(), "data", "here").metadata.owner_references.is_none());
}

#[test]
fn nothing_of_two_installations_has_one_name() {
    let there = PodSettings { installation: "there".into(), ..settings() };
    let [ours, theirs] =
        [&settings(), &there].map(|settings| settings.pod(&desired(), &test(), "set", 0));
    assert_ne!(ours.metadata.name, theirs.metadata.name);
    assert_ne!(ours.metadata.labels, theirs.metadata.labels);
    let [ours, theirs] = ["here", "there"].map(|installation| set(&test(), "shop", installation));
    assert_ne!(ours.metadata.name, theirs.metadata.name);
}

#[test]
fn what_has_no_mark_is_ours_to_replace() {
    assert!(is_of("here", None) && is_of("here", Some("here")) && !is_of("here", Some("there")));
}
