//! The readings that the API permits: each takes some liberties and leaves the others.

use crate::expected::Unspecified;

/// Something that a network may do or leave, and keep the API's word either way.
///
/// *W* is the Network Policies page of the Kubernetes documentation, *T* the comments of the API's
/// types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Liberty {
    /// A host-network pod counts as its node: no policy has it as a subject, no selector matches
    /// it, and as a peer it is an address. Else it counts as a pod like others. W names these two,
    /// and a network does the one or the other, for subjects and peers alike.
    HostPodIsNode,
    /// What a pod sends to itself is exempt from policies ("a pod cannot block access to itself",
    /// W); T has no such exception.
    ExemptsItself,
    /// Egress to the pod's own node is exempt ("traffic to and from the node where a pod is running
    /// is always allowed", W); T has that exception for ingress only.
    ExemptsOwnNode,
    /// A port's name matches every port of something that is no pod; else none
    /// (kubernetes#99256).
    NamesMatchOutside,
    /// The port names of init containers resolve like others.
    InitPortsResolve,
}

impl Liberty {
    /// Why there is no answer where this liberty decides.
    pub(crate) fn reason(self) -> Unspecified {
        match self {
            Self::HostPodIsNode => Unspecified::HostNetwork,
            Self::ExemptsItself => Unspecified::ToItself,
            Self::ExemptsOwnNode => Unspecified::OwnNode,
            Self::NamesMatchOutside => Unspecified::NamedPortWithoutPod,
            Self::InitPortsResolve => Unspecified::InitContainerPort,
        }
    }

    fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// One way to read the API: the liberties that it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reading(u8);

impl Reading {
    /// The reading by the letter, which takes no liberty.
    pub(crate) const LITERAL: Self = Self(0);

    /// Every reading that takes none but these liberties.
    pub(crate) fn all(liberties: &[Liberty]) -> impl Iterator<Item = Self> {
        (0u8..1 << liberties.len()).map(|chosen| {
            let taken = liberties.iter().enumerate().filter(|(index, _)| chosen & 1 << index != 0);
            taken.fold(Self::LITERAL, |reading, (_, liberty)| reading.with(*liberty))
        })
    }

    /// This reading, with that liberty taken too.
    pub(crate) fn with(self, liberty: Liberty) -> Self {
        Self(self.0 | liberty.bit())
    }

    /// Whether this reading takes that liberty.
    pub(crate) fn takes(self, liberty: Liberty) -> bool {
        self.0 & liberty.bit() != 0
    }
}
