//! What a client understands, written without a look at the server's code: frames from the server, responses, and
//! frames to the server.

use super::dice::Dice;

/// A whole frame from the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    pub opcode: u8,
    pub payload: Vec<u8>,
}

/// Takes a whole frame out of `bytes`. Anything that RFC 6455 forbids a server panics.
pub fn frame(bytes: &mut Vec<u8>) -> Option<Frame> {
    let (&first, &second) = (bytes.first()?, bytes.get(1)?);
    assert_eq!(first & 0x70, 0, "reserved bits: {first:#x}");
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
    let payload = bytes.get(start..start + len)?.to_vec();
    if opcode == 1 {
        assert!(std::str::from_utf8(&payload).is_ok(), "text that is none");
    }
    bytes.drain(..start + len);
    Some(Frame { opcode, payload })
}

/// A whole response.
#[derive(Clone, Copy, Debug)]
pub struct Response {
    pub status: u16,
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
    bytes.get(end..end + len)?;
    bytes.drain(..end + len);
    if status == 100 { response(bytes) } else { Some(Response { status }) }
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

/// A message in any number of fragments, with pings between them; returns the pings' payloads as well.
pub fn client_message(dice: &mut Dice, text: bool, payload: &[u8]) -> (Vec<u8>, Vec<Vec<u8>>) {
    let (mut out, mut pings) = (Vec::new(), Vec::new());
    let fragments = if dice.one_in(3) { dice.range(1, 4) } else { 1 };
    let mut at = 0;
    for n in 0..fragments {
        let last = n + 1 == fragments;
        let end = if last { payload.len() } else { at + dice.below(payload.len() - at + 1) };
        let opcode = if n > 0 { 0 } else { 2 - u8::from(text) };
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
