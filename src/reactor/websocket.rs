//! RFC 6455 on an open connection: frames from clients put together, understood and answered; pings, and the close.

use crate::endpoint::Kind;
use crate::endpoint::handler::NO_STATUS;
use crate::metrics::{CloseReason, WorkKind};
use crate::protocol::close::{CloseCode, Violation, encode_close};
use crate::protocol::frame::{self, CONTROL_FRAME_MAX, Opcode};
use crate::protocol::message::{self, Assembler, Event, Step};
use crate::push::Message;

use super::reactor::{POOL_RESERVE, READ_BYTES, Reactor};
use super::slot::{Flags, Phase};
use super::socket::Socket;
use super::stamp::Stamp;
use super::work::{FRAME, INFLATED};

/// A ping without payload (RFC 6455 section 5.5.2).
const PING: [u8; 2] = [0x89, 0];

/// The consequence of an event from a client.
pub(super) enum Next {
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
            if matches!(next, Next::Over) {
                at = input.len();
            }
            if !self.goes_on(index, &next, &input[at..]) {
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

    /// Whether the rest of the input may be taken up behind an event that has led to this.
    fn goes_on(&mut self, index: usize, next: &Next, rest: &[u8]) -> bool {
        match next {
            Next::Continue if self.scratch.replies.len() > READ_BYTES => self.send_replies(index),
            Next::Continue | Next::Closing => {}
            Next::Over => return false,
        }
        let slot = self.connections.slots.get(index);
        // Not of one that is gone, or that is not to be listened to before it has listened.
        slot.is_some_and(|slot| !slot.flags.any(Flags::PAUSED)) && !self.work.postpones(rest)
    }

    /// Pings a peer that has been silent for `heartbeat_ms`, and gives it up when it still is `pong_wait_ms` later.
    pub(super) fn websocket_heartbeat(&mut self, index: usize, silent_ms: u64) {
        let now_ms = self.now.mono_ms();
        let slot = &mut self.connections.slots[index];
        if slot.flags.any(Flags::PINGED) {
            if silent_ms >= self.config.pong_wait_ms {
                self.remove(index, CloseReason::Heartbeat);
            }
        } else if silent_ms >= self.config.heartbeat_ms {
            slot.flags.set(Flags::PINGED, true);
            slot.seen = Stamp::at(now_ms);
            self.metrics.pings_sent += 1;
            // A full socket already has something to answer for; its silence counts all the same.
            if !slot.flags.any(Flags::BLOCKED) {
                self.push_out(index, &PING);
            }
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
            // Nobody will hear what a closing connection was saying.
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
            Event::Text(text) => self.client_message(index, Message::Text(text)),
            Event::Binary(bytes) => self.client_message(index, Message::Binary(bytes)),
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

    /// Sends a close frame, behind the answers to what came before: nothing may follow a close frame.
    pub(super) fn answer_and_close(
        &mut self,
        index: usize,
        code: CloseCode,
        reason: &str,
        cause: CloseReason,
    ) {
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

/// The close frame (RFC 6455 section 5.5.1).
pub(super) fn close_frame(code: CloseCode, reason: &str) -> Vec<u8> {
    let mut close = Vec::with_capacity(4 + reason.len());
    if code == NO_STATUS {
        frame::encode(Opcode::Close, &[], &mut close);
    } else {
        encode_close(code, reason, &mut close);
    }
    close
}

/// The reason that counts for a connection that breaks the protocol.
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
