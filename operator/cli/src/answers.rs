//! Who answers: a snapshot prepared for many questions. And how answers are called.

use netproof_conformance::expected::Unspecified;

pub use netproof_conformance::compiled::{Answer, Compiled, Counts};

/// One word for an answer.
pub fn word(answer: Answer) -> &'static str {
    match answer {
        Answer::Allow => "Allow",
        Answer::Deny => "Deny",
        Answer::Unspecified(_) => "Unspecified",
    }
}

/// One word for what the API leaves open.
pub fn reason(why: Unspecified) -> &'static str {
    match why {
        Unspecified::NoAddress => "NoAddress",
        Unspecified::Finished => "Finished",
        Unspecified::NoCommonFamily => "NoCommonFamily",
        Unspecified::HostNetwork => "HostNetwork",
        Unspecified::ToItself => "ToItself",
        Unspecified::OwnNode => "OwnNode",
        Unspecified::NamedPortWithoutPod => "NamedPortWithoutPod",
        Unspecified::InitContainerPort => "InitContainerPort",
        Unspecified::EqualPriority => "EqualPriority",
        Unspecified::BaselineOrder => "BaselineOrder",
        Unspecified::NetworksPeer => "NetworksPeer",
        Unspecified::NodesPeer => "NodesPeer",
        Unspecified::DomainNamesPeer => "DomainNamesPeer",
        Unspecified::UnknownField => "UnknownField",
    }
}
