//! Makes a plain network keep `NetworkPolicies`, with one nftables table on each node.
//!
//! A test network and no product: small, and true to what the API says. It reads the
//! `NetworkPolicy` API on its own and shares no code with the operator, so that a mistake in one of
//! the two shows against the other.
//!
//! `watch` turns objects into a [`World`](world::World); [`rules`](rules::rules) decides what this
//! node must program, [`render`] writes that as an nft script, and [`apply`] hands the script to
//! the node's own `nft` as one transaction. `enforcer` keeps the four in step, and `agent` runs it
//! in a cluster.
//!
//! Connections that exist when a policy begins to deny them are cut (the API leaves that open), and
//! denied packets are dropped and never answered.
//!
//! The agent fails on purpose where a [`Setting`](setting::Setting) says so, each
//! [`Fault`](fault::Fault) a way in which some network fails; `effect` is the table of what each
//! does.
//!
//! Deliberately absent: pods on the host's network count as their node, neither subject nor peer.

pub mod error;

mod duration;

pub mod fault;

pub mod setting;

pub mod select;

pub mod policy;

pub mod world;

pub mod ruleset;

mod effect;

pub mod rules;

pub mod render;

pub mod apply;

pub mod watch;

pub mod memory;

pub mod enforcer;

pub mod agent;
