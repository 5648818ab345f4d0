//! A stream means the same in pieces as whole, however it is cut.

use super::super::message::{Assembler, Step as WholeStep};
use super::super::pool::Pool;
use super::super::{CloseCode, Inflater};
use super::*;
use proptest::prelude::*;

/// A message or a control frame.
#[derive(Clone, Debug, PartialEq)]
struct Said(u8, Vec<u8>);

impl From<Event<'_>> for Said {
    fn from(event: Event<'_>) -> Said {
        match event {
            Event::Text(text) => Said(1, text.into()),
            Event::Binary(bytes) => Said(2, bytes.into()),
            Event::Ping(bytes) => Said(9, bytes.into()),
            Event::Pong(bytes) => Said(10, bytes.into()),
            Event::Close { code, reason } => {
                let code = code.map_or(0, |code| code.0).to_be_bytes();
                Said(8, [&code, reason.as_bytes()].concat())
            }
        }
    }
}

/// The things heard, the end of the message that isn't whole, and how it has failed.
#[derive(Debug, Default, PartialEq)]
struct Heard {
    said: Vec<Said>,
    rest: Option<Vec<u8>>,
    failed: Option<CloseCode>,
}

/// Cuts a stream into pieces of these sizes, again and again.
fn cut<'a>(mut stream: &'a [u8], sizes: &'a [usize]) -> impl Iterator<Item = &'a [u8]> {
    sizes.iter().cycle().map_while(move |&size| {
        let (piece, rest) = stream.split_at(size.min(stream.len()));
        stream = rest;
        (!piece.is_empty()).then_some(piece)
    })
}

/// Hears a stream in pieces, which are put together here alone.
fn in_pieces(stream: &[u8], sizes: &[usize], terms: Terms) -> Heard {
    let (mut incoming, mut room, mut input) = (Incoming::default(), Vec::new(), Vec::new());
    let (mut heard, mut message) = (Heard::default(), None);
    'reads: for read in cut(stream, sizes) {
        input.extend_from_slice(read);
        loop {
            let before = input.len();
            let (used, step) = match incoming.next(&mut input, &mut room, terms) {
                Ok(taken) => taken,
                Err(violation) => {
                    heard.failed = Some(violation.code);
                    break 'reads;
                }
            };
            match step {
                Step::Need => {
                    assert_eq!(used, 0);
                    assert!(before < frame::CONTROL_FRAME_MAX, "more is kept than is promised");
                    break;
                }
                Step::Absorbed => assert!(used > 0),
                Step::NoDecoder => incoming.inflating = Some(Box::default()),
                Step::Control(event) => heard.said.push(event.into()),
                Step::Piece(Piece { data, more }) => {
                    let (kind, bytes) = match data {
                        Data::Text(text) => (1, text.as_bytes()),
                        Data::Binary(bytes) => (2, bytes),
                    };
                    assert!(!bytes.is_empty() || !more, "a piece of nothing");
                    message.get_or_insert_with(Vec::new).extend_from_slice(bytes);
                    if !more {
                        let bytes = message.take().unwrap();
                        heard.said.push(Said(kind, bytes));
                        assert!(!incoming.in_message());
                    }
                }
            }
            input.drain(..used);
        }
    }
    heard.rest = message;
    heard
}

/// Hears the same stream whole.
fn whole(stream: &[u8], terms: Terms) -> Heard {
    let (mut pool, mut scratch, mut assembly) = (Pool::new(8 << 20), Vec::new(), None);
    let (mut inflater, mut input, mut at) = (Inflater::default(), stream.to_vec(), 0);
    let mut heard = Heard::default();
    loop {
        let assembler = Assembler {
            pool: &mut pool,
            scratch: &mut scratch,
            inflater: terms.deflate.then_some(&mut inflater),
            message_bytes_max: usize::try_from(terms.bytes_max).unwrap(),
            reserve: 0,
        };
        match assembler.next(&mut input[at..], &mut assembly) {
            Ok((_, WholeStep::Need)) => break,
            Ok((used, WholeStep::Absorbed)) => at += used,
            Ok((_, WholeStep::NoRoom(chunks))) => panic!("{chunks} chunks are missing"),
            Ok((used, WholeStep::Event(event))) => {
                at += used;
                heard.said.push(event.into());
            }
            Err(violation) => {
                heard.failed = Some(violation.code);
                break;
            }
        }
    }
    super::super::message::abandon(&mut assembly, &mut pool);
    heard
}

const SIZES: [&[usize]; 5] = [&[1], &[7], &[3, 1_000], &[13, 1, 2], &[usize::MAX]];

/// Hears it in all ways.
fn check(stream: &[u8], terms: Terms) -> Heard {
    let expected = whole(stream, terms);
    let heard = in_pieces(stream, &[usize::MAX], terms);
    for sizes in SIZES {
        let split = in_pieces(stream, sizes, terms);
        assert_eq!((&split.said, split.failed), (&heard.said, heard.failed), "{sizes:?}");
    }
    assert_eq!(heard.said, expected.said, "not what is heard of whole messages");
    if terms.deflate {
        // Of a deflated message in pieces a fault is known before its end, where there may be another one.
        assert!(expected.failed.is_none() || heard.failed.is_some());
    } else {
        assert_eq!(heard.failed, expected.failed);
    }
    heard
}

