//! Tells an explanation in plain sentences. People count rules from 1; the field beside it counts
//! as the API does.

mod misses;

use std::fmt;

use super::{
    ClusterDoes, ClusterRuleTold, ClusterTold, Consulted, Course, Does, Explanation, FlowEnd,
    Lacks, OpenQuestion, PolicyTold, RuleTold, Way, Would, tiers,
};
use crate::{
    expected::{Decision, Expected, Unspecified},
    flow::Direction,
    phrases,
    policy::cluster::{Action, Priority},
    reference::{ClusterRuleRef, ObjectRef, RuleRef},
};

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.sentences().iter().try_for_each(|sentence| writeln!(f, "{sentence}"))
    }
}

impl Explanation {
    /// The way of the flow, a sentence or two to a line.
    pub fn sentences(&self) -> Vec<String> {
        let mut told = vec![self.result()];
        match &self.way {
            Way::NotAsked(_) => {}
            Way::Asked(courses) => {
                told.extend(self.course(&courses.egress));
                told.extend(self.course(&courses.ingress));
                told.extend(self.one_sided(&courses.egress, &courses.ingress));
                told.extend(courses.open.iter().map(question));
            }
        }
        told
    }

    fn result(&self) -> String {
        let says = match &self.expected {
            Expected::Allow(_) | Expected::Deny(_) => self.expected.to_string(),
            Expected::Unspecified(why) => format!("{}, as {why}", self.expected),
        };
        format!("{} to {} on {}: {says}.", self.from, self.to, self.port)
    }

    fn subject(&self, direction: Direction) -> &FlowEnd {
        match direction {
            Direction::Ingress => &self.to,
            Direction::Egress => &self.from,
        }
    }

    fn peer(&self, direction: Direction) -> &FlowEnd {
        match direction {
            Direction::Ingress => &self.from,
            Direction::Egress => &self.to,
        }
    }

    fn course(&self, course: &Course) -> Vec<String> {
        let direction = course.direction;
        let head = format!("{} of {}", capital(direction), self.subject(direction).name());
        match &course.asked {
            Consulted::NoPod => {
                vec![format!("{head}: it is no pod, so that no policy applies to it.")]
            }
            Consulted::OwnNode => vec![format!(
                "{head}: {} is the node that the pod runs on, which is always let in.",
                self.peer(direction).name()
            )],
            Consulted::Tiers { admin, isolating, baseline, inert } => {
                let mut told = Vec::new();
                told.extend(
                    admin.iter().flat_map(|one| self.cluster(&head, "Admin", one, direction)),
                );
                if !tiers::decides(admin) {
                    told.extend(self.isolation(&head, course, isolating));
                }
                let baseline = baseline.iter();
                told.extend(
                    baseline.flat_map(|one| self.cluster(&head, "Baseline", one, direction)),
                );
                told.extend(inert.iter().map(|policy| inert_rules(policy, direction)));
                told
            }
        }
    }

    fn isolation(&self, head: &str, course: &Course, told: &[PolicyTold]) -> Vec<String> {
        let names: Vec<String> = told.iter().map(|one| one.policy.to_string()).collect();
        let names = phrases::joined(&names, "and");
        let verb = if told.len() == 1 { "isolates" } else { "isolate" };
        let first = match &course.decision {
            Decision::AllowedBy(_) => {
                format!("{head}: {names} {verb} the pod, and let it through by these rules.")
            }
            Decision::DeniedBy(_) => {
                format!("{head}: {names} {verb} the pod, and no rule lets it through.")
            }
            Decision::NotIsolated => {
                let kept = match course.direction {
                    Direction::Ingress => "out",
                    Direction::Egress => "in",
                };
                format!(
                    "{head}: no NetworkPolicy isolates the pod, so that nothing is kept {kept}."
                )
            }
            Decision::Exempt | Decision::Ruled(..) => {
                format!("{head}: no NetworkPolicy isolates the pod.")
            }
        };
        let rules = told.iter().flat_map(|policy| self.policy(policy, course.direction));
        std::iter::once(first).chain(rules).collect()
    }

    fn policy(&self, told: &PolicyTold, direction: Direction) -> Vec<String> {
        if told.rules.is_empty() {
            return vec![format!("  {} has no rules for {direction}.", told.policy)];
        }
        let rules = told.rules.iter().enumerate();
        rules.map(|(index, rule)| self.rule(&told.policy, direction, index, rule)).collect()
    }

    fn rule(
        &self,
        policy: &ObjectRef,
        direction: Direction,
        index: usize,
        told: &RuleTold,
    ) -> String {
        let says = phrases::rule(&told.says, &policy.namespace);
        let number = index + 1;
        match &told.does {
            Does::Admits(rule) => {
                format!(
                    "  Rule {number} of {policy} ({}) lets it through: it admits {says}.",
                    place(rule)
                )
            }
            Does::Lacks(lacks) => format!(
                "  Rule {number} of {policy} ({}) admits {says}; {}.",
                phrases::rule_field(direction, index),
                self.lacks(lacks, direction)
            ),
        }
    }

    fn cluster(
        &self,
        head: &str,
        tier: &str,
        told: &ClusterTold,
        direction: Direction,
    ) -> Vec<String> {
        let priority = match told.priority {
            Priority::At(priority) => format!(", priority {priority}"),
            Priority::Open => String::new(),
        };
        let policy = format!("{head}: {} ({tier} tier{priority})", told.policy);
        let does = match told.action() {
            Some(Action::Accept) => "accepts it",
            Some(Action::Deny) => "denies it",
            Some(Action::Pass) => "passes it on to the next tier",
            None if told.is_open() => "may match it",
            None => "does not match it",
        };
        let rules = told.rules.iter().enumerate();
        let rules = rules.map(|(index, rule)| self.cluster_rule(direction, index, rule));
        std::iter::once(format!("{policy} {does}.")).chain(rules).collect()
    }

