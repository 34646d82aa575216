//! Cases at random, the same for the same seed: what nobody thought of.

use netproof_cases::NetworkCase;
use netproof_conformance::flow::{Port, Protocol};

use crate::world::World;

/// What every pod is asked about.
const PORTS: [(u16, Protocol); 7] = [
    (79, Protocol::Tcp),
    (80, Protocol::Tcp),
    (80, Protocol::Udp),
    (81, Protocol::Tcp),
    (8080, Protocol::Tcp),
    (8080, Protocol::Udp),
    (8081, Protocol::Tcp),
];

/// So many cases from this seed on.
pub fn cases(count: u64, seed: u64) -> Vec<NetworkCase> {
    (seed..seed + count).map(of_seed).collect()
}

fn of_seed(seed: u64) -> NetworkCase {
    let mut world = World::new(seed);
    // Every number of policies is wanted.
    (0..seed % 7).for_each(|_| drop(world.change()));
    let mut policies = world.policies();
    for policy in &mut policies {
        // The lab gives each an age of its own.
        policy["metadata"].as_object_mut().expect("metadata").remove("creationTimestamp");
    }
    NetworkCase {
        name: format!("random {seed}"),
        cluster: world.cluster(),
        policies,
        ports: PORTS.map(|(number, protocol)| Port { number, protocol }).to_vec(),
        outside: Vec::new(),
    }
}
