//! Frames, messages and chunked bodies: any split of the same bytes means the same.

use wspush::protocol::frame::{self, Opcode};
use wspush::protocol::message::{self, Assembler, Event, Step};
use wspush::protocol::pieces::{self as in_pieces, Data, Incoming, Piece, Terms};
use wspush::protocol::{Chunked, Inflater, Pool};

use super::{choice, pieces};

/// A header: the verdict on it never changes with more bytes, and what we encode a client's decoder understands.
pub fn frame(data: &[u8]) {
    let mut verdict = Ok(None);
    for cut in 0..=data.len().min(20) {
        let now = frame::decode_header(&data[..cut], false);
        if verdict != Ok(None) {
            assert_eq!(now, verdict, "a verdict changed at {cut}");
        }
        verdict = now;
    }
    if let Ok(Some(header)) = verdict {
        assert!([6, 8, 14].contains(&header.size) && header.size <= data.len());
        assert!(!header.opcode.is_control() || header.fin && header.len <= 125);
    }
    let (first, payload) = choice(data);
    let opcode = if first & 1 == 0 { Opcode::Text } else { Opcode::Binary };
    let long = payload.repeat(1 + usize::from(first >> 1) * 8);
    let mut out = Vec::new();
    frame::encode(opcode, &long, &mut out);
    assert_eq!(out.len(), frame::encoded_len(long.len()));
    let (header, len) = frame::decode_server_header(&out).expect("our own frame");
    assert_eq!((&out[header..], len), (&long[..], long.len() as u64));
    assert!(frame::are_whole(&out) && !frame::are_whole(&out[..out.len() - 1]));
    if frame::are_whole(data) {
        let mut rest = data;
        while let Some((header, len)) = frame::decode_server_header(rest) {
            rest = &rest[header + len as usize..];
        }
        assert!(rest.is_empty());
    }
}

/// Everything that a connection would have heard.
#[derive(Debug, Default, PartialEq)]
struct Heard {
    events: Vec<(u8, Vec<u8>)>,
    violation: Option<u16>,
    buffered: bool,
}

fn noted(event: Event<'_>) -> (u8, Vec<u8>) {
    match event {
        Event::Text(text) => (1, text.as_bytes().to_vec()),
        Event::Binary(bytes) => (2, bytes.to_vec()),
        Event::Ping(bytes) => (9, bytes.to_vec()),
        Event::Pong(bytes) => (10, bytes.to_vec()),
        Event::Close { code, reason } => {
            assert!(code.is_none_or(|code| code.is_valid_on_wire()));
            (8, [&code.map_or(0, |code| code.0).to_be_bytes(), reason.as_bytes()].concat())
        }
    }
}

/// The same for a host that takes messages as they come: what it would put together.
fn take_as_it_comes(cuts: &[u8], data: &[u8], terms: Terms) -> Heard {
    let (mut incoming, mut room, mut heard) = (Incoming::default(), Vec::new(), Heard::default());
    let (mut input, mut message) = (Vec::new(), Vec::new());
    'pieces: for piece in pieces(cuts, data) {
        input.extend_from_slice(piece);
        loop {
            let used = match incoming.next(&mut input, &mut room, terms) {
                Ok((used, in_pieces::Step::Need)) => {
                    assert_eq!(used, 0);
                    break;
                }
                Ok((used, in_pieces::Step::Absorbed)) => used,
                Ok((used, in_pieces::Step::NoDecoder)) => {
                    incoming.inflating = Some(Box::default());
                    used
                }
                Ok((used, in_pieces::Step::Control(event))) => {
                    heard.events.push(noted(event));
                    used
                }
                Ok((used, in_pieces::Step::Piece(Piece { data, more }))) => {
                    let (kind, bytes) = match data {
                        Data::Text(text) => (1, text.as_bytes()),
                        Data::Binary(bytes) => (2, bytes),
                    };
                    assert!(more != bytes.is_empty() || !more, "a piece of nothing");
                    message.extend_from_slice(bytes);
                    if !more {
                        heard.events.push((kind, std::mem::take(&mut message)));
                    }
                    used
                }
                Err(violation) => {
                    heard.violation = Some(violation.code.0);
                    break 'pieces;
                }
            };
            input.drain(..used);
        }
        assert!(input.len() < frame::CONTROL_FRAME_MAX, "more is kept than is promised");
    }
    heard.buffered = incoming.in_message();
    heard
}

