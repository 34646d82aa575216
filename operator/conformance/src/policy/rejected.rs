//! Names the reasons for which the API server would refuse an object as a policy.

use std::fmt::Display;

use ipnet::IpNet;
use thiserror::Error;

use crate::reference::ObjectRef;

/// An object that the API server would refuse, with the first field that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{object}: {field}: {problem}")]
#[non_exhaustive]
pub struct Rejected {
    /// The name of the object, as far as it has one.
    pub object: ObjectRef,
    /// The way to the field, such as `spec.ingress[0].from[1].ipBlock.cidr`.
    pub field: String,
    /// What is wrong with the field, and what would be right.
    pub problem: PolicyProblem,
}

/// What is wrong with a field, in words that say what would be right.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PolicyProblem {
    /// A name or namespace is missing.
    #[error("is missing; every policy needs one")]
    Missing,
    /// Not a name that objects can have.
    #[error(
        "{0:?} is no valid name: use lower case letters, digits and '-', and begin and end with a \
         letter or digit"
    )]
    Name(String),
    /// Not a label's key.
    #[error(
        "{0:?} is no label key: use at most 63 letters, digits, '-', '_' and '.', with an optional \
         DNS name and '/' before them"
    )]
    LabelKey(String),
    /// Not a label's value.
    #[error(
        "{0:?} is no label value: leave it empty, or use at most 63 letters, digits, '-', '_' and \
         '.' that begin and end with a letter or digit"
    )]
    LabelValue(String),
    /// Not an operator of selectors.
    #[error("{0:?} is no operator: use In, NotIn, Exists or DoesNotExist")]
    Operator(String),
    /// `In` or `NotIn` of nothing.
    #[error(
        "must not be empty with the operator In or NotIn; for any value, use Exists or DoesNotExist"
    )]
    ValuesMissing,
    /// `Exists` or `DoesNotExist` of something.
    #[error(
        "must be empty with the operator Exists or DoesNotExist; for certain values, use In or \
         NotIn"
    )]
    ValuesUnwanted,
    /// An element that says nothing.
    #[error(
        "says nothing: give it a podSelector, a namespaceSelector or an ipBlock; for everyone, \
         leave the whole list out"
    )]
    EmptyPeer,
    /// An `ipBlock` beside selectors.
    #[error("has an ipBlock and a selector: make them two elements, of which either may match")]
    BlockAndSelector,
    /// Not a range of addresses.
    #[error(
        "{0:?} is no CIDR: write an address and a prefix length, such as 10.9.8.0/24 or \
         2001:db8::/64"
    )]
    Cidr(String),
    /// An `except` that does not narrow its `cidr`.
    #[error(
        "{except:?} must lie within {cidr} and be smaller; what lies outside of it is not admitted \
         anyway"
    )]
    Except {
        /// The exception that is written.
        except: String,
        /// The range that the exception should be a part of.
        cidr: IpNet,
    },
    /// Not a protocol that policies know.
    #[error("{0:?} is no protocol here: use TCP, UDP or SCTP, in capitals")]
    Protocol(String),
    /// Not a port's number.
    #[error("{0} is no port: use a number from 1 to 65535")]
    PortNumber(i64),
    /// Not a port's name.
    #[error(
        "{0:?} is no port name: use at most 15 lower case letters, digits and single '-' inside, \
         at least one of them a letter; write a number without quotes"
    )]
    PortName(String),
    /// An `endPort` without a number to begin with.
    #[error("needs a number in port, where the range begins")]
    EndPortWithoutNumber,
    /// An `endPort` below its `port`.
    #[error("{end} is below port {port}: a range must not end before it begins")]
    EndPortBelowPort {
        /// The `port` that the range would begin with.
        port: u16,
        /// The `endPort`, which is below it.
        end: i64,
    },
    /// Not a type of policy.
    #[error("{0:?} is no policy type: use Ingress or Egress")]
    PolicyType(String),
    /// More types than there are.
    #[error("has more than two entries: use Ingress, Egress or both")]
    PolicyTypes,
    /// A field that has to be there.
    #[error("is missing")]
    FieldMissing,
    /// None, or more than one, of fields that exclude each other.
    #[error("needs exactly one of {0}")]
    OneOf(&'static str),
    /// A list that says nothing.
    #[error("is empty: give it an element, or leave it out where it may be")]
    Empty,
    /// A list that is longer than the API takes.
    #[error("has too many elements: use at most {most}")]
    TooMany {
        /// How many there may be.
        most: usize,
    },
    /// A text that is longer than the API takes.
    #[error("is too long: use at most {most} characters")]
    TooLong {
        /// How many there may be.
        most: usize,
    },
    /// An element of a set that is in it already.
    #[error("{0:?} is there twice")]
    Twice(String),
    /// Not an action of this kind.
    #[error("{found:?} is no action here: use {known}")]
    Action {
        /// The action that is written.
        found: String,
        /// The actions that could be written.
        known: &'static str,
    },
    /// Not a tier of policies.
    #[error("{0:?} is no tier: use Admin or Baseline")]
    Tier(String),
    /// The number is no priority (`ClusterNetworkPolicySpec.priority`).
    #[error(
        "{0} is no priority: use a number from 0 to 1000; the lower it is, the sooner it decides"
    )]
    Priority(i64),
    /// A peer that only `to` can have.
    #[error("can only be a peer of egress rules: for ingress, use namespaces or pods")]
    OnlyEgress,
    /// Not a domain name.
    #[error("{0:?} is no domain name: use names such as example.com or *.example.com")]
    DomainName(String),
    /// A name for a port of something that has no named ports.
    #[error(
        "cannot be named beside networks, nodes or domainNames, which give ports no names: use \
         numbers, or a rule of its own"
    )]
    NamedPortWithoutPods,
    /// A range of ports that does not go up.
    #[error("{start} to {end} is no range: end has to be above start")]
    PortRange {
        /// The `start` of the range.
        start: u16,
        /// The `end` of the range, which is below it.
        end: u16,
    },
    /// A `BaselineAdminNetworkPolicy` of another name.
    #[error("{0:?} cannot be: the only one of this kind is called default")]
    NotDefault(String),
}

