//! Tables of from × to × port: one type for what is expected, what was seen and what that means.

use std::{collections::BTreeMap, fmt};

use crate::flow::Port;

/// An end of flows of a test, which can attempt or receive: an endpoint, and, if that has stand-ins
/// on several nodes, the one on this node.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Actor {
    /// The name of the endpoint, unique in a test.
    pub endpoint: String,
    /// The node of the stand-in, where the endpoint has one on every node.
    pub on: Option<String>,
}

impl Actor {
    /// The only actor of an endpoint.
    pub fn sole(endpoint: impl Into<String>) -> Self {
        Self { endpoint: endpoint.into(), on: None }
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.on {
            None => f.pad(&self.endpoint),
            Some(node) => f.pad(&format!("{}@{node}", self.endpoint)),
        }
    }
}

/// The place of one flow in a matrix.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cell {
    /// The actor that attempts the flow: the row.
    pub from: Actor,
    /// The actor that receives the flow: the column, with the port.
    pub to: Actor,
    /// The port of the receiver that the flow is to.
    pub port: Port,
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {} port {}", self.from, self.to, self.port)
    }
}

/// A value for each flow that is asked about.
///
/// ```
/// use netproof_conformance::{
///     flow::{Port, Protocol},
///     matrix::{Actor, Cell, Matrix},
/// };
///
/// let port = Port { number: 5432, protocol: Protocol::Tcp };
/// let cell = Cell { from: Actor::sole("web"), to: Actor::sole("db"), port };
/// let seen: Matrix<bool> = [(cell.clone(), true)].into_iter().collect();
/// assert_eq!(seen.get(&cell), Some(&true));
/// assert_eq!(cell.to_string(), "web to db port 5432/TCP");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Matrix<T> {
    cells: BTreeMap<Cell, T>,
}

impl<T> Default for Matrix<T> {
    fn default() -> Self {
        Self { cells: BTreeMap::new() }
    }
}

impl<T> Matrix<T> {
    /// The value of a flow, if it is asked about.
    pub fn get(&self, cell: &Cell) -> Option<&T> {
        self.cells.get(cell)
    }

    /// All flows with their values, by sender, receiver and port.
    pub fn iter(&self) -> impl Iterator<Item = (&Cell, &T)> {
        self.cells.iter()
    }

    /// How many flows are asked about.
    pub fn len(&self) -> usize {
        self.cells.len()
    }

    /// Whether no flow is asked about.
    pub fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    /// The same flows, each with the value that the function makes of it.
    pub fn map<U>(&self, mut value: impl FnMut(&Cell, &T) -> U) -> Matrix<U> {
        self.iter().map(|(cell, old)| (cell.clone(), value(cell, old))).collect()
    }
}

impl<T> FromIterator<(Cell, T)> for Matrix<T> {
    fn from_iter<I: IntoIterator<Item = (Cell, T)>>(cells: I) -> Self {
        Self { cells: cells.into_iter().collect() }
    }
}
