//! The PROXY protocol, versions 1 and 2: what a proxy says in front of a connection's first byte about the client that
//! it speaks for. Both are read whole, and nothing else is taken for one: a receiver that guesses can be lied to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// A header with all that may be in it. Version 1 has 107 bytes at the most; version 2 a certificate's fields.
pub const HEADER_BYTES_MAX: usize = 4_096;

/// Version 1 at its longest, with its line's end.
const TEXT_BYTES_MAX: usize = 107;
const TEXT: &[u8] = b"PROXY ";
const BINARY: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
const BINARY_HEAD: usize = BINARY.len() + 4;

/// Whom a proxy speaks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// This client.
    Client(SocketAddr),
    /// Itself, as with a check whether we are alive; or a client that has no address.
    Itself,
}

/// Reads the header at the beginning of `input`, and how long it is. None: more bytes are needed.
///
/// # Errors
/// These bytes are none, whatever follows.
pub fn parse(input: &[u8]) -> Result<Option<(Source, usize)>, &'static str> {
    let is_begun = |mark: &[u8]| input.iter().zip(mark).all(|(byte, expected)| byte == expected);
    if is_begun(TEXT) {
        return parse_text(input);
    }
    if is_begun(BINARY) {
        return parse_binary(input);
    }
    Err("the connection does not begin with a PROXY header")
}

fn parse_text(input: &[u8]) -> Result<Option<(Source, usize)>, &'static str> {
    let most = &input[..input.len().min(TEXT_BYTES_MAX)];
    let Some(end) = most.windows(2).position(|pair| pair == b"\r\n") else {
        let too_long = input.len() >= TEXT_BYTES_MAX;
        return if too_long { Err("a PROXY header of version 1 is longer than 107 bytes") } else { Ok(None) };
    };
    const MALFORMED: &str = "malformed PROXY header of version 1";
    let line = std::str::from_utf8(&most[TEXT.len().min(end)..end]).map_err(|_| MALFORMED)?;
    let fields: Vec<&str> = line.split(' ').collect();
    let used = end + 2;
    let (family, [from, to, from_port, to_port]) = match fields[..] {
        // Whatever stands behind it is to be ignored.
        ["UNKNOWN", ..] => return Ok(Some((Source::Itself, used))),
        [family, from, to, from_port, to_port] => (family, [from, to, from_port, to_port]),
        _ => return Err(MALFORMED),
    };
    let address = |text: &str| -> Option<IpAddr> {
        match family {
            "TCP4" => text.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
            "TCP6" => text.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
            _ => None,
        }
    };
    let client = address(from).zip(port(from_port));
    match (client, address(to).zip(port(to_port))) {
        (Some(client), Some(_)) => Ok(Some((Source::Client(client.into()), used))),
        _ => Err(MALFORMED),
    }
}

/// A port in its one form: no sign, no zero in front.
fn port(text: &str) -> Option<u16> {
    let is_plain = text == "0" || !text.starts_with(['0', '+']);
    text.parse().ok().filter(|_| is_plain)
}

fn parse_binary(input: &[u8]) -> Result<Option<(Source, usize)>, &'static str> {
    if input.len() < BINARY_HEAD {
        // The version is here already, and may be wrong.
        return match input.get(BINARY.len()) {
            Some(&command) if command >> 4 != 2 => Err("a PROXY header of another version than 1 and 2"),
            _ => Ok(None),
        };
    }
    let (command, family) = (input[BINARY.len()], input[BINARY.len() + 1]);
    let length = usize::from(u16::from_be_bytes([input[BINARY.len() + 2], input[BINARY.len() + 3]]));
    if command >> 4 != 2 {
        return Err("a PROXY header of another version than 1 and 2");
    }
    let used = BINARY_HEAD + length;
    if used > HEADER_BYTES_MAX {
        return Err("a PROXY header longer than 4096 bytes");
    }
    let Some(body) = input.get(BINARY_HEAD..used) else { return Ok(None) };
    let source = match command & 15 {
        0 => Source::Itself,
        1 => match family {
            0x11 => of_ipv4(body)?,
            0x21 => of_ipv6(body)?,
            // No address, or a socket of Unix: nobody who could be told from others.
            0x00 | 0x31 | 0x32 => Source::Itself,
            _ => return Err("a PROXY header of version 2 for something else than TCP"),
        },
        _ => return Err("a PROXY header of version 2 with an unknown command"),
    };
    Ok(Some((source, used)))
}

const SHORT: &str = "a PROXY header of version 2 that is too short for its addresses";

/// Source and destination, then their ports.
fn of_ipv4(body: &[u8]) -> Result<Source, &'static str> {
    let &[a, b, c, d, _, _, _, _, high, low, _, _] = body.first_chunk::<12>().ok_or(SHORT)?;
    Ok(Source::Client((Ipv4Addr::new(a, b, c, d), u16::from_be_bytes([high, low])).into()))
}

