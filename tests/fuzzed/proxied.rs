//! The words of a proxy on its client, and those of the client on itself before it.

use std::net::{IpAddr, SocketAddr};

use wspush::protocol::{forwarded, proxy};

use super::{choice, pieces};

/// A choice, and a header of the PROXY protocol: the same in pieces as at once, and never longer than its bound. Then
/// the same bytes as lines of `X-Forwarded-For`: who is found is trusted, or in the last line that is not.
pub fn proxied(data: &[u8]) {
    let (cut, input) = choice(data);
    let whole = proxy::parse(input);
    let mut seen = 0;
    let mut early = Ok(None);
    for piece in pieces(&[cut], input) {
        seen += piece.len();
        early = proxy::parse(&input[..seen]);
        if early != Ok(None) {
            break;
        }
    }
    assert_eq!(early, if input.is_empty() { early } else { whole }, "in pieces it is another one");
    match whole {
        Ok(Some((_, used))) => assert!(used <= input.len().min(proxy::HEADER_BYTES_MAX)),
        Ok(None) => assert!(input.len() < proxy::HEADER_BYTES_MAX),
        Err(why) => assert!(!why.contains('\n')),
    }
    let nearest = SocketAddr::from(([127, 0, 0, 1], 1));
    let is_trusted = |address: IpAddr| address.is_loopback();
    let client = forwarded::client(nearest, input.split(|&byte| byte == b'\n'), is_trusted);
    let told = [input, b"\n 192.0.2.1, 127.0.0.1"].concat();
    let certain = forwarded::client(nearest, told.split(|&byte| byte == b'\n'), is_trusted);
    assert_eq!(
        certain,
        SocketAddr::from(([192, 0, 2, 1], 0)),
        "what stood before it was believed, as {client}"
    );
}
