//! Checks that what an explanation says is so.

use std::net::IpAddr;

use netproof_conformance::{
    evaluate::expect,
    expected::{Because, Decision, Expected, Ruling},
    explain::{
        BlockMiss, ClusterDoes, ClusterTold, Consulted, Course, Does, Explanation, LabelMiss,
        Lacks, NamespaceMiss, PeerMiss, PolicyTold, PortMiss, Way, explain,
    },
    flow::{Direction, End, Flow, Protocol},
    pod::Pod,
    policy::{
        Isolation, MatchedPorts, Peer, Peers, Ports, Rule,
        cluster::{
            Action, ClusterPeer, ClusterPolicy, ClusterPolicyKind, ClusterPort, ClusterPorts,
            ClusterRule, PodsOf, Priority, Tier,
        },
    },
    reference::ClusterPolicyRef,
    select::{Labels, Requirement, Selector},
    snapshot::Snapshot,
};
use proptest::{collection::vec, prelude::*, sample::select};

use crate::{some_worlds, world::world};

proptest! {
    #![proptest_config(some_worlds())]

    #[test]
    fn an_explanation_says_what_the_answer_says(
        world in world(),
        cluster in vec(cluster_policy(), 0..5),
    ) {
        let mut snapshot = world.snapshot();
        snapshot.cluster_policies.extend(numbered(cluster));
        for flow in world.flows() {
            let expected = expect(&snapshot, &flow);
            let told = explain(&snapshot, &flow);
            prop_assert_eq!(&told.expected, &expected);
            if let Err(why) = contradiction(&snapshot, &flow, &told) {
                prop_assert!(false, "{}: {:?}\n{}", why, flow, told);
            }
        }
    }
}

type Found = Result<(), &'static str>;

fn must(holds: bool, why: &'static str) -> Found {
    if holds { Ok(()) } else { Err(why) }
}

fn contradiction(snapshot: &Snapshot, flow: &Flow, told: &Explanation) -> Found {
    let courses = match &told.way {
        Way::NotAsked(why) => {
            return must(told.expected == Expected::Unspecified(*why), "not asked, and answered");
        }
        Way::Asked(courses) => courses,
    };
    match &told.expected {
        Expected::Allow(because) | Expected::Deny(because) => {
            must(courses.open.is_empty(), "open, and answered")?;
            let Because { egress, ingress } = because;
            must(*egress == courses.egress.decision, "egress is decided otherwise")?;
            must(*ingress == courses.ingress.decision, "ingress is decided otherwise")?;
        }
        Expected::Unspecified(why) => {
            let questions = &courses.open;
            must(questions.iter().any(|one| one.why == *why), "the question is not told")?;
            let turns = questions.iter().any(|one| one.no != one.yes);
            must(turns || questions.len() > 1, "a lone question turns nothing")?;
        }
    }
    course(snapshot, flow, told, &courses.egress)?;
    course(snapshot, flow, told, &courses.ingress)
}

