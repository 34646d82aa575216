//! Remembers what was attempted lately, so that nothing is attempted over and over without success:
//! every change of the cluster brings a reconciliation, and there may be hundreds a second.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Mutex, MutexGuard},
    time::Duration,
};

use tokio::time::Instant;

use crate::backoff::{Backoff, Rest};
use netproof_rounds::scenario::Problem;

/// The first delay between two attempts at the same aim, in which the World has time to show what
/// became of the first.
const FIRST: Duration = Duration::from_secs(1);

/// The longest delay between two attempts at an aim that is always refused.
const LAST: Duration = Duration::from_secs(60);

/// What an attempt is at. Two aims that differ in anything have attempts of their own.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Aim {
    /// To make the stand-in with this hash.
    StandIn(String),
    /// To make an owner of the stand-ins of the test with this UID in this namespace.
    Set {
        /// The UID of the test.
        test: String,
        /// The namespace of the stand-ins.
        namespace: String,
    },
    /// To remove the object with this UID.
    Removal(String),
    /// To ask whether the test with this UID is still there.
    Test(String),
}

/// The attempts of the last minutes, by their aims, and when each aim is due again.
#[derive(Default)]
pub struct Attempts(Mutex<HashMap<Aim, TestAttempt>>);

struct TestAttempt {
    rest: Rest,
    /// What became of the last attempt; none while that is not known.
    outcome: Option<Result<String, Problem>>,
}

/// Says that an aim was attempted lately, and is not due.
#[derive(Clone, Debug)]
pub struct NotDue {
    /// When the aim is due again.
    pub again: Instant,
    /// What became of the last attempt: the UID of what was made, or why nothing was; none while
    /// that is not known.
    pub outcome: Option<Result<String, Problem>>,
}

impl Attempts {
    fn held(&self) -> MutexGuard<'_, HashMap<Aim, TestAttempt>> {
        self.0.lock().expect("no holder of this lock can panic")
    }

    /// Begins an attempt if the aim is due, and returns when the next one is.
    pub fn begin(&self, aim: &Aim) -> Result<Instant, NotDue> {
        let mut held = self.held();
        // An aim to which nobody came back was reached, or is wanted no more.
        held.retain(|_, attempt| attempt.rest.over_for() < LAST);
        let fresh = || TestAttempt { rest: Rest::new(Backoff::new(FIRST, LAST)), outcome: None };
        let attempt = held.entry(aim.clone()).or_insert_with(fresh);
        match attempt.rest.until() {
            Some(again) => Err(NotDue { again, outcome: attempt.outcome.clone() }),
            None => Ok(attempt.rest.begin()),
        }
    }

    /// Takes down that something with this UID was made. Should that go, it may be made anew within
    /// a second.
    pub fn made(&self, aim: &Aim, uid: String) {
        if let Some(attempt) = self.held().get_mut(aim) {
            attempt.rest.end();
            attempt.rest.begin();
            attempt.outcome = Some(Ok(uid));
        }
    }

    /// Takes down why nothing was made.
    pub fn failed(&self, aim: &Aim, problem: Problem) {
        if let Some(attempt) = self.held().get_mut(aim) {
            attempt.outcome = Some(Err(problem));
        }
    }
}

#[cfg(test)]
mod tests {
    use netproof_crds::Reason;

    use super::*;

    fn stand_in(hash: &str) -> Aim {
        Aim::StandIn(hash.into())
    }

    fn refused() -> Problem {
        Problem::new(Reason::PodRejected, "exceeded quota")
    }

    /// How many attempts there are within `time` at an aim that is wanted all the time and always
    /// refused.
    async fn attempts(held: &Attempts, aim: &Aim, time: Duration) -> usize {
        let end = Instant::now() + time;
        let mut count = 0;
        while Instant::now() < end {
            if held.begin(aim).is_ok() {
                held.failed(aim, refused());
                count += 1;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        count
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_refused_is_attempted_ever_more_seldom_and_each_minute_at_last() {
        let held = Attempts::default();
        let aim = stand_in("a");
        let early = attempts(&held, &aim, Duration::from_secs(20)).await;
        assert!((3..=7).contains(&early), "{early} in 20 s");
        attempts(&held, &aim, Duration::from_secs(300)).await;
        let late = attempts(&held, &aim, Duration::from_secs(600)).await;
        assert!((9..=21).contains(&late), "{late} in 10 minutes");
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_wanted_otherwise_is_attempted_at_once() {
        let held = Attempts::default();
        attempts(&held, &stand_in("a"), Duration::from_secs(60)).await;
        assert!(held.begin(&stand_in("a")).is_err());
        assert!(held.begin(&stand_in("b")).is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn while_an_attempt_is_not_due_it_is_known_what_became_of_the_last_one() {
        let held = Attempts::default();
        let aim = stand_in("a");
        held.begin(&aim).expect("the first");
        assert_eq!(held.begin(&aim).expect_err("under way").outcome, None);
        held.failed(&aim, refused());
        assert_eq!(held.begin(&aim).expect_err("just now").outcome, Some(Err(refused())));
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_made_after_many_refusals_may_soon_be_made_again() {
        let held = Attempts::default();
        let aim = stand_in("a");
        attempts(&held, &aim, Duration::from_secs(600)).await;
        let again = held.begin(&aim).unwrap_or_else(|not_due| not_due.again);
        tokio::time::sleep_until(again).await;
        held.begin(&aim).expect("it is due");
        held.made(&aim, "uid".into());
        let not_due = held.begin(&aim).expect_err("just now");
        assert_eq!(not_due.outcome, Some(Ok("uid".into())));
        assert!(not_due.again - Instant::now() <= FIRST);
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_kept_of_what_nobody_came_back_to() {
        let held = Attempts::default();
        for number in 0..1000 {
            held.begin(&stand_in(&number.to_string())).expect("the first");
        }
        tokio::time::sleep(2 * LAST).await;
        held.begin(&stand_in("new")).expect("the first");
        assert_eq!(held.held().len(), 1);
    }
}
