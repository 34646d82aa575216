//! Finds the blocks of addresses that an address lies in, without asking each of them.

use std::{collections::HashMap, net::IpAddr};

use ipnet::IpNet;

use crate::policy::IpBlock;

/// The blocks of all policies, each with a number.
#[derive(Clone, Debug, Default)]
pub(super) struct Blocks {
    all: Vec<IpBlock>,
    numbers: HashMap<IpBlock, u32>,
    /// The numbers of the blocks, by their range.
    by_range: HashMap<IpNet, Vec<u32>>,
    /// The prefix lengths of the ranges, of IPv4 and of IPv6.
    lengths: [Vec<u8>; 2],
}

impl Blocks {
    /// The number of a block, which is added if it is new.
    pub(super) fn intern(&mut self, block: &IpBlock) -> u32 {
        if let Some(number) = self.numbers.get(block) {
            return *number;
        }
        let number = u32::try_from(self.all.len()).unwrap_or(u32::MAX);
        self.numbers.insert(block.clone(), number);
        self.all.push(block.clone());
        self.by_range.entry(block.cidr).or_default().push(number);
        let lengths = &mut self.lengths[usize::from(block.cidr.addr().is_ipv6())];
        if !lengths.contains(&block.cidr.prefix_len()) {
            lengths.push(block.cidr.prefix_len());
        }
        number
    }

    pub(super) fn knows(&self, block: &IpBlock) -> bool {
        self.numbers.contains_key(block)
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// The numbers of all blocks that contain an address, in order.
    pub(super) fn of(&self, address: IpAddr) -> Vec<u32> {
        let mut found = Vec::new();
        for &length in &self.lengths[usize::from(address.is_ipv6())] {
            let Ok(range) = IpNet::new(address, length) else { continue };
            let made_of_it = self.by_range.get(&range.trunc()).into_iter().flatten();
            found.extend(made_of_it.filter(|number| {
                let holes = &self.all[**number as usize].except;
                !holes.iter().any(|hole| hole.contains(&address))
            }));
        }
        found.sort_unstable();
        found
    }
}
