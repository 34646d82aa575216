//! Has diagnoses worked out beside everything else, one at a time, and says which one stands.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use netproof_conformance::{diagnosis::Diagnosis, matrix::Cell};
use tokio::{
    sync::Semaphore,
    task::JoinSet,
    time::{Instant, timeout},
};
use tracing::{debug, warn};

use netproof_rounds::diagnosing::{Diagnosed, DiagnosisAnswer, Question};

/// For how long a fault that was found is told while flows are wrong and the policies have changed,
/// or the evidence has: so long may it take until all flows are seen again, when the network has
/// had its time, and the next answer is there. What is found in some of them would be another fault
/// at each change, and a simpler one.
const LAG: Duration = Duration::from_secs(60);

/// So many times as long as an answer took, nothing is asked.
const REST: u32 = 3;

/// Answers that are worked out at a time, of all tests: rounds need the other processors.
static TURN: Semaphore = Semaphore::const_new(1);

/// The diagnoses of one test.
#[derive(Default)]
pub(super) struct Diagnoses {
    job: JoinSet<Option<Answered>>,
    /// What was asked last.
    asked: Option<Arc<Question>>,
    answered: Option<Answered>,
    /// The fault that was found last, and when it was last known to be it.
    fault: Option<(Arc<Diagnosed>, Instant)>,
    /// Until when nothing is asked.
    rest: Option<Instant>,
}

struct Answered {
    question: Arc<Question>,
    answer: DiagnosisAnswer,
    took: Duration,
}

impl Diagnoses {
    /// Has this answered, unless it was asked last, or another is being worked out. Returns when to
    /// ask again, if not now.
    pub(super) fn ask(&mut self, question: &Arc<Question>) -> Option<Instant> {
        let is_known = self.asked.as_ref().is_some_and(|asked| asked.is_same(question));
        // The end of a job is noticed.
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

    /// Waits until an answer is there, if one is being worked out, but no longer than this.
    pub(super) async fn wait(&mut self, patience: Duration) {
        if !self.job.is_empty() {
            // What comes later is noticed as well.
            drop(timeout(patience, self.next()).await);
        }
    }

    /// The end of what is being worked out; none if nothing is. May be dropped at any time.
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

    /// What stands now that this is what would be asked.
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
            // That nothing is found where flows are wrong is of others, which were seen again.
            Some(_) | None => stands.map(|(fault, _)| Arc::clone(fault)),
        }
    }

    /// The flows to attempt next, for what would be asked now.
    pub(super) fn telling(&self, question: &Question) -> Option<&BTreeSet<Cell>> {
        self.current(question).map(|answer| &answer.telling)
    }

    /// Nothing is known any more, and nobody waits for what is being worked out.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }

    fn current(&self, question: &Question) -> Option<&DiagnosisAnswer> {
        let answered = self.answered.as_ref()?;
        answered.question.is_same(question).then_some(&answered.answer)
    }
}

/// Whether it says that something is wrong.
pub(super) fn names_a_fault(diagnosis: &Diagnosis) -> bool {
    match diagnosis {
        Diagnosis::Explained(_) | Diagnosis::OfTime(_) | Diagnosis::Unexplained(_) => true,
        Diagnosis::NoEvidence | Diagnosis::Conforms { .. } => false,
    }
}

/// Works it out, on a thread for that.
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
