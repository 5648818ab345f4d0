//! The way of received bytes: frames, whole messages, the ledger.

use super::WebSocket;
use super::frame::{self, Header};
use crate::transport::{End, Receiver, payload};
use crate::worker::conn::{self, Fragments};

/// A connection whose bytes are being taken in, and everything that they can lead to.
pub(super) struct Input<'a> {
    pub(super) transport: &'a mut WebSocket,
    pub(super) receiver: Receiver<'a>,
}

impl Input<'_> {
    pub(super) fn take(&mut self, bytes: &[u8]) -> Result<(), End> {
        let bytes = conn::unite(self.receiver.conn.take_rare(|rare| &mut rare.input), bytes);
        let used = self.frames(&bytes)?;
        self.receiver.conn.keep_rare(|rare| &mut rare.input, conn::rest(bytes, used));
        Ok(())
    }

    /// Handles every whole frame and returns how many bytes they took.
    fn frames(&mut self, bytes: &[u8]) -> Result<usize, End> {
        let mut at = 0;
        while let Some(header) =
            frame::parse(&bytes[at..], self.receiver.conn.may_deflate).map_err(End::Fault)?
        {
            let start = at + header.size;
            let Some(payload) = bytes.get(start..start + header.length) else { break };
            at = start + header.length;
            match header.opcode {
                frame::PING => {
                    self.receiver.ledger.tally.pings += 1;
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
        let begun = self.receiver.conn.rare.as_mut().and_then(|rare| rare.message.take());
        match (begun, header.opcode, header.fin) {
            (None, frame::CONTINUATION, _) => return Err(End::Fault("continuation of nothing")),
            (Some(_), frame::TEXT | frame::BINARY, _) => return Err(End::Fault("message inside a message")),
            (None, _, true) => self.whole(header.is_deflated, payload)?,
            (None, _, false) => {
                let is_deflated = header.is_deflated;
                self.receiver.conn.rare().message = Some(Fragments { is_deflated, bytes: payload.to_vec() });
            }
            (Some(mut message), _, fin) => {
                message.bytes.extend_from_slice(payload);
                if fin {
                    self.whole(message.is_deflated, &message.bytes)?;
                    self.receiver.conn.trim();
                } else {
                    self.receiver.conn.rare().message = Some(message);
                }
            }
        }
        Ok(())
    }

    fn whole(&mut self, is_deflated: bool, payload: &[u8]) -> Result<(), End> {
        if !is_deflated {
            return self.deliver(payload);
        }
        let mut inflater = self.transport.inflater.take().unwrap_or_default();
        let outcome = inflater.inflate(payload).map_err(End::Fault).and_then(|message| {
            self.receiver.ledger.deflated(payload.len(), message.len());
            self.deliver(message)
        });
        self.transport.inflater = Some(inflater);
        outcome
    }

    fn deliver(&mut self, message: &[u8]) -> Result<(), End> {
        if self.transport.is_enveloped {
            if let Some(message) = payload(message)? {
                self.receiver.deliver(&message);
            }
            return Ok(());
        }
        let Receiver { ledger, conn, now_ns, .. } = &mut self.receiver;
        if let Some(sequence) = ledger.message(conn, message, *now_ns) {
            self.transport.send(ledger.next_echo(sequence, *now_ns));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::Job;
    use crate::ledger::Ledger;
    use crate::payload::{Body, Template};
    use crate::transport::Kind;
    use crate::worker::conn::{Conn, Phase};

    struct Scene {
        job: Job,
        transport: WebSocket,
        conn: Conn,
        ledger: Ledger,
    }

    impl Scene {
        fn new() -> Self {
            let mut conn = Conn::vacant();
            conn.phase = Phase::Open;
            let transport = WebSocket::new(Kind::Ws);
            Self {
                job: Job::sample("ws://127.0.0.1:1", Kind::Ws),
                transport,
                conn,
                ledger: Ledger::new(1, 0),
            }
        }

        fn take(&mut self, bytes: &[u8]) -> Result<(), End> {
            let Self { job, transport, conn, ledger } = self;
            transport.take(Receiver { job, conn, ledger, now_ns: 0 }, bytes)
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
