//! Frames and responses as the simulator's clients take them, and messages as they send them.

use wspush::push::Position;

use super::deflate;
use super::dice::Dice;
use super::wire::{self, PING, TEXT, masked_with};

/// A frame from the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Whether it is its message's last.
    pub fin: bool,
    pub opcode: u8,
    pub payload: Vec<u8>,
    pub deflated: bool,
}

/// Takes a whole frame out of `bytes`, inflated. What RFC 7692 forbids a server that has agreed on this window (0: on
/// nothing) panics.
pub fn frame(bytes: &mut Vec<u8>, window_bits: u8) -> Option<Frame> {
    let (fin, frame, size) = wire::fragment(bytes, window_bits > 0)?;
    let wire::Frame { opcode, mut payload, rsv1 } = frame;
    if rsv1 {
        let deflated_bytes = payload.len();
        payload = deflate::inflated(&payload, window_bits);
        assert!(deflated_bytes < payload.len(), "deflated, and not shorter for it");
    }
    if opcode == TEXT {
        assert!(std::str::from_utf8(&payload).is_ok(), "text that is none");
    }
    bytes.drain(..size);
    Some(Frame { fin, opcode, payload, deflated: rsv1 })
}

/// A whole response.
#[derive(Clone, Debug)]
pub struct Response {
    pub status: u16,
    /// The window of permessage-deflate that it agrees on; 0: none.
    pub window_bits: u8,
    /// The channels of a WebSocket, each with its position.
    pub positions: Vec<(String, Position)>,
}

/// Takes a whole response out of `bytes`, except 100 (Continue).
pub fn response(bytes: &mut Vec<u8>) -> Option<Response> {
    let (response, size) = wire::response(bytes, "GET")?;
    bytes.drain(..size);
    if response.status == 100 {
        return self::response(bytes);
    }
    let window_bits = response.header("Sec-WebSocket-Extensions").map_or(0, deflate::agreed_on);
    let positions = response.header("Wspush-Position").map_or(Vec::new(), positions);
    Some(Response { status: response.status, window_bits, positions })
}

fn positions(value: &str) -> Vec<(String, Position)> {
    let position = |part: &str| {
        let (channel, position) = part.split_once('=')?;
        Some((channel.to_owned(), position.parse().ok()?))
    };
    value.split(", ").map(|part| position(part).unwrap_or_else(|| panic!("no position: {value}"))).collect()
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
        let opcode = if n > 0 { 0 } else { (2 - u8::from(text)) | (u8::from(rsv1) << 6) };
        let mask = [dice.below(256) as u8, 7, 99, dice.below(256) as u8];
        out.extend(masked_with(mask, last, opcode, &payload[at..end]));
        at = end;
        if dice.one_in(8) {
            let ping = vec![b'p'; dice.below(126)];
            out.extend(masked_with(mask, true, PING, &ping));
            pings.push(ping);
        }
    }
    (out, pings)
}
