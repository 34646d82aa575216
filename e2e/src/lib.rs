//! What the tests on a real cluster share. They meet the operator through the API server only.

pub mod cluster;
pub mod eventually;
pub mod examples;
pub mod sandbox;
pub mod test_namespace;

pub mod observer;
pub mod policy_kind;
pub mod stand_ins;
pub mod status;
pub mod test;

pub mod meter;
pub mod node;
pub mod operator;
pub mod rival;

use std::time::Duration;

pub use anyhow::{Context, Result, ensure};
pub use cluster::say;
pub use eventually::eventually;
pub use observer::Observer;
pub use sandbox::{Sandbox, sandbox};
pub use test::Test;
pub use test_namespace::TestNamespace;

/// The time for anything that takes a new pod, or a new verdict about it: some seconds on an idle
/// machine, several times that where two cores carry three nodes and a compiler.
pub const MINUTE: Duration = Duration::from_secs(60);

/// The time for anything that the operator only has to notice.
pub const SOON: Duration = Duration::from_secs(30);
