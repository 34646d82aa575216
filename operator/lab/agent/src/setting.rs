//! Which faults are set for which part of the cluster, as one line that can change while the agent
//! runs.

use std::{fmt, str::FromStr};

use thiserror::Error;

use crate::{
    fault::{Fault, UnknownFault},
    world::ObjectName,
};

/// The faults in force; none by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Setting(pub Vec<Failing>);

/// A fault, and the part of the cluster that it concerns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failing {
    /// The way to fail.
    pub fault: Fault,
    /// The part of the cluster.
    pub scope: Scope,
}

/// The subjects that a fault concerns. For a fault about what is known of objects, the objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// All subjects, or objects, of the cluster.
    Cluster,
    /// The subjects of one node; for a fault about objects, all of them as the agent there knows
    /// them.
    Node(String),
    /// The subjects of one namespace, and the namespace itself.
    Namespace(String),
    /// One pod, by namespace and name.
    Pod {
        /// The namespace of the pod.
        namespace: String,
        /// The pod's name in it.
        name: String,
    },
}

impl Setting {
    /// The faults that concern this pod, or what is known of it, at the agent of this node.
    pub(crate) fn of_pod(&self, node: &str, pod: &ObjectName) -> Vec<Fault> {
        let namespace = pod.namespace.as_deref();
        self.within(|scope| match scope {
            Scope::Cluster => true,
            Scope::Node(name) => name == node,
            Scope::Namespace(name) => Some(name.as_str()) == namespace,
            Scope::Pod { namespace: of, name } => {
                Some(of.as_str()) == namespace && *name == pod.name
            }
        })
    }

    /// The faults that concern what is known of a namespace, and of its objects that are no pods.
    pub(crate) fn of_namespace(&self, node: &str, namespace: Option<&str>) -> Vec<Fault> {
        self.within(|scope| match scope {
            Scope::Cluster => true,
            Scope::Node(name) => name == node,
            Scope::Namespace(name) => Some(name.as_str()) == namespace,
            Scope::Pod { .. } => false,
        })
    }

    /// The faults that concern a pod of this node of which nothing else is known.
    pub(crate) fn of_node(&self, node: &str) -> Vec<Fault> {
        self.within(|scope| match scope {
            Scope::Cluster => true,
            Scope::Node(name) => name == node,
            Scope::Namespace(_) | Scope::Pod { .. } => false,
        })
    }

    fn within(&self, concerned: impl Fn(&Scope) -> bool) -> Vec<Fault> {
        let failing = self.0.iter().filter(|failing| concerned(&failing.scope));
        failing.map(|failing| failing.fault).collect()
    }
}

/// Why a text is no setting.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum WrongSetting {
    /// The part in front of the `@` names no fault.
    #[error(transparent)]
    Fault(#[from] UnknownFault),
    /// The part behind the `@` names no scope.
    #[error(
        "{0:?} is no place; write @node=NODE, @namespace=NAMESPACE or @pod=NAMESPACE/POD, or \
         nothing for the whole cluster"
    )]
    Scope(String),
    /// The fault is about objects other than pods, and the scope is a pod.
    #[error("{0} is not about pods; give it a node, a namespace or nothing for the whole cluster")]
    NotOfPods(Fault),
}

impl FromStr for Setting {
    type Err = WrongSetting;

    fn from_str(text: &str) -> Result<Self, WrongSetting> {
        let words = text.split(|c: char| c == ',' || c.is_whitespace());
        words.filter(|word| !word.is_empty()).map(str::parse).collect::<Result<_, _>>().map(Self)
    }
}

impl FromStr for Failing {
    type Err = WrongSetting;

    fn from_str(text: &str) -> Result<Self, WrongSetting> {
        let (fault, scope) = match text.split_once('@') {
            None => (text.parse()?, Scope::Cluster),
            Some((fault, scope)) => (fault.parse()?, scope.parse()?),
        };
        match (fault, &scope) {
            (Fault::StaleNamespaceLabels | Fault::KeepsDeletedPolicies, Scope::Pod { .. }) => {
                Err(WrongSetting::NotOfPods(fault))
            }
            _ => Ok(Self { fault, scope }),
        }
    }
}

impl FromStr for Scope {
    type Err = WrongSetting;

    /// Reads the text behind the `@`.
    fn from_str(text: &str) -> Result<Self, WrongSetting> {
        let wrong = || WrongSetting::Scope(text.to_owned());
        let named = |name: &str| match name {
            "" => Err(wrong()),
            name if name.contains(['/', '=', '@']) => Err(wrong()),
            name => Ok(name.to_owned()),
        };
        match text.split_once('=').ok_or_else(wrong)? {
            ("node", name) => named(name).map(Self::Node),
            ("namespace", name) => named(name).map(Self::Namespace),
            ("pod", pod) => {
                let (namespace, name) = pod.split_once('/').ok_or_else(wrong)?;
                Ok(Self::Pod { namespace: named(namespace)?, name: named(name)? })
            }
            _ => Err(wrong()),
        }
    }
}

/// The text that is read as this setting; empty if there are no faults.
impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let failings: Vec<_> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&failings.join(", "))
    }
}

impl fmt::Display for Failing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.fault, self.scope)
    }
}

/// The text with the `@` in front; empty for the whole cluster.
impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cluster => Ok(()),
            Self::Node(name) => write!(f, "@node={name}"),
            Self::Namespace(name) => write!(f, "@namespace={name}"),
            Self::Pod { namespace, name } => write!(f, "@pod={namespace}/{name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_is_read_as_it_is_written() {
        let text =
            "ignores-egress@node=n1, slow=2s@namespace=shop, blocks-all@pod=shop/db, slow=5s";
        let setting: Setting = text.parse().unwrap();
        assert_eq!(setting.0.len(), 4);
        assert_eq!(setting.to_string(), text);
    }

    #[test]
    fn commas_and_white_space_separate() {
        let expected: Setting = "ignores-all, blocks-all".parse().unwrap();
        for text in ["ignores-all blocks-all", " ignores-all\n,\tblocks-all,\n"] {
            assert_eq!(text.parse(), Ok(expected.clone()), "{text:?}");
        }
        for nothing in ["", " ", ",\n"] {
            assert_eq!(nothing.parse(), Ok(Setting::default()), "{nothing:?}");
        }
    }

    #[test]
    fn a_wrong_place_is_answered_with_the_right_ones() {
        let wrong = [
            "",
            "node",
            "node=",
            "pod=x",
            "pod=/x",
            "pod=x/",
            "pod=x/y/z",
            "zone=z",
            "node=a@node=b",
        ];
        for place in wrong {
            let error = format!("ignores-all@{place}").parse::<Setting>().expect_err(place);
            assert_eq!(error, WrongSetting::Scope(place.to_owned()));
            assert!(error.to_string().contains("@pod=NAMESPACE/POD"));
        }
    }

    #[test]
    fn one_wrong_fault_makes_the_whole_setting_wrong() {
        let error = "blocks-all, ignore-all".parse::<Setting>().expect_err("misspelt");
        assert!(error.to_string().contains("did you mean ignores-all?"), "{error}");
    }

    #[test]
    fn a_fault_that_is_not_about_pods_takes_no_pod() {
        let error = "keeps-deleted-policies@pod=x/a".parse::<Setting>();
        assert_eq!(error, Err(WrongSetting::NotOfPods(Fault::KeepsDeletedPolicies)));
    }
}
