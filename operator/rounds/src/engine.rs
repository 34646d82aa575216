//! Asks probes and gathers what they saw. A probe is a pair of byte streams: an attach stream, a
//! pipe, or memory.

pub mod session;

pub mod round;

#[cfg(any(test, feature = "testing"))]
pub mod testing;
