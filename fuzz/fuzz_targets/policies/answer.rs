//! Asks for answers: the one place where flows are evaluated.

use netproof_conformance::{
    compiled::{Answer, Compiled},
    evaluate::expect,
    expected::Expected,
    flow::Flow,
    snapshot::Snapshot,
};

/// Evaluates all flows, one by one and compiled. An answer has to agree with what it says decided,
/// and the two with each other.
pub fn all(snapshot: &Snapshot, flows: &[Flow]) {
    let compiled = Compiled::new(snapshot.clone());
    for flow in flows {
        let expected = expect(snapshot, flow);
        assert_eq!(compiled.answer(flow), Answer::from(&expected), "{flow:?}: {expected:?}");
        match expected {
            Expected::Allow(because) => assert!(because.passes(), "{flow:?}: {because:?}"),
            Expected::Deny(because) => assert!(!because.passes(), "{flow:?}: {because:?}"),
            Expected::Unspecified(_) => {}
        }
    }
}
