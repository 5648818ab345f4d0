//! The differences between kinds of open connections: how input is understood, how a silent peer is asked for a sign
//! of life, how the beginning, a message to one connection, changes of its subscriptions and the end are said, and what
//! the end of the stream means.
//!
//! A transport is a variant of [`Transport`], an arm in each method here, and one file that has what the arms call.
//! Nothing else in this room asks which transport a connection has. The publications are the same bytes for everybody
//! who takes their form, so the walk over the subscribers doesn't either.

use crate::endpoint::Pieces;
use crate::endpoint::handler::Framing;
use crate::metrics::{CloseReason, ConnectionTransport};
use crate::protocol::Deflater;
use crate::protocol::chunk;
use crate::protocol::close::CloseCode;
use crate::protocol::frame::{self, Opcode};
use crate::protocol::json::in_one_line;
use crate::protocol::pusher::event::push_to_client;
use crate::protocol::v1::message::push_direct;
use crate::push::{ChannelId, Entry, Form, Gap, Kind, Message, Publication, PushOptions};

use super::connections::Gone;
use super::lines;
use super::reactor::Reactor;
use super::socket::Socket;
use super::sse;
use super::websocket::{self, Next};

/// The protocol on an open connection, until its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
pub enum Transport {
    /// RFC 6455; a message is the payload itself.
    #[default]
    WebSocket,
    /// The same with the subprotocol `wspush.v1`: a message is a JSON object.
    V1,
    /// As [`WebSocket`](Self::WebSocket), but a client's messages are handed over in pieces.
    Pieces,
    /// The same, and they may be as long as the client likes.
    EndlessPieces,
    /// The same with the messages of the Pusher Channels protocol.
    Pusher,
    /// Server-Sent Events.
    Sse(EventFormat),
    /// The messages of `wspush.v1`, one a line.
    Stream,
    /// A request that waits for publications.
    Poll,
}

/// The data of an event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
pub enum EventFormat {
    /// The payload.
    #[default]
    Raw,
    /// The envelope.
    Json,
}

impl From<Pieces> for Transport {
    fn from(pieces: Pieces) -> Transport {
        match pieces {
            Pieces::Off => Transport::WebSocket,
            Pieces::Bounded => Transport::Pieces,
            Pieces::Unbounded => Transport::EndlessPieces,
        }
    }
}

impl Transport {
    /// The end, as it is said behind everything else. It is never empty. `lot` differs from one connection to the next.
    pub(super) fn close(self, code: CloseCode, reason: &str, lot: u32) -> Vec<u8> {
        match self {
            Transport::WebSocket | Transport::V1 | Transport::Pieces | Transport::EndlessPieces => {
                websocket::close_frame(code, reason)
            }
            // Its clients know another code for that.
            Transport::Pusher if code == CloseCode::TRY_AGAIN_LATER => {
                websocket::close_frame(CloseCode(4_100), reason)
            }
            Transport::Pusher => websocket::close_frame(code, reason),
            Transport::Sse(_) => sse::end(code, reason, lot),
            Transport::Stream => lines::end(code, reason),
            // It is dismissed before that.
            Transport::Poll => chunk::LAST.to_vec(),
        }
    }

    /// Where the piece ends that byte number `at` of `said` belongs to; `at` itself where one begins. Something else
    /// can be said only there. None: it can't be made out.
    pub(super) fn boundary_at(self, said: &[u8], at: usize) -> Option<usize> {
        match self {
            Transport::WebSocket
            | Transport::V1
            | Transport::Pieces
            | Transport::EndlessPieces
            | Transport::Pusher => frame::boundary_at(said, at),
            Transport::Sse(_) | Transport::Stream | Transport::Poll => chunk::boundary_at(said, at),
        }
    }

    /// The reason that counts when the peer's stream ends on an open connection.
    pub(super) fn cause_of_end(self) -> CloseReason {
        match self {
            // A peer that leaves sends a close frame first.
            Transport::WebSocket
            | Transport::V1
            | Transport::Pieces
            | Transport::EndlessPieces
            | Transport::Pusher => CloseReason::Reset,
            Transport::Sse(_) | Transport::Stream | Transport::Poll => CloseReason::Client,
        }
    }

