//! Every stream runs whole, byte by byte and randomly split, and has to say the same each time.

use super::super::frame::CONTROL_FRAME_MAX;
use super::super::pool::CHUNK_BYTES;
use super::*;
use proptest::prelude::*;

const MAX: usize = 100_000;

/// An [`Event`] that owns its bytes.
#[derive(Clone, Debug, PartialEq)]
enum Said {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<u16>, String),
}

impl From<Event<'_>> for Said {
    fn from(event: Event<'_>) -> Self {
        match event {
            Event::Text(text) => Self::Text(text.into()),
            Event::Binary(bytes) => Self::Binary(bytes.into()),
            Event::Ping(bytes) => Self::Ping(bytes.into()),
            Event::Pong(bytes) => Self::Pong(bytes.into()),
            Event::Close { code, reason } => Self::Close(code.map(|code| code.0), reason.into()),
        }
    }
}

/// A connection as the reactor keeps it: what the last read left over, and the assembly.
struct Peer {
    kept: Vec<u8>,
    assembly: Option<Box<Assembly>>,
    pool: Pool,
    scratch: Vec<u8>,
    message_bytes_max: usize,
    reserve: usize,
    said: Vec<Said>,
}

impl Peer {
    fn new() -> Self {
        Self {
            kept: Vec::new(),
            assembly: None,
            pool: Pool::new(2 * MAX),
            scratch: Vec::new(),
            message_bytes_max: MAX,
            reserve: 0,
            said: Vec::new(),
        }
    }

    fn read(&mut self, piece: &[u8]) -> Result<(), Violation> {
        let mut buffer = std::mem::take(&mut self.kept);
        buffer.extend_from_slice(piece);
        let mut at = 0;
        loop {
            let assembler = Assembler {
                pool: &mut self.pool,
                scratch: &mut self.scratch,
                inflater: None,
                message_bytes_max: self.message_bytes_max,
                reserve: self.reserve,
            };
            let result = assembler.next(&mut buffer[at..], &mut self.assembly);
            if result.is_err() {
                assert!(self.assembly.is_none());
            }
            let (consumed, step) = result?;
            at += consumed;
            match step {
                Step::Need => break,
                Step::Absorbed => assert!(consumed > 0),
                Step::NoRoom(chunks) => {
                    assert!(chunks > 0 && self.assembly.is_some());
                    return Err(give_up(&mut self.assembly, &mut self.pool));
                }
                Step::Event(event) => self.said.push(event.into()),
            }
        }
        self.kept = buffer.split_off(at);
        assert!(self.kept.len() < CONTROL_FRAME_MAX);
        Ok(())
    }

    /// Runs a whole stream in pieces of these sizes, again and again.
    fn run(stream: &[u8], sizes: &[usize]) -> (Vec<Said>, Option<Violation>) {
        let mut peer = Self::new();
        let mut rest = stream;
        let mut violation = None;
        for &size in sizes.iter().cycle() {
            let (piece, more) = rest.split_at(size.min(rest.len()));
            rest = more;
            violation = peer.read(piece).err();
            if rest.is_empty() || violation.is_some() {
                break;
            }
        }
        abandon(&mut peer.assembly, &mut peer.pool);
        assert_eq!(peer.pool.chunks_in_use(), 0);
        (peer.said, violation)
    }

    /// The events of a stream: whole and byte by byte.
    fn hear(stream: &[u8]) -> (Vec<Said>, Option<Violation>) {
        let whole = Self::run(stream, &[stream.len()]);
        assert_eq!(Self::run(stream, &[1]), whole, "byte by byte");
        assert_eq!(Self::run(stream, &[7]), whole, "by seven");
        whole
    }
}

fn frame(first: u8, payload: &[u8], mask: [u8; 4]) -> Vec<u8> {
    let (header, size) = frame::encode_header(Opcode::Binary, payload.len());
    let mut out = header[..size].to_vec();
    out[0] = first;
    out[1] |= 0x80;
    out.extend(mask);
    out.extend_from_slice(payload);
    unmask(&mut out[size + 4..], mask, 0);
    out
}

fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    frame(first, payload, [0x37, 0xfa, 0x21, 0x3d])
}

fn code(violation: Option<Violation>) -> Option<u16> {
    violation.map(|violation| violation.code.0)
}

#[test]
fn size() {
    assert!(size_of::<Assembly>() <= 64);
}

#[test]
fn rfc_examples() {
    let text = b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
    assert_eq!(Peer::hear(text), (vec![Said::Text("Hello".into())], None));
    let fragmented = [masked(0x01, b"Hel"), masked(0x80, b"lo")].concat();
    assert_eq!(Peer::hear(&fragmented), (vec![Said::Text("Hello".into())], None));
    assert_eq!(Peer::hear(&masked(0x89, b"Hello")), (vec![Said::Ping(b"Hello".into())], None));
}

