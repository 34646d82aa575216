//! What is measured in time, which rounds are too slow for: how new stand-ins start, how fast the
//! network follows a change, and what becomes of connections that exist when they are denied.
//!
//! Each is all here: by which flows, how, and what that means. Whoever measures brings the probes,
//! and runs what is to be run.

pub mod start_up;

pub mod latency;

pub mod existing;