    fn cluster_rule(&self, direction: Direction, index: usize, told: &ClusterRuleTold) -> String {
        let number = index + 1;
        let called = match told.says.name.as_str() {
            "" => String::new(),
            name => format!(" \"{name}\""),
        };
        let says = phrases::cluster_rule(&told.says);
        let field = phrases::rule_field(direction, index);
        match &told.does {
            ClusterDoes::Matches(rule) => {
                format!("  Rule {number}{called} ({}) matches: it {says}.", cluster_place(rule))
            }
            ClusterDoes::Perhaps(why) => {
                format!("  Rule {number}{called} ({field}) {says}; perhaps it matches, as {why}.")
            }
            ClusterDoes::Lacks(lacks) => format!(
                "  Rule {number}{called} ({field}) {says}; {}.",
                self.lacks(lacks, direction)
            ),
        }
    }

    fn lacks(&self, lacks: &Lacks, direction: Direction) -> String {
        let peer = self.peer(direction).name();
        let peers = lacks.peers();
        let peers = peers.iter().enumerate().map(|(index, miss)| {
            numbered(peers.len(), phrases::peer_list(direction), index, &misses::peer(miss, &peer))
        });
        let ports = lacks.ports();
        let ports = ports.iter().enumerate().map(|(index, miss)| {
            let miss = misses::port(miss, self.port, &self.to.name());
            numbered(ports.len(), "ports", index, &miss)
        });
        peers.chain(ports).collect::<Vec<_>>().join("; ")
    }

    /// A reminder that both sides have to let a flow pass, where one does and the other does not.
    fn one_sided(&self, egress: &Course, ingress: &Course) -> Option<String> {
        let (allowing, stopping) = match (&egress.decision, &ingress.decision) {
            (Decision::AllowedBy(_), Decision::DeniedBy(_)) => (egress, ingress),
            (Decision::DeniedBy(_), Decision::AllowedBy(_)) => (ingress, egress),
            (_, _) => return None,
        };
        Some(format!(
            "Both sides have to let it through: {} of {} does, and {} of {} needs a rule for it \
             too.",
            allowing.direction,
            self.subject(allowing.direction).name(),
            stopping.direction,
            self.subject(stopping.direction).name(),
        ))
    }
}

impl ClusterTold {
    fn is_open(&self) -> bool {
        self.rules.iter().any(|rule| matches!(rule.does, ClusterDoes::Perhaps(_)))
    }
}

/// The miss of one element, with its place in the list if that has several.
fn numbered(count: usize, list: &str, index: usize, miss: &str) -> String {
    if count == 1 { miss.to_owned() } else { format!("{list}[{index}]: {miss}") }
}

fn capital(direction: Direction) -> &'static str {
    match direction {
        Direction::Ingress => "Ingress",
        Direction::Egress => "Egress",
    }
}

/// The way to what decided, such as `spec.ingress[0].from[1] and ports[0]`.
fn place(rule: &RuleRef) -> String {
    let field = match rule.peer {
        Some(peer) => phrases::peer_field(rule.direction, rule.rule, peer),
        None => phrases::rule_field(rule.direction, rule.rule),
    };
    match rule.port {
        Some(port) => format!("{field}, ports[{port}]"),
        None => field,
    }
}

fn cluster_place(rule: &ClusterRuleRef) -> String {
    let field = phrases::peer_field(rule.direction, rule.rule, rule.peer);
    let list = rule.policy.kind.ports_field();
    match rule.port {
        Some(port) => format!("{field}, {list}[{port}]"),
        None => field,
    }
}

fn inert_rules(policy: &ObjectRef, direction: Direction) -> String {
    format!(
        "{policy} selects the pod and has rules for {direction}, but its policyTypes leaves {} \
         out, so that they do nothing.",
        capital(direction)
    )
}

fn question(question: &OpenQuestion) -> String {
    let [no, yes] = answers(question.why);
    let side = match question.direction {
        Some(direction) => format!(" ({direction})"),
        None => String::new(),
    };
    if (question.no, question.yes) == (Would::StayOpen, Would::StayOpen) {
        return format!("Open{side}: {}. It matters only with another question.", question.why);
    }
    format!(
        "Open{side}: {}. If {yes}, {}; if {no}, {}.",
        question.why,
        would(question.yes),
        would(question.no)
    )
}

fn would(would: Would) -> &'static str {
    match would {
        Would::Allow => "the flow is allowed",
        Would::Deny => "the flow is denied",
        Would::StayOpen => "another open question decides",
    }
}

/// The two answers to an open question: by the letter, and the other that a network may give.
fn answers(why: Unspecified) -> [&'static str; 2] {
    match why {
        Unspecified::HostNetwork => ["it counts as a pod", "it counts as its node"],
        Unspecified::ToItself | Unspecified::OwnNode => ["policies apply", "it is exempt"],
        Unspecified::NamedPortWithoutPod => ["the name matches no port", "it matches every port"],
        Unspecified::InitContainerPort => ["the name does not resolve", "it does"],
        Unspecified::EqualPriority => {
            ["the first of them by name is applied", "the last by name is applied"]
        }
        Unspecified::BaselineOrder => ["it comes last", "it comes first"],
        Unspecified::NetworksPeer
        | Unspecified::NodesPeer
        | Unspecified::DomainNamesPeer
        | Unspecified::UnknownField => ["the rule does not match", "the rule matches"],
        Unspecified::NoAddress | Unspecified::Finished | Unspecified::NoCommonFamily => {
            ["nothing changes", "it has one"]
        }
    }
}
