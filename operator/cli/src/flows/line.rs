//! One flow as it is written in a file of flows.

use std::borrow::Cow;

use netproof_conformance::flow::{Family, Port, Protocol};
use serde::Deserialize;
use thiserror::Error;

/// A line of a file of flows.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Line<'a> {
    #[serde(borrow)]
    pub(super) from: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) to: Cow<'a, str>,
    port: i64,
    #[serde(default)]
    protocol: Protocol,
    #[serde(default)]
    pub(super) family: Option<Family>,
}

/// Why a line cannot be answered.
#[derive(Debug, Error)]
pub(super) enum Wrong {
    /// The line is longer than any flow.
    #[error("is too long for a flow")]
    TooLong,
    /// The line is no JSON object.
    #[error(
        "is no flow: write {{\"from\":\"NAMESPACE/POD\",\"to\":\"ADDRESS\",\"port\":80,\"protocol\":\"TCP\"}}"
    )]
    NoObject,
    /// The object is no flow; the words are the parser's.
    #[error("is no flow: {0}")]
    NoFlow(String),
    /// The port is not from 1 to 65535.
    #[error("port: {0} is no port: use a number from 1 to 65535")]
    Port(i64),
    /// No pod has this name. The field, and the name.
    #[error("{0}: no pod of the input is called {1}")]
    NoPod(&'static str, String),
    /// The text is neither a name nor an address. The field, and the text.
    #[error("{0}: {1:?} is neither NAMESPACE/POD nor an address")]
    NoEnd(&'static str, String),
}

impl<'a> Line<'a> {
    /// Reads a line that is not blank.
    pub(super) fn parse(text: &'a [u8]) -> Result<Self, Wrong> {
        // The parser would take a list of the fields for an object.
        if !text.starts_with(b"{") {
            return Err(Wrong::NoObject);
        }
        serde_json::from_slice(text).map_err(|error| {
            let said = error.to_string();
            // The number of the line is printed by the caller; to the parser this line is the only
            // one.
            Wrong::NoFlow(said.replace(" at line 1 column ", " at column "))
        })
    }

    /// The port; an error if the number is not from 1 to 65535.
    pub(super) fn port(&self) -> Result<Port, Wrong> {
        match u16::try_from(self.port) {
            Ok(number) if number > 0 => Ok(Port { number, protocol: self.protocol }),
            Ok(_) | Err(_) => Err(Wrong::Port(self.port)),
        }
    }
}
