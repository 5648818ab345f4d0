//! A body in chunks, of which each is said as soon as it is whole.

use crate::transport::End;

/// No server that is measured here sends more at once; a larger number is a parser that lost its place.
const CHUNK_MAX: u64 = 64 << 20;

/// Hands on the content of each whole chunk and returns how many bytes they took.
pub(super) fn each(bytes: &[u8], mut take: impl FnMut(&[u8]) -> Result<(), End>) -> Result<usize, End> {
    let mut at = 0;
    loop {
        let (line, size) = match httparse::parse_chunk_size(&bytes[at..]) {
            Ok(httparse::Status::Complete(found)) => found,
            Ok(httparse::Status::Partial) => return Ok(at),
            Err(_) => return Err(End::Fault("a broken chunk")),
        };
        if size > CHUNK_MAX {
            return Err(End::Fault("a chunk of more than 64 MiB"));
        }
        if size == 0 {
            return Err(End::Fault("the end of the stream"));
        }
        let end = at + line + size as usize;
        match bytes.get(end..end + 2) {
            Some(b"\r\n") => take(&bytes[at + line..end])?,
            Some(_) => return Err(End::Fault("a broken chunk")),
            None => return Ok(at),
        }
        at = end + 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> (Result<usize, End>, Vec<u8>) {
        let mut content = Vec::new();
        let used = each(bytes, |piece| {
            content.extend_from_slice(piece);
            Ok(())
        });
        (used, content)
    }

    #[test]
    fn whole_chunks_are_taken_and_pieces_left() {
        let wire = b"3\r\nabc\r\nA;x=y\r\n0123456789\r\n";
        assert_eq!(read(wire), (Ok(wire.len()), b"abc0123456789".to_vec()));
        for cut in 0..wire.len() {
            let (used, content) = read(&wire[..cut]);
            let expected = if cut < 8 { (0, 0) } else { (8, 3) };
            assert_eq!((used.unwrap(), content.len()), expected, "cut to {cut}");
        }
    }

    #[test]
    fn ends_and_nonsense_are_told() {
        assert_eq!(read(b"1\r\na\r\n0\r\n\r\n"), (Err(End::Fault("the end of the stream")), b"a".to_vec()));
        for bad in [&b"x\r\n"[..], b"1\r\nab\r\n", b"ffffffff\r\n"] {
            assert!(read(bad).0.is_err(), "{bad:?}");
        }
    }
}
