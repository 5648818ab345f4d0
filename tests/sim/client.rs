//! Clients: what they send, what they expect, and what they make of what they get.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use wspush::push::{Position, Since};
use wspush::reactor::ListenerRole;

use super::deflate;
use super::dice::Dice;
use super::net::Wire;
use super::parse::{self, Frame};
use super::streams::Streamed;
use super::tls_client::TlsClient;
use super::v1::V1;
use super::wire::{self, CLOSE, PONG, masked};

/// The purpose of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A subscriber that also talks to the handler.
    Push,
    /// A subscriber that speaks `wspush.v1`.
    V1,
    /// A subscriber over plain HTTP.
    Stream,
    Echo,
    Chat,
    /// Sends what is no request, or no end of one.
    Garbage,
    /// Pipelines requests, on either listener.
    Http,
    /// Says anything; what it gets must still be responses and frames.
    Raw,
}

/// How a client reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    Fast,
    Slow(usize),
    Never,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    Handshake,
    Open,
    /// The server's close frame has come.
    Closed,
    /// The stream has ended.
    Over,
}

/// One stay in a channel. Its first publication is one behind what was logged when it began: `low` to `high`.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    pub low: usize,
    pub high: usize,
    /// Publications that were made when it ended: none after these may come.
    pub left: Option<usize>,
}

/// A thing that a subscriber has heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// A publication: its channel and number.
    Publication(String, usize),
    /// The answer of this number.
    Answer(usize),
    /// The message to it alone of this number.
    Direct(usize),
    /// The close frame with this code.
    Close(u16),
}

#[derive(Debug)]
pub struct Client {
    pub n: usize,
    pub role: Role,
    pub listener: ListenerRole,
    pub wire: Rc<RefCell<Wire>>,
    pub slot: Option<usize>,
    /// Last number of its address, if it isn't its own.
    pub host: Option<u8>,
    pub conn: Option<wspush::ConnId>,
    pub reader: Reader,
    /// Never answers a ping.
    pub mute: bool,
    pub stage: Stage,
    pub outgoing: VecDeque<u8>,
    /// When it was accepted.
    pub began_us: u64,
    pub(super) buf: Vec<u8>,
    /// Its host hears it in pieces, and answers so.
    pub in_pieces: bool,
    /// The message of which not all fragments have come.
    half: Option<Frame>,
    /// The knowledge of one that speaks `wspush.v1`, or is told the same.
    pub v1: Option<Box<V1>>,
    /// The rest of it, of one that is told over plain HTTP.
    pub streamed: Option<Box<Streamed>>,
    /// Speaks TLS.
    pub tls: Option<Box<TlsClient>>,
    /// Cut the connection, or closed its side in the middle of something.
    pub gone: bool,
    pub close_sent: bool,
    pub close_code: Option<u16>,
    pub status: u16,
    /// All that it has heard as a subscriber.
    pub transcript: Vec<Heard>,
    /// Numbers of the publications heard, by channel.
    pub heard: BTreeMap<String, Vec<usize>>,
    pub spans: BTreeMap<String, Vec<Span>>,
    /// From where on it wants some channels, and where it was told to stand.
    pub since: BTreeMap<String, Since>,
    pub positions: Vec<(String, Position)>,
    /// Messages, pings and requests still to be answered.
    pub echoes: VecDeque<(bool, Vec<u8>)>,
    pub pongs: VecDeque<Vec<u8>>,
    pub asked: usize,
    pub answered: usize,
    pub directs_sent: usize,
    pub directs_heard: usize,
    /// The extensions that it offers, and the window that was agreed on; 0: nothing.
    pub offer: &'static str,
    pub window_bits: u8,
    /// Publications that came deflated.
    pub deflated: usize,
    pub requests: VecDeque<&'static str>,
    pub pushes: Vec<u16>,
}

impl Client {
    pub fn new(
        n: usize,
        role: Role,
        listener: ListenerRole,
        reader: Reader,
        down_max: usize,
        now_us: u64,
    ) -> Client {
        let wire =
            Wire { down_max, drained_us: now_us, taken_us: now_us, heard_us: now_us, ..Wire::default() };
        Client {
            n,
            role,
            listener,
            wire: Rc::new(RefCell::new(wire)),
            slot: None,
            host: None,
            conn: None,
            reader,
            mute: false,
            stage: Stage::Handshake,
            outgoing: VecDeque::new(),
            began_us: now_us,
            buf: Vec::new(),
            in_pieces: false,
            half: None,
            v1: None,
            streamed: None,
            tls: None,
            gone: false,
            close_sent: false,
            close_code: None,
            status: 0,
            transcript: Vec::new(),
            heard: BTreeMap::new(),
            spans: BTreeMap::new(),
            since: BTreeMap::new(),
            positions: Vec::new(),
            echoes: VecDeque::new(),
            pongs: VecDeque::new(),
            asked: 0,
            answered: 0,
            directs_sent: 0,
            directs_heard: 0,
            offer: "",
            window_bits: 0,
            deflated: 0,
            requests: VecDeque::new(),
            pushes: Vec::new(),
        }
    }

