//! What Kubernetes `NetworkPolicy` objects say of a flow, which of their rules say it, and what an
//! observation of that flow says of the network.
//!
//! An object goes in as the API's JSON, or any other format of serde's; it is compiled once, into
//! types in which wrong states cannot be written, or refused as the API server would refuse it. A
//! [`Snapshot`](snapshot::Snapshot) puts pods, namespaces and policies together, and
//! [`evaluate::expect`] says what they mean for a [`Flow`](flow::Flow): allow or deny, with what
//! decided on each side, or that the API leaves it open, and why.
//!
//! ```
//! use std::collections::BTreeMap;
//!
//! use netproof_conformance::{
//!     evaluate::expect,
//!     expected::{Decision, Expected},
//!     flow::{End, Flow, PodId, Port, Protocol},
//!     policy::network_policy::{self, NetworkPolicy},
//!     pod::{Lifecycle, Pod, PodNetwork},
//!     reference::ObjectRef,
//!     snapshot::Snapshot,
//! };
//!
//! let policy: NetworkPolicy = serde_json::from_str(
//!     r#"{
//!         "apiVersion": "networking.k8s.io/v1",
//!         "kind": "NetworkPolicy",
//!         "metadata": {"namespace": "shop", "name": "db"},
//!         "spec": {
//!             "podSelector": {"matchLabels": {"app": "db"}},
//!             "ingress": [{"from": [{"podSelector": {"matchLabels": {"app": "web"}}}]}]
//!         }
//!     }"#,
//! )?;
//! let pod = |app: &str, address: [u8; 4]| Pod {
//!     name: ObjectRef { namespace: "shop".to_owned(), name: app.to_owned() },
//!     labels: BTreeMap::from([("app".to_owned(), app.to_owned())]),
//!     addresses: vec![address.into()],
//!     node: None,
//!     network: PodNetwork::Own,
//!     lifecycle: Lifecycle::Live,
//!     named_ports: vec![],
//! };
//! let snapshot = Snapshot {
//!     pods: vec![pod("web", [10, 0, 0, 1]), pod("db", [10, 0, 0, 2]), pod("job", [10, 0, 0, 3])],
//!     policies: vec![network_policy::compile(&policy)?],
//!     ..Snapshot::default()
//! };
//! let [web, db, job] = [0, 1, 2].map(|place| End::Pod(PodId(place)));
//! let port = Port { number: 5432, protocol: Protocol::Tcp };
//! let to_db = |from| Flow { from, to: db, port, family: None };
//!
//! // A rule lets `web` in, and it has a name.
//! let Expected::Allow(because) = expect(&snapshot, &to_db(web)) else { panic!("a denial") };
//! assert_eq!(because.egress, Decision::NotIsolated);
//! let Decision::AllowedBy(rules) = because.ingress else { panic!("no rule") };
//! assert_eq!(rules[0].to_string(), "shop/db ingress[0].from[0]");
//!
//! // No rule lets `job` in, and the policy that keeps it out has one too.
//! let Expected::Deny(because) = expect(&snapshot, &to_db(job)) else { panic!("a permission") };
//! let db = ObjectRef { namespace: "shop".to_owned(), name: "db".to_owned() };
//! assert_eq!(because.ingress, Decision::DeniedBy(vec![db]));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Where to start
//!
//! | question | module |
//! |---|---|
//! | What may one flow do, and by which rules? | [`evaluate`], [`expected`] |
//! | What may all flows of a large cluster do? | [`compiled`] |
//! | What do these files, or this dump, mean? | [`manifest`] |
//! | Which kinds are known, and what does the API call them? | [`kinds`] |
//! | Why is the answer what it is, in sentences? | [`explain`] |
//! | What in these policies is legal and surely a mistake? | [`lint`] |
//! | Whom does a change concern who is not among the objects? | [`strangers`] |
//! | Which flows should a test attempt, and what do they prove? | [`plan`], [`coverage`] |
//! | Does the network do what the policies say? | [`verdict`], [`ledger`] |
//! | If it does not, what does it do instead? | [`diagnosis`] |
//! | How is all of that told? | [`matrix`], [`report`] |
//!
//! # Guarantees
//!
//! - **Pure.** No I/O, no clock, no randomness, no logging, no global state, no `unsafe` and no
//!   Kubernetes client. The same input gives the same output, in the same order. Times are
//!   [`Duration`](std::time::Duration)s that the caller passes in.
//! - **No panic** on any object that compiled, and none on any object that does not: that is a
//!   [`Rejected`](policy::Rejected) with the field and what would be right. What panics says so,
//!   and only where a [`PodId`](flow::PodId) is of another snapshot. A fuzzer holds it to that.
//! - **An answer or a refusal.** What the API leaves to the network is neither allowed nor denied:
//!   all readings that it permits are tried, and where they differ the answer is
//!   [`Unspecified`](expected::Unspecified), with the open question. A kind, a peer or a protocol
//!   of a later version of the API is never taken for one that is known.
//! - **One truth.** [`compiled`] and [`explain`] never answer otherwise than [`evaluate`], which
//!   prepares nothing; property tests compare them, and an evaluator of the tests' own besides.
//! - **Complexity.** [`evaluate::expect`] takes time in proportion to the policies of the snapshot,
//!   each of which it asks whether it applies, and for each reading to the rules of those that do;
//!   no other pod is looked at. [`compiled::Compiled::new`] takes time and memory in proportion to
//!   the objects and to the product of different peers and different pods, one bit each;
//!   [`compiled::Compiled::answer`] then takes less than a microsecond where both ends are pods
//!   with networks of their own.
//!
//! The meaning of policies is that of `networking.k8s.io/v1` and, for policies of the cluster, of
//! `policy.networking.k8s.io` (KEP-2091).
//!
//! # What is deliberately absent
//!
//! Services are no part of a flow: policies see the pod's port ([`manifest::Service`] says where
//! one leads). Nothing here watches a cluster, attempts a connection or reads a file. Kinds of a
//! network's own, such as `CiliumNetworkPolicy`, are told apart from those that mean nothing, and
//! not evaluated.
//!
//! # Stability
//!
//! Versions follow semantic versioning; before 1.0, a minor version may break what this section
//! does not call stable.
//!
//! - Stable: what [`evaluate::expect`] answers for a snapshot. A change of an answer is a fix of a
//!   bug, and comes with the case that was wrong. So are the words of `word()`, `name()` and
//!   `reason()`, which labels of metrics are made of, and the codes of findings
//!   ([`lint::Code::text`]), none of which is ever given another meaning.
//! - Not stable: sentences for people, such as the `Display` of a reason, a refusal, a finding or a
//!   diagnosis.
//! - `#[non_exhaustive]` is on what only this crate makes and what will grow: refusals
//!   ([`policy::PolicyProblem`], [`manifest::ObjectProblem`]), findings ([`lint::Code`]), open
//!   questions ([`expected::Unspecified`]), explanations and what objects amount to. A `match` over
//!   these needs an arm for what is not known yet.
//! - It is *not* on what a caller has to decide about: [`flow::Protocol`], [`flow::Family`],
//!   [`expected::Expected`], [`expected::Decision`], [`kinds::ClusterPolicyKind`],
//!   [`verdict::Outcome`], [`verdict::Verdict`]. A new protocol, or a new kind of policy, is a
//!   breaking change on purpose: the compiler shows every place that has to learn of it.
//! - Neither is it on what a caller makes, such as [`snapshot::Snapshot`] and [`pod::Pod`]: a
//!   new field is a new fact that decides, and a caller that left it out would get wrong answers.

pub mod kinds;

pub mod flow;

pub mod reference;

pub mod select;

pub mod pod;

mod shape;

pub mod policy;

pub mod expected;

pub mod snapshot;

pub mod manifest;

pub mod evaluate;

pub mod compiled;

mod phrases;

mod near_miss;

pub mod explain;

pub mod lint;

pub mod spans;

pub mod strangers;

pub mod matrix;

pub mod plan;

pub mod coverage;

pub mod verdict;

pub mod ledger;

pub mod diagnosis;

pub mod report;

/// The example of the README, tested.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

#[cfg(test)]
mod testing;
