//! Hostile objects, parsed, compiled and evaluated: no panic, no hang, and no more memory than the
//! input accounts for.
//!
//! An input that begins as JSON does is one object, read as each kind of policy. Any other chooses
//! among the words of the API, and so builds a small cluster in which policies meet.

#![no_main]

#[path = "policies/answer.rs"]
mod answer;
#[path = "policies/cluster.rs"]
mod cluster;
#[path = "policies/objects.rs"]
mod objects;
#[path = "policies/written.rs"]
mod written;

use arbitrary::Unstructured;
use libfuzzer_sys::fuzz_target;

use cluster::Cluster;
use objects::Policies;

fuzz_target!(|data: &[u8]| {
    match data {
        [b'{', ..] => {
            // Each kind on its own, then all that can be at once.
            let alone = Policies::read_as_each_kind(data);
            let together = alone.iter().cloned().fold(Policies::default(), Policies::and);
            for policies in alone.into_iter().chain([together]) {
                let cluster = Cluster::fixed(policies);
                answer::all(&cluster.snapshot, &cluster.flows);
            }
        }
        _ => {
            if let Ok(cluster) = Cluster::chosen(&mut Unstructured::new(data)) {
                answer::all(&cluster.snapshot, &cluster.flows);
            }
        }
    }
});