fn course(snapshot: &Snapshot, flow: &Flow, told: &Explanation, course: &Course) -> Found {
    let Consulted::Tiers { admin, isolating, baseline, inert } = &course.asked else {
        return must(course.decision == Decision::Exempt, "exempt, and decided");
    };
    must(inert.is_empty(), "nothing is known to be inert")?;
    let (subject, peer) = match course.direction {
        Direction::Ingress => (flow.to, flow.from),
        Direction::Egress => (flow.from, flow.to),
    };
    let End::Pod(subject) = subject else { return Err("an address is no subject") };
    let subject = snapshot.pod(subject);
    let by_name = isolating.is_sorted_by(|one, other| one.policy <= other.policy);
    must(by_name, "policies are out of order")?;
    for policy in isolating {
        let selects = snapshot.policies.iter().any(|one| {
            let rules: Vec<&Rule> = policy.rules.iter().map(|rule| &rule.says).collect();
            one.name == policy.policy
                && one.subjects.matches(&subject.labels)
                && match one.isolation(course.direction) {
                    Isolation::Open => false,
                    Isolation::Isolated(all) => all.iter().collect::<Vec<_>>() == rules,
                }
        });
        must(selects, "a policy that does not isolate the pod is told")?;
    }
    decision(course, admin, isolating, baseline)?;
    let seen = Seen { snapshot, flow, told, peer };
    for policy in isolating {
        for rule in &policy.rules {
            if let Does::Lacks(lacks) = &rule.does {
                seen.lacks(&rule.says, &policy.policy.namespace, lacks)?;
            }
        }
    }
    for rule in admin.iter().chain(baseline).flat_map(|policy| &policy.rules) {
        if let ClusterDoes::Lacks(lacks) = &rule.does {
            let (peers, ports) = (lacks.peers().len(), lacks.ports().len());
            must(peers == 0 || peers == rule.says.peers.len(), "a peer is left out")?;
            let all = match &rule.says.ports {
                ClusterPorts::All => 0,
                ClusterPorts::Only(ports) => ports.len(),
            };
            must(ports == 0 || ports == all, "a port is left out")?;
            for miss in lacks.peers() {
                seen.peer(miss)?;
            }
        }
    }
    Ok(())
}

/// What the tiers as they are told come to.
fn decision(
    course: &Course,
    admin: &[ClusterTold],
    isolating: &[PolicyTold],
    baseline: &[ClusterTold],
) -> Found {
    let first = |told: &[ClusterTold]| {
        let rules = told.iter().flat_map(|policy| &policy.rules);
        let matching = rules.filter_map(|rule| match &rule.does {
            ClusterDoes::Matches(reference) => Some((rule.says.action, reference.clone())),
            ClusterDoes::Perhaps(_) | ClusterDoes::Lacks(_) => None,
        });
        let ruling = matching.take(1).filter_map(|(action, reference)| match action {
            Action::Accept => Some(Decision::Ruled(Ruling::Accept, reference)),
            Action::Deny => Some(Decision::Ruled(Ruling::Deny, reference)),
            Action::Pass => None,
        });
        ruling.last()
    };
    let rules = isolating.iter().flat_map(|policy| &policy.rules);
    let admitting = rules.filter_map(|rule| match &rule.does {
        Does::Admits(reference) => Some(reference.clone()),
        Does::Lacks(_) => None,
    });
    let admitting: Vec<_> = admitting.collect();
    let network = match (isolating.is_empty(), admitting.is_empty()) {
        (true, _) => None,
        (false, true) => {
            Some(Decision::DeniedBy(isolating.iter().map(|one| one.policy.clone()).collect()))
        }
        (false, false) => Some(Decision::AllowedBy(admitting)),
    };
    let decided = first(admin).or(network).or_else(|| first(baseline));
    must(
        course.decision == decided.unwrap_or(Decision::NotIsolated),
        "the tiers come to something else",
    )
}

struct Seen<'a> {
    snapshot: &'a Snapshot,
    flow: &'a Flow,
    told: &'a Explanation,
    peer: End,
}

