//! What a client understands, written without a look at the server's code: frames from the server, responses, and
//! frames to the server.

use super::deflate;
use super::dice::Dice;

/// A whole frame from the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    pub opcode: u8,
    pub payload: Vec<u8>,
    pub deflated: bool,
}

/// Takes a whole frame out of `bytes`, inflated. Anything that RFC 6455 forbids a server panics, and what RFC 7692
/// forbids one that has agreed on this window (0: on nothing).
pub fn frame(bytes: &mut Vec<u8>, window_bits: u8) -> Option<Frame> {
    let (&first, &second) = (bytes.first()?, bytes.get(1)?);
    let deflated = first & 0x40 != 0;
    assert_eq!(first & 0x30, 0, "reserved bits: {first:#x}");
    assert!(!deflated || window_bits > 0 && first & 8 == 0, "RSV1: {first:#x}");
    assert_ne!(first & 0x80, 0, "the server never fragments");
    assert_eq!(second & 0x80, 0, "the server never masks");
    let opcode = first & 0x0f;
    assert!([1, 2, 8, 9, 10].contains(&opcode), "opcode {opcode}");
    let (start, len) = match second {
        126 => {
            let len = usize::from(u16::from_be_bytes([*bytes.get(2)?, *bytes.get(3)?]));
            assert!(len > 125, "not the shortest form");
            (4, len)
        }
        127 => {
            let len = u64::from_be_bytes(bytes.get(2..10)?.try_into().unwrap()) as usize;
            assert!(len > 0xffff, "not the shortest form");
            (10, len)
        }
        len => (2, usize::from(len)),
    };
    assert!(opcode < 8 || len <= 125, "a control frame of {len} bytes");
    let mut payload = bytes.get(start..start + len)?.to_vec();
    if deflated {
        payload = deflate::inflated(&payload, window_bits);
        assert!(len < payload.len(), "deflated, and not shorter for it");
    }
    if opcode == 1 {
        assert!(std::str::from_utf8(&payload).is_ok(), "text that is none");
    }
    bytes.drain(..start + len);
    Some(Frame { opcode, payload, deflated })
}

/// A whole response.
#[derive(Clone, Copy, Debug)]
pub struct Response {
    pub status: u16,
    /// The window of permessage-deflate that it agrees on; 0: none.
    pub window_bits: u8,
}

/// Takes a whole response out of `bytes`, except 100 (Continue).
pub fn response(bytes: &mut Vec<u8>) -> Option<Response> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(&bytes[..end]).expect("a head is text");
    assert!(head.starts_with("HTTP/1.1 "), "not a response: {head:?}");
    let status: u16 = head[9..12].parse().expect("a status");
    let length = head.lines().find_map(|line| {
        line.to_ascii_lowercase().strip_prefix("content-length:").map(|n| n.trim().parse::<usize>().unwrap())
    });
    let len = match (status, length) {
        (100 | 101 | 204, None) => 0,
        (_, Some(len)) => len,
        _ => panic!("a response without a length: {head:?}"),
    };
    let window_bits = deflate::agreed_on(head);
    bytes.get(end..end + len)?;
    bytes.drain(..end + len);
    if status == 100 { response(bytes) } else { Some(Response { status, window_bits }) }
}

/// A masked frame.
pub fn client_frame(fin: bool, opcode: u8, payload: &[u8], mask: [u8; 4]) -> Vec<u8> {
    let mut out = vec![u8::from(fin) << 7 | opcode];
    match payload.len() {
        len @ 0..=125 => out.push(0x80 | len as u8),
        len @ 126..=0xffff => {
            out.push(0x80 | 126);
            out.extend((len as u16).to_be_bytes());
        }
        len => {
            out.push(0x80 | 127);
            out.extend((len as u64).to_be_bytes());
        }
    }
    out.extend(mask);
    out.extend(payload.iter().enumerate().map(|(i, byte)| byte ^ mask[i % 4]));
    out
}

/// A message in any number of fragments, with pings between them, now and then deflated where that is agreed on;
/// returns the pings' payloads as well.
pub fn client_message(
    dice: &mut Dice,
    text: bool,
    payload: &[u8],
    window_bits: u8,
) -> (Vec<u8>, Vec<Vec<u8>>) {
    let (mut out, mut pings) = (Vec::new(), Vec::new());
    let rsv1 = window_bits > 0 && dice.one_in(2);
    let deflated = if rsv1 { deflate::deflated(payload) } else { payload.to_vec() };
    let payload = &deflated[..];
    let fragments = if dice.one_in(3) { dice.range(1, 4) } else { 1 };
    let mut at = 0;
    for n in 0..fragments {
        let last = n + 1 == fragments;
        let end = if last { payload.len() } else { at + dice.below(payload.len() - at + 1) };
        let opcode = if n > 0 { 0 } else { 2 - u8::from(text) | u8::from(rsv1) << 6 };
        let mask = [dice.below(256) as u8, 7, 99, dice.below(256) as u8];
        out.extend(client_frame(last, opcode, &payload[at..end], mask));
        at = end;
        if dice.one_in(8) {
            let ping = vec![b'p'; dice.below(126)];
            out.extend(client_frame(true, 9, &ping, mask));
            pings.push(ping);
        }
    }
    (out, pings)
}
