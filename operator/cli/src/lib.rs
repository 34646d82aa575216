//! The command line: what netproof answers of files, of a stream, or of what a cluster stores, and
//! how the operator and the lab are started.

pub mod args;
pub mod command;

pub mod outcome;

pub mod end;
pub mod port;
pub mod world;

pub mod predict;

pub mod diff;
pub mod explain;
pub mod lint;

mod by;
mod flows;
mod groups;
mod pairs;
mod progress;
mod render;
mod summary;