impl Seen<'_> {
    fn lacks(&self, rule: &Rule, own_namespace: &str, lacks: &Lacks) -> Found {
        must(!lacks.peers().is_empty() || !lacks.ports().is_empty(), "nothing is lacking")?;
        match &rule.peers {
            Peers::Everyone => must(lacks.peers().is_empty(), "everyone is a peer")?,
            Peers::Only(peers) if !lacks.peers().is_empty() => {
                must(peers.len() == lacks.peers().len(), "a peer is left out")?;
                for (peer, miss) in peers.iter().zip(lacks.peers()) {
                    self.peer(miss)?;
                    self.own(peer, own_namespace, miss)?;
                }
            }
            Peers::Only(_) => {}
        }
        match &rule.ports {
            Ports::All => must(lacks.ports().is_empty(), "every port is meant"),
            Ports::Only(ports) if !lacks.ports().is_empty() => {
                must(ports.len() == lacks.ports().len(), "a port is left out")?;
                let mut all = ports.iter().zip(lacks.ports());
                all.try_for_each(|(port, miss)| self.port(port.protocol, &port.numbers, miss))
            }
            Ports::Only(_) => Ok(()),
        }
    }

    fn pod(&self) -> Option<&Pod> {
        match self.peer {
            End::Pod(id) => Some(self.snapshot.pod(id)),
            End::Address(_) => None,
        }
    }

    /// Looks up whether what is said of a peer is so.
    fn peer(&self, miss: &PeerMiss) -> Found {
        let pod = || self.pod().ok_or("an address has no labels");
        match miss {
            PeerMiss::NoPod => must(self.pod().is_none(), "it is a pod"),
            PeerMiss::HostPod | PeerMiss::NoNode => pod().map(|_| ()),
            PeerMiss::Labels(misses) => labels(&pod()?.labels, misses),
            PeerMiss::Namespace(miss) => self.namespace(pod()?, miss),
            PeerMiss::NamespaceAndLabels(miss, misses) => {
                self.namespace(pod()?, miss)?;
                labels(&pod()?.labels, misses)
            }
            PeerMiss::OnlyOneOfTwo(miss) => self.peer(miss),
            // An address of the pod at least has to be where it says.
            PeerMiss::Block(miss) => {
                let addresses: Vec<IpAddr> = match self.peer {
                    End::Pod(id) => self.snapshot.pod(id).addresses.clone(),
                    End::Address(address) => vec![address],
                };
                let is_in = |range: &ipnet::IpNet| {
                    addresses.iter().any(|one| range.contains(&one.to_canonical()))
                };
                match miss {
                    BlockMiss::Excepted(range) | BlockMiss::Narrow(range) => {
                        must(is_in(range), "the address is elsewhere")
                    }
                    BlockMiss::OtherFamily | BlockMiss::Outside => Ok(()),
                }
            }
        }
    }

    fn namespace(&self, pod: &Pod, miss: &NamespaceMiss) -> Found {
        match miss {
            NamespaceMiss::NotOwn { own, found } => {
                must(own != found && *found == pod.name.namespace, "it is in that namespace")
            }
            NamespaceMiss::Labels { found, misses } => {
                let known = self.snapshot.namespaces.get(found);
                let mut all = known.cloned().unwrap_or_default();
                all.insert("kubernetes.io/metadata.name".to_owned(), found.clone());
                must(*found == pod.name.namespace, "it is in another namespace")?;
                labels(&all, misses)
            }
        }
    }

    fn own(&self, peer: &Peer, own_namespace: &str, miss: &PeerMiss) -> Found {
        match (peer, miss) {
            (Peer::Addresses(block), PeerMiss::Block(_)) => {
                let fails = match self.peer {
                    End::Address(address) => !block.contains(address.to_canonical()),
                    End::Pod(_) => true,
                };
                must(fails, "the block has the address")
            }
            (Peer::Addresses(_), _) | (_, PeerMiss::Block(_)) => Err("of another kind of peer"),
            (Peer::Pods { .. }, PeerMiss::Namespace(NamespaceMiss::NotOwn { own, .. })) => {
                must(own == own_namespace, "of another namespace")
            }
            (Peer::Pods { .. }, _) => Ok(()),
        }
    }

    fn port(&self, protocol: Protocol, numbers: &MatchedPorts, miss: &PortMiss) -> Found {
        let asked = self.told.port;
        let fits = protocol == asked.protocol;
        let (is_in, is_named) = match numbers {
            MatchedPorts::Any => (true, false),
            MatchedPorts::Range { first, last } => {
                ((*first..=*last).contains(&asked.number), false)
            }
            MatchedPorts::Named(_) => (false, true),
        };
        let holds = match miss {
            PortMiss::Protocol => !fits && (is_in || is_named),
            PortMiss::Number => fits && !is_in && !is_named,
            PortMiss::NumberAndProtocol => !fits && !is_in && !is_named,
            PortMiss::OneBeyond(end) => {
                fits && !is_in && !is_named && asked.number.abs_diff(*end) == 1
            }
            PortMiss::OfService(_) => false,
            PortMiss::NameWithoutPod => is_named && matches!(self.flow.to, End::Address(_)),
            PortMiss::Undeclared { declared, .. } | PortMiss::DeclaredAs(declared) => {
                is_named
                    && !declared.iter().any(|port| {
                        MatchedPorts::Named(port.name.clone()) == *numbers
                            && (port.number, port.protocol) == (asked.number, asked.protocol)
                    })
            }
            PortMiss::OnInitContainer => is_named && fits,
        };
        must(holds, "the port is told wrong")
    }
}

