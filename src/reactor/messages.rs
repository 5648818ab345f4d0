//! Whole messages from clients, handed to the endpoint that they are for; and the host's callbacks.

use crate::config::DEMO_SHOWN;
use crate::endpoint::handler::Framing;
use crate::endpoint::session_state::SessionState;
use crate::endpoint::{Handler, Kind, Session, chat};
use crate::metrics::{CloseReason, WorkKind};
use crate::narrow;
use crate::protocol::close::CloseCode;
use crate::push::{Message, PushError, PushOptions};

use super::connections::Gone;
use super::places::handler_of;
use super::reactor::Reactor;
use super::slot::Phase;
use super::socket::Socket;
use super::websocket::Next;
use super::work::{COMPRESSED, MESSAGE};

impl<S: Socket> Reactor<S> {
    /// Hands a message to the endpoint of its connection.
    pub(super) fn hand_to_endpoint(&mut self, index: usize, message: Message<'_>) -> Result<Next, Gone> {
        self.metrics.messages_in += 1;
        self.work.charge(WorkKind::Frames, MESSAGE);
        if self.config.messages_per_second_max > 0 && !self.may_speak(index)? {
            return Ok(Next::Closing);
        }
        match self.connections.slots[index].kind {
            Kind::ECHO if DEMO_SHOWN => {
                self.reply(index, message);
                Ok(Next::Continue)
            }
            Kind::CHAT if DEMO_SHOWN => self.chat_message(index, message),
            // It is closing, and what it says is not listened to.
            Kind::REFUSED => Ok(Next::Continue),
            _ => {
                self.call_back(index, |handler, session| handler.on_message(session, message))?;
                let is_open = self.connections.slots[index].phase == Phase::Open;
                Ok(if is_open { Next::Continue } else { Next::Closing })
            }
        }
    }

    /// Counts a message of a client. False: it is one too many, and the connection is closed.
    #[cold]
    pub(super) fn may_speak(&mut self, index: usize) -> Result<bool, Gone> {
        let (max, now_ms) = (self.config.messages_per_second_max, self.now.mono_ms());
        let conn = (narrow::to_u32(index), self.connections.slots[index].serial);
        if self.connections.message_counts.allow(conn, now_ms, max) {
            return Ok(true);
        }
        let why = format!("more than {max} messages within a second (messages_per_second_max)");
        self.answer_and_close(index, CloseCode::POLICY_VIOLATION, &why, CloseReason::Policy)?;
        Ok(false)
    }

    /// Runs one of the host's callbacks on an open connection, and does what that has asked for.
    pub(super) fn call_back(
        &mut self,
        index: usize,
        callback: impl FnOnce(&mut dyn Handler, &mut Session<'_>),
    ) -> Result<(), Gone> {
        let (bits, noted) = (self.window_bits(index), self.seen_of_own(index));
        let slot = &mut self.connections.slots[index];
        let (kind, mut hosted) = (slot.kind, slot.take_hosted());
        let slot = &self.connections.slots[index];
        let peer = || self.connections.peer(index);
        let (at, handler) = handler_of(&mut *self.handler, &mut self.routes, kind);
        let state = SessionState { at, hosted: &mut hosted, peer: &peer, now_ms: self.now.mono_ms() };
        let mut framing = slot.transport.framing(&mut self.encoder.deflater, bits);
        let (replies, actions) = (&mut self.scratch.replies, &mut self.scratch.actions);
        let mut session = Session::new(slot.id(index), slot, replies, actions)
            .framed_by(&mut framing)
            .beside(self.shared.own().counter(), noted)
            .with_state(state);
        self.shared.own().begin();
        callback(handler, &mut session);
        self.shared.own().end();
        self.put_hosted(index, hosted);
        self.charge_compressed();
        self.apply_actions(index)
    }

    /// Puts a message behind the replies to a connection.
    fn reply(&mut self, index: usize, message: Message<'_>) {
        let (bits, replies) = (self.window_bits(index), &mut self.scratch.replies);
        let mut framing = self.connections.slots[index].transport.framing(&mut self.encoder.deflater, bits);
        framing.frame(message.kind(), message.bytes(), PushOptions::default(), replies);
        self.charge_compressed();
    }

    /// Counts what was compressed for one connection alone.
    pub(super) fn charge_compressed(&mut self) {
        self.work.charge(WorkKind::Compress, self.encoder.deflater.take_work() * COMPRESSED);
    }

    fn chat_message(&mut self, index: usize, message: Message<'_>) -> Result<Next, Gone> {
        let Message::Text(text) = message else {
            let (code, cause) = (CloseCode::UNSUPPORTED_DATA, CloseReason::Unsupported);
            self.answer_and_close(index, code, "the chat is text", cause)?;
            return Ok(Next::Closing);
        };
        let line = chat::said(self.connections.slots[index].user().unwrap_or("?"), text);
        match self.say_in_chat(&line) {
            Ok(_) => Ok(Next::Continue),
            Err(problem) => {
                // A guest's message must not vanish without a word.
                let code = match problem {
                    PushError::TooLarge { .. } => CloseCode::MESSAGE_TOO_BIG,
                    _ => CloseCode::TRY_AGAIN_LATER,
                };
                self.answer_and_close(index, code, &problem.to_string(), CloseReason::Internal)?;
                Ok(Next::Closing)
            }
        }
    }
}
