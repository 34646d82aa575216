//! Asks for answers: the one place where flows are evaluated.

use netproof_conformance::{evaluate::expect, expected::Expected, flow::Flow, snapshot::Snapshot};

/// Evaluates all flows. An answer has to agree with what it says decided.
pub fn all(snapshot: &Snapshot, flows: &[Flow]) {
    for flow in flows {
        match expect(snapshot, flow) {
            Expected::Allow(because) => assert!(because.passes(), "{flow:?}: {because:?}"),
            Expected::Deny(because) => assert!(!because.passes(), "{flow:?}: {because:?}"),
            Expected::Unspecified(_) => {}
        }
    }
}
