//! Messages of a client whose host takes them as they come.

use crate::endpoint::Fragment;
use crate::metrics::WorkKind;
use crate::protocol::close::{CloseCode, Violation};
use crate::protocol::frame::{self, CONTROL_FRAME_MAX};
use crate::protocol::pieces::{Data, Incoming, Piece, Step, Terms};
use crate::protocol::{INFLATING_BYTES, Inflating};
use crate::push::Message;

use super::connections::Gone;
use super::reactor::{READ_BYTES, Reactor};
use super::slot::{Flags, Phase};
use super::socket::Socket;
use super::transport::Transport;
use super::websocket::Next;
use super::work::{FRAME, INFLATED, MESSAGE};

impl<S: Socket> Reactor<S> {
    /// Takes what came in on a WebSocket whose messages are handed over in pieces.
    pub(super) fn pieces_input(&mut self, index: usize, input: &mut [u8]) -> Result<(), Gone> {
        if self.connections.slots[index].flags.any(Flags::IGNORE_INPUT) {
            return if frame::ends_with_close(input) { self.finish(index) } else { Ok(()) };
        }
        let mut incoming = self.hold(index, |slot| {
            slot.flow_there().map(|flow| std::mem::take(&mut flow.incoming)).unwrap_or_default()
        });
        let mut room = std::mem::take(&mut self.scratch.message);
        let used = self.read_pieces(index, input, &mut incoming, &mut room);
        room.shrink_to(READ_BYTES);
        self.scratch.message = room;
        if used.is_err() || !incoming.in_message() {
            self.keep_decoder(&mut incoming);
        }
        let rest = &input[used?..];
        self.hold(index, |slot| {
            if incoming.in_message() {
                slot.flow_mut().incoming = incoming;
            } else {
                slot.tidy_flow();
            }
        });
        if rest.len() > CONTROL_FRAME_MAX && !self.has_input_room(index, rest.len()) {
            self.scratch.replies.clear();
            return self.overloaded(index, false);
        }
        self.hold(index, |slot| slot.keep(rest));
        self.send_replies(index)
    }

    /// Hands over piece after piece, as far as the connection may go on; how much of the input is used.
    fn read_pieces(
        &mut self,
        index: usize,
        input: &mut [u8],
        incoming: &mut Incoming,
        room: &mut Vec<u8>,
    ) -> Result<usize, Gone> {
        let terms = self.pieces_terms(index);
        let mut at = 0;
        // A callback must not see what earlier ones have ended.
        while self.may_call_back(index)? {
            let next = match incoming.next(&mut input[at..], room, terms) {
                Ok((_, Step::Need)) => break,
                Ok((used, Step::Absorbed)) => {
                    at += used;
                    Ok(Next::Continue)
                }
                Ok((_, Step::NoDecoder)) => match self.decoder(index) {
                    Some(decoder) => {
                        incoming.inflating = Some(decoder);
                        continue;
                    }
                    None => {
                        let (code, reason) = (CloseCode::TRY_AGAIN_LATER, "the server is short of memory");
                        self.violation(index, Violation { code, reason })
                    }
                },
                Ok((used, Step::Piece(piece))) => {
                    at += used;
                    self.hand_over(index, piece)
                }
                Ok((used, Step::Control(event))) => {
                    at += used;
                    self.event(index, event)
                }
                Err(violation) => self.violation(index, violation),
            };
            self.work.charge(WorkKind::Frames, FRAME);
            if let Some(decoder) = &mut incoming.inflating {
                self.work.charge(WorkKind::Inflate, decoder.take_work() * INFLATED);
            }
            if matches!(next?, Next::Over) {
                return Ok(input.len());
            }
            if !incoming.in_message() {
                self.keep_decoder(incoming);
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

    fn pieces_terms(&self, index: usize) -> Terms {
        let slot = &self.connections.slots[index];
        let is_endless = slot.transport == Transport::EndlessPieces;
        let bytes_max = if is_endless { u64::MAX } else { self.message_bytes_max(index) as u64 };
        Terms { deflate: slot.flags.window_bits() > 0, bytes_max }
    }

    /// A decoder for a deflated message, which has one of its own until it is over. None: there is no memory for it.
    fn decoder(&mut self, index: usize) -> Option<Box<Inflating>> {
        if !self.has_input_room(index, INFLATING_BYTES) {
            return None;
        }
        Some(self.scratch.decoder.take().unwrap_or_default())
    }

    /// Takes back what a message that is over has left; one is kept for the next.
    fn keep_decoder(&mut self, incoming: &mut Incoming) {
        if let Some(decoder) = incoming.inflating.take() {
            self.scratch.decoder = Some(decoder);
        }
    }

    fn hand_over(&mut self, index: usize, piece: Piece<'_>) -> Result<Next, Gone> {
        if self.connections.slots[index].phase == Phase::Closing {
            return Ok(Next::Continue);
        }
        self.metrics.messages_in += u64::from(!piece.more);
        self.note_heard(index);
        self.work.charge(WorkKind::Frames, MESSAGE);
        let is_counted = !piece.more && self.config.messages_per_second_max > 0;
        if is_counted && !self.may_speak(index)? {
            return Ok(Next::Closing);
        }
        let data = match piece.data {
            Data::Text(text) => Message::Text(text),
            Data::Binary(bytes) => Message::Binary(bytes),
        };
        let fragment = Fragment { data, more: piece.more };
        self.call_back(index, |handler, session| handler.on_fragment(session, fragment))?;
        let is_open = self.connections.slots[index].phase == Phase::Open;
        Ok(if is_open { Next::Continue } else { Next::Closing })
    }
}