fn of_ipv6(body: &[u8]) -> Result<Source, &'static str> {
    let body = body.first_chunk::<36>().ok_or(SHORT)?;
    let source = body.first_chunk::<16>().ok_or(SHORT)?;
    let port = u16::from_be_bytes([body[32], body[33]]);
    Ok(Source::Client((Ipv6Addr::from(*source), port).into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn client(text: &str) -> Source {
        Source::Client(text.parse().unwrap())
    }

    fn binary(command: u8, family: u8, body: &[u8]) -> Vec<u8> {
        let length = (body.len() as u16).to_be_bytes();
        [BINARY, &[command, family], &length, body].concat()
    }

    #[test]
    fn version_1() {
        for (line, source) in [
            ("PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n", client("192.0.2.1:56324")),
            ("PROXY TCP6 2001:db8::1 2001:db8::2 0 65535\r\n", client("[2001:db8::1]:0")),
            ("PROXY UNKNOWN\r\n", Source::Itself),
            ("PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n", Source::Itself),
        ] {
            let input = format!("{line}GET / HTTP/1.1\r\n\r\n");
            assert_eq!(parse(input.as_bytes()), Ok(Some((source, line.len()))), "{line}");
        }
    }

    #[test]
    fn version_2() {
        let v4 = [192, 0, 2, 1, 198, 51, 100, 1, 0xdc, 4, 1, 187];
        let v6 = [&[0x20, 1, 0x0d, 0xb8][..], &[0; 28], &[0, 7, 1, 187]].concat();
        let tlv = [&v4[..], &[3, 0, 4, 1, 2, 3, 4]].concat();
        for (input, source) in [
            (binary(0x21, 0x11, &v4), client("192.0.2.1:56324")),
            (binary(0x21, 0x11, &tlv), client("192.0.2.1:56324")),
            (binary(0x21, 0x21, &v6), client("[2001:db8::]:7")),
            (binary(0x20, 0x00, &[]), Source::Itself),
            (binary(0x20, 0x11, &v4), Source::Itself),
            (binary(0x21, 0x31, &[0; 216]), Source::Itself),
        ] {
            assert_eq!(parse(&[&input[..], b"GET"].concat()), Ok(Some((source, input.len()))), "{input:x?}");
        }
        for input in [
            binary(0x11, 0x11, &v4),
            binary(0x22, 0x11, &v4),
            binary(0x21, 0x12, &v4),
            binary(0x21, 0x41, &v4),
            binary(0x21, 0x11, &v4[..11]),
            binary(0x21, 0x21, &v6[..35]),
            binary(0x21, 0x11, &[0; HEADER_BYTES_MAX]),
        ] {
            assert!(parse(&input).is_err(), "{input:x?}");
        }
    }

    #[test]
    fn what_is_none() {
        for input in [
            "GET / HTTP/1.1\r\n",
            "PROXY\r\n",
            "PROXY TCP4 192.0.2.1 198.51.100.1 56324\r\n",
            "PROXY TCP4 192.0.2.1 198.51.100.1 56324 443 \r\n",
            "PROXY TCP4  192.0.2.1 198.51.100.1 56324 443\r\n",
            "PROXY TCP4 192.0.2.1 198.51.100.1 056324 443\r\n",
            "PROXY TCP4 192.0.2.1 198.51.100.1 +5 443\r\n",
            "PROXY TCP4 192.0.2.1 198.51.100.1 65536 443\r\n",
            "PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n",
            "PROXY TCP6 192.0.2.1 198.51.100.1 1 2\r\n",
            "PROXY UDP4 192.0.2.1 198.51.100.1 1 2\r\n",
            "proxy TCP4 192.0.2.1 198.51.100.1 1 2\r\n",
            "\x16\x03\x01",
        ] {
            assert!(parse(input.as_bytes()).is_err(), "{input:?}");
        }
        assert!(parse(&[b"PROXY ", &[b'x'; 200][..]].concat()).is_err());
    }

    proptest! {
        /// A header that has come in pieces is not judged before it is whole, and then as if it had come at once.
        #[test]
        fn a_beginning_is_not_yet_wrong(
            address: (IpAddr, u16), other: u16, is_text: bool, cut: prop::sample::Index, rest: Vec<u8>
        ) {
            let client = SocketAddr::from(address);
            let header = match (is_text, client.ip()) {
                (true, ip) => {
                    let family = if ip.is_ipv4() { "TCP4" } else { "TCP6" };
                    format!("PROXY {family} {ip} {ip} {} {other}\r\n", client.port()).into_bytes()
                }
                (false, ip) => {
                    let octets = match ip {
                        IpAddr::V4(ip) => ip.octets().to_vec(),
                        IpAddr::V6(ip) => ip.octets().to_vec(),
                    };
                    let ports = [client.port().to_be_bytes(), other.to_be_bytes()].concat();
                    binary(0x21, if ip.is_ipv4() { 0x11 } else { 0x21 }, &[&octets[..], &octets, &ports].concat())
                }
            };
            prop_assert_eq!(parse(&header[..cut.index(header.len())]), Ok(None));
            let whole = [&header[..], &rest].concat();
            prop_assert_eq!(parse(&whole), Ok(Some((Source::Client(client), header.len()))));
        }

        /// A verdict holds, whatever follows.
        #[test]
        fn more_changes_no_mind(input: Vec<u8>, more: Vec<u8>, begins in 0..3_usize) {
            let input = [[&b""[..], TEXT, BINARY][begins], &input].concat();
            let verdict = parse(&input);
            if verdict != Ok(None) {
                prop_assert_eq!(parse(&[&input[..], &more].concat()), verdict);
            }
        }
    }
}
