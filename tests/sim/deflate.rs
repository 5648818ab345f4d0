//! permessage-deflate as a client sees it. Without the feature nothing is offered.

/// Clients' offers, and the window that may be agreed on for each.
pub const OFFERS: [(&str, u8); 7] = [
    ("", 0),
    ("permessage-deflate", 15),
    ("permessage-deflate; client_max_window_bits", 15),
    ("permessage-deflate; server_max_window_bits=9", 9),
    ("permessage-deflate; server_max_window_bits=8; client_no_context_takeover", 8),
    ("foo, permessage-deflate; bar, permessage-deflate; server_max_window_bits=\"15\"", 15),
    ("permessage-deflate; server_max_window_bits=7", 0),
];

/// The window that an answer's Sec-WebSocket-Extensions agree on.
pub fn agreed_on(line: &str) -> u8 {
    let mut parts = line.split("; ");
    assert_eq!(parts.next(), Some("permessage-deflate"), "{line}");
    assert_eq!(parts.next(), Some("server_no_context_takeover"), "{line}");
    assert_eq!(parts.next(), Some("client_no_context_takeover"), "{line}");
    let bits =
        parts.next().map(|part| part.strip_prefix("server_max_window_bits=").expect("a window").parse());
    assert_eq!(parts.next(), None, "{line}");
    bits.map_or(15, |bits| bits.expect("a number"))
}

/// A message from its deflated form, with no larger a window than was agreed on.
#[cfg(feature = "deflate")]
pub fn inflated(payload: &[u8], window_bits: u8) -> Vec<u8> {
    let mut inflate = zlib_rs::Inflate::new(false, window_bits);
    let mut out = vec![0; 1 << 17];
    for piece in [payload, &[0, 0, 0xff, 0xff]] {
        let at = inflate.total_out() as usize;
        inflate.decompress(piece, &mut out[at..], zlib_rs::InflateFlush::SyncFlush).expect("deflated data");
    }
    assert_eq!(inflate.total_in() as usize, payload.len() + 4, "data behind the message");
    out.truncate(inflate.total_out() as usize);
    out
}

/// A message's deflated form.
#[cfg(feature = "deflate")]
pub fn deflated(payload: &[u8]) -> Vec<u8> {
    let mut deflate = zlib_rs::Deflate::new(6, false, 15);
    let mut out = vec![0; payload.len() + 1_000];
    deflate.compress(payload, &mut out, zlib_rs::DeflateFlush::SyncFlush).expect("room");
    out.truncate(deflate.total_out() as usize - 4);
    out
}

#[cfg(not(feature = "deflate"))]
pub fn inflated(_: &[u8], _: u8) -> Vec<u8> {
    panic!("a deflated message without the feature")
}

#[cfg(not(feature = "deflate"))]
pub fn deflated(payload: &[u8]) -> Vec<u8> {
    payload.to_vec()
}
