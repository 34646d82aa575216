//! Random cases, the same for the same seed.

use netproof_cases::NetworkCase;
use netproof_conformance::flow::{Port, Protocol};

use crate::world::World;

/// The ports of every pod that are asked about.
const PORTS: [(u16, Protocol); 7] = [
    (79, Protocol::Tcp),
    (80, Protocol::Tcp),
    (80, Protocol::Udp),
    (81, Protocol::Tcp),
    (8080, Protocol::Tcp),
    (8080, Protocol::Udp),
    (8081, Protocol::Tcp),
];

/// The cases of `count` seeds, from this one on.
pub fn cases(count: u64, seed: u64) -> Vec<NetworkCase> {
    (seed..seed + count).map(of_seed).collect()
}

fn of_seed(seed: u64) -> NetworkCase {
    let mut world = World::new(seed);
    // The number of policies is to vary: 0 to 6 changes add, remove or alter some.
    (0..seed % 7).for_each(|_| drop(world.change()));
    let mut policies = world.policies();
    for policy in &mut policies {
        // The lab gives each policy an age of its own.
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
