//! What an errno says about an attempt.

use std::io;

use nix::errno::Errno;

use crate::wire::Outcome;

/// The outcome of an attempt that ended with this error before the far end had answered.
pub(super) fn outcome(error: &io::Error) -> Outcome {
    match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::ECONNREFUSED) => Outcome::Refused,
        Some(Errno::ETIMEDOUT) => Outcome::TimedOut,
        Some(errno @ (Errno::EHOSTUNREACH | Errno::ENETUNREACH | Errno::EACCES | Errno::EPERM)) => {
            Outcome::Unreachable { errno: format!("{errno:?}") }
        }
        // EADDRNOTAVAIL, EMFILE, ENOBUFS and their like say something of the probe alone.
        _ => Outcome::Failed { why: error.to_string() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(errno: Errno, expected: &Outcome) {
        assert_eq!(outcome(&io::Error::from_raw_os_error(errno as i32)), *expected, "{errno}");
    }

    #[test]
    fn each_errno_has_its_outcome() {
        let unreachable = |errno: &str| Outcome::Unreachable { errno: errno.to_owned() };
        check(Errno::ECONNREFUSED, &Outcome::Refused);
        check(Errno::ETIMEDOUT, &Outcome::TimedOut);
        check(Errno::EHOSTUNREACH, &unreachable("EHOSTUNREACH"));
        check(Errno::ENETUNREACH, &unreachable("ENETUNREACH"));
        check(Errno::EACCES, &unreachable("EACCES"));
        check(Errno::EPERM, &unreachable("EPERM"));
    }

    #[test]
    fn the_probes_own_trouble_is_no_evidence() {
        for errno in [
            Errno::EADDRNOTAVAIL,
            Errno::EMFILE,
            Errno::ENFILE,
            Errno::ENOBUFS,
            Errno::ENOMEM,
            Errno::ECONNRESET,
        ] {
            let why = io::Error::from_raw_os_error(errno as i32).to_string();
            check(errno, &Outcome::Failed { why });
        }
    }
}
