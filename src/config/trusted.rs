//! Networks whose word about a client's address is taken.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// An address, or all that begin with the same bits: `192.0.2.7`, `10.0.0.0/8`, `2001:db8::/32`.
///
/// ```
/// use wspush::config::AddressBlock;
///
/// let block: AddressBlock = "10.0.0.0/8".parse()?;
/// assert!(block.contains("10.1.2.3".parse().unwrap()) && !block.contains("192.0.2.1".parse().unwrap()));
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressBlock {
    address: IpAddr,
    bits: u8,
}

/// The address as a number with its first bit in front, and how many bits it has.
fn number(address: IpAddr) -> (u128, u8) {
    match address {
        IpAddr::V4(v4) => (u128::from(v4.to_bits()) << 96, 32),
        IpAddr::V6(v6) => (v6.to_bits(), 128),
    }
}

impl AddressBlock {
    /// Whether an address is in it; one of IPv4 is the same in its form of IPv6.
    pub fn contains(&self, address: IpAddr) -> bool {
        let (ours, ours_bits) = number(self.address);
        let (theirs, theirs_bits) = number(address.to_canonical());
        let differs = (ours ^ theirs).leading_zeros() < u32::from(self.bits);
        ours_bits == theirs_bits && !differs
    }
}

impl fmt::Display for AddressBlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address.fmt(f)?;
        if self.bits == number(self.address).1 { Ok(()) } else { write!(f, "/{}", self.bits) }
    }
}

impl FromStr for AddressBlock {
    type Err = String;

    fn from_str(text: &str) -> Result<AddressBlock, String> {
        let (address, bits) =
            text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let wrong = || format!("{text:?} is not an address or a network like 10.0.0.0/8 or 2001:db8::/32");
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        if address.to_canonical() != address {
            return Err(format!("{text:?}: write {} in its place", address.to_canonical()));
        }
        let (value, most) = number(address);
        let is_plain = |bits: &&str| *bits == "0" || !bits.starts_with(['0', '+']);
        let bits = match bits {
            Some(bits) => Some(bits).filter(is_plain).and_then(|bits| bits.parse().ok()),
            None => Some(most),
        };
        let bits = bits.filter(|&bits| bits <= most).ok_or_else(wrong)?;
        if value.checked_shl(u32::from(bits)).unwrap_or(0) != 0 {
            return Err(format!("{text:?} has bits set behind the first {bits}, which tell nothing"));
        }
        Ok(AddressBlock { address, bits })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        for text in ["192.0.2.7", "10.0.0.0/8", "0.0.0.0/0", "::/0", "2001:db8::/32", "::1", "192.0.2.128/25"]
        {
            assert_eq!(text.parse::<AddressBlock>().unwrap().to_string(), text);
        }
        assert_eq!("192.0.2.7/32".parse::<AddressBlock>().unwrap().to_string(), "192.0.2.7");
        for text in [
            "",
            "all",
            "10.0.0.0/33",
            "10.0.0.0/",
            "10.0.0.0/+8",
            "10.0.0.0/08",
            "10.0.0.1/8",
            "::1/129",
            "::ffff:10.0.0.1",
        ] {
            assert!(text.parse::<AddressBlock>().is_err(), "{text}");
        }
    }

    #[test]
    fn who_is_in() {
        for (block, is_in, is_not) in [
            ("10.0.0.0/8", "10.255.0.1", "11.0.0.1"),
            ("10.0.0.0/8", "::ffff:10.0.0.1", "a00::1"),
            ("192.0.2.7", "192.0.2.7", "192.0.2.6"),
            ("0.0.0.0/0", "203.0.113.1", "2001:db8::1"),
            ("::/0", "2001:db8::1", "203.0.113.1"),
            ("2001:db8::/32", "2001:db8:ffff::1", "2001:db9::1"),
        ] {
            let block: AddressBlock = block.parse().unwrap();
            assert!(
                block.contains(is_in.parse().unwrap()) && !block.contains(is_not.parse().unwrap()),
                "{block}"
            );
        }
    }
}
