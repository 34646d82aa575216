//! How answers are shown.

pub mod dot;
pub mod html;
pub mod json;
pub mod table;
