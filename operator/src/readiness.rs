//! Says whether the operator is ready, and what it waits for if it does not act.

use std::time::Instant;

use crate::{
    lease::{Holder, Standing},
    shared::Shared,
};

/// What `/readyz` answers at `now`: `Ok` if the operator is ready, and either way a line that says
/// why.
///
/// An operator that waits for another of its own installation is ready: it could take over at once,
/// and a rollout that starts the new operator first must not wait for it for ever. An operator that
/// waits for another installation is not ready: it does nothing until somebody removes the other,
/// and `kubectl rollout status` and the READY column have to show that.
pub fn readiness(shared: &Shared, now: Instant) -> Result<String, String> {
    if let Some(why) = shared.world.borrow().blindness(now) {
        return Err(why);
    }
    stands(&shared.standing.borrow(), shared.installation.get().map(String::as_str), now)
}

fn stands(standing: &Standing, installation: Option<&str>, now: Instant) -> Result<String, String> {
    match standing {
        Standing::Acting { until } if now < *until => Ok("ok".into()),
        Standing::Acting { .. } => Err("the Lease could not be renewed in time: not acting".into()),
        Standing::Unknown(why) => Err(format!("not known which operator acts: {why}")),
        Standing::Waiting(Holder { identity, installation: theirs }) => {
            let theirs = theirs.as_deref();
            if theirs.is_some() && theirs == installation {
                Ok(format!("waiting: {identity} acts"))
            } else {
                Err(format!(
                    "waiting: {identity} acts, of another installation ({}); one a cluster can",
                    theirs.unwrap_or("unknown")
                ))
            }
        }
        Standing::Succeeded(Holder { identity, .. }) => Err(format!("{identity} has taken over")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lease::DEADLINE;

    fn waiting(theirs: Option<&str>) -> Standing {
        Standing::Waiting(Holder {
            identity: "a/b".into(),
            installation: theirs.map(str::to_owned),
        })
    }

    #[test]
    fn who_acts_is_ready_for_as_long_as_it_may() {
        let now = Instant::now();
        let acting = Standing::Acting { until: now + DEADLINE };
        assert_eq!(stands(&acting, Some("here"), now), Ok("ok".into()));
        assert!(stands(&acting, Some("here"), now + DEADLINE).is_err());
    }

    #[test]
    fn a_standby_is_ready_and_says_that_it_waits() {
        let said = stands(&waiting(Some("here")), Some("here"), Instant::now());
        assert_eq!(said, Ok("waiting: a/b acts".into()));
    }

    #[test]
    fn who_waits_for_another_installation_is_not_ready_and_names_it() {
        for theirs in [Some("there"), None] {
            let said = stands(&waiting(theirs), Some("here"), Instant::now());
            let why = said.expect_err("it is not ready");
            assert!(why.contains("waiting: a/b acts, of another installation"), "{why}");
        }
    }

    #[test]
    fn who_cannot_ask_for_the_lease_says_why() {
        let said = stands(&Standing::Unknown("forbidden".into()), None, Instant::now());
        assert_eq!(said, Err("not known which operator acts: forbidden".into()));
    }
}
