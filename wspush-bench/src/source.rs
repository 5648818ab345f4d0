//! The local addresses that sockets are bound to. One address has some 28,000 ephemeral ports for one
//! destination, so a million connections need a whole range of them; all of 127.0.0.0/8 is there without
//! being configured.

use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;

/// The usable addresses of an IPv4 prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SourceRange {
    first: u32,
    count: u32,
}

impl SourceRange {
    /// Parses `A.B.C.D` or `A.B.C.D/PREFIX`. The network's own and its broadcast address are left out.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let bad = || format!("{text}: expected an IPv4 address or prefix such as 127.0.1.0/24");
        let (address, prefix) = text.split_once('/').unwrap_or((text, "32"));
        let address = u32::from(address.parse::<Ipv4Addr>().map_err(|_| bad())?);
        let prefix = prefix.parse::<u32>().ok().filter(|prefix| (8..=32).contains(prefix)).ok_or_else(bad)?;
        let size = 1u32 << (32 - prefix);
        let network = address & !(size - 1);
        Ok(if size <= 2 {
            Self { first: network, count: size }
        } else {
            Self { first: network + 1, count: size - 2 }
        })
    }

    /// The address of connection `number`: successive connections, successive addresses.
    pub(crate) fn address(self, number: u32) -> Ipv4Addr {
        Ipv4Addr::from(self.first + number % self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn successive_addresses_without_network_and_broadcast() {
        let range = SourceRange::parse("127.0.1.77/24").unwrap();
        assert_eq!(range.address(0), Ipv4Addr::new(127, 0, 1, 1));
        assert_eq!(range.address(253), Ipv4Addr::new(127, 0, 1, 254));
        assert_eq!(range.address(254), Ipv4Addr::new(127, 0, 1, 1));
        let one = SourceRange::parse("10.1.2.3").unwrap();
        assert_eq!(one.address(5), Ipv4Addr::new(10, 1, 2, 3));
    }

    #[test]
    fn bad_ranges_are_refused() {
        for text in ["", "127.0.0", "127.0.0.0/33", "127.0.0.0/4", "::1/64", "127.0.0.0/x"] {
            assert!(SourceRange::parse(text).is_err(), "{text}");
        }
    }
}
