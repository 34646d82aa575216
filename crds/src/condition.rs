//! The conditions of a `ConnectivityTest` and the reasons that they carry.

use crate::closed_set::closed_set;

closed_set! {
    /// What a condition of a `ConnectivityTest` is about.
    pub enum ConditionType {
        /// The test can be carried out as written: its namespaces, workloads and permissions are
        /// there.
        Accepted,
        /// Every probe that the test needs runs and is attached.
        ProbesReady,
        /// The last verdict is recent enough to be believed.
        Fresh,
        /// Every flow that the policies decide behaves as they say.
        Conformant,
        /// The policies say what the checks of the test expect. The network is not asked.
        Intended,
        /// With runPolicy Once: the test has come to a verdict and has ended.
        Complete,
    }
}

closed_set! {
    /// The three values of a condition.
    pub enum ConditionStatus {
        /// What the condition's type says is so.
        True,
        /// What the condition's type says is not so.
        False,
        /// There is no evidence, it is old, or only half of it is there.
        Unknown,
    }
}

closed_set! {
    /// Why a condition has its status. Stable words: scripts and alerts may rely on them.
    pub enum Reason {
        /// Accepted is True: everything that the test names is there.
        Valid,
        /// Accepted is False: the spec says something that cannot be carried out; the message says
        /// what.
        InvalidSpec,
        /// Accepted is False: the workload that a stand-in is like does not exist.
        WorkloadNotFound,
        /// Accepted is False: a namespace that an endpoint names does not exist.
        NamespaceNotFound,
        /// Accepted is False: another namespace has not opted in to stand-ins.
        NamespaceNotOptedIn,
        /// Accepted is False: a namespace that the test needs is being deleted.
        NamespaceTerminating,
        /// Accepted is False: the test names more flows than the operator is set to carry, its
        /// stand-ins counted with them.
        TooManyFlows,
        /// The operator lacks a permission; the message names it.
        Forbidden,
        /// The API server could not be asked; it will be asked again.
        ApiUnavailable,

        /// `ProbesReady` is True: each probe runs and is attached.
        AllAttached,
        /// `ProbesReady` is False: probes were created and are not all running yet.
        Starting,
        /// `ProbesReady` is False: the API server refused a probe pod (pod security, a quota, a
        /// webhook).
        PodRejected,
        /// `ProbesReady` is False: no node takes a probe pod.
        Unschedulable,
        /// `ProbesReady` is False: a node cannot get the probe image.
        ImageUnavailable,
        /// `ProbesReady` is False: a probe ended or keeps ending.
        ProbeFailed,
        /// `ProbesReady` is False: a probe runs and the operator cannot attach to it.
        AttachFailed,

        /// Fresh is True: a whole round ended recently.
        RecentRound,
        /// Fresh is False: the last whole round is too long ago.
        Stale,
        /// No whole round has ended yet.
        NoRoundYet,
        /// The operator does not hold a complete picture of the policies yet, or no longer.
        SnapshotIncomplete,

        /// Conformant is True: every flow that the policies decide behaves as they say.
        AllConform,
        /// Conformant is False: flows connect that the policies deny.
        Leaks,
        /// Conformant is False: flows do not connect that the policies allow.
        Blocks,
        /// Conformant is False: there are leaks and blocked flows.
        LeaksAndBlocks,
        /// Conformant is False: a new probe pod accepted connections that the policies deny, and
        /// startUp is Strict.
        StartupLeak,
        /// Conformant is Unknown: nodes that the test is meant for take no probe pod, or have lost
        /// it; the message names them.
        NodesNotCovered,
        /// Conformant is Unknown: the network may still be following a change.
        Settling,
        /// Conformant is Unknown: some flow could not be judged.
        Inconclusive,
        /// Conformant is Unknown: there is no flow that the policies decide.
        NothingToJudge,
        /// Conformant is Unknown: the policies deny something, and nothing that was seen tells a
        /// network that keeps them from one that carries nothing. The message says what to add.
        NothingProved,
        /// Conformant is Unknown: startUp is Strict, and how some probe pod started that the
        /// policies deny something was not established.
        StartsNotEstablished,

        /// Intended is True: the policies say what each check expects.
        MatchesIntent,
        /// Intended is False: the policies say other than a check expects.
        ContradictsIntent,
        /// Intended is Unknown: no check has an `expect`.
        NoIntent,
        /// Intended is Unknown: the API leaves open what the policies say of a flow with an
        /// `expect`.
        IntentUndecided,

        /// Complete is True: the verdict stands and the probes are gone.
        Finished,
        /// Complete is False: the verdict is not there yet.
        Running,

        /// The test is suspended; what was known before is not claimed any more.
        Suspended,
        /// The test has not been accepted, so that nothing else can be said.
        NotAccepted,
        /// Not all probes are attached, so that nothing else can be said.
        ProbesNotReady,
        /// netproof is being removed from the cluster, and tests nothing any more.
        OperatorRemoved,
    }
}

/// The reason of Events about a diagnosis: what a network does wrong, or that it does so no more.
/// Events about a turn of the verdict have the reason of its condition.
pub const DIAGNOSED: &str = "Diagnosed";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_fit_the_api() {
        for reason in Reason::ALL {
            let word = reason.as_str();
            assert!(word.starts_with(|c: char| c.is_ascii_uppercase()), "{word}");
            assert!(word.bytes().all(|b| b.is_ascii_alphanumeric()), "{word}");
        }
    }
}