    /// Queues the opening handshake.
    pub fn shake_hands(&mut self, target: &str) {
        let mut fields = Vec::new();
        if !self.offer.is_empty() {
            fields.push(("Sec-WebSocket-Extensions", self.offer));
        }
        if self.role == Role::V1 {
            fields.push(("Sec-WebSocket-Protocol", "wspush.v1"));
        }
        self.outgoing.extend(wire::upgrade(target, "sim", &fields));
    }

    /// Whether it can still say something.
    pub fn can_send(&self) -> bool {
        !self.gone && !self.close_sent && self.stage == Stage::Open
    }

    /// Queues a message and what must be the answer.
    pub fn say(&mut self, dice: &mut Dice, text: bool, payload: &[u8]) {
        let (bytes, pings) = parse::client_message(dice, text, payload, self.window_bits);
        self.outgoing.extend(bytes);
        self.pongs.extend(pings);
        match self.role {
            Role::Echo => self.echoes.push_back((text, payload.to_vec())),
            Role::Push => self.asked += 1,
            _ => {}
        }
    }

    /// Queues a close frame.
    pub fn close(&mut self, code: u16) {
        self.outgoing.extend(masked(true, CLOSE, &code.to_be_bytes()));
        self.close_sent = true;
    }

    /// Queues a request; `kind` is what kind of answer it gets.
    pub fn ask(&mut self, kind: &'static str, request: &[u8]) {
        self.outgoing.extend(request);
        self.requests.push_back(kind);
    }

    /// Moves at most `n` queued bytes to the wire.
    pub fn send(&mut self, n: usize) {
        let mut wire = self.wire.borrow_mut();
        if self.gone || wire.up_ended || wire.closed {
            return;
        }
        let n = n.min(self.outgoing.len()).min((256_usize << 10).saturating_sub(wire.up.len()));
        let bytes = match &mut self.tls {
            None => self.outgoing.drain(..n).collect(),
            Some(tls) if tls.is_open() => tls.seal(&self.outgoing.drain(..n).collect::<Vec<u8>>()),
            Some(tls) => tls.seal(&[]),
        };
        if !bytes.is_empty() {
            wire.push_up(&bytes);
        }
    }

    /// Reads at most `n` bytes and understands them.
    pub fn read(&mut self, n: usize, now_us: u64) {
        if self.stage == Stage::Over || self.wire.borrow().reset {
            return;
        }
        let bytes = self.wire.borrow_mut().pull_down(n, now_us);
        match &mut self.tls {
            None => self.buf.extend(bytes),
            Some(tls) => match tls.unseal(&bytes) {
                Some(plain) => self.buf.extend(plain),
                None => {
                    // An alert is all that it is told, without a request that could be answered.
                    self.gone = true;
                    self.wire.borrow_mut().end_up();
                }
            },
        }
        while self.understand() {}
        if self.wire.borrow().is_over() {
            self.stage = Stage::Over;
            self.wire.borrow_mut().end_up();
        }
    }

    /// Whether something has come that is no whole frame or response.
    pub fn has_rest(&self) -> bool {
        !self.buf.is_empty()
    }

    /// Whether the stream stopped inside of a frame or response, or without TLS's own end.
    pub fn is_cut_off(&self) -> bool {
        self.has_rest() || self.tls.as_ref().is_some_and(|tls| !tls.has_ended())
    }

    fn understand(&mut self) -> bool {
        match (self.stage, self.role) {
            (Stage::Closed, Role::Garbage | Role::Http) | (Stage::Over, _) => false,
            (Stage::Closed, _) if self.buf.is_empty() => false,
            (Stage::Handshake | Stage::Open, Role::Stream) => self.understand_streamed(),
            (Stage::Closed, _) => panic!("behind the close frame: {:x?}, {self:?}", &self.buf),
            (Stage::Handshake, _) | (_, Role::Garbage | Role::Http) => {
                let Some(response) = parse::response(&mut self.buf) else { return false };
                self.status = response.status;
                if self.role == Role::Http {
                    self.stage = Stage::Open;
                    self.response(&response);
                } else if response.status == 101 {
                    self.window_bits = response.window_bits;
                    match &mut self.v1 {
                        Some(v1) => v1.promised = response.positions.into(),
                        None if self.role == Role::Push => self.positions = response.positions,
                        None => {}
                    }
                    let asked = deflate::OFFERS.iter().find(|(offer, _)| *offer == self.offer);
                    let may = asked.map_or(0, |(_, bits)| *bits);
                    assert!(
                        self.window_bits == 0 || self.window_bits == may,
                        "{} of {may}",
                        self.window_bits
                    );
                    self.stage = Stage::Open;
                } else if !matches!(self.role, Role::Garbage | Role::Raw) {
                    // Refused; there is nothing else it could want.
                    self.gone = true;
                    self.wire.borrow_mut().end_up();
                }
                !self.buf.is_empty()
            }
            (Stage::Open, _) => {
                let Some(frame) = parse::frame(&mut self.buf, self.window_bits) else { return false };
                if let Some(frame) = self.whole(frame) {
                    self.frame(frame);
                }
                !self.buf.is_empty()
            }
        }
    }

