//! RFC 6455 on an open connection: frames from clients put together, understood and answered; pings, and the close.

use crate::endpoint::handler::NO_STATUS;
use crate::metrics::{CloseReason, WorkKind};
use crate::protocol::Inflater;
use crate::protocol::close::{CloseCode, Violation, encode_close};
use crate::protocol::frame::{self, CONTROL_FRAME_MAX, Opcode};
use crate::protocol::message::{self, Assembler, Assembly, Event, Step};
use crate::push::Message;

use super::connections::Gone;
use super::reactor::{POOL_RESERVE, READ_BYTES, Reactor};
use super::slot::{Flags, Phase};
use super::socket::Socket;
use super::work::{FRAME, INFLATED};

/// The consequence of an event from a client.
pub(super) enum Next {
    Continue,
    /// The connection's close has begun; what still comes is only looked through for the peer's close frame.
    Closing,
    /// Both have sent their close frame.
    Over,
}

/// The state of reading frames from one connection, taken out of the reactor meanwhile.
struct Reading {
    /// The message under way.
    assembly: Option<Box<Assembly>>,
    /// Room for one that must be put together.
    scratch: Vec<u8>,
    /// Where deflate is agreed on.
    inflater: Option<Inflater>,
}

impl<S: Socket> Reactor<S> {
    /// Takes what came in on a WebSocket.
    pub(super) fn websocket_input(&mut self, index: usize, input: &mut [u8]) -> Result<(), Gone> {
        if self.connections.slots[index].flags.any(Flags::IGNORE_INPUT) {
            return if frame::ends_with_close(input) { self.finish(index) } else { Ok(()) };
        }
        let mut reading = self.begin_reading(index);
        let was_unfinished = reading.assembly.is_some();
        let used = self.read_frames(index, input, &mut reading);
        let mut assembly = self.end_reading(reading);
        let Ok(used) = used else {
            message::abandon(&mut assembly, &mut self.pool);
            return Err(Gone);
        };
        let rest = &input[used..];
        let has_room = rest.len() <= CONTROL_FRAME_MAX || self.has_input_room(index, rest.len());
        let is_listened_to = self.connections.slots[index].phase == Phase::Open;
        if !has_room || !is_listened_to {
            // Nobody will hear what a closing connection was saying.
            message::abandon(&mut assembly, &mut self.pool);
        }
        let is_unfinished = assembly.is_some();
        self.put_back(index, assembly);
        if was_unfinished || is_unfinished {
            self.count_chunks(index);
        }
        if !has_room {
            self.scratch.replies.clear();
            return self.overloaded(index, false);
        }
        self.hold(index, |slot| slot.keep(rest));
        self.send_replies(index)
    }

    fn begin_reading(&mut self, index: usize) -> Reading {
        let slot = &mut self.connections.slots[index];
        let deflates = slot.flags.window_bits() > 0;
        Reading {
            assembly: slot.extra.as_mut().and_then(|extra| extra.assembly.take()),
            scratch: std::mem::take(&mut self.scratch.message),
            inflater: deflates.then(|| std::mem::take(&mut self.scratch.inflater)),
        }
    }

    /// Gives back what all connections share; the message under way is left.
    fn end_reading(&mut self, mut reading: Reading) -> Option<Box<Assembly>> {
        reading.scratch.shrink_to(READ_BYTES);
        self.scratch.message = reading.scratch;
        if let Some(inflater) = reading.inflater {
            self.scratch.inflater = inflater;
        }
        reading.assembly
    }

    /// The message that is not whole yet has `message_ms` for its rest.
    fn put_back(&mut self, index: usize, assembly: Option<Box<Assembly>>) {
        if let Some(mut unfinished) = assembly {
            self.time_message(index, &mut unfinished);
            self.connections.slots[index].extra_mut().assembly = Some(unfinished);
        } else {
            self.connections.slots[index].tidy();
        }
    }

