//! The codes of findings: what is checked, how grave it is and what it means.

use std::fmt;

/// How grave a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The text has no effect, or another one than it says.
    Error,
    /// The text is legal, and almost surely not what was meant.
    Warning,
    /// The text is legal and perhaps meant, and those that maintain the policy may want to know.
    Note,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        })
    }
}

/// What is checked. The texts are stable: a code is never given another meaning.
///
/// ```
/// use netproof_conformance::lint::Code;
///
/// assert_eq!(Code::AlmostPeer.text(), "NP004");
/// assert_eq!(Code::AlmostPeer.severity().to_string(), "warning");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Code {
    /// The subjects of a policy are no pod, though there are pods where it looks.
    NoSubject,
    /// The namespace of a policy has no pods.
    NoPods,
    /// A peer's labels are those of no pod.
    NoPeer,
    /// A peer's labels are those of no pod, and almost those of one.
    AlmostPeer,
    /// A peer's namespaces are none that there is.
    NoNamespace,
    /// A peer's namespaces are none that there is, and almost one.
    AlmostNamespace,
    /// A namespace is selected by a label for its name that it does not have.
    NamespaceName,
    /// There are rules for a direction that `policyTypes` leaves out.
    InertRules,
    /// `egress: []` stands without `policyTypes`, and isolates nothing.
    EmptyEgress,
    /// A rule for everyone beside narrow ones for the same ports.
    Everyone,
    /// A rule `{}`, which admits anything, stands beside others.
    Anything,
    /// An `except` that leaves nothing of its block.
    ExceptAll,
    /// An `except` lies within another one.
    ExceptTwice,
    /// What an `except` leaves out, another block of the rule admits.
    ExceptReadmitted,
    /// A block contains addresses of pods.
    BlockOfPods,
    /// Every IPv4 address, and no IPv6 address, where pods have both.
    OneFamily,
    /// Nobody declares the name of a port.
    UndeclaredName,
    /// A port's name that is declared with another protocol only.
    NameOfOtherProtocol,
    /// No subject declares the number of a port.
    UndeclaredNumber,
    /// Nothing may be sent, not even to look up names.
    NoEgressNorDns,
    /// Something may be sent, but no names looked up.
    NoDns,
    /// Names can be looked up by UDP only.
    NoDnsByTcp,
    /// Two rules of one policy are the same.
    SameRule,
    /// Two policies say the same.
    SamePolicy,
    /// A rule that another one of the policy makes redundant.
    Redundant,
    /// Two selectors in two elements that were meant as one.
    OrMeantAsAnd,
    /// A rule for peers whose own policies keep them from sending.
    OneSided,
    /// A pod of the host's network is a subject.
    HostSubject,
    /// Policies of one priority disagree.
    EqualPriority,
    /// An earlier rule leaves a rule nothing to decide.
    Unreached,
    /// A rule says `Pass` where no tier follows.
    PassInBaseline,
}

/// What is known of a code.
struct Facts {
    text: &'static str,
    severity: Severity,
    title: &'static str,
    help: &'static str,
}

impl Code {
    /// All codes, by their texts.
    pub const ALL: [Self; 31] = [
        Self::NoSubject,
        Self::NoPods,
        Self::NoPeer,
        Self::AlmostPeer,
        Self::NoNamespace,
        Self::AlmostNamespace,
        Self::NamespaceName,
        Self::InertRules,
        Self::EmptyEgress,
        Self::Everyone,
        Self::Anything,
        Self::ExceptAll,
        Self::ExceptTwice,
        Self::ExceptReadmitted,
        Self::BlockOfPods,
        Self::OneFamily,
        Self::UndeclaredName,
        Self::NameOfOtherProtocol,
        Self::UndeclaredNumber,
        Self::NoEgressNorDns,
        Self::NoDns,
        Self::NoDnsByTcp,
        Self::SameRule,
        Self::SamePolicy,
        Self::Redundant,
        Self::OrMeantAsAnd,
        Self::OneSided,
        Self::HostSubject,
        Self::EqualPriority,
        Self::Unreached,
        Self::PassInBaseline,
    ];

