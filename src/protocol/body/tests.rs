//! Framings that honest clients announce and that smugglers do; the chunked coding whole and in pieces.

use super::*;
use crate::protocol::head;
use proptest::prelude::*;

fn framing(version: u8, fields: &str) -> Result<Framing, Refusal> {
    let text = format!("POST / HTTP/1.{version}\r\nHost: a\r\n{fields}\r\n");
    let mut fields = head::Fields::new();
    let (head, _) = head::parse(text.as_bytes(), 8192, &mut fields).unwrap().expect("a whole head");
    head.body(1000)
}

#[test]
fn announced() {
    assert_eq!(framing(1, ""), Ok(Framing::None));
    assert_eq!(framing(1, "Content-Length: 0\r\n"), Ok(Framing::Length(0)));
    assert_eq!(framing(0, "content-length: 1000\r\n"), Ok(Framing::Length(1000)));
    assert_eq!(framing(1, "Transfer-Encoding: Chunked\r\n"), Ok(Framing::Chunked));
}

#[test]
fn refused() {
    for (version, fields, status) in [
        (1, "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", 400),
        (1, "Transfer-Encoding: gzip\r\nContent-Length: 5\r\n", 400),
        (1, "Content-Length: 5\r\nContent-Length: 5\r\n", 400),
        (1, "Content-Length: 5, 5\r\n", 400),
        (1, "Content-Length: +5\r\n", 400),
        (1, "Content-Length: -5\r\n", 400),
        (1, "Content-Length: 0x5\r\n", 400),
        (1, "Content-Length: 5 5\r\n", 400),
        (1, "Content-Length:\r\n", 400),
        (1, "Content-Length: 99999999999999999999999\r\n", 400),
        (1, "Content-Length: 1001\r\n", 413),
        (1, "Transfer-Encoding: gzip, chunked\r\n", 501),
        (1, "Transfer-Encoding: chunked, chunked\r\n", 501),
        (1, "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", 501),
        (1, "Transfer-Encoding: xchunked\r\n", 501),
        (1, "Transfer-Encoding: \"chunked\"\r\n", 501),
        (1, "Transfer-Encoding: chunked;a=b\r\n", 501),
        (1, "Transfer-Encoding:\r\n", 501),
        (0, "Transfer-Encoding: chunked\r\n", 400),
    ] {
        assert_eq!(framing(version, fields).expect_err(fields).status, status, "{fields:?}");
    }
    let refusal = framing(1, "Content-Length: 1001\r\n").unwrap_err();
    assert!(refusal.reason.contains("1001") && refusal.reason.contains("1000"));
}

/// Decodes in pieces of `size` bytes: the body and what is left over behind it, or the status; `None`:
/// incomplete.
fn pieces(input: &[u8], size: usize, bytes_max: usize) -> Result<Option<(Vec<u8>, usize)>, u16> {
    let (mut chunked, mut out, mut at) = (Chunked::default(), Vec::new(), 0);
    for piece in input.chunks(size) {
        let (consumed, done) =
            chunked.decode(piece, &mut out, bytes_max).map_err(|refusal| refusal.status)?;
        at += consumed;
        assert!(out.len() <= bytes_max);
        if done {
            assert_eq!(chunked.decode(b"more", &mut out, bytes_max), Ok((0, true)));
            return Ok(Some((out, input.len() - at)));
        }
        assert_eq!(consumed, piece.len());
    }
    Ok(None)
}

fn decode(input: &[u8], bytes_max: usize) -> Result<Option<(Vec<u8>, usize)>, u16> {
    let whole = pieces(input, input.len().max(1), bytes_max);
    for size in 1..8 {
        assert_eq!(pieces(input, size, bytes_max), whole, "by {size}");
    }
    whole
}