    fn response(&mut self, response: &parse::Response) {
        let Some(kind) = self.requests.pop_front() else {
            // The last word: a request that came too slowly, or a drain.
            assert!(response.status >= 400, "an answer without a question: {response:?}");
            return;
        };
        let last_word = matches!(response.status, 400 | 408 | 503);
        match kind {
            "push" => self.pushes.push(response.status),
            "ok" => assert!(response.status == 200 || last_word, "{response:?}"),
            _ => {}
        }
    }

    /// Whether it is in the middle of a message.
    pub fn has_half_a_message(&self) -> bool {
        self.half.is_some()
    }

    /// A control frame, or the message that is whole with this one.
    fn whole(&mut self, frame: Frame) -> Option<Frame> {
        if frame.opcode >= CLOSE {
            return Some(frame);
        }
        assert_eq!(self.half.is_some(), frame.opcode == 0, "between the frames of a message");
        let whole = match self.half.take() {
            None => frame,
            Some(half) => Frame { fin: frame.fin, payload: [half.payload, frame.payload].concat(), ..half },
        };
        if whole.fin {
            return Some(whole);
        }
        self.half = Some(whole);
        None
    }

    fn frame(&mut self, frame: Frame) {
        let text = String::from_utf8_lossy(&frame.payload).into_owned();
        self.deflated += usize::from(frame.deflated && is_publication(&text));
        assert!(self.deflated == 0 || self.window_bits == 15, "a publication deflated for a small window");
        match (frame.opcode, self.role) {
            (9, _) if self.mute || self.close_sent => {}
            (9, _) => self.outgoing.extend(masked(true, PONG, &frame.payload)),
            (8, Role::Raw) => {
                self.close_code = Some(1005);
                self.stage = Stage::Closed;
            }
            (_, Role::Raw) => {}
            // Nobody has asked for it.
            (10, _) if frame.payload.is_empty() && self.pongs.front().is_none_or(|pong| !pong.is_empty()) => {
            }
            (10, _) => assert_eq!(self.pongs.pop_front(), Some(frame.payload), "the wrong pong"),
            (8, _) => self.closed(&frame.payload),
            (_, Role::Echo) => {
                assert_eq!(
                    self.echoes.pop_front(),
                    Some((frame.opcode == 1, frame.payload)),
                    "the wrong echo"
                );
            }
            (_, Role::Push) => self.message(&text),
            (_, Role::V1) => self.v1_message(&text),
            _ => {}
        }
    }

    fn closed(&mut self, payload: &[u8]) {
        let code = match payload {
            [] => 1005,
            [_] => panic!("a close frame with half a code"),
            [a, b, ..] => u16::from_be_bytes([*a, *b]),
        };
        assert!(matches!(code, 1000..=1003 | 1005 | 1007..=1014 | 3000..=4999), "close code {code}");
        assert!(code != 1005 || self.close_sent, "a close frame without a code");
        self.close_code = Some(code);
        self.transcript.push(Heard::Close(code));
        self.stage = Stage::Closed;
        if !self.close_sent {
            self.close(code);
        }
    }

    pub(super) fn message(&mut self, text: &str) {
        let fields: Vec<&str> = text.splitn(4, '|').collect();
        match fields[..] {
            ["P", channel, number, pad] => {
                let number: usize = number.parse().unwrap();
                assert_eq!(pad, padding(number, pad.len()), "someone else's bytes");
                let heard = self.heard.entry(channel.to_owned()).or_default();
                assert!(heard.last().is_none_or(|last| *last < number), "{channel} {number} after {heard:?}");
                heard.push(number);
                self.transcript.push(Heard::Publication(channel.to_owned(), number));
            }
            // Another client has published it.
            ["Q", ..] if self.role == Role::Push => {}
            ["R", number] => {
                self.answered += 1;
                assert_eq!(number, self.answered.to_string(), "an answer is missing");
                self.transcript.push(Heard::Answer(self.answered));
            }
            ["D", number, conn] => {
                self.directs_heard += 1;
                assert_eq!(number, self.directs_heard.to_string(), "a message to one is missing");
                self.transcript.push(Heard::Direct(self.directs_heard));
                assert_eq!(
                    Some(conn),
                    self.conn.map(|conn| conn.to_string()).as_deref(),
                    "someone else's mail"
                );
            }
            _ => panic!("an unexpected message: {text:?}"),
        }
    }
}

/// Whether a message is a publication, and no answer or message to one.
fn is_publication(text: &str) -> bool {
    ["P|", "Q|", "{\"channel\""].iter().any(|begin| text.starts_with(begin))
}

/// The text that fills publication `number` up to its size.
pub fn padding(number: usize, len: usize) -> String {
    char::from(b'a' + (number % 26) as u8).to_string().repeat(len)
}