/// A problem, and the part of the way to its field that is known so far.
#[derive(Debug)]
pub(super) struct PolicyFault {
    field: String,
    problem: PolicyProblem,
}

impl PolicyFault {
    /// Says which object it is that is wrong.
    pub(super) fn of(self, object: ObjectRef) -> Rejected {
        Rejected { object, field: self.field, problem: self.problem }
    }
}

impl From<PolicyProblem> for PolicyFault {
    fn from(problem: PolicyProblem) -> Self {
        Self { field: String::new(), problem }
    }
}

/// Says where in the object a problem lies, from the inside outwards.
pub(super) trait InField<T> {
    /// Says that the problem is in this field of the surrounding object.
    fn at(self, field: &str) -> Result<T, PolicyFault>;
    /// Says that the problem is in this element of the list that is in that field.
    fn at_index(self, field: &str, index: usize) -> Result<T, PolicyFault>;
}

impl<T, E: Into<PolicyFault>> InField<T> for Result<T, E> {
    fn at(self, field: &str) -> Result<T, PolicyFault> {
        self.map_err(|fault| under(&field, fault.into()))
    }

    fn at_index(self, field: &str, index: usize) -> Result<T, PolicyFault> {
        self.map_err(|fault| under(&format_args!("{field}[{index}]"), fault.into()))
    }
}

fn under(outer: &impl Display, PolicyFault { field, problem }: PolicyFault) -> PolicyFault {
    let field = if field.is_empty() { outer.to_string() } else { format!("{outer}.{field}") };
    PolicyFault { field, problem }
}
