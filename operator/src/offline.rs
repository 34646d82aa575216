//! What netproof answers without an operator: of files, of a stream, or of what a cluster stores.

pub mod input;
pub mod notes;
pub mod outcome;

pub mod answers;
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