    /// Whether a client that leaves says so. The end of a stream is the same, whether its client has gone or has lost
    /// the network.
    pub(super) fn says_goodbye(self) -> bool {
        match self {
            Transport::WebSocket
            | Transport::V1
            | Transport::Pieces
            | Transport::EndlessPieces
            | Transport::Pusher => true,
            Transport::Sse(_) | Transport::Stream | Transport::Poll => false,
        }
    }

    /// How long a client whose connection has ended for this reason was told to wait before it comes back.
    pub(super) fn pause_ms(self, cause: CloseReason, lot: u32) -> u64 {
        match self {
            Transport::Sse(_) => sse::pause_ms(cause, lot),
            Transport::WebSocket
            | Transport::V1
            | Transport::Pieces
            | Transport::EndlessPieces
            | Transport::Pusher => 0,
            Transport::Stream | Transport::Poll => 0,
        }
    }

    /// Its label in the metrics.
    pub(super) fn label(self) -> ConnectionTransport {
        match self {
            Transport::WebSocket
            | Transport::V1
            | Transport::Pieces
            | Transport::EndlessPieces
            | Transport::Pusher => ConnectionTransport::WebSocket,
            Transport::Sse(_) => ConnectionTransport::Sse,
            Transport::Stream => ConnectionTransport::Stream,
            Transport::Poll => ConnectionTransport::Poll,
        }
    }

    /// Its name in `/connections`, if it is an endpoint of its own.
    pub(super) fn endpoint(self) -> Option<&'static str> {
        match self {
            Transport::WebSocket
            | Transport::V1
            | Transport::Pieces
            | Transport::EndlessPieces
            | Transport::Pusher => None,
            Transport::Sse(_) | Transport::Stream | Transport::Poll => Some(self.label().name()),
        }
    }

    /// Whether a subscriber is told of what it does not get, and how it has come to stand in its channels. Behind the
    /// handshake of a WebSocket there is nothing that could say it.
    pub(super) fn tells_gaps(self) -> bool {
        match self {
            Transport::WebSocket | Transport::Pieces | Transport::EndlessPieces | Transport::Pusher => false,
            Transport::V1 | Transport::Sse(_) | Transport::Stream | Transport::Poll => true,
        }
    }

    /// Whether a subscriber is told who comes to its channels and goes.
    pub(super) fn takes_notices(self) -> bool {
        match self {
            Transport::WebSocket | Transport::Pieces | Transport::EndlessPieces | Transport::Poll => false,
            Transport::V1 | Transport::Sse(_) | Transport::Stream | Transport::Pusher => true,
        }
    }

    /// Whether a connection is told that its token expires, before it does.
    pub(super) fn tells_expiry(self) -> bool {
        match self {
            Transport::WebSocket | Transport::Pieces | Transport::EndlessPieces => false,
            Transport::Sse(_) | Transport::Poll | Transport::Pusher => false,
            Transport::V1 | Transport::Stream => true,
        }
    }

    /// The form in which its publications are made, if they are not compressed; for a stream, of one channel alone.
    pub(super) fn form(self) -> Form {
        match self {
            Transport::WebSocket | Transport::Pieces | Transport::EndlessPieces => Form::Plain,
            // A publication to an app's channel is the message itself.
            Transport::Pusher => Form::Plain,
            Transport::V1 => Form::Envelope,
            Transport::Sse(EventFormat::Raw) => Form::Sse,
            Transport::Sse(EventFormat::Json) => Form::SseJson,
            Transport::Stream | Transport::Poll => Form::Ndjson,
        }
    }

    /// Frames messages to a connection that has agreed on this window for deflate; 0: it has not.
    pub(super) fn framing(self, deflater: &mut Deflater, window_bits: u8) -> MessageFraming<'_> {
        MessageFraming { transport: self, deflater, window_bits }
    }
}

/// How messages for one connection alone are framed.
pub(super) struct MessageFraming<'a> {
    transport: Transport,
    deflater: &'a mut Deflater,
    window_bits: u8,
}

impl MessageFraming<'_> {
    /// A publication that goes to this connection alone. `made` is room for its bytes if they must be made.
    pub(super) fn publication<'p>(
        &mut self,
        publication: &'p Publication,
        made: &'p mut Vec<u8>,
    ) -> &'p [u8] {
        let options = publication.options();
        match self.transport {
            // It has that frame already.
            Transport::WebSocket | Transport::Pieces | Transport::EndlessPieces
                if self.window_bits == 0 || !options.compress =>
            {
                publication.plain_frame()
            }
            Transport::WebSocket
            | Transport::Pieces
            | Transport::EndlessPieces
            | Transport::V1
            | Transport::Pusher
            | Transport::Sse(_)
            | Transport::Stream
            | Transport::Poll => {
                self.frame(publication.kind(), publication.payload(), options, made);
                made
            }
        }
    }
}