#[test]
fn a_whole_frame_is_handed_out_of_the_input_itself() {
    let mut stream = [masked(0x82, &[9; 300]), masked(0x81, b"next")].concat();
    let (range, mut assembly, mut pool, mut scratch) =
        (stream.as_ptr_range(), None, Pool::new(0), Vec::new());
    let assembler = Assembler {
        pool: &mut pool,
        scratch: &mut scratch,
        inflater: None,
        message_bytes_max: 300,
        reserve: 0,
    };
    let (consumed, step) = assembler.next(&mut stream, &mut assembly).unwrap();
    let Step::Event(Event::Binary(bytes)) = step else { panic!("{step:?}") };
    assert!(range.contains(&bytes.as_ptr()) && bytes == [9; 300]);
    assert_eq!(consumed, 308);
    assert!(assembly.is_none() && scratch.capacity() == 0);
}

#[test]
fn messages_of_every_length_class() {
    for len in [0, 1, 125, 126, 127, CHUNK_BYTES, 65535, 65536, 70000] {
        let payload: Vec<u8> = (0..len).map(|i| i as u8).collect();
        let stream = masked(0x82, &payload);
        for sizes in [&[1][..], &[stream.len()], &[3, 1000], &[4096], &[stream.len() - 1, 1]] {
            // Miri takes a quarter of an hour for 70,000 reads.
            if cfg!(miri) && len > 127 && sizes[0] < 1000 {
                continue;
            }
            assert_eq!(Peer::run(&stream, sizes), (vec![Said::Binary(payload.clone())], None));
        }
    }
}

#[test]
fn control_frames_between_fragments() {
    let stream = [
        masked(0x01, b"a"),
        masked(0x89, b"ping"),
        masked(0x00, b""),
        masked(0x8a, &[7; 125]),
        masked(0x80, b"b"),
        masked(0x88, b"\x03\xe8bye"),
    ]
    .concat();
    let said = vec![
        Said::Ping(b"ping".into()),
        Said::Pong(vec![7; 125]),
        Said::Text("ab".into()),
        Said::Close(Some(1000), "bye".into()),
    ];
    assert_eq!(Peer::hear(&stream), (said, None));
}

#[test]
fn empty_messages_and_fragments() {
    let stream = [masked(0x81, b""), masked(0x02, b""), masked(0x00, b""), masked(0x80, b"")].concat();
    assert_eq!(Peer::hear(&stream), (vec![Said::Text(String::new()), Said::Binary(Vec::new())], None));
    assert_eq!(Peer::hear(&masked(0x88, b"")), (vec![Said::Close(None, String::new())], None));
}

#[test]
fn fragments_out_of_order() {
    for stream in [
        masked(0x80, b"x"),
        masked(0x00, b""),
        [masked(0x01, b"a"), masked(0x81, b"b")].concat(),
        [masked(0x02, b""), masked(0x02, b"b")].concat(),
    ] {
        assert_eq!(code(Peer::hear(&stream).1), Some(1002));
    }
}

#[test]
fn bad_close_payloads() {
    assert_eq!(code(Peer::hear(&masked(0x88, b"\x03")).1), Some(1002));
    assert_eq!(code(Peer::hear(&masked(0x88, b"\x03\xee")).1), Some(1002));
    assert_eq!(code(Peer::hear(&masked(0x88, b"\x03\xe8\xff")).1), Some(1007));
}

#[test]
fn the_limit_is_held_against_the_header() {
    let mut peer = Peer::new();
    peer.message_bytes_max = 1000;
    assert_eq!(peer.read(&masked(0x82, &[0; 1000])), Ok(()));
    assert_eq!(peer.read(&masked(0x02, &[0; 600])), Ok(()));
    assert_eq!(peer.read(&masked(0x00, &[0; 400])), Ok(()));
    let header = &masked(0x80, &[0; 1])[..6];
    assert_eq!(code(peer.read(header).err()), Some(1009));
    assert_eq!(peer.pool.chunks_in_use(), 0);
    assert_eq!(code(peer.read(&masked(0x82, &[0; 1001])[..8]).err()), Some(1009));
    let largest = b"\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff\0\0\0\0";
    assert_eq!(code(peer.read(largest).err()), Some(1009));
    peer.message_bytes_max = usize::MAX;
    // Where a length has 32 bits, no message is as long as that.
    let fits = usize::BITS == 64;
    assert_eq!(code(peer.read(largest).err()), (!fits).then_some(1009));
    assert_eq!(peer.said.len(), 1);
}

