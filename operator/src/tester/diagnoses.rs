//! Has diagnoses worked out on a thread beside the rounds, one at a time, and says which one
//! stands.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use netproof_conformance::{diagnosis::Diagnosis, matrix::Cell};
use tokio::{
    sync::Semaphore,
    task::JoinSet,
    time::{Instant, timeout},
};
use tracing::{debug, warn};

use netproof_rounds::diagnosing::{Diagnosed, DiagnosisAnswer, Question};

/// How long the last fault that was found stands while flows are wrong and policies or evidence
/// have changed. So long may it take until the network has had its time, all flows are seen again,
/// and the next answer is there. A diagnosis of only some of the flows would name another, simpler
/// fault at each change.
const LAG: Duration = Duration::from_secs(60);

/// How many times as long as the last answer took no other is asked for.
const REST: u32 = 3;

/// Lets one answer be worked out at a time, of all tests: rounds need the other processors.
static TURN: Semaphore = Semaphore::const_new(1);

/// The diagnoses of one test.
#[derive(Default)]
pub(super) struct Diagnoses {
    job: JoinSet<Option<Answered>>,
    /// The question that was asked last.
    asked: Option<Arc<Question>>,
    answered: Option<Answered>,
    /// The fault that was found last, and when it was last confirmed.
    fault: Option<(Arc<Diagnosed>, Instant)>,
    /// Until when no question is asked.
    rest: Option<Instant>,
}

struct Answered {
    question: Arc<Question>,
    answer: DiagnosisAnswer,
    took: Duration,
}

impl Diagnoses {
    /// Has the question answered, unless it was asked last, another is being answered, or the rest
    /// after the last answer is not over. Returns when that rest is over; none in all other cases.
    pub(super) fn ask(&mut self, question: &Arc<Question>) -> Option<Instant> {
        let is_known = self.asked.as_ref().is_some_and(|asked| asked.is_same(question));
        // The end of the job wakes the tester, which asks again.
        if is_known || !self.job.is_empty() {
            return None;
        }
        if let Some(rest) = self.rest.filter(|rest| *rest > Instant::now()) {
            return Some(rest);
        }
        self.asked = Some(Arc::clone(question));
        self.job.spawn(answered(Arc::clone(question)));
        None
    }

    /// Waits for the answer that is being worked out, if one is, for no longer than `patience`.
    pub(super) async fn wait(&mut self, patience: Duration) {
        if !self.job.is_empty() {
            // The end of a job that takes longer wakes the tester.
            drop(timeout(patience, self.next()).await);
        }
    }

    /// Waits until the answer that is being worked out is there; none if nothing is. Cancel safe.
    pub(super) async fn next(&mut self) -> Option<()> {
        match self.job.join_next().await? {
            Ok(Some(answered)) => {
                self.rest = Some(Instant::now() + answered.took * REST);
                self.answered = Some(answered);
            }
            Ok(None) => {}
            Err(error) => warn!(%error, "Diagnosis failed"),
        }
        Some(())
    }

    /// The diagnosis that stands, where `question` is what would be asked now.
    pub(super) fn said(&mut self, question: &Question) -> Option<Arc<Diagnosed>> {
        let current = self.current(question).map(|answer| Arc::clone(&answer.diagnosed));
        let (is_wrong, now) = (question.is_wrong, Instant::now());
        if !is_wrong {
            self.fault = None;
            return current;
        }
        let stands = self.fault.as_ref().filter(|(_, at)| now - *at <= LAG);
        match current.filter(|diagnosed| names_a_fault(&diagnosed.diagnosis)) {
            Some(diagnosed) if question.outdated == 0 || stands.is_none() => {
                self.fault = Some((Arc::clone(&diagnosed), now));
                Some(diagnosed)
            }
            // While flows are wrong, finding no fault only says that other flows were seen again.
            Some(_) | None => stands.map(|(fault, _)| Arc::clone(fault)),
        }
    }

    /// The flows to attempt next to tell diagnoses apart; none unless the last answer is to
    /// `question`.
    pub(super) fn telling(&self, question: &Question) -> Option<&BTreeSet<Cell>> {
        self.current(question).map(|answer| &answer.telling)
    }

    /// Forgets all answers, and drops the one that is being worked out.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }

    fn current(&self, question: &Question) -> Option<&DiagnosisAnswer> {
        let answered = self.answered.as_ref()?;
        answered.question.is_same(question).then_some(&answered.answer)
    }
}

/// Whether the diagnosis says that the network does something wrong.
pub(super) fn names_a_fault(diagnosis: &Diagnosis) -> bool {
    match diagnosis {
        Diagnosis::Explained(_) | Diagnosis::OfTime(_) | Diagnosis::Unexplained(_) => true,
        Diagnosis::NoEvidence | Diagnosis::Conforms { .. } => false,
    }
}

/// Works an answer out on a blocking thread, in its turn; none if that panicked.
async fn answered(question: Arc<Question>) -> Option<Answered> {
    let _turn = TURN.acquire().await.expect("it is never closed");
    let began = Instant::now();
    let asked = Arc::clone(&question);
    let answer = tokio::task::spawn_blocking(move || asked.answer()).await;
    let took = began.elapsed();
    match answer {
        Ok(answer) => {
            debug!(diagnosis = %answer.diagnosed, ms = took.as_millis(), "Diagnosed");
            Some(Answered { question, answer, took })
        }
        Err(error) => {
            warn!(%error, "Diagnosis failed");
            None
        }
    }
}

#[cfg(test)]
#[path = "diagnoses_tests.rs"]
mod tests;
