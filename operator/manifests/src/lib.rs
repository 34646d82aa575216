//! Files, dumps and clusters as the objects that answers are given about: what is read, what is
//! skipped, and what is refused.

pub mod input;
pub mod notes;
