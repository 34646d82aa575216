//! Answers as fields of JSON objects.

use std::io::{self, Write};

use crate::offline::answers::{self, Answer};

/// The fields of an answer, inside of an object.
pub fn answer(out: &mut impl Write, answer: Answer) -> io::Result<()> {
    match answer {
        Answer::Allow | Answer::Deny => {
            write!(out, "\"expected\":\"{}\"", answers::word(answer))
        }
        Answer::Unspecified(why) => {
            write!(out, "\"expected\":\"Unspecified\",\"reason\":\"{}\"", answers::reason(why))
        }
    }
}