impl Framing for MessageFraming<'_> {
    fn frame(&mut self, kind: Kind, payload: &[u8], options: PushOptions, out: &mut Vec<u8>) {
        let window_bits = if options.compress { self.window_bits } else { 0 };
        match self.transport {
            Transport::WebSocket | Transport::Pieces | Transport::EndlessPieces => {
                self.deflater.encode(kind.opcode(), payload, window_bits, out);
            }
            Transport::V1 => {
                let mut object = Vec::new();
                push_direct(kind.opcode(), payload, &mut object);
                self.deflater.encode(Opcode::Text, &object, window_bits, out);
            }
            Transport::Pusher => {
                let mut object = Vec::new();
                push_to_client(kind.opcode(), payload, &mut object);
                self.deflater.encode(Opcode::Text, &object, window_bits, out);
            }
            Transport::Sse(format) => sse::push_direct(format, kind.opcode(), payload, out),
            Transport::Stream | Transport::Poll => {
                let mut object = Vec::new();
                push_direct(kind.opcode(), payload, &mut object);
                self.object(&object, out);
            }
        }
    }
}

impl MessageFraming<'_> {
    /// A message of `wspush.v1`. The words of a host on a user may have ends of lines in them, between two tokens of
    /// JSON.
    pub(super) fn object(&mut self, object: &[u8], out: &mut Vec<u8>) {
        match self.transport {
            Transport::Stream | Transport::Poll => lines::push(&in_one_line(object), out),
            Transport::Sse(_) => sse::push_message(&in_one_line(object), out),
            Transport::WebSocket
            | Transport::V1
            | Transport::Pieces
            | Transport::EndlessPieces
            | Transport::Pusher => {
                self.deflater.encode(Opcode::Text, object, self.window_bits, out);
            }
        }
    }
}

impl<S: Socket> Reactor<S> {
    /// Takes what came in on a connection that is open or closing.
    pub(super) fn open_input(&mut self, index: usize, input: &mut [u8]) -> Result<(), Gone> {
        match self.connections.slots[index].transport {
            Transport::Pusher if self.connections.slots[index].lines().is_some() => self.send_replies(index),
            Transport::WebSocket | Transport::V1 | Transport::Pusher => self.websocket_input(index, input),
            Transport::Pieces | Transport::EndlessPieces => self.pieces_input(index, input),
            // Nothing that comes behind the request is answered, as the answer to that has no end.
            Transport::Sse(_) | Transport::Stream => self.send_replies(index),
            Transport::Poll => self.poll_input(index, input),
        }
    }

    /// Says what comes first on a connection that has opened, and stands here in its channels.
    pub(super) fn tell_opened(&mut self, index: usize, entries: &[(ChannelId, Entry)]) {
        match self.connections.slots[index].transport {
            // The answer to the handshake has told it its positions.
            Transport::WebSocket | Transport::Pieces | Transport::EndlessPieces => {}
            // Its answer does.
            Transport::Poll => {}
            Transport::V1 => self.greet_v1(index, entries),
            Transport::Pusher => self.greet_app(index),
            Transport::Sse(_) => self.begin_events(index, entries),
            Transport::Stream => self.tell_entries(index, entries),
        }
    }

    /// Tells a connection that others have subscribed it to a channel.
    pub(super) fn tell_joined(&mut self, index: usize, channel: &str, entry: &Entry) {
        match self.connections.slots[index].transport {
            Transport::WebSocket | Transport::Pieces | Transport::EndlessPieces | Transport::Poll => {}
            Transport::Pusher => {}
            Transport::V1 | Transport::Stream => {
                self.aside(index, |reactor| reactor.tell_subscribed(index, None, channel, entry))
            }
            Transport::Sse(_) => self.tell_joined_sse(index, channel, entry),
        }
    }