/// Feeds `data` in pieces, as the reactor does: what is not consumed comes in front of the next piece.
fn listen(cuts: &[u8], data: &[u8], bytes_max: usize, deflate: bool) -> Heard {
    let mut inflater = Inflater::default();
    let mut pool = Pool::new(64 * 4096);
    let (mut assembly, mut scratch, mut heard) = (None, Vec::new(), Heard::default());
    let mut input = Vec::new();
    'pieces: for piece in pieces(cuts, data) {
        input.extend_from_slice(piece);
        let mut at = 0;
        loop {
            let assembler = Assembler {
                pool: &mut pool,
                scratch: &mut scratch,
                inflater: deflate.then_some(&mut inflater),
                message_bytes_max: bytes_max,
                reserve: 0,
            };
            match assembler.next(&mut input[at..], &mut assembly) {
                Ok((used, Step::Need)) => {
                    assert_eq!(used, 0);
                    break;
                }
                Ok((used, Step::Absorbed)) => at += used,
                Ok((_, Step::NoRoom(chunks))) => panic!("{chunks} chunks are missing"),
                Ok((used, Step::Event(event))) => {
                    assert!(used > 0);
                    at += used;
                    heard.events.push(noted(event));
                }
                Err(violation) => {
                    assert!(violation.code.is_valid_on_wire() && violation.reason.len() <= 123);
                    assert!(assembly.is_none());
                    heard.violation = Some(violation.code.0);
                    break 'pieces;
                }
            }
        }
        input.drain(..at);
        assert!(input.len() < frame::CONTROL_FRAME_MAX, "more is kept than is promised");
        assert!(
            pool.chunks_in_use() as u64 * 4096
                <= message::deflated_bytes_max(bytes_max as u64).next_multiple_of(4096),
            "more is buffered than allowed"
        );
    }
    heard.buffered = assembly.is_some();
    message::abandon(&mut assembly, &mut pool);
    assert_eq!(pool.chunks_in_use(), 0, "chunks are lost");
    for (kind, payload) in &heard.events {
        assert!(payload.len() <= bytes_max.max(125), "a message over the limit");
        assert!(*kind != 1 || std::str::from_utf8(payload).is_ok());
    }
    heard
}

/// The messages in some bytes, whole, byte by byte and cut anywhere.
pub fn message(data: &[u8]) {
    let (first, rest) = choice(data);
    let bytes_max = [10, 125, 1_000, 100_000][usize::from(first & 3)];
    let (cuts, rest) = rest.split_at(usize::from(first >> 5).min(rest.len()));
    // Without the feature it is never agreed on.
    let deflate = cfg!(feature = "deflate") && first & 4 != 0;
    let whole = listen(&[], rest, bytes_max, deflate);
    for cuts in [cuts, &[0], &[6, 0, 130]] {
        let split = listen(cuts, rest, bytes_max, deflate);
        // A text is given up at its first bad byte, and so perhaps before a frame that whole input has wrong.
        assert_eq!(split.events, whole.events, "cut by {cuts:?}");
        assert_eq!(split.violation, whole.violation, "cut by {cuts:?}");
    }
    let terms = Terms { deflate, bytes_max: bytes_max as u64 };
    for cuts in [&[][..], cuts, &[0], &[6, 0, 130]] {
        let taken = take_as_it_comes(cuts, rest, terms);
        // Of a deflated message a fault is known before its end, where there may be another one; what may come in
        // between are control frames.
        let is_early = deflate && (whole.violation.is_none() || taken.violation.is_some());
        let heard = taken.events.len();
        assert_eq!(taken.events, whole.events[..heard.min(whole.events.len())], "in pieces, cut by {cuts:?}");
        let only_control = whole.events[heard..].iter().all(|(kind, _)| *kind >= 8);
        let is_cut_short = is_early && taken.violation.is_some() && only_control;
        assert!(
            heard == whole.events.len() || is_cut_short,
            "in pieces, cut by {cuts:?}: {taken:?}, {whole:?}"
        );
        assert!(is_early || taken.violation == whole.violation, "{taken:?}, {whole:?}");
    }
}

/// A chunked body, whole and cut anywhere; and every body comes back from its chunks.
pub fn chunked(data: &[u8]) {
    let (first, rest) = choice(data);
    let bytes_max = [0, 5, 100, 100_000][usize::from(first & 3)];
    let (cuts, rest) = rest.split_at(usize::from(first >> 5).min(rest.len()));
    let decode = |cuts: &[u8], data: &[u8]| {
        let (mut chunked, mut out, mut used) = (Chunked::default(), Vec::new(), 0);
        for piece in pieces(cuts, data) {
            match chunked.decode(piece, &mut out, bytes_max) {
                Ok((n, done)) => {
                    used += n;
                    assert!(n == piece.len() || done, "input is left although the body isn't done");
                    assert!(out.len() <= bytes_max);
                    if done {
                        return Ok((out, used, true));
                    }
                }
                Err(refusal) => return Err(refusal.status),
            }
        }
        Ok((out, used, false))
    };
    let whole = decode(&[], rest);
    for cuts in [cuts, &[0], &[2, 0, 7]] {
        assert_eq!(decode(cuts, rest), whole, "cut by {cuts:?}");
    }
    if rest.len() <= bytes_max {
        let mut coded = Vec::new();
        for piece in pieces(cuts, rest) {
            coded.extend(format!("{:x};ext=1\r\n", piece.len()).bytes().chain(piece.iter().copied()));
            coded.extend(b"\r\n");
        }
        coded.extend(b"0\r\nTrailer: x\r\n\r\nnext");
        if coded.len() - rest.len() < 4_000 {
            assert_eq!(decode(&[4], &coded), Ok((rest.to_vec(), coded.len() - 4, true)));
        }
    }
}
