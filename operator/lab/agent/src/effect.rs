//! Where each fault takes hold: the one table from a [`Fault`] to its effect.

mod reading;
mod verdict;

use std::borrow::Cow;

use crate::{
    fault::Fault,
    policy::{Policy, Rule},
    ruleset::{Allow, Denial, Existing, Isolation, Manner},
    world::ObjectName,
};

/// What a fault changes about a subject.
pub(crate) enum Effect {
    /// The subject's policies are read wrongly.
    Reading(fn(&mut Policy)),
    /// Not all policies that select the subject count.
    Choice(fn(&mut Vec<(&ObjectName, Cow<'_, Policy>)>)),
    /// A port's name means the number that the first pod gives it.
    Naming,
    /// What the subject's rules come to is changed.
    Verdict(fn(&mut Isolation, &Case)),
    /// What is denied to the subject is treated in another manner.
    Manner(fn(&mut Manner)),
    /// Nothing about the rules: [`Memory`](crate::memory::Memory) knows something else, or later.
    Knowledge,
}

/// What a verdict may depend on.
pub(crate) struct Case<'a> {
    /// The rules for the subject in one direction.
    pub rules: &'a [&'a Rule],
    /// Everything between the subject and pods of its node.
    pub same_node: &'a Allow,
    /// Everything between the subject and pods of other nodes.
    pub cross_node: &'a Allow,
}

/// The effect of a fault.
pub(crate) fn effect(fault: Fault) -> Effect {
    match fault {
        Fault::IgnoresAll => Effect::Reading(reading::isolate_nothing),
        Fault::IgnoresIngress => Effect::Reading(reading::isolate_no_ingress),
        Fault::IgnoresEgress => Effect::Reading(reading::isolate_no_egress),
        Fault::IgnoresIpBlock => Effect::Reading(reading::drop_blocks),
        Fault::IgnoresExcept => Effect::Reading(reading::drop_excepts),
        Fault::EndPortFirstOnly => Effect::Reading(reading::cut_ranges),
        Fault::DropsRulesWithEndPort => Effect::Reading(reading::drop_rules_with_ranges),
        Fault::DropsRulesWithNamedPort => Effect::Reading(reading::drop_rules_with_names),
        Fault::ReadsAndAsOr => Effect::Reading(reading::split_peers),
        Fault::ReadsOrAsAnd => Effect::Reading(reading::join_peers),
        Fault::IgnoresNamespaceSelector => Effect::Reading(reading::look_everywhere),
        Fault::OwnNamespaceOnly => Effect::Reading(reading::look_at_home),
        Fault::IgnoresMatchExpressions => Effect::Reading(reading::forget_expressions),
        Fault::NotInNeedsKey => Effect::Reading(reading::require_keys),
        Fault::IgnoresPorts => Effect::Reading(reading::drop_ports),
        Fault::EgressNeedsPolicyTypes => Effect::Reading(reading::want_policy_types),
        Fault::EmptyListAllows => Effect::Reading(reading::fill_empty_lists),
        Fault::NewestPolicyOnly => Effect::Choice(verdict::keep_the_newest),
        Fault::NamedPortOfFirstPod => Effect::Naming,
        Fault::SpreadsExcept => Effect::Verdict(verdict::spread_excepts),
        Fault::IgnoresProtocol => Effect::Verdict(verdict::allow_every_protocol),
        Fault::IgnoresIpv6 => Effect::Verdict(verdict::exempt_ipv6),
        Fault::IgnoresSameNode => Effect::Verdict(verdict::exempt_same_node),
        Fault::IgnoresCrossNode => Effect::Verdict(verdict::exempt_cross_node),
        Fault::BlocksAll => Effect::Verdict(verdict::block_all),
        Fault::DeniesWithReset => Effect::Manner(|manner| manner.denial = Denial::Reset),
        Fault::DeniesWithIcmp => Effect::Manner(|manner| manner.denial = Denial::Prohibited),
        Fault::KeepsConnections => Effect::Manner(|manner| manner.existing = Existing::Kept),
        Fault::StalePodLabels
        | Fault::StaleNamespaceLabels
        | Fault::KeepsDeletedPolicies
        | Fault::KeepsDeadAddresses
        | Fault::LateIsolation(_)
        | Fault::Slow(_)
        | Fault::Flapping(_) => Effect::Knowledge,
    }
}

/// The policy as these faults have it read.
pub(crate) fn read<'a>(policy: &'a Policy, faults: &[Fault]) -> Cow<'a, Policy> {
    let mut read = Cow::Borrowed(policy);
    for fault in faults {
        if let Effect::Reading(change) = effect(*fault) {
            change(read.to_mut());
        }
    }
    read
}

/// Leaves only the policies that count under these faults.
pub(crate) fn choose(applying: &mut Vec<(&ObjectName, Cow<'_, Policy>)>, faults: &[Fault]) {
    for fault in faults {
        if let Effect::Choice(change) = effect(*fault) {
            change(applying);
        }
    }
}

/// The isolation as these faults have it: first what passes is changed, then how the rest is
/// denied.
pub(crate) fn judge(mut isolation: Isolation, faults: &[Fault], case: &Case) -> Isolation {
    for fault in faults {
        if let Effect::Verdict(change) = effect(*fault) {
            change(&mut isolation, case);
        }
    }
    for fault in faults {
        if let (Effect::Manner(change), Isolation::Isolated(isolated)) =
            (effect(*fault), &mut isolation)
        {
            change(&mut isolated.manner);
        }
    }
    isolation
}
