//! The command line: what netproof answers of files, of a stream, or of what a cluster stores, and
//! how the operator and the lab are started.

pub mod args;
pub mod command;

pub mod exit_status;

pub mod end_spec;
pub mod flow_end;
pub mod loaded;
pub mod port;

pub mod predict;

pub mod diff;
pub mod explain;
pub mod lint;

mod decided_by;
mod flows;
mod groups;
mod pairs;
mod progress;
mod render;
mod summary;
