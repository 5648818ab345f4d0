//! `X-Forwarded-For`: each proxy puts behind it whom it was asked by. Only what a proxy of ours has put there is to be
//! believed, and that is at the right end; the rest a client can send itself.

use std::net::{IpAddr, SocketAddr};

/// Proxies behind each other that are believed at the most.
const HOPS_MAX: usize = 32;

/// The client that a trusted proxy at `nearest` speaks for. Its fields are read from the right as long as those that
/// they name are trusted; the first that isn't is the client, or the last one where they end or can't be read.
pub fn client<'a>(
    nearest: SocketAddr,
    fields: impl DoubleEndedIterator<Item = &'a [u8]>,
    is_trusted: impl Fn(IpAddr) -> bool,
) -> SocketAddr {
    let mut client = nearest;
    // No quotes: one that a client has opened must not reach over what the proxy has put behind it.
    let hops = fields.rev().flat_map(|field| field.rsplit(|&byte| byte == b',').map(<[u8]>::trim_ascii));
    for hop in hops.filter(|hop| !hop.is_empty()).take(HOPS_MAX) {
        let Some(address) = address(hop) else { break };
        client = address;
        if !is_trusted(address.ip()) {
            break;
        }
    }
    client
}

/// An address, perhaps with its port; 0 where nobody says it.
fn address(hop: &[u8]) -> Option<SocketAddr> {
    let text = std::str::from_utf8(hop).ok()?;
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Some(address);
    }
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    Some(SocketAddr::new(bare.parse().ok()?, 0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn client_of(fields: &[&str]) -> String {
        let nearest = "10.0.0.1:5".parse().unwrap();
        let is_trusted = |ip: IpAddr| ip.to_canonical().to_string().starts_with("10.");
        client(nearest, fields.iter().map(|field| field.as_bytes()), is_trusted).to_string()
    }

    #[test]
    fn from_the_right_through_those_that_are_trusted() {
        for (fields, expected) in [
            (&[][..], "10.0.0.1:5"),
            (&[""], "10.0.0.1:5"),
            (&["192.0.2.1"], "192.0.2.1:0"),
            (&["192.0.2.1:77"], "192.0.2.1:77"),
            (&["2001:db8::1"], "[2001:db8::1]:0"),
            (&["[2001:db8::1]:9"], "[2001:db8::1]:9"),
            (&["[2001:db8::1]"], "[2001:db8::1]:0"),
            (&["192.0.2.9, 192.0.2.1"], "192.0.2.1:0"),
            (&["192.0.2.9, 192.0.2.1, 10.0.0.2"], "192.0.2.1:0"),
            (&["192.0.2.9", "192.0.2.1, 10.0.0.2", "10.0.0.3"], "192.0.2.1:0"),
            (&["10.0.0.9, 10.0.0.2"], "10.0.0.9:0"),
            (&["192.0.2.9, unknown, 10.0.0.2"], "10.0.0.2:0"),
            (&["192.0.2.9, _hidden"], "10.0.0.1:5"),
            (&["127.0.0.1; x"], "10.0.0.1:5"),
        ] {
            assert_eq!(client_of(fields), expected, "{fields:?}");
        }
        let many = ["192.0.2.1"].into_iter().chain(std::iter::repeat_n("10.0.0.2", 100)).collect::<Vec<_>>();
        assert_eq!(client_of(&[&many.join(",")]), "10.0.0.2:0", "the first is behind too many");
    }

    proptest! {
        /// Whatever a client puts there is to the left of what the proxy puts there.
        #[test]
        fn nobody_is_somebody_else(lie in "[ -~]{0,80}", lies in "[0-9., :a-f]{0,80}", octet: u8) {
            let truth = format!("192.0.2.{octet}");
            let seen = format!("{lies}, {truth}");
            prop_assert_eq!(client_of(&[&lie, &seen]), format!("{truth}:0"));
            prop_assert_eq!(client_of(&[&lie, &lies, &truth]), format!("{truth}:0"));
        }
    }
}