#[test]
fn chunks() {
    for (input, body) in [
        ("0\r\n\r\n", ""),
        ("5\r\nhello\r\n0\r\n\r\n", "hello"),
        ("5\r\nhello\r\n00006\r\n world\r\n000\r\n\r\n", "hello world"),
        ("1a\r\nabcdefghijklmnopqrstuvwxyz\r\n0\r\n\r\n", "abcdefghijklmnopqrstuvwxyz"),
        ("3;a=b;c=\"d;e\"\r\nabc\r\n0;x\r\n\r\n", "abc"),
        ("3 ;a\r\n\r\n\n\r\n0\t;x\r\n\r\n", "\r\n\n"),
        ("1\r\nx\r\n0\r\nDigest: a b\r\nB:\r\n\r\n", "x"),
    ] {
        assert_eq!(decode(input.as_bytes(), 100), Ok(Some((body.into(), 0))), "{input:?}");
    }
    assert_eq!(decode(b"1\r\nx\r\n0\r\n\r\nGET /", 1), Ok(Some((b"x".into(), 5))));
    assert_eq!(decode(b"5\r\nhel", 100), Ok(None));
    assert_eq!(decode(b"0\r\n\r", 100), Ok(None));
}

#[test]
fn malformed_chunks() {
    for input in [
        "\r\n",
        ";a\r\n",
        " 5\r\n",
        "+5\r\n",
        "-5\r\n",
        "0x5\r\n",
        "g\r\n",
        "5\n",
        "5 \r\n",
        "5 5\r\n",
        "5\r5",
        "1\r\nx\n",
        "1\r\nxy",
        "1\r\nx\rx",
        "5;a\n",
        "5;\0",
        "1A;a=\"b\r c\"\r\n",
        "0\r\n\n",
        "0\r\n\r\r",
        "0\r\n A: b\r\n",
        "0\r\nA: b\n",
        "0\r\nA: b\0",
        "00000000000000005\r\n",
    ] {
        assert_eq!(decode(input.as_bytes(), 100), Err(400), "{input:?}");
    }
}

#[test]
fn bounds() {
    assert_eq!(decode(b"a\r\n", 9), Err(413));
    assert_eq!(decode(b"9\r\n123456789\r\n1", 9), Err(413));
    assert_eq!(decode(b"9\r\n123456789\r\n0\r\n\r\n", 9), Ok(Some((b"123456789".into(), 0))));
    assert_eq!(decode(b"ffffffffffffffff\r\n", usize::MAX - 1), Err(413));
    assert_eq!(decode(b"1\r\nx\r\nffffffffffffffff\r\n", usize::MAX), Err(413));
    let long = |len: usize| format!("1;{}\r\nx\r\n0\r\n{}\r\n\r\n", "a".repeat(len), "b".repeat(100));
    assert_eq!(decode(long(OVERHEAD_MAX - 101).as_bytes(), 9), Ok(Some((b"x".into(), 0))));
    assert_eq!(decode(long(OVERHEAD_MAX - 100).as_bytes(), 9), Err(400));
}

proptest! {
    #[test]
    fn any_body_in_any_chunks(
        body in proptest::collection::vec(any::<u8>(), 0..300),
        sizes in proptest::collection::vec(1usize..40, 1..8),
        size in 1usize..100,
    ) {
        let (mut input, mut rest) = (Vec::new(), &body[..]);
        for size in sizes.into_iter().cycle() {
            let (chunk, more) = rest.split_at(size.min(rest.len()));
            rest = more;
            input.extend(format!("{:x}\r\n", chunk.len()).bytes());
            input.extend(chunk);
            input.extend(b"\r\n");
            if chunk.is_empty() {
                break;
            }
        }
        let expected = Ok(Some((body, 0)));
        prop_assert_eq!(&decode(&input, 300), &expected);
        prop_assert_eq!(&pieces(&input, size, 300), &expected);
    }

    #[test]
    fn noise_reads_the_same_in_any_pieces(input in "[0-9a-f;\r\n xA:]{0,40}") {
        let _ = decode(input.as_bytes(), 50);
        let _ = decode(format!("1\r\nx\r\n0\r\n{input}").as_bytes(), 50);
    }
}