const PLAIN: Terms = Terms { deflate: false, bytes_max: 100_000 };

fn frame(first: u8, payload: &[u8], mask: [u8; 4]) -> Vec<u8> {
    let (header, size) = frame::encode_header(Opcode::Binary, payload.len());
    let mut out = header[..size].to_vec();
    (out[0], out[1]) = (first, out[1] | 0x80);
    out.extend(mask);
    out.extend_from_slice(payload);
    unmask(&mut out[size + 4..], mask, 0);
    out
}

fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    frame(first, payload, [0x37, 0xfa, 0x21, 0x3d])
}

#[test]
fn pieces_come_as_they_are_there() {
    let (mut incoming, mut room) = (Incoming::default(), Vec::new());
    let mut stream = [masked(0x02, &[9; 300]), masked(0x80, b"end")].concat();
    let range = stream.as_ptr_range();
    let (used, step) = incoming.next(&mut stream[..100], &mut room, PLAIN).unwrap();
    let Step::Piece(Piece { data: Data::Binary(bytes), more: true }) = step else { panic!("{step:?}") };
    assert!(range.contains(&bytes.as_ptr()) && bytes == [9; 92] && used == 100);
    assert_eq!((incoming.left(), incoming.in_message()), (208, true));
    let (used, step) = incoming.next(&mut stream[100..], &mut room, PLAIN).unwrap();
    assert_eq!((used, step), (208, Step::Piece(Piece { data: Data::Binary(&[9; 208]), more: true })));
    let (used, step) = incoming.next(&mut stream[308..], &mut room, PLAIN).unwrap();
    assert_eq!((used, step), (9, Step::Piece(Piece { data: Data::Binary(b"end"), more: false })));
    assert!(!incoming.in_message() && room.is_empty());
}

#[test]
fn characters_are_not_cut() {
    let text = "aé€𝄞".repeat(40);
    let bytes = text.as_bytes();
    for at in 0..40 {
        // Between two fragments, with a ping there, and in the reads of `check`.
        let fragments = [masked(0x01, &bytes[..at]), masked(0x89, b"p"), masked(0x80, &bytes[at..])].concat();
        let heard = check(&fragments, PLAIN);
        assert_eq!(heard.said, [Said(9, b"p".into()), Said(1, bytes.into())]);
    }
    let singles: Vec<u8> = bytes[..20].iter().flat_map(|&byte| masked(0x00, &[byte])).collect();
    let stream = [masked(0x01, b""), singles, masked(0x80, b"")].concat();
    assert_eq!(check(&stream, PLAIN).said, [Said(1, bytes[..20].into())]);
}

#[test]
fn a_fault_is_known_as_soon_as_it_is_there() {
    let text = ["κόσμε".as_bytes(), b"\xf4\x90\x80\x80"].concat();
    let stream = masked(0x81, &text);
    let proof = stream.len() - 2;
    assert_eq!(in_pieces(&stream[..proof - 1], &[1], PLAIN).failed, None);
    assert_eq!(in_pieces(&stream[..proof], &[1], PLAIN).failed, Some(CloseCode::INVALID_PAYLOAD));
    for (stream, code) in [
        ([masked(0x01, b"a\xc3"), masked(0x80, b"")].concat(), CloseCode::INVALID_PAYLOAD),
        (masked(0x80, b"x"), CloseCode::PROTOCOL_ERROR),
        ([masked(0x01, b"a"), masked(0x81, b"b")].concat(), CloseCode::PROTOCOL_ERROR),
        (masked(0xc1, b"x"), CloseCode::PROTOCOL_ERROR),
    ] {
        assert_eq!(check(&stream, PLAIN).failed, Some(code));
    }
}

#[test]
fn the_limit_is_the_whole_messages() {
    let terms = Terms { deflate: false, bytes_max: 1_000 };
    let first = masked(0x02, &[0; 600]);
    let heard = check(&[&first[..], &masked(0x80, &[0; 400])].concat(), terms);
    assert_eq!((heard.said.len(), heard.failed), (1, None));
    let heard = check(&[&first[..], &masked(0x80, &[0; 401])[..8]].concat(), terms);
    assert_eq!((heard.said.len(), heard.failed), (0, Some(CloseCode::MESSAGE_TOO_BIG)));
    // No limit at all: the longest frame that there can be, and one behind it.
    let longest = b"\x02\xff\x7f\xff\xff\xff\xff\xff\xff\xff\0\0\0\0abc";
    let heard = in_pieces(longest, &[5], Terms { deflate: false, bytes_max: u64::MAX });
    assert_eq!((heard.rest.as_deref(), heard.failed), (Some(&b"abc"[..]), None));
}

#[cfg(feature = "deflate")]
mod deflated {
    use super::*;

    const TERMS: Terms = Terms { deflate: true, bytes_max: 3 << 20 };

