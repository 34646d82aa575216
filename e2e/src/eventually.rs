//! Waits for a condition with a deadline, and reports what was there instead when time runs out.

use std::time::Duration;

use anyhow::{Result, anyhow};
use tokio::time::{Instant, sleep, timeout};

/// The pause between two looks.
const POLL: Duration = Duration::from_millis(200);

/// The longest that one look at the cluster may take; a longer one has failed.
const LOOK: Duration = Duration::from_secs(15);

/// Looks until `look` succeeds. Once `patience` is over, the error of the last look is returned,
/// which itself takes 15 s at most.
pub async fn eventually<T>(
    what: &str,
    patience: Duration,
    mut look: impl AsyncFnMut() -> Result<T>,
) -> Result<T> {
    let began = Instant::now();
    loop {
        let last = match timeout(LOOK, look()).await {
            Ok(Ok(found)) => return Ok(found),
            Ok(Err(error)) => error,
            Err(_) => anyhow!("no answer within {} s", LOOK.as_secs()),
        };
        if began.elapsed() >= patience {
            let waited = patience.as_secs_f32();
            return Err(last.context(format!("not within {waited} s: {what}; what was last seen")));
        }
        sleep(POLL).await;
    }
}

#[cfg(test)]
mod tests {
    use anyhow::{bail, ensure};

    use super::*;

    #[tokio::test]
    async fn the_first_success_is_returned() {
        let mut looks = 0;
        let found = eventually("three looks", LOOK, async || {
            looks += 1;
            ensure!(looks == 3, "{looks} looks");
            Ok(looks)
        });
        assert_eq!(found.await.expect("it succeeds"), 3);
    }

    #[tokio::test]
    async fn the_last_state_is_reported_when_time_runs_out() {
        let never = eventually("a pod", Duration::ZERO, async || -> Result<()> { bail!("0 pods") });
        let error = format!("{:#}", never.await.expect_err("it never succeeds"));
        assert_eq!(error, "not within 0 s: a pod; what was last seen: 0 pods");
    }
}
