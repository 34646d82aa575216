//! The script of one small example, and the spots where nft is particular.

use super::*;
use crate::{
    policy::{Block, PortRange, Protocol},
    ruleset::{Manner, PeerSet, PortSet},
    world::ObjectName,
};

fn subject(name: &str, addresses: &[&str], isolation: Isolation) -> Subject {
    Subject {
        name: ObjectName { namespace: Some("shop".into()), name: name.into() },
        addresses: addresses.iter().map(|address| address.parse().unwrap()).collect(),
        isolation,
    }
}

fn isolated(allowed: Vec<Allow>) -> Isolation {
    Isolation::Isolated(Isolated { allowed, ..Isolated::default() })
}

fn ports(numbers: &[(Protocol, u16, u16)]) -> PortSet {
    let range = |&(protocol, first, last)| (protocol, PortRange { first, last });
    PortSet::OneOf(numbers.iter().map(range).collect())
}

fn block(range: &str, except: &[&str]) -> PeerSet {
    PeerSet::Block(Block {
        range: range.parse().unwrap(),
        except: except.iter().map(|part| part.parse().unwrap()).collect(),
    })
}

fn addresses(addresses: &[&str]) -> PeerSet {
    PeerSet::Addresses(addresses.iter().map(|address| address.parse().unwrap()).collect())
}

#[test]
fn a_pod_has_a_chain_a_direction() {
    let db = isolated(vec![
        Allow {
            peers: addresses(&["10.0.1.5", "10.0.1.6", "fd00::5"]),
            ports: ports(&[(Protocol::Tcp, 3306, 3306), (Protocol::Udp, 0, u16::MAX)]),
        },
        Allow { peers: block("10.9.0.0/16", &["10.9.1.0/24"]), ports: PortSet::All },
    ]);
    let out = Allow { peers: PeerSet::Anyone, ports: ports(&[(Protocol::Sctp, 1, 9)]) };
    let ruleset = Ruleset {
        ingress: Side {
            subjects: vec![
                subject("db", &["10.0.1.2", "fd00::2"], db),
                subject("web", &["10.0.1.3"], Isolation::Open),
            ],
            strangers: Strangers {
                ranges: vec!["10.0.1.0/24".parse().unwrap()],
                isolation: isolated(Vec::new()),
            },
        },
        egress: Side {
            subjects: vec![subject("db", &["10.0.1.2"], isolated(vec![out]))],
            strangers: Strangers::default(),
        },
    };
    let expected = "\
table inet netproof_policy
delete table inet netproof_policy
table inet netproof_policy {
	chain tracking {
		type filter hook forward priority filter; policy accept;
		ct state established accept
	}
	chain egress_10_0_1_2 {
		comment \"shop/db\"
		sctp dport { 1-9 } accept
		drop
	}
	chain egress {
		type filter hook forward priority filter; policy accept;
		ct direction reply accept
		ct state related accept
		ip saddr vmap { 10.0.1.2 : goto egress_10_0_1_2 }
	}
	chain ingress_10_0_1_2 {
		comment \"shop/db\"
		ip saddr { 10.0.1.5, 10.0.1.6 } tcp dport { 3306 } accept
		ip saddr { 10.0.1.5, 10.0.1.6 } meta l4proto udp accept
		ip6 saddr { fd00::5 } tcp dport { 3306 } accept
		ip6 saddr { fd00::5 } meta l4proto udp accept
		ip saddr 10.9.0.0/16 ip saddr != { 10.9.1.0/24 } accept
		drop
	}
	chain ingress_of_strangers {
		drop
	}
	chain ingress {
		type filter hook forward priority filter + 1; policy accept;
		ct direction reply accept
		ct state related accept
		ip daddr vmap { 10.0.1.2 : goto ingress_10_0_1_2, 10.0.1.3 : accept }
		ip6 daddr vmap { fd00::2 : goto ingress_10_0_1_2 }
		ip daddr { 10.0.1.0/24 } goto ingress_of_strangers
	}
}
";
    assert_eq!(replacement(&ruleset), expected);
}

