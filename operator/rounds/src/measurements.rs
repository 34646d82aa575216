//! What is measured in time, which rounds are too slow for: how new stand-ins start, how fast the
//! network follows a change, and what becomes of connections that exist when they are denied.
//!
//! Each module says which flows to use, how to measure, and what the result means. The caller
//! brings the probes, and spawns what is to run.

pub mod start_up;

pub mod latency;

pub mod existing;
