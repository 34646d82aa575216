//! The names of objects and of the rules in them, by which every answer says what decided.

use std::fmt;

use crate::{flow::Direction, kinds::ClusterPolicyKind};

/// Names an object among those of its kind.
///
/// ```
/// use netproof_conformance::reference::ObjectRef;
///
/// let web = ObjectRef { namespace: "shop".to_owned(), name: "web".to_owned() };
/// assert_eq!(web.to_string(), "shop/web");
/// assert_eq!(ObjectRef::of_cluster("node-1").to_string(), "node-1");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectRef {
    /// The namespace; empty if the object is in none.
    pub namespace: String,
    /// The name, unique in the namespace for objects of one kind.
    pub name: String,
}

impl ObjectRef {
    /// Names an object that is in no namespace.
    pub fn of_cluster(name: &str) -> Self {
        Self { namespace: String::new(), name: name.to_owned() }
    }
}

impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.namespace.as_str() {
            "" => f.write_str(&self.name),
            namespace => write!(f, "{namespace}/{}", self.name),
        }
    }
}

/// Names one rule, and one of its peers and one of its ports where these decided. Indexes count
/// from 0, as in `spec.ingress[0].from[1]`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleRef {
    /// The `NetworkPolicy` that the rule is of.
    pub policy: ObjectRef,
    /// Which of the policy's two lists of rules.
    pub direction: Direction,
    /// The place in that list.
    pub rule: usize,
    /// The place in `from` or `to`; none where that is empty and so means everyone.
    pub peer: Option<usize>,
    /// The place in `ports`; none where that is empty and so means every port.
    pub port: Option<usize>,
}

impl fmt::Display for RuleRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}[{}]", self.policy, self.direction, self.rule)?;
        if let Some(peer) = self.peer {
            let list = match self.direction {
                Direction::Ingress => "from",
                Direction::Egress => "to",
            };
            write!(f, ".{list}[{peer}]")?;
        }
        if let Some(port) = self.port {
            write!(f, ".ports[{port}]")?;
        }
        Ok(())
    }
}

/// Names a policy of the cluster.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClusterPolicyRef {
    /// The kind; names are unique among policies of one kind.
    pub kind: ClusterPolicyKind,
    /// The name of the object.
    pub name: String,
}

impl fmt::Display for ClusterPolicyRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind.word(), self.name)
    }
}

/// Names one rule of a policy of the cluster, and the peer and the port of it that decided.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClusterRuleRef {
    /// The policy of the cluster that the rule is of.
    pub policy: ClusterPolicyRef,
    /// Which of the policy's two lists of rules.
    pub direction: Direction,
    /// The place in that list.
    pub rule: usize,
    /// The place in `from` or `to`.
    pub peer: usize,
    /// The place in `protocols` or `ports`; none where there is no such list.
    pub port: Option<usize>,
}

impl fmt::Display for ClusterRuleRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = match self.direction {
            Direction::Ingress => "from",
            Direction::Egress => "to",
        };
        write!(f, "{} {}[{}].{list}[{}]", self.policy, self.direction, self.rule, self.peer)?;
        if let Some(port) = self.port {
            let list = self.policy.kind.ports_field();
            write!(f, ".{list}[{port}]")?;
        }
        Ok(())
    }
}