#[test]
fn nothing_to_enforce_is_a_table_that_only_tracks() {
    let expected = format!("{}table inet netproof_policy {{\n{}}}\n", removal(), tracking());
    assert_eq!(replacement(&Ruleset::default()), expected);
}

#[test]
fn port_ranges_in_a_set_do_not_overlap() {
    let numbers = ports(&[
        (Protocol::Tcp, 80, 90),
        (Protocol::Tcp, 85, 86),
        (Protocol::Tcp, 90, 95),
        (Protocol::Tcp, 99, 99),
    ]);
    assert_eq!(port_matches(&numbers), ["tcp dport { 80-95, 99 } "]);
}

#[test]
fn excepts_in_a_set_do_not_overlap() {
    let peers = block("fd00::/16", &["fd00:1::/64", "fd00:1::/32", "fd00:2::/32", "fd00:2::/32"]);
    let expected = "ip6 saddr fd00::/16 ip6 saddr != { fd00:1::/32, fd00:2::/32 } ";
    assert_eq!(peer_matches(&peers, "saddr"), [expected]);
}

#[test]
fn no_peers_or_no_ports_let_nothing_through() {
    let nobody = Allow { peers: addresses(&[]), ports: PortSet::All };
    let nowhere = Allow { peers: PeerSet::Anyone, ports: ports(&[]) };
    for void in [nobody, nowhere] {
        assert_eq!(accepts(&void, Direction::Ingress), Vec::<String>::new());
    }
}

#[test]
fn exemptions_come_before_denials_and_denials_before_what_is_allowed() {
    let all_of = |peers| Allow { peers, ports: PortSet::All };
    let isolated = Isolated {
        exempt: vec![all_of(addresses(&["10.0.1.2"]))],
        denied: ["10.9.0.0/24", "10.9.0.128/25", "fd09::/64"]
            .map(|one| one.parse().unwrap())
            .into(),
        allowed: vec![all_of(PeerSet::Anyone)],
        manner: Manner::default(),
    };
    let expected = [
        "ip daddr { 10.0.1.2 } accept",
        "ip daddr { 10.9.0.0/24 } drop",
        "ip6 daddr { fd09::/64 } drop",
        "accept",
        "drop",
    ];
    assert_eq!(statements(&isolated, Direction::Egress), expected);
}

#[test]
fn a_denial_may_be_answered_and_connections_may_be_kept() {
    let statements = |denial, existing| {
        let denied = vec!["10.9.0.0/24".parse().unwrap()];
        let manner = Manner { denial, existing };
        statements(&Isolated { denied, manner, ..Isolated::default() }, Direction::Ingress)
    };
    let reset = [
        "ct state established accept",
        "ip saddr { 10.9.0.0/24 } meta l4proto tcp reject with tcp reset",
        "ip saddr { 10.9.0.0/24 } reject with icmpx port-unreachable",
        "meta l4proto tcp reject with tcp reset",
        "reject with icmpx port-unreachable",
    ];
    assert_eq!(statements(Denial::Reset, Existing::Kept), reset);
    let prohibited = [
        "ip saddr { 10.9.0.0/24 } reject with icmpx admin-prohibited",
        "reject with icmpx admin-prohibited",
    ];
    assert_eq!(statements(Denial::Prohibited, Existing::Judged), prohibited);
}

#[test]
fn chains_that_stay_keep_their_place_and_others_go() {
    let script = |chains: &[&str]| {
        let chains: Vec<String> =
            chains.iter().map(|name| format!("\tchain {name} {{\n\t}}\n")).collect();
        let chains = chains.concat();
        format!("{}table {TABLE} {{\n{chains}}}\n", removal())
    };
    let (before, now) = (script(&["egress", "egress_10_0_0_1"]), script(&["egress"]));
    assert_eq!(
        transition(Some(&before), &now),
        "table inet netproof_policy\n\
         flush table inet netproof_policy\n\
         table inet netproof_policy {\n\tchain egress {\n\t}\n}\n\
         delete chain inet netproof_policy egress_10_0_0_1\n"
    );
    assert_eq!(transition(None, &now), now, "nothing is known of what is there");
}
