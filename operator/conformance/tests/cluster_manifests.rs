//! Checks what is read as a policy of the cluster, and what is refused as one.

use netproof_conformance::policy::{
    Rejected, admin_network_policy, baseline_admin_network_policy,
    cluster::{ClusterPeer, ClusterPolicy, ClusterPort, ClusterPorts},
    cluster_network_policy,
};

fn read<T: serde::de::DeserializeOwned>(
    name: &str,
    spec: &str,
    compile: impl Fn(&T) -> Result<ClusterPolicy, Rejected>,
) -> Result<ClusterPolicy, String> {
    let object = format!(r#"{{"metadata":{{"name":"{name}"}},"spec":{spec}}}"#);
    let object = serde_saphyr::from_str(&object).map_err(|error| format!("unread: {error}"))?;
    compile(&object).map_err(|why| why.to_string())
}

/// Compiles a `ClusterNetworkPolicy` with these fields beside those that it has to have.
fn cluster(fields: &str) -> Result<ClusterPolicy, String> {
    let needed = r#""tier":"Admin","priority":0,"subject":{"namespaces":{}}"#;
    read("a", &format!("{{{needed}{fields}}}"), cluster_network_policy::compile)
}

fn admin(fields: &str) -> Result<ClusterPolicy, String> {
    let needed = r#""priority":0,"subject":{"namespaces":{}}"#;
    read("a", &format!("{{{needed}{fields}}}"), admin_network_policy::compile)
}

fn baseline(fields: &str) -> Result<ClusterPolicy, String> {
    let needed = r#""subject":{"namespaces":{}}"#;
    read("default", &format!("{{{needed}{fields}}}"), baseline_admin_network_policy::compile)
}

/// The fields for one rule for ingress, with these beside its action.
fn rule(fields: &str) -> String {
    format!(r#","ingress":[{{"action":"Deny",{fields}}}]"#)
}

fn assert_unread(read: &Result<ClusterPolicy, String>, of: &str) {
    assert!(read.as_ref().is_err_and(|why| why.starts_with("unread")), "{of}: {read:?}");
}

fn assert_refused(read: &Result<ClusterPolicy, String>, why: &str) {
    assert_eq!(read.as_ref().map_err(String::as_str), Err(why));
}

#[test]
fn a_list_is_no_object_and_an_object_no_list() {
    for fields in [
        r#","ingress":{}"#,
        r#","ingress":[[]]"#,
        r#","egress":"all""#,
        r#","ingress":[{"action":"Deny","from":{}}]"#,
        r#","ingress":[{"action":"Deny","from":[[{}]]}]"#,
        r#","ingress":[{"action":"Deny","from":[{"namespaces":[]}]}]"#,
        r#","ingress":[{"action":"Deny","from":[{"pods":[{},{}]}]}]"#,
        r#","egress":[{"action":"Deny","to":[{"networks":"10.0.0.0/8"}]}]"#,
        r#","egress":[{"action":"Deny","to":[{"networks":[null]}]}]"#,
        r#","egress":[{"action":["Deny"],"to":[{"namespaces":{}}]}]"#,
    ] {
        assert_unread(&cluster(fields), fields);
        assert_unread(&admin(fields), fields);
        assert_unread(&baseline(fields), fields);
    }
    for protocols in
        ["{}", "[[]]", "[null]", r#"[{"tcp":[]}]"#, r#"[{"tcp":{"destinationPort":80}}]"#]
    {
        let fields = rule(&format!(r#""from":[{{"namespaces":{{}}}}],"protocols":{protocols}"#));
        assert_unread(&cluster(&fields), protocols);
    }
    for ports in ["{}", "[null]", "[80]", r#"[{"portNumber":80}]"#, r#"[{"namedPort":[]}]"#] {
        let fields = rule(&format!(r#""from":[{{"namespaces":{{}}}}],"ports":{ports}"#));
        assert_unread(&admin(&fields), ports);
        assert_unread(&baseline(&fields), ports);
    }
}

#[test]
fn a_null_is_an_absent_field() {
    let without = cluster("").expect("a policy without rules");
    assert_eq!(cluster(r#","ingress":null,"egress":null,"status":null"#), Ok(without.clone()));
    let peer = r#""from":[{"namespaces":{"matchLabels":null},"pods":null,"newer":null}]"#;
    let known = cluster(&rule(r#""from":[{"namespaces":{}}]"#));
    assert!(known.is_ok());
    assert_eq!(cluster(&rule(&format!(r#"{peer},"name":null,"protocols":null"#))), known);
    let label = r#""from":[{"namespaces":{"matchLabels":{"team":null}}}]"#;
    assert_eq!(cluster(&rule(label)), known);
    assert_refused(
        &cluster(&rule(r#""from":[{"newer":null}]"#)),
        "a: spec.ingress[0].from[0]: needs exactly one of namespaces and pods",
    );
    assert_refused(&cluster(r#","ingress":[null]"#), "a: spec.ingress[0].action: is missing");
    let ports =
        r#""from":[{"namespaces":{}}],"ports":[{"portNumber":{"port":80,"protocol":null}}]"#;
    assert!(admin(&rule(ports)).is_ok());
}

#[test]
fn fields_of_a_newer_api_are_ignored_where_nothing_has_to_be_chosen() {
    let rules = r#"[{"action":"Deny","newer":1,"from":[{"namespaces":{"newer":1}}]}]"#;
    let newer = &format!(r#","newer":{{}},"ingress":{rules}"#);
    let known = rule(r#""from":[{"namespaces":{}}]"#);
    assert_eq!(cluster(newer), cluster(&known));
    assert_eq!(admin(newer), admin(&known));
    assert_eq!(baseline(newer), baseline(&known));
}

#[test]
fn what_a_newer_api_chooses_is_kept_by_its_name() {
    let fields = rule(r#""from":[{"newer":[{}]}],"protocols":[{"newest":{"a":1}}]"#);
    let policy = cluster(&fields).expect("of a newer API");
    let [rule] = &policy.ingress[..] else { panic!("{policy:?}") };
    assert_eq!(rule.peers, [ClusterPeer::Unknown("newer".to_owned())]);
    assert_eq!(rule.ports, ClusterPorts::Only(vec![ClusterPort::Unknown("newest".to_owned())]));
}

#[test]
fn whole_numbers_may_have_a_point() {
    let port = |number: &str| {
        let port = format!(r#"[{{"tcp":{{"destinationPort":{{"number":{number}}}}}}}]"#);
        cluster(&rule(&format!(r#""from":[{{"namespaces":{{}}}}],"protocols":{port}"#)))
    };
    assert!(port("80").is_ok());
    assert_eq!(port("80.0"), port("80"));
    for number in ["80.5", "1e300", "true", "\"80\"", "[80]", "18446744073709551615"] {
        assert_unread(&port(number), number);
    }
    let beyond = |number: &str| {
        format!(
            "a: spec.ingress[0].protocols[0].tcp.destinationPort.number: {number} is no port: use \
             a number from 1 to 65535"
        )
    };
    for number in ["-1", "65536", "4294967376", "9223372036854775807"] {
        assert_refused(&port(number), &beyond(number));
    }
}

#[test]
fn lists_have_their_limits() {
    let rules = |count| format!(r#","ingress":[{}]"#, vec![one_rule(1, 0); count].join(","));
    let one = |peers, ports| format!(r#","ingress":[{}]"#, one_rule(peers, ports));
    let too_many =
        |field: &str, most| format!("{field}: has too many elements: use at most {most}");

    assert!(cluster(&rules(25)).is_ok());
    assert_refused(&cluster(&rules(26)), &too_many("a: spec.ingress", 25));
    assert!(cluster(&one(25, 25)).is_ok());
    assert_refused(&cluster(&one(26, 1)), &too_many("a: spec.ingress[0].from", 25));
    assert_refused(&cluster(&one(1, 26)), &too_many("a: spec.ingress[0].protocols", 25));

    assert!(admin(&rules(100)).is_ok() && baseline(&rules(100)).is_ok());
    assert_refused(&admin(&rules(101)), &too_many("a: spec.ingress", 100));
    assert_refused(&baseline(&rules(101)), &too_many("default: spec.ingress", 100));
    assert!(admin(&one(100, 100)).is_ok());
    assert_refused(&admin(&one(101, 1)), &too_many("a: spec.ingress[0].from", 100));
    assert_refused(&admin(&one(1, 101)), &too_many("a: spec.ingress[0].ports", 100));

    let ranges = |count: usize| {
        let all: Vec<_> = (0..count).map(|low| format!(r#""10.{low}.0.0/16""#)).collect();
        format!(r#","egress":[{{"action":"Deny","to":[{{"networks":[{}]}}]}}]"#, all.join(","))
    };
    assert!(cluster(&ranges(25)).is_ok() && baseline(&ranges(25)).is_ok());
    assert_refused(&admin(&ranges(26)), &too_many("a: spec.egress[0].to[0].networks", 25));
}

/// A rule of so many peers and ports, in the words of each kind for ports; the others are ignored.
fn one_rule(peers: usize, ports: usize) -> String {
    let list = |field: &str, one: &str, count| match count {
        0 => String::new(),
        count => format!(r#","{field}":[{}]"#, vec![one; count].join(",")),
    };
    let from = list("from", r#"{"namespaces":{}}"#, peers);
    let protocols = list("protocols", r#"{"tcp":{"destinationPort":{"number":80}}}"#, ports);
    let ports = list("ports", r#"{"portNumber":{"port":80}}"#, ports);
    format!(r#"{{"action":"Deny"{from}{protocols}{ports}}}"#)
}

#[test]
fn names_of_rules_have_at_most_100_characters_of_whatever_size() {
    let named = |name: String| rule(&format!(r#""from":[{{"namespaces":{{}}}}],"name":"{name}""#));
    assert!(cluster(&named("\u{e9}".repeat(100))).is_ok());
    assert_refused(
        &cluster(&named("x".repeat(101))),
        "a: spec.ingress[0].name: is too long: use at most 100 characters",
    );
}
