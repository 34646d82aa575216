//! What netproof answers without an operator: of files, of a stream, or of what a cluster stores.

pub mod input;