    fn deflate(message: &[u8]) -> Vec<u8> {
        let mut stream = zlib_rs::Deflate::new(9, false, 15);
        let mut out = vec![0; message.len() + 100];
        stream.compress(message, &mut out, zlib_rs::DeflateFlush::SyncFlush).unwrap();
        out.truncate(stream.total_out() as usize - 4);
        out
    }

    #[test]
    fn fragments_of_a_deflated_message() {
        let text = "aé€𝄞, and so on. ".repeat(if cfg!(miri) { 20 } else { 5_000 });
        let payload = deflate(text.as_bytes());
        for at in [0, 1, 2, payload.len() / 2, payload.len() - 1, payload.len()] {
            let (first, second) = payload.split_at(at);
            let stream = [
                masked(0x41, first),
                masked(0x89, b"p"),
                masked(0x00, b""),
                masked(0x80, second),
                masked(0xc1, b"\x00"),
                masked(0x81, b"plain"),
            ]
            .concat();
            let said = [
                Said(9, b"p".into()),
                Said(1, text.clone().into()),
                Said(1, Vec::new()),
                Said(1, b"plain".into()),
            ];
            let heard = check(&stream, TERMS);
            assert_eq!((&heard.said[..], heard.failed), (&said[..], None));
        }
    }

    #[test]
    fn a_bomb_comes_in_steps_and_waits_between_them() {
        let bomb = deflate(&vec![b'x'; if cfg!(miri) { 100_000 } else { 2 << 20 }]);
        let mut stream = masked(0xc2, &bomb);
        let (mut incoming, mut room, mut at, mut steps) = (Incoming::default(), Vec::new(), 0, 0);
        incoming.inflating = Some(Box::default());
        while at < stream.len() {
            let (used, step) = incoming.next(&mut stream[at..], &mut room, TERMS).unwrap();
            let Step::Piece(Piece { data: Data::Binary(bytes), more }) = step else { panic!("{step:?}") };
            assert!(bytes.len() <= ROOM_BYTES);
            (at, steps) = (at + used, steps + 1);
            assert_eq!(more, at < stream.len(), "there is something in the input that brings it back");
        }
        assert!(steps >= if cfg!(miri) { 3 } else { 64 });
        let terms = Terms { bytes_max: 50_000, ..TERMS };
        assert_eq!(check(&stream_of(&bomb), terms).failed, Some(CloseCode::MESSAGE_TOO_BIG));
    }

    fn stream_of(payload: &[u8]) -> Vec<u8> {
        let (first, second) = payload.split_at(payload.len() / 3);
        [masked(0x42, first), masked(0x80, second)].concat()
    }

    #[test]
    fn what_is_no_deflated_text() {
        for payload in
            [&deflate(b"a\xc3")[..], &deflate(b"\xed\xa0\x80"), b"\xff\xff", b"\xf2\x48\xcd", b"\x07"]
        {
            let heard = check(&masked(0xc1, payload), TERMS);
            assert_eq!(heard.failed, Some(CloseCode::INVALID_PAYLOAD), "{payload:x?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 2 } else { 64 }))]

        #[test]
        fn a_broken_stream_breaks_in_any_pieces(
            texts in proptest::collection::vec("\\PC{0,300}", 1..4),
            edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
        ) {
            let mut stream: Vec<u8> = texts.iter().flat_map(|text| {
                let payload = deflate(text.as_bytes());
                let (first, second) = payload.split_at(payload.len() / 2);
                [masked(0x41, first), masked(0x80, second)].concat()
            }).collect();
            for (at, byte) in edits {
                let at = at.index(stream.len());
                stream[at] = byte;
            }
            check(&stream, TERMS);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 2 } else { 128 }))]

    #[test]
    fn what_was_sent_is_heard(
        messages in proptest::collection::vec(("\\PC{0,60}", 0usize..70, 0usize..70, any::<[u8; 4]>()), 1..5),
        edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
        sizes in proptest::collection::vec(1usize..40, 1..20),
    ) {
        let mut stream = Vec::new();
        for (text, one, two, mask) in &messages {
            let bytes = text.as_bytes();
            let (one, two) = (*one.min(two), *one.max(two));
            let (one, two) = (one.min(bytes.len()), two.min(bytes.len()));
            stream.extend(frame(0x01, &bytes[..one], *mask));
            stream.extend(frame(0x89, mask, *mask));
            stream.extend(frame(0x00, &bytes[one..two], *mask));
            stream.extend(frame(0x80, &bytes[two..], *mask));
        }
        for (at, byte) in edits {
            let at = at.index(stream.len());
            stream[at] = byte;
        }
        let heard = check(&stream, PLAIN);
        let split = in_pieces(&stream, &sizes, PLAIN);
        prop_assert_eq!((split.said, split.failed), (heard.said, heard.failed));
    }

    #[test]
    fn noise_never_panics(stream in proptest::collection::vec(any::<u8>(), 0..300)) {
        check(&stream, PLAIN);
        check(&stream, Terms { deflate: cfg!(feature = "deflate"), ..PLAIN });
    }
}