    /// Takes frame after frame, as far as the connection may go on; how much of the input is used.
    fn read_frames(&mut self, index: usize, input: &mut [u8], reading: &mut Reading) -> Result<usize, Gone> {
        let message_bytes_max = self.message_bytes_max(index);
        let calls_back = self.calls_back(self.connections.slots[index].kind);
        let mut at = 0;
        // A callback must not see what earlier ones have ended.
        while !calls_back || self.may_call_back(index)? {
            let assembler = Assembler {
                pool: &mut self.pool,
                scratch: &mut reading.scratch,
                inflater: reading.inflater.as_mut(),
                message_bytes_max,
                reserve: POOL_RESERVE,
            };
            let next = match assembler.next(&mut input[at..], &mut reading.assembly) {
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
                    let violation = message::give_up(&mut reading.assembly, &mut self.pool);
                    self.violation(index, violation)
                }
                Ok((used, Step::Event(event))) => {
                    at += used;
                    self.event(index, event)
                }
                Err(violation) => self.violation(index, violation),
            };
            self.work.charge(WorkKind::Frames, FRAME);
            if let Some(inflater) = &mut reading.inflater {
                self.work.charge(WorkKind::Inflate, inflater.take_work() * INFLATED);
            }
            if matches!(next?, Next::Over) {
                return Ok(input.len());
            }
            if self.scratch.replies.len() > READ_BYTES {
                self.send_replies(index)?;
            }
            // It is to listen before it is listened to.
            if self.connections.slots[index].flags.any(Flags::PAUSED) || self.work.postpones(&input[at..]) {
                break;
            }
        }
        Ok(at)
    }

    pub(super) fn event(&mut self, index: usize, event: Event<'_>) -> Result<Next, Gone> {
        if self.connections.slots[index].phase == Phase::Closing {
            if !matches!(event, Event::Close { .. }) {
                return Ok(Next::Continue);
            }
            self.finish(index)?;
            return Ok(Next::Over);
        }
        match event {
            Event::Text(text) => self.client_message(index, Message::Text(text)),
            Event::Binary(bytes) => self.client_message(index, Message::Binary(bytes)),
            Event::Ping(payload) => {
                if self.is_sending(index) {
                    let mut pong = Vec::with_capacity(CONTROL_FRAME_MAX);
                    frame::encode(Opcode::Pong, payload, &mut pong);
                    self.answer_within(index, &pong)?;
                } else {
                    frame::encode(Opcode::Pong, payload, &mut self.scratch.replies);
                }
                Ok(Next::Continue)
            }
            Event::Pong(payload) => self.hear_pong(index, payload),
            Event::Close { code, reason } => {
                self.send_replies(index)?;
                self.echo_close(index, code, reason)?;
                Ok(Next::Over)
            }
        }
    }

    /// Answers the peer's close frame with the same code (RFC 6455 section 5.5.1) and ends the stream.
    fn echo_close(&mut self, index: usize, code: Option<CloseCode>, reason: &str) -> Result<(), Gone> {
        let cause =
            if code == Some(CloseCode::GOING_AWAY) { CloseReason::GoingAway } else { CloseReason::Client };
        self.begin_close(index, code.unwrap_or(NO_STATUS), reason, cause)?;
        self.finish(index)
    }

    /// Sends a close frame, behind the answers to what came before: nothing may follow a close frame.
    pub(super) fn answer_and_close(
        &mut self,
        index: usize,
        code: CloseCode,
        reason: &str,
        cause: CloseReason,
    ) -> Result<(), Gone> {
        self.send_replies(index)?;
        self.begin_close(index, code, reason, cause)
    }

    /// The peer has broken the protocol: says so, and hears nothing more.
    pub(super) fn violation(&mut self, index: usize, violation: Violation) -> Result<Next, Gone> {
        if self.connections.slots[index].phase == Phase::Open {
            let cause = cause_of(violation.code);
            self.answer_and_close(index, violation.code, violation.reason, cause)?;
            // Clients that get a close frame and the end of the stream at once may fail to answer it, and then
            // know of no code. So their close frame is waited for, as far as one can be made out.
            self.connections.slots[index].flags.set(Flags::IGNORE_INPUT, true);
        } else {
            self.finish(index)?;
        }
        Ok(Next::Over)
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
