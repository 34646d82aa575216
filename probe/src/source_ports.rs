//! Chooses the port that an attempt comes from: towards one target, no port is used twice as long
//! as there are others.
//!
//! A network that tracks connections may let an exchange that it once let through go on for minutes
//! after the last datagram; the API leaves that open. It would take a new attempt from the port of
//! an earlier one for the same exchange, and the attempt would prove nothing. With ports that the
//! kernel chooses at random, that happens to one of a few hundred attempts.

use std::{
    collections::{HashMap, hash_map::RandomState},
    fs,
    hash::BuildHasher,
    net::SocketAddr,
    ops::RangeInclusive,
    sync::Mutex,
};

use crate::wire::Protocol;

/// The kernel's file of the range from which it gives ports to sockets that name none.
const EPHEMERAL: &str = "/proc/sys/net/ipv4/ip_local_port_range";

/// The kernel's default for [`EPHEMERAL`] (Linux, ip-sysctl).
const DEFAULT: RangeInclusive<u16> = 32_768..=60_999;

/// How many targets are remembered: more than a test has flows. One more, and all are forgotten.
const MAX_TARGETS: usize = 4096;

/// How many ports are offered for one attempt, since other sockets may have some of them.
const OFFERED: usize = 32;

/// The source ports of a probe, in the order in which each target gets them.
#[derive(Debug)]
pub struct SourcePorts {
    range: RangeInclusive<u16>,
    walks: Mutex<HashMap<(Protocol, SocketAddr), Walk>>,
}

impl Default for SourcePorts {
    fn default() -> Self {
        let range = fs::read_to_string(EPHEMERAL).ok().and_then(|text| range(&text));
        Self::within(range.unwrap_or(DEFAULT))
    }
}

impl SourcePorts {
    fn within(range: RangeInclusive<u16>) -> Self {
        Self { range, walks: Mutex::default() }
    }

    /// The ports to try one after the other for an attempt at this target, 32 at most. Each
    /// port that the iterator gave counts as used, and comes again only after all others of the
    /// range.
    pub fn towards(
        &self,
        protocol: Protocol,
        target: SocketAddr,
    ) -> impl Iterator<Item = u16> + Send {
        (0..OFFERED).map(move |_| {
            let mut walks = self.walks.lock().expect("no holder of this lock can panic");
            if walks.len() >= MAX_TARGETS && !walks.contains_key(&(protocol, target)) {
                walks.clear();
            }
            let length = u32::from(self.range.end() - self.range.start()) + 1;
            let walk = walks.entry((protocol, target)).or_insert_with(|| Walk::new(length));
            let offset = u16::try_from(walk.step(length)).expect("an offset within the range");
            self.range.start() + offset
        })
    }
}

/// A way through all numbers below a length, with a start and a stride chosen at random.
#[derive(Debug)]
struct Walk {
    at: u32,
    stride: u32,
}

impl Walk {
    fn new(length: u32) -> Self {
        let random = RandomState::new().hash_one(());
        let [at, stride] = [random >> 32, random & u64::from(u32::MAX)]
            .map(|part| u32::try_from(part % u64::from(length)).expect("less than the length"));
        // If stride and length have no common divisor, every number comes before one comes again.
        let stride = (1..=stride).rev().find(|stride| divisor(*stride, length) == 1);
        Self { at, stride: stride.unwrap_or(1) }
    }

    fn step(&mut self, length: u32) -> u32 {
        let at = self.at;
        self.at = (at + self.stride) % length;
        at
    }
}

/// The greatest common divisor of two numbers, not both 0.
fn divisor(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { divisor(b, a % b) }
}

/// Reads the text of [`EPHEMERAL`]: the first port and the last, both included.
fn range(text: &str) -> Option<RangeInclusive<u16>> {
    let mut numbers = text.split_whitespace().map(str::parse);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(first @ 1..)), Some(Ok(last))) if first <= last => Some(first..=last),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn target(port: u16) -> SocketAddr {
        ([192, 0, 2, 1], port).into()
    }

    #[test]
    fn towards_one_target_every_port_comes_before_one_comes_again() {
        for range in [1024..=1024, 1024..=1025, 40_000..=40_999, DEFAULT] {
            let ports = SourcePorts::within(range.clone());
            let once = || ports.towards(Protocol::Udp, target(80)).next().expect("one");
            for _ in 0..2 {
                let used: HashSet<u16> = range.clone().map(|_| once()).collect();
                assert_eq!(used.len(), range.len(), "{range:?}");
                assert!(used.iter().all(|port| range.contains(port)), "{range:?}");
            }
        }
    }

    #[test]
    fn each_target_and_protocol_has_an_order_of_its_own() {
        let ports = SourcePorts::default();
        let order =
            |protocol, port| -> Vec<u16> { ports.towards(protocol, target(port)).collect() };
        let orders = HashSet::from([
            order(Protocol::Udp, 80),
            order(Protocol::Udp, 81),
            order(Protocol::Tcp, 80),
            order(Protocol::Tcp, 80),
        ]);
        assert_eq!(orders.len(), 4);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let ports = SourcePorts::default();
        for port in 1..=u16::try_from(3 * MAX_TARGETS).expect("a port") {
            assert!(ports.towards(Protocol::Tcp, target(port)).next().is_some());
        }
        assert!(ports.walks.lock().expect("nobody panicked").len() <= MAX_TARGETS);
    }

    #[test]
    fn the_kernels_file_is_read_or_passed_over() {
        assert_eq!(range("32768\t60999\n"), Some(32_768..=60_999));
        for text in ["", "1024", "a b", "2000 1000", "0 1", "1 70000"] {
            assert_eq!(range(text), None, "{text}");
        }
    }
}
