//! Decides which change of a diagnosis is worth an Event: of the fault or its place, never of
//! counts.

use netproof_conformance::{diagnosis::Diagnosis, verdict::VerdictKind};
use netproof_crds::ConnectivityTestStatus;

use netproof_rounds::status::StatusView;

/// What an Event is to tell, as its note.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum News {
    /// A fault is diagnosed that was not told yet.
    Wrong(String),
    /// The fault that was told last is there no more.
    Right(String),
}

/// A fault by its name and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
struct NamedFault {
    name: String,
    place: Option<String>,
}

/// The fault that was told last; none if there is none, or its end was told.
#[derive(Clone, Debug, Default)]
pub(super) struct LastTold(Option<NamedFault>);

impl LastTold {
    /// The fault that an earlier operator told, as its status says.
    pub(super) fn left_by(before: &ConnectivityTestStatus) -> Self {
        let fault = before.diagnosis.as_ref();
        Self(fault.map(|told| NamedFault { name: told.name.clone(), place: told.scope.clone() }))
    }

    /// What there is to tell of this view. It counts as told from now on.
    pub(super) fn news(&mut self, view: &StatusView) -> Option<News> {
        let diagnosed = view.diagnosed()?;
        // While flows are being looked at, the fault may soon have another name. A test that runs
        // once will have no later view.
        if !view.once && is_open(view) {
            return None;
        }
        let diagnosis = &diagnosed.diagnosis;
        let is_wrong = match diagnosis {
            Diagnosis::NoEvidence => return None,
            Diagnosis::Conforms { .. } => false,
            Diagnosis::Explained(_) | Diagnosis::OfTime(_) | Diagnosis::Unexplained(_) => true,
        };
        let fault = || NamedFault { name: diagnosis.name().to_owned(), place: diagnosis.place() };
        let fault = is_wrong.then(fault);
        if self.0 == fault {
            return None;
        }
        self.0 = fault;
        let sentence = diagnosed.to_string();
        Some(if is_wrong { News::Wrong(sentence) } else { News::Right(sentence) })
    }
}

/// Whether something is under way that may change what is diagnosed.
fn is_open(view: &StatusView) -> bool {
    view.undecided
        || view.report.counts()[&VerdictKind::Settling] > 0
        || view.report.details.iter().any(|(_, detail)| detail.line.verdict.awaits_repetition())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use netproof_conformance::diagnosis::{TimeFault, Unexplained};

    use super::*;
    use netproof_rounds::{
        diagnosing::{Basis, Diagnosed},
        status::testing::{self, view},
    };

    fn slow(flows: usize) -> Diagnosis {
        Diagnosis::OfTime(TimeFault::Slow { after: std::time::Duration::from_secs(20), flows })
    }

    fn unexplained() -> Diagnosis {
        let nothing = Unexplained { best: None, findings: 2, ruled_out_by: vec![], capped: false };
        Diagnosis::Unexplained(nothing)
    }

    fn conforms() -> Diagnosis {
        Diagnosis::Conforms { observations: 1 }
    }

    fn with(diagnosis: Diagnosis) -> StatusView {
        let (basis, ruled_out_by) = (Basis::default(), vec![]);
        let diagnosis = Some(Arc::new(Diagnosed { diagnosis, basis, ruled_out_by }));
        testing::with(view(vec![]), |report| report.diagnosis = diagnosis)
    }

    fn drawn(told: &mut LastTold, view: &StatusView) -> &'static str {
        match told.news(view) {
            None => "nothing",
            Some(News::Wrong(_)) => "wrong",
            Some(News::Right(_)) => "right",
        }
    }

    #[test]
    fn a_fault_is_told_once_whatever_it_explains() {
        let mut told = LastTold::default();
        let after = |diagnosis| with(diagnosis);
        let said = [conforms(), slow(1), slow(2), unexplained(), conforms(), conforms()]
            .map(|diagnosis| drawn(&mut told, &after(diagnosis)));
        assert_eq!(said, ["nothing", "wrong", "nothing", "wrong", "right", "nothing"]);
    }

    #[test]
    fn what_may_change_in_a_moment_is_not_told_yet_unless_there_is_no_later() {
        let undecided = || StatusView { undecided: true, ..with(slow(1)) };
        let mut told = LastTold::default();
        assert_eq!(drawn(&mut told, &undecided()), "nothing");
        assert_eq!(drawn(&mut told, &StatusView { once: true, ..undecided() }), "wrong");
    }

    #[test]
    fn what_is_not_known_ends_nothing() {
        let mut told = LastTold::default();
        drawn(&mut told, &with(slow(1)));
        assert_eq!(drawn(&mut told, &view(vec![])), "nothing");
        assert_eq!(drawn(&mut told, &with(slow(1))), "nothing");
    }

    #[test]
    fn what_an_earlier_operator_told_is_not_told_again() {
        let told = |name: &str| netproof_crds::Diagnosis {
            name: name.into(),
            ..netproof_crds::Diagnosis::default()
        };
        let before = |name| ConnectivityTestStatus {
            diagnosis: Some(told(name)),
            ..ConnectivityTestStatus::default()
        };
        assert_eq!(drawn(&mut LastTold::left_by(&before("slow")), &with(slow(1))), "nothing");
        assert_eq!(drawn(&mut LastTold::left_by(&before("flapping")), &with(slow(1))), "wrong");
        assert_eq!(drawn(&mut LastTold::left_by(&before("slow")), &with(conforms())), "right");
    }
}
