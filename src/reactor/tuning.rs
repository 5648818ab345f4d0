//! A session is changed from another thread, and control frames of the host's.

use crate::endpoint::tune::Tune;
use crate::endpoint::{ConnId, Session};
use crate::metrics::WorkKind;
use crate::protocol::frame::{self, CONTROL_FRAME_MAX, Opcode};

use super::connections::Gone;
use super::reactor::Reactor;
use super::slot::Phase;
use super::socket::Socket;
use super::transport::Transport;
use super::websocket::Next;
use super::work::MESSAGE;

impl<S: Socket> Reactor<S> {
    /// Does it, if the session is there still.
    pub(super) fn tune(&mut self, conn: ConnId, tune: Tune) {
        let Some(index) = self.find_open(conn) else { return };
        let now_ms = self.now.mono_ms();
        let slot = &mut self.connections.slots[index];
        if !slot.kind.is_push() {
            return;
        }
        match tune {
            Tune::IdleTimeout(timeout) => {
                let mut hosted = slot.take_hosted();
                hosted.get_or_insert_default().set_idle(timeout, now_ms);
                self.put_hosted(index, hosted);
            }
            Tune::MessageBytesMax(bytes) => {
                let mut hosted = slot.take_hosted();
                hosted.get_or_insert_default().set_message_bytes_max(bytes);
                self.put_hosted(index, hosted);
            }
            Tune::Ping(payload) => self.send_control(index, Opcode::Ping, &payload),
            Tune::Pong(payload) => self.send_control(index, Opcode::Pong, &payload),
        }
    }

    /// Sends a control frame to a WebSocket, as far as its outbox has room.
    fn send_control(&mut self, index: usize, opcode: Opcode, payload: &[u8]) {
        let transport = &self.connections.slots[index].transport;
        let is_websocket = !matches!(transport, Transport::Sse(_) | Transport::Stream | Transport::Poll);
        let mut frame = Vec::with_capacity(CONTROL_FRAME_MAX);
        frame::encode(opcode, payload, &mut frame);
        if is_websocket && self.outbox_has_room(index, frame.len()) {
            // A connection that is gone by this has been removed.
            let _: Result<(), Gone> = if self.is_sending(index) {
                self.say_within(index, &frame)
            } else {
                self.push_out(index, &frame)
            };
        }
    }

    /// A pong has come. The server's own pings have no payload, so one with a payload is for the host.
    pub(super) fn hear_pong(&mut self, index: usize, payload: &[u8]) -> Result<Next, Gone> {
        if payload.is_empty() || !self.connections.slots[index].kind.is_push() {
            return Ok(Next::Continue);
        }
        self.work.charge(WorkKind::Frames, MESSAGE);
        self.call_back(index, |handler, session: &mut Session<'_>| handler.on_pong(session, payload))?;
        let is_open = self.connections.slots[index].phase == Phase::Open;
        Ok(if is_open { Next::Continue } else { Next::Closing })
    }
}
