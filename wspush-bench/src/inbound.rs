//! The way of received bytes: frames, whole messages, the ledger.

use super::conn::{Conn, Fragments};
use super::frame::{self, Header};
use super::ledger::Ledger;

/// Why a connection takes no further bytes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The server sent a close frame; 1005 stands for one without a code.
    Close(u16),
    /// The server broke the protocol.
    Fault(&'static str),
}

/// Takes in what one `recv` gave. What is left of an incomplete frame stays with the connection.
pub(crate) fn take(conn: &mut Conn, bytes: &[u8], ledger: &mut Ledger, now_ns: u64) -> Result<(), End> {
    let mut held = conn.rare.as_mut().map_or_else(Vec::new, |rare| std::mem::take(&mut rare.input));
    if held.is_empty() {
        let used = frames(conn, bytes, ledger, now_ns)?;
        if used < bytes.len() {
            conn.rare().input.extend_from_slice(&bytes[used..]);
        }
    } else {
        held.extend_from_slice(bytes);
        let used = frames(conn, &held, ledger, now_ns)?;
        held.drain(..used);
        if held.is_empty() {
            conn.trim();
        } else {
            conn.rare().input = held;
        }
    }
    Ok(())
}

/// Handles every whole frame and returns how many bytes they took.
fn frames(conn: &mut Conn, bytes: &[u8], ledger: &mut Ledger, now_ns: u64) -> Result<usize, End> {
    let mut at = 0;
    while let Some(header) = frame::parse(&bytes[at..], conn.may_deflate).map_err(End::Fault)? {
        let start = at + header.size;
        let Some(payload) = bytes.get(start..start + header.length) else { break };
        at = start + header.length;
        match header.opcode {
            frame::PING => {
                ledger.tally.pings += 1;
                ledger.reply(frame::PONG, payload);
            }
            frame::PONG => {}
            frame::CLOSE => {
                let code = payload.first_chunk().map_or(1005, |code| u16::from_be_bytes(*code));
                ledger.reply(frame::CLOSE, &payload[..payload.len().min(2)]);
                return Err(End::Close(code));
            }
            _ => data(conn, &header, payload, ledger, now_ns)?,
        }
    }
    Ok(at)
}

fn data(
    conn: &mut Conn,
    header: &Header,
    payload: &[u8],
    ledger: &mut Ledger,
    now_ns: u64,
) -> Result<(), End> {
    let begun = conn.rare.as_mut().and_then(|rare| rare.message.take());
    match (begun, header.opcode, header.fin) {
        (None, frame::CONTINUATION, _) => return Err(End::Fault("continuation of nothing")),
        (Some(_), frame::TEXT | frame::BINARY, _) => return Err(End::Fault("message inside a message")),
        (None, _, true) => whole(conn, header.is_deflated, payload, ledger, now_ns)?,
        (None, _, false) => {
            conn.rare().message =
                Some(Fragments { is_deflated: header.is_deflated, bytes: payload.to_vec() });
        }
        (Some(mut message), _, fin) => {
            message.bytes.extend_from_slice(payload);
            if fin {
                whole(conn, message.is_deflated, &message.bytes, ledger, now_ns)?;
                conn.trim();
            } else {
                conn.rare().message = Some(message);
            }
        }
    }
    Ok(())
}

fn whole(
    conn: &mut Conn,
    is_deflated: bool,
    payload: &[u8],
    ledger: &mut Ledger,
    now_ns: u64,
) -> Result<(), End> {
    if is_deflated {
        return ledger.deflated(conn, payload, now_ns).map_err(End::Fault);
    }
    ledger.message(conn, payload, now_ns);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::conn::Phase;
    use super::super::payload;
    use super::*;

    fn scene() -> (Ledger, Conn, Vec<u8>) {
        let mut conn = Conn::vacant();
        conn.phase = Phase::Open;
        let mut message = Vec::new();
        payload::compose(&mut message, 1, 0, 0, payload::Body::Text, 50);
        // In three fragments with a ping between them.
        let mut wire = vec![0x01, 20];
        wire.extend_from_slice(&message[..20]);
        wire.extend_from_slice(&[0x89, 1, b'x', 0x00, 20]);
        wire.extend_from_slice(&message[20..40]);
        wire.extend_from_slice(&[0x80, 10]);
        wire.extend_from_slice(&message[40..]);
        (Ledger::new(1, 0), conn, wire)
    }

    #[test]
    fn fragments_make_one_message_however_they_are_cut() {
        for cut in 1..70 {
            let (mut ledger, mut conn, wire) = scene();
            for piece in wire.chunks(cut) {
                take(&mut conn, piece, &mut ledger, 0).unwrap();
            }
            assert_eq!((ledger.tally.received, ledger.tally.pings), (1, 1), "pieces of {cut}");
            assert!(conn.rare.is_none(), "nothing is kept");
            assert_eq!(ledger.reply[..2], [0x8a, 0x81]);
        }
    }

    #[test]
    fn the_close_code_and_broken_frames_end_a_connection() {
        let (mut ledger, mut conn, _) = scene();
        assert_eq!(take(&mut conn, &[0x88, 2, 3, 0xf5], &mut ledger, 0), Err(End::Close(1013)));
        assert_eq!(take(&mut conn, &[0x88, 0], &mut ledger, 0), Err(End::Close(1005)));
        assert_eq!(take(&mut conn, &[0x80, 0], &mut ledger, 0), Err(End::Fault("continuation of nothing")));
    }
}
