//! The way of received bytes: frames, whole messages, the ledger.

use super::frame::{self, Header};
use super::{End, WebSocket};
use crate::ledger::Ledger;
use crate::worker::conn::{Conn, Fragments};

/// A connection whose bytes are being taken in, and everything that they can lead to.
pub(super) struct Input<'a> {
    pub(super) transport: &'a mut WebSocket,
    pub(super) conn: &'a mut Conn,
    pub(super) ledger: &'a mut Ledger,
    pub(super) now_ns: u64,
}

impl Input<'_> {
    pub(super) fn take(&mut self, bytes: &[u8]) -> Result<(), End> {
        let mut held = self.conn.rare.as_mut().map_or_else(Vec::new, |rare| std::mem::take(&mut rare.input));
        if held.is_empty() {
            let used = self.frames(bytes)?;
            if used < bytes.len() {
                self.conn.rare().input.extend_from_slice(&bytes[used..]);
            }
        } else {
            held.extend_from_slice(bytes);
            let used = self.frames(&held)?;
            held.drain(..used);
            if held.is_empty() {
                self.conn.trim();
            } else {
                self.conn.rare().input = held;
            }
        }
        Ok(())
    }

    /// Handles every whole frame and returns how many bytes they took.
    fn frames(&mut self, bytes: &[u8]) -> Result<usize, End> {
        let mut at = 0;
        while let Some(header) = frame::parse(&bytes[at..], self.conn.may_deflate).map_err(End::Fault)? {
            let start = at + header.size;
            let Some(payload) = bytes.get(start..start + header.length) else { break };
            at = start + header.length;
            match header.opcode {
                frame::PING => {
                    self.ledger.tally.pings += 1;
                    self.transport.frame(frame::PONG, payload);
                }
                frame::PONG => {}
                frame::CLOSE => {
                    let code = payload.first_chunk().map_or(1005, |code| u16::from_be_bytes(*code));
                    self.transport.frame(frame::CLOSE, &payload[..payload.len().min(2)]);
                    return Err(End::Close(code));
                }
                _ => self.data(&header, payload)?,
            }
        }
        Ok(at)
    }

    fn data(&mut self, header: &Header, payload: &[u8]) -> Result<(), End> {
        let begun = self.conn.rare.as_mut().and_then(|rare| rare.message.take());
        match (begun, header.opcode, header.fin) {
            (None, frame::CONTINUATION, _) => return Err(End::Fault("continuation of nothing")),
            (Some(_), frame::TEXT | frame::BINARY, _) => return Err(End::Fault("message inside a message")),
            (None, _, true) => self.whole(header.is_deflated, payload)?,
            (None, _, false) => {
                let is_deflated = header.is_deflated;
                self.conn.rare().message = Some(Fragments { is_deflated, bytes: payload.to_vec() });
            }
            (Some(mut message), _, fin) => {
                message.bytes.extend_from_slice(payload);
                if fin {
                    self.whole(message.is_deflated, &message.bytes)?;
                    self.conn.trim();
                } else {
                    self.conn.rare().message = Some(message);
                }
            }
        }
        Ok(())
    }

    fn whole(&mut self, is_deflated: bool, payload: &[u8]) -> Result<(), End> {
        if !is_deflated {
            self.deliver(payload);
            return Ok(());
        }
        let mut inflater = self.transport.inflater.take().unwrap_or_default();
        let outcome = inflater.inflate(payload).map(|message| {
            self.ledger.deflated(payload.len(), message.len());
            self.deliver(message);
        });
        self.transport.inflater = Some(inflater);
        outcome.map_err(End::Fault)
    }

    fn deliver(&mut self, message: &[u8]) {
        if let Some(sequence) = self.ledger.message(self.conn, message, self.now_ns) {
            self.transport.send(self.ledger.next_echo(sequence, self.now_ns));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::{Body, Template};
    use crate::worker::conn::Phase;

    struct Scene {
        transport: WebSocket,
        conn: Conn,
        ledger: Ledger,
    }

    impl Scene {
        fn new() -> Self {
            let mut conn = Conn::vacant();
            conn.phase = Phase::Open;
            Self { transport: WebSocket::new(), conn, ledger: Ledger::new(1, 0) }
        }

        fn take(&mut self, bytes: &[u8]) -> Result<(), End> {
            self.transport.take(&mut self.conn, bytes, &mut self.ledger, 0)
        }
    }

    #[test]
    fn fragments_make_one_message_however_they_are_cut() {
        let mut message = Vec::new();
        Template { run: 1, body: Body::Text, size: 50 }.compose(&mut message, 0, 0);
        // In three fragments with a ping between them.
        let mut wire = vec![0x01, 20];
        wire.extend_from_slice(&message[..20]);
        wire.extend_from_slice(&[0x89, 1, b'x', 0x00, 20]);
        wire.extend_from_slice(&message[20..40]);
        wire.extend_from_slice(&[0x80, 10]);
        wire.extend_from_slice(&message[40..]);
        for cut in 1..70 {
            let mut scene = Scene::new();
            for piece in wire.chunks(cut) {
                scene.take(piece).unwrap();
            }
            assert_eq!((scene.ledger.tally.received, scene.ledger.tally.pings), (1, 1), "pieces of {cut}");
            assert!(scene.conn.rare.is_none(), "nothing is kept");
            assert_eq!(scene.transport.out[..2], [0x8a, 0x81]);
        }
    }

    #[test]
    fn the_close_code_and_broken_frames_end_a_connection() {
        let mut scene = Scene::new();
        assert_eq!(scene.take(&[0x88, 2, 3, 0xf5]), Err(End::Close(1013)));
        assert_eq!(scene.take(&[0x88, 0]), Err(End::Close(1005)));
        assert_eq!(scene.take(&[0x80, 0]), Err(End::Fault("continuation of nothing")));
    }
}