#[test]
fn text_fails_on_the_byte_that_proves_it() {
    let valid = "κόσμε".as_bytes();
    let text = [valid, b"\xf4\x90\x80\x80", b"edited"].concat();
    let stream = masked(0x81, &text);
    let proof = 6 + valid.len() + 2;
    let mut peer = Peer::new();
    for (i, byte) in stream.iter().enumerate().take(proof) {
        let result = peer.read(&[*byte]);
        assert_eq!(code(result.err()), (i + 1 == proof).then_some(1007), "byte {i}");
    }
    // The same across fragments, with a character cut between them; and an end within a character.
    let (head, tail) = text.split_at(valid.len() + 1);
    assert_eq!(code(Peer::hear(&[masked(0x01, head), masked(0x00, tail)].concat()).1), Some(1007));
    assert_eq!(code(Peer::hear(&[masked(0x01, b"a\xc3"), masked(0x80, b"")].concat()).1), Some(1007));
    let good = [masked(0x01, b"a\xc3"), masked(0x89, b""), masked(0x80, b"\xa9")].concat();
    assert_eq!(Peer::hear(&good), (vec![Said::Ping(Vec::new()), Said::Text("aé".into())], None));
    assert_eq!(code(Peer::hear(&masked(0x81, b"\xed\xa0\x80")).1), Some(1007));
}

#[test]
fn out_of_chunks() {
    let mut peer = Peer::new();
    peer.pool = Pool::new(3 * CHUNK_BYTES);
    peer.reserve = 1;
    let stream = masked(0x82, &[0; 3 * CHUNK_BYTES]);
    assert_eq!(peer.read(&stream[..2 * CHUNK_BYTES]), Ok(()));
    assert_eq!(peer.pool.chunks_in_use(), 2);
    let violation = peer.read(&stream[2 * CHUNK_BYTES..stream.len() - 1]).unwrap_err();
    assert_eq!((violation.code.0, violation.reason), (1013, "out of assembly memory"));
    assert_eq!(peer.pool.chunks_in_use(), 0);
    // The last piece needs no chunk.
    assert_eq!(peer.read(&stream[..2 * CHUNK_BYTES]), Ok(()));
    assert_eq!(peer.read(&stream[2 * CHUNK_BYTES..]), Ok(()));
    assert_eq!(peer.said, [Said::Binary(vec![0; 3 * CHUNK_BYTES])]);
}

/// A message in fragments, with pings between them: its frames and what they say.
fn message() -> impl Strategy<Value = (Vec<u8>, Vec<Said>)> {
    let payload = prop_oneof![
        "\\PC{0,60}".prop_map(|text| (true, text.into_bytes())),
        (0usize..if cfg!(miri) { 300 } else { 9000 }, any::<u8>())
            .prop_map(|(len, byte)| (false, vec![byte; len])),
    ];
    let cuts = proptest::collection::vec((any::<prop::sample::Index>(), any::<bool>()), 0..4);
    (payload, cuts, any::<[u8; 4]>()).prop_map(|((text, payload), cuts, mask)| {
        let mut ends: Vec<_> = cuts.iter().map(|(cut, ping)| (cut.index(payload.len() + 1), *ping)).collect();
        ends.sort_unstable();
        let (mut stream, mut said, mut from) = (Vec::new(), Vec::new(), 0);
        let mut opcode = if text { 1 } else { 2 };
        for (end, ping) in ends {
            stream.extend(frame(opcode, &payload[from..end], mask));
            (from, opcode) = (end, 0);
            if ping {
                stream.extend(frame(0x89, &mask, mask));
                said.push(Said::Ping(mask.into()));
            }
        }
        stream.extend(frame(0x80 | opcode, &payload[from..], mask));
        said.push(match text {
            true => Said::Text(String::from_utf8(payload).unwrap()),
            false => Said::Binary(payload),
        });
        (stream, said)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 2 } else { 128 }))]

    #[test]
    fn what_was_sent_is_heard(
        messages in proptest::collection::vec(message(), 1..5),
        sizes in proptest::collection::vec(1usize..3000, 1..20),
    ) {
        let (streams, said): (Vec<_>, Vec<_>) = messages.into_iter().unzip();
        let (stream, said) = (streams.concat(), said.concat());
        prop_assert_eq!(Peer::hear(&stream), (said.clone(), None));
        prop_assert_eq!(Peer::run(&stream, &sizes), (said, None));
    }

    #[test]
    fn a_broken_stream_breaks_the_same_way_in_any_pieces(
        messages in proptest::collection::vec(message(), 1..4),
        edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        sizes in proptest::collection::vec(1usize..40, 1..20),
    ) {
        let mut stream: Vec<u8> = messages.into_iter().flat_map(|(stream, _)| stream).collect();
        for (at, byte) in edits {
            let at = at.index(stream.len());
            stream[at] = byte;
        }
        prop_assert_eq!(Peer::run(&stream, &sizes), Peer::hear(&stream));
    }

    #[test]
    fn noise_never_panics(stream in proptest::collection::vec(any::<u8>(), 0..300)) {
        Peer::hear(&stream);
    }
}
