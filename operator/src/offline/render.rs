//! How answers are shown.

pub mod json;
