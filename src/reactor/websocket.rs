//! Frames from clients: put together, understood, answered.

use crate::endpoint::handler::NO_STATUS;
use crate::endpoint::{Kind, Session, chat};
use crate::metrics::{CloseReason, WorkKind};
use crate::protocol::close::{CloseCode, Violation};
use crate::protocol::frame::{self, CONTROL_FRAME_MAX, Opcode};
use crate::protocol::message::{self, Assembler, Event, Step};
use crate::push::{Message, PushError};

use super::reactor::{POOL_RESERVE, READ_BYTES, Reactor};
use super::slot::{Flags, Phase};
use super::socket::Socket;
use super::work::{COMPRESSED, FRAME, INFLATED, MESSAGE};

/// What an event from a client leads to.
enum Next {
    Continue,
    /// The connection's close has begun; what still comes is only looked through for the peer's close frame.
    Closing,
    /// Both have sent their close frame.
    Over,
}

impl<S: Socket> Reactor<S> {
    /// Takes what came in on a WebSocket.
    pub(super) fn websocket_input(&mut self, index: usize, input: &mut [u8]) {
        if self.connections.slots[index].flags.any(Flags::IGNORE_INPUT) {
            if frame::ends_with_close(input) {
                self.finish(index);
            }
            return;
        }
        let mut assembly =
            self.connections.slots[index].extra.as_mut().and_then(|extra| extra.assembly.take());
        let was_unfinished = assembly.is_some();
        let mut scratch = std::mem::take(&mut self.scratch.message);
        let deflate = self.connections.slots[index].flags.window_bits() > 0;
        let mut inflater = deflate.then(|| std::mem::take(&mut self.scratch.inflater));
        let (bytes_max, mut at) = (self.config.message_bytes_max, 0);
        let calls_back = self.connections.slots[index].kind == Kind::Push;
        // A callback must not see what earlier ones have ended.
        while !calls_back || self.may_call_back(index) {
            let assembler = Assembler {
                pool: &mut self.pool,
                scratch: &mut scratch,
                inflater: inflater.as_mut(),
                message_bytes_max: bytes_max,
                reserve: POOL_RESERVE,
            };
            let next = match assembler.next(&mut input[at..], &mut assembly) {
                Ok((_, Step::Need)) => break,
                Ok((used, Step::Absorbed)) => {
                    at += used;
                    continue;
                }
                Ok((used, Step::NoRoom(chunks))) => {
                    at += used;
                    if self.make_chunks_free(index, chunks) {
                        continue;
                    }
                    let violation = message::give_up(&mut assembly, &mut self.pool);
                    self.violation(index, violation)
                }
                Ok((used, Step::Event(event))) => {
                    at += used;
                    self.event(index, event)
                }
                Err(violation) => self.violation(index, violation),
            };
            self.work.charge(WorkKind::Frames, FRAME);
            if let Some(inflater) = &mut inflater {
                self.work.charge(WorkKind::Inflate, inflater.take_work() * INFLATED);
            }
            match next {
                Next::Continue if self.scratch.replies.len() <= READ_BYTES => {}
                Next::Continue => self.send_replies(index),
                Next::Closing => {}
                Next::Over => {
                    at = input.len();
                    break;
                }
            }
            match self.connections.slots.get(index) {
                Some(slot) if !slot.flags.any(Flags::PAUSED) => {}
                // Gone, or not to be listened to before it has listened.
                _ => break,
            }
            if self.work.postpones(&input[at..]) {
                break;
            }
        }
        scratch.shrink_to(READ_BYTES);
        self.scratch.message = scratch;
        if let Some(inflater) = inflater {
            self.scratch.inflater = inflater;
        }
        let is_unfinished = assembly.is_some();
        self.after_input(index, assembly, &input[at..]);
        if (was_unfinished || is_unfinished) && self.connections.slots.contains(index) {
            self.count_chunks(index);
        }
    }

    /// Puts away what is left of an input, and sends what it led to.
    fn after_input(&mut self, index: usize, mut assembly: Option<Box<message::Assembly>>, rest: &[u8]) {
        if !self.connections.slots.contains(index) {
            message::abandon(&mut assembly, &mut self.pool);
            self.scratch.replies.clear();
            return;
        }
        if rest.len() > CONTROL_FRAME_MAX && !self.has_input_room(index, rest.len()) {
            message::abandon(&mut assembly, &mut self.pool);
            self.scratch.replies.clear();
            self.overloaded(index, false);
            return;
        }
        self.hold(index, |slot| slot.keep(rest));
        let slot = &mut self.connections.slots[index];
        if slot.phase == Phase::Open || assembly.is_none() {
            if let Some(mut unfinished) = assembly {
                self.time_message(index, &mut unfinished);
                self.connections.slots[index].extra_mut().assembly = Some(unfinished);
            } else {
                slot.tidy();
            }
        } else {
            // What a closing connection was saying nobody will hear.
            message::abandon(&mut assembly, &mut self.pool);
        }
        self.send_replies(index);
    }

