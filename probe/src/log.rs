//! Writes sparse remarks for people to stderr; stdout belongs to the replies.

use std::{
    fmt,
    io::{self, Write},
};

/// Writes one line to stderr. An error is passed over.
pub(crate) fn say(line: fmt::Arguments<'_>) {
    // Nobody is left to tell when stderr is gone, and `eprintln!` would end the probe over it.
    let _ = writeln!(io::stderr(), "netproof-probe: {line}");
}