    /// Tells a connection that others have ended its subscription to a channel.
    pub(super) fn tell_left(&mut self, index: usize, channel: &str) {
        match self.connections.slots[index].transport {
            Transport::WebSocket | Transport::Pieces | Transport::EndlessPieces | Transport::Poll => {}
            Transport::Pusher => {}
            Transport::V1 | Transport::Stream => self.tell_unsubscribed_v1(index, channel),
            Transport::Sse(_) => _ = self.tell_positions(index),
        }
    }

    /// Tells a slow consumer which publications it does not get. False: it is gone.
    pub(super) fn tell_gap(&mut self, index: usize, id: ChannelId, gap: Gap) -> bool {
        match self.connections.slots[index].transport {
            Transport::WebSocket | Transport::Pieces | Transport::EndlessPieces | Transport::Poll => true,
            Transport::Pusher => true,
            Transport::V1 | Transport::Stream => self.tell_missed(index, id, gap),
            Transport::Sse(_) => self.tell_missed_sse(index, id, gap),
        }
    }

    /// A client has said something on an open connection.
    pub(super) fn client_message(&mut self, index: usize, message: Message<'_>) -> Result<Next, Gone> {
        self.note_heard(index);
        match self.connections.slots[index].transport {
            Transport::WebSocket => self.hand_to_endpoint(index, message),
            Transport::V1 => self.v1_message(index, message),
            Transport::Pusher => self.app_message(index, message),
            // Those in pieces are handed over as such, and a stream has none from its client.
            Transport::Pieces | Transport::EndlessPieces => Ok(Next::Continue),
            Transport::Sse(_) | Transport::Stream | Transport::Poll => Ok(Next::Continue),
        }
    }

    /// An open connection has been silent for so long.
    pub(super) fn heartbeat(&mut self, index: usize, silent_ms: u64) {
        match self.connections.slots[index].transport {
            Transport::WebSocket | Transport::V1 | Transport::Pieces | Transport::EndlessPieces => {
                self.websocket_heartbeat(index, silent_ms);
            }
            Transport::Pusher => self.app_heartbeat(index, silent_ms),
            Transport::Sse(_) => self.stream_heartbeat(index, silent_ms, sse::HEARTBEAT),
            Transport::Stream => self.stream_heartbeat(index, silent_ms, lines::HEARTBEAT),
            // It has a deadline.
            Transport::Poll => {}
        }
    }

    /// All that was to be said on a closing connection is written, its close last.
    pub(super) fn close_is_written(&mut self, index: usize) -> Result<(), Gone> {
        match self.connections.slots[index].transport {
            Transport::Pusher if self.connections.slots[index].lines().is_some() => self.end_answer(index),
            Transport::WebSocket
            | Transport::V1
            | Transport::Pieces
            | Transport::EndlessPieces
            | Transport::Pusher => {
                self.await_peer_close(index);
                Ok(())
            }
            Transport::Sse(_) | Transport::Stream | Transport::Poll => self.end_answer(index),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_to_one_connection_is_made_only_if_it_must_be() {
        let publication = |options| Publication::new(Message::Text(&"a".repeat(500)), options).unwrap();
        let (default, mut deflater) = (PushOptions::default(), Deflater::new(3, 1));
        for (options, window_bits, is_made) in [
            (default, 0, false),
            (default.compress(false), 15, false),
            (default, 15, cfg!(feature = "deflate")),
        ] {
            let publication = publication(options);
            let mut made = Vec::new();
            let mut framing = Transport::WebSocket.framing(&mut deflater, window_bits);
            let framed = framing.publication(&publication, &mut made).to_vec();
            assert_eq!(framed.len() < publication.plain_frame().len(), is_made, "{options:?}, {window_bits}");
            assert_eq!(framed == publication.plain_frame(), !is_made, "{options:?}, {window_bits}");
            let mut reply = Vec::new();
            framing.frame(publication.kind(), publication.payload(), options, &mut reply);
            assert_eq!(reply, framed, "a reply is framed in the same way");
        }
    }

    #[test]
    fn something_else_can_be_said_only_between_two_frames() {
        let transport = Transport::WebSocket;
        let mut said = transport.close(CloseCode::GOING_AWAY, "away", 1);
        assert_eq!(said, b"\x88\x06\x03\xe9away");
        said.extend_from_slice(b"\x89\0");
        for (at, end) in [(0, Some(0)), (1, Some(8)), (8, Some(8)), (9, Some(10)), (10, Some(10)), (11, None)]
        {
            assert_eq!(transport.boundary_at(&said, at), end, "{at}");
        }
    }
}