    /// The code as people quote it, such as `NP001`.
    pub fn text(self) -> &'static str {
        self.facts().text
    }

    /// How grave a finding of this check is.
    pub fn severity(self) -> Severity {
        self.facts().severity
    }

    /// What the check finds, in a few words.
    pub fn title(self) -> &'static str {
        self.facts().title
    }

    /// Why the finding matters, and what to do.
    pub fn help(self) -> &'static str {
        self.facts().help
    }

    #[expect(clippy::too_many_lines, reason = "a table, a code to an entry")]
    fn facts(self) -> Facts {
        let (text, severity, title, help) = match self {
            Self::NoSubject => (
                "NP001",
                Severity::Warning,
                "policy selects no pod",
                "There are pods where the policy looks, but none has the labels that it selects, \
                 so that it protects nothing. Compare the labels letter by letter.",
            ),
            Self::NoPods => (
                "NP002",
                Severity::Note,
                "namespace of the policy has no pods",
                "A policy applies to pods of its own namespace only. Without pods there, it has no \
                 effect yet.",
            ),
            Self::NoPeer => (
                "NP003",
                Severity::Note,
                "peer selects no pod",
                "No pod in the namespaces that the peer names has these labels, so that the peer \
                 admits nobody. A podSelector without a namespaceSelector looks in the policy's \
                 own namespace only.",
            ),
            Self::AlmostPeer => (
                "NP004",
                Severity::Warning,
                "peer selects no pod, and almost one",
                "No pod has these labels, but one has labels that differ by a slip: a letter, \
                 upper and lower case, or the key.",
            ),
            Self::NoNamespace => (
                "NP005",
                Severity::Note,
                "peer selects no namespace",
                "No namespace has the labels that the peer's namespaceSelector asks for, so that \
                 the peer admits nobody.",
            ),
            Self::AlmostNamespace => (
                "NP006",
                Severity::Warning,
                "peer selects no namespace, and almost one",
                "No namespace has these labels, but one has labels that differ by a slip: a \
                 letter, upper and lower case, or the key.",
            ),
            Self::NamespaceName => (
                "NP007",
                Severity::Warning,
                "namespace selected by a label that it does not have",
                "Kubernetes labels every namespace with its name under \
                 kubernetes.io/metadata.name, and under no other key.",
            ),
            Self::InertRules => (
                "NP008",
                Severity::Error,
                "policyTypes leaves out a direction that has rules",
                "Rules count only for directions that policyTypes names. The direction stays open \
                 to everyone, as far as this policy goes.",
            ),
            Self::EmptyEgress => (
                "NP009",
                Severity::Warning,
                "egress: [] without policyTypes denies no egress",
                "Without policyTypes, a policy isolates egress only if it has an egress rule. To \
                 deny all egress, write policyTypes: [Egress], or both.",
            ),
            Self::Everyone => (
                "NP010",
                Severity::Warning,
                "rule for everyone beside narrow ones",
                "A rule without from, or to, admits everyone, nodes and addresses outside of the \
                 cluster too. The narrow rules for the same ports then change nothing.",
            ),
            Self::Anything => (
                "NP011",
                Severity::Warning,
                "rule {} beside others",
                "An empty rule admits everyone on every port, so that the other rules of the \
                 direction change nothing. Perhaps it is left over, or its fields are indented \
                 wrongly.",
            ),
            Self::ExceptAll => (
                "NP012",
                Severity::Error,
                "except leaves nothing of the block",
                "The exception covers the whole cidr, so that the element matches no address. This \
                 can happen with IPv4 addresses written as IPv6 (::ffff:10.0.0.0/104).",
            ),
            Self::ExceptTwice => (
                "NP013",
                Severity::Note,
                "except within another except",
                "The wider exception leaves these addresses out already.",
            ),
            Self::ExceptReadmitted => (
                "NP014",
                Severity::Warning,
                "except is admitted again by another block",
                "An exception narrows its own element only. Elements of a list are alternatives, \
                 so that another block of the same rule lets in what this one leaves out. Write \
                 one block with all exceptions.",
            ),
            Self::BlockOfPods => (
                "NP015",
                Severity::Warning,
                "ipBlock covers addresses of pods",
                "Blocks are meant for addresses outside of the cluster: those of pods change, \
                 networks differ in whether blocks match them, and sources may be rewritten on the \
                 way. Select pods by their labels.",
            ),
            Self::OneFamily => (
                "NP016",
                Severity::Warning,
                "0.0.0.0/0 without ::/0",
                "A block of one IP family never matches the other. Pods here have addresses of \
                 both, so that all traffic over IPv6 is denied.",
            ),
            Self::UndeclaredName => (
                "NP017",
                Severity::Warning,
                "port by a name that nobody declares",
                "A port's name means what the containers of the receiving pods give it. Where none \
                 declares it, the rule matches nothing.",
            ),
            Self::NameOfOtherProtocol => (
                "NP018",
                Severity::Warning,
                "port by a name that is declared with another protocol",
                "Name and protocol both have to match, and a port of a rule without a protocol \
                 means TCP.",
            ),
            Self::UndeclaredNumber => (
                "NP019",
                Severity::Note,
                "port by a number that no subject declares",
                "Containers need not declare the ports that they listen on, so that this may be \
                 right. Often it is the port of a Service, where policies mean the pods' own.",
            ),
            Self::NoEgressNorDns => (
                "NP020",
                Severity::Warning,
                "all egress denied, DNS too",
                "Pods that may send nothing cannot look up names either, which clients report as \
                 failures of their own. Admit 53/UDP and 53/TCP towards the cluster's DNS if the \
                 pods connect to anything by name.",
            ),
            Self::NoDns => (
                "NP021",
                Severity::Note,
                "egress without DNS",
                "The pods may connect to some, but look up no names. That is right only if they \
                 are given addresses.",
            ),
            Self::NoDnsByTcp => (
                "NP022",
                Severity::Note,
                "DNS by UDP only",
                "Answers that are too long for one packet are asked for again by TCP, so that some \
                 look-ups fail now and then. Admit 53/TCP too.",
            ),
            Self::SameRule => (
                "NP023",
                Severity::Note,
                "same rule twice",
                "The second one changes nothing. Perhaps it was copied and was to be changed.",
            ),
            Self::SamePolicy => (
                "NP024",
                Severity::Note,
                "same policy twice",
                "Two policies of one namespace say the same. One is enough.",
            ),
            Self::Redundant => (
                "NP025",
                Severity::Note,
                "rule that another one makes redundant",
                "All that the rule admits, a wider rule of the same policy admits too.",
            ),
            Self::OrMeantAsAnd => (
                "NP026",
                Severity::Warning,
                "two peers that look like one",
                "A namespaceSelector and a podSelector in two elements are alternatives: everyone \
                 of those namespaces, or pods of the policy's own namespace. For pods with these \
                 labels in those namespaces, write both into one element, with a single dash.",
            ),
            Self::OneSided => (
                "NP027",
                Severity::Note,
                "peers that cannot send",
                "A flow has to pass both sides. The rule admits these peers, but their own egress \
                 does not let them reach the pods.",
            ),
            Self::HostSubject => (
                "NP028",
                Severity::Note,
                "pod of the host's network selected",
                "The API leaves open whether policies apply to pods with hostNetwork; most \
                 networks ignore them.",
            ),
            Self::EqualPriority => (
                "NP029",
                Severity::Warning,
                "policies of equal priority disagree",
                "Among policies of one priority, the network may apply either. Give them different \
                 priorities.",
            ),
            Self::Unreached => (
                "NP030",
                Severity::Warning,
                "rule is never reached",
                "The first rule that matches decides, and an earlier one matches all that this one \
                 does.",
            ),
            Self::PassInBaseline => (
                "NP031",
                Severity::Note,
                "Pass in the Baseline tier",
                "No tier follows Baseline, so that Pass lets the traffic through. Accept says the \
                 same in plain words.",
            ),
        };
        Facts { text, severity, title, help }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.text())
    }
}
