//! The forms in which `predict` shows answers.

pub mod dot;
pub mod html;
pub mod json;
pub mod table;