fn labels(labels: &Labels, misses: &[LabelMiss]) -> Found {
    must(!misses.is_empty(), "no label is lacking")?;
    for LabelMiss { requirement, found, .. } in misses {
        must(labels.get(requirement.key()) == found.as_ref(), "the label is another")?;
        must(!requirement.holds(found.as_deref()), "the label is right")?;
    }
    Ok(())
}

fn numbered(mut policies: Vec<ClusterPolicy>) -> Vec<ClusterPolicy> {
    for (index, policy) in policies.iter_mut().enumerate() {
        policy.name.name = format!("c{index}");
    }
    policies
}

fn cluster_policy() -> impl Strategy<Value = ClusterPolicy> {
    let tier = select(&[Tier::Admin, Tier::Baseline]);
    let priority = select(&[Priority::At(1), Priority::At(2), Priority::Open]);
    let rules = || vec(cluster_rule(), 0..3);
    (tier, priority, pods_of(), rules(), rules()).prop_map(
        |(tier, priority, subjects, ingress, egress)| ClusterPolicy {
            name: ClusterPolicyRef {
                kind: ClusterPolicyKind::ClusterNetworkPolicy,
                name: String::new(),
            },
            tier,
            priority,
            subjects,
            ingress,
            egress,
        },
    )
}

fn cluster_rule() -> impl Strategy<Value = ClusterRule> {
    let action = select(&[Action::Accept, Action::Deny, Action::Pass]);
    let range = |first, last| ClusterPort::Range { protocol: Protocol::Tcp, first, last };
    let port = prop_oneof![
        Just(range(80, 80)),
        Just(range(81, 90)),
        Just(ClusterPort::Named("http".to_owned())),
        Just(ClusterPort::Unknown("icmp".to_owned())),
    ];
    let ports = prop_oneof![Just(ClusterPorts::All), vec(port, 1..3).prop_map(ClusterPorts::Only),];
    (action, vec(cluster_peer(), 1..3), ports).prop_map(|(action, peers, ports)| ClusterRule {
        name: String::new(),
        action,
        peers,
        ports,
    })
}

fn cluster_peer() -> impl Strategy<Value = ClusterPeer> {
    let network = |text: &str| text.parse().expect("a range");
    prop_oneof![
        6 => pods_of().prop_map(ClusterPeer::Pods),
        1 => Just(ClusterPeer::Networks(vec![network("10.0.0.0/30"), network("fd00::/126")])),
        1 => Just(ClusterPeer::Nodes(Selector::everything())),
        1 => Just(ClusterPeer::DomainNames(vec!["a.example".to_owned()])),
        1 => Just(ClusterPeer::Unknown("serviceAccounts".to_owned())),
    ]
}

fn pods_of() -> impl Strategy<Value = PodsOf> {
    (selector(), selector()).prop_map(|(namespaces, pods)| PodsOf { namespaces, pods })
}

fn selector() -> impl Strategy<Value = Selector> {
    let one = |value: &str| Requirement::In("app".to_owned(), [value.to_owned()].into());
    prop_oneof![
        3 => Just(Selector::everything()),
        1 => Just(Selector::from_iter([one("a")])),
        1 => Just(Selector::from_iter([one("b")])),
    ]
}