    fn event(&mut self, index: usize, event: Event<'_>) -> Next {
        if self.connections.slots[index].phase == Phase::Closing {
            return match event {
                Event::Close { .. } => {
                    self.finish(index);
                    Next::Over
                }
                _ => Next::Continue,
            };
        }
        match event {
            Event::Text(text) => self.message(index, Message::Text(text)),
            Event::Binary(bytes) => self.message(index, Message::Binary(bytes)),
            Event::Ping(payload) => {
                frame::encode(Opcode::Pong, payload, &mut self.scratch.replies);
                Next::Continue
            }
            Event::Pong(_) => Next::Continue,
            Event::Close { code, reason } => {
                self.send_replies(index);
                if self.connections.slots.contains(index) {
                    self.echo_close(index, code, reason);
                }
                Next::Over
            }
        }
    }

    /// Answers the peer's close frame with the same code (RFC 6455 section 5.5.1) and ends the stream.
    fn echo_close(&mut self, index: usize, code: Option<CloseCode>, reason: &str) {
        let cause =
            if code == Some(CloseCode::GOING_AWAY) { CloseReason::GoingAway } else { CloseReason::Client };
        self.begin_close(index, code.unwrap_or(NO_STATUS), reason, cause);
        if self.connections.slots.contains(index) {
            self.finish(index);
        }
    }

    fn message(&mut self, index: usize, message: Message<'_>) -> Next {
        self.metrics.messages_in += 1;
        self.work.charge(WorkKind::Frames, MESSAGE);
        let slot = &self.connections.slots[index];
        let id = slot.id(index);
        match slot.kind {
            Kind::Echo => {
                let bits = self.window_bits(index);
                self.encoder.deflater.encode(
                    message.opcode(),
                    message.bytes(),
                    bits,
                    &mut self.scratch.replies,
                );
                self.charge_compressed();
            }
            Kind::Push => {
                let (user, bits) = (slot.user(), self.window_bits(index));
                let noted = self.seen_of_own(index);
                let mut session =
                    Session::new(id, user, &mut self.scratch.replies, &mut self.scratch.actions)
                        .deflating(&mut self.encoder.deflater, bits)
                        .beside(self.shared.own.counter(), noted);
                self.shared.own.begin();
                self.handler.on_message(&mut session, message);
                self.shared.own.end();
                self.charge_compressed();
                self.apply_actions(index);
                if self.connections.slots.get(index).is_none_or(|slot| slot.phase != Phase::Open) {
                    return Next::Closing;
                }
            }
            Kind::Chat => return self.chat_message(index, message),
            // It is closing, and what it says is not listened to.
            Kind::Refused => {}
        }
        Next::Continue
    }

    /// Counts what was compressed for one connection alone.
    pub(super) fn charge_compressed(&mut self) {
        self.work.charge(WorkKind::Compress, self.encoder.deflater.take_work() * COMPRESSED);
    }

    fn chat_message(&mut self, index: usize, message: Message<'_>) -> Next {
        let Message::Text(text) = message else {
            let (code, cause) = (CloseCode::UNSUPPORTED_DATA, CloseReason::Unsupported);
            self.answer_and_close(index, code, "the chat is text", cause);
            return Next::Closing;
        };
        let line = chat::said(self.connections.slots[index].user().unwrap_or("?"), text);
        match self.say_in_chat(&line) {
            Ok(_) => Next::Continue,
            Err(problem) => {
                // What a guest said must not vanish without a word.
                let code = match problem {
                    PushError::TooLarge { .. } => CloseCode::MESSAGE_TOO_BIG,
                    _ => CloseCode::TRY_AGAIN_LATER,
                };
                self.answer_and_close(index, code, &problem.to_string(), CloseReason::Internal);
                Next::Closing
            }
        }
    }

    /// Sends a close frame, behind the answers to what came before: nothing may follow a close frame.
    fn answer_and_close(&mut self, index: usize, code: CloseCode, reason: &str, cause: CloseReason) {
        self.send_replies(index);
        if self.connections.slots.contains(index) {
            self.begin_close(index, code, reason, cause);
        }
    }

    /// The peer has broken the protocol: says so, and hears nothing more.
    fn violation(&mut self, index: usize, violation: Violation) -> Next {
        if self.connections.slots[index].phase == Phase::Open {
            let cause = cause_of(violation.code);
            self.answer_and_close(index, violation.code, violation.reason, cause);
            // Clients that get a close frame and the end of the stream at once may fail to answer it, and then
            // know of no code. So their close frame is waited for, as far as one can be made out.
            if let Some(slot) = self.connections.slots.get_mut(index) {
                slot.flags.set(Flags::IGNORE_INPUT, true);
            }
        } else {
            self.finish(index);
        }
        Next::Over
    }
}

/// What a connection that breaks the protocol counts as.
fn cause_of(code: CloseCode) -> CloseReason {
    match code {
        CloseCode::UNSUPPORTED_DATA => CloseReason::Unsupported,
        CloseCode::INVALID_PAYLOAD => CloseReason::InvalidPayload,
        CloseCode::POLICY_VIOLATION => CloseReason::Policy,
        CloseCode::MESSAGE_TOO_BIG => CloseReason::TooBig,
        // The assembly pool is used up: not the client's fault.
        CloseCode::TRY_AGAIN_LATER => CloseReason::Overload,
        _ => CloseReason::ProtocolError,
    }
}
