//! The chunked coding as it is written (RFC 9112 section 7.1): a publication of a stream over plain HTTP is one chunk,
//! header and end included, so that the same bytes lie in the ring for everybody.
//!
//! Who asked by HTTP/1.0 is sent an event stream that ends with the connection, in the same bytes: to the format of
//! event streams a chunk's header is a line with a field that there is not, and its end an event without data.

/// The chunk behind the last one, with no trailer.
pub const LAST: &[u8] = b"0\r\n\r\n";

/// Room for a header: eight digits, and the line's end.
const HEADER_BYTES_MAX: usize = 10;

/// The end of a chunk's data.
const END: &[u8] = b"\r\n";

/// Memory that is kept from one chunk to the next.
const BUFFER_AT_REST: usize = 64 << 10;

/// Makes chunks, one after the other.
#[derive(Debug, Default)]
pub struct Chunk {
    buffer: Vec<u8>,
    /// Where the header begins in it.
    start: usize,
}

impl Chunk {
    /// Makes a chunk of the data that `put` appends.
    pub fn make(&mut self, put: impl FnOnce(&mut Vec<u8>)) -> &[u8] {
        self.clear();
        self.buffer.resize(HEADER_BYTES_MAX, 0);
        put(&mut self.buffer);
        let len = self.buffer.len() - HEADER_BYTES_MAX;
        debug_assert!(0 < len && len <= u32::MAX as usize, "an empty chunk would be the last one");
        let mut header = [0; HEADER_BYTES_MAX];
        let size = write_header(len, &mut header);
        self.start = HEADER_BYTES_MAX - size;
        self.buffer[self.start..HEADER_BYTES_MAX].copy_from_slice(&header[..size]);
        self.buffer.extend_from_slice(END);
        self.bytes()
    }

    /// The chunk that was made last; nothing after [`clear`](Self::clear).
    pub fn bytes(&self) -> &[u8] {
        &self.buffer[self.start..]
    }

    /// Forgets it.
    pub fn clear(&mut self) {
        self.start = 0;
        self.buffer.clear();
        self.buffer.shrink_to(BUFFER_AT_REST);
    }
}

/// Appends one chunk.
pub fn push(data: &[u8], out: &mut Vec<u8>) {
    let mut header = [0; HEADER_BYTES_MAX];
    let size = write_header(data.len(), &mut header);
    out.extend_from_slice(&header[..size]);
    out.extend_from_slice(data);
    out.extend_from_slice(END);
}

/// Writes a chunk's header; how long it is.
fn write_header(len: usize, header: &mut [u8; HEADER_BYTES_MAX]) -> usize {
    let digits = (len.max(1).ilog2() / 4 + 1) as usize;
    for (n, byte) in header[..digits].iter_mut().enumerate() {
        *byte = b"0123456789abcdef"[len >> (4 * (digits - 1 - n)) & 15];
    }
    header[digits..digits + END.len()].copy_from_slice(END);
    digits + END.len()
}

/// The data of the chunk that `bytes` begin with, and how long that chunk is. None: they begin with no whole header, or
/// with the last chunk.
pub fn first(bytes: &[u8]) -> Option<(usize, usize)> {
    let digits = bytes.iter().take(HEADER_BYTES_MAX).position(|&byte| byte == b'\r')?;
    let len = usize::from_str_radix(std::str::from_utf8(&bytes[..digits]).ok()?, 16).ok()?;
    let is_header = len > 0 && bytes.get(digits + 1) == Some(&b'\n');
    is_header.then(|| (digits + END.len(), digits + 2 * END.len() + len))
}

/// Whether these bytes are chunks with data, all of them whole.
pub fn are_whole(mut bytes: &[u8]) -> bool {
    while let Some((_, len)) = first(bytes) {
        match bytes.get(..len) {
            Some(chunk) if chunk.ends_with(END) => bytes = &bytes[len..],
            _ => return false,
        }
    }
    bytes.is_empty()
}

/// Where the chunk ends that byte number `at` of `said` belongs to; `at` itself where one begins. None: it can't be
/// made out.
pub fn boundary_at(said: &[u8], at: usize) -> Option<usize> {
    let mut end = 0;
    while end < at {
        end += first(said.get(end..)?)?.1;
    }
    (end <= said.len()).then_some(end)
}

/// Appends the data of chunks, without their headers and ends. They are whole.
pub fn push_data(mut chunks: &[u8], out: &mut Vec<u8>) {
    while let Some((header, len)) = first(chunks)
        && let Some(chunk) = chunks.get(header..len - END.len())
    {
        out.extend_from_slice(chunk);
        chunks = &chunks[len..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Chunked;
    use proptest::prelude::*;

    #[test]
    fn to_the_letter() {
        let mut chunk = Chunk::default();
        assert_eq!(chunk.make(|out| out.extend_from_slice(b"data: a\n\n")), b"9\r\ndata: a\n\n\r\n");
        assert_eq!(chunk.make(|out| out.resize(out.len() + 0x1000, b'x'))[..6], b"1000\r\n"[..]);
        chunk.clear();
        assert_eq!(chunk.bytes(), b"");
        chunk.make(|out| out.resize(500_000, b'x'));
        chunk.make(|out| out.push(b'x'));
        assert!(chunk.buffer.capacity() <= BUFFER_AT_REST);
    }

    #[test]
    fn pieces_of_chunks_are_none() {
        let two = b"1\r\na\r\n2\r\nbc\r\n";
        assert!(are_whole(b"") && are_whole(two) && are_whole(&two[..6]));
        for at in (1..6).chain(7..two.len()) {
            assert!(!are_whole(&two[..at]), "{at}");
        }
        for wrong in [&b"1\r\nab\r"[..], b"x\r\na\r\n", b"\r\n", b"1\na\r\n", LAST, b"123456789a\r\n"] {
            assert!(!are_whole(wrong), "{wrong:?}");
        }
        for (at, end) in [(0, Some(0)), (1, Some(6)), (6, Some(6)), (7, Some(13)), (13, Some(13)), (14, None)]
        {
            assert_eq!(boundary_at(two, at), end, "{at}");
        }
        assert_eq!(boundary_at(&two[..10], 8), None);
    }

    proptest! {
        #[test]
        fn a_reader_of_chunks_finds_the_data(
            all in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..5_000), 0..5),
        ) {
            let (mut written, mut chunk) = (Vec::new(), Chunk::default());
            for (n, data) in all.iter().enumerate() {
                if n % 2 == 0 {
                    push(data, &mut written);
                } else {
                    written.extend_from_slice(chunk.make(|out| out.extend_from_slice(data)));
                }
            }
            prop_assert!(are_whole(&written));
            let mut own = Vec::new();
            push_data(&written, &mut own);
            written.extend_from_slice(LAST);
            let mut read = Vec::new();
            let end = Chunked::default().decode(&written, &mut read, usize::MAX);
            prop_assert_eq!(end, Ok((written.len(), true)));
            prop_assert_eq!(&read, &all.concat());
            prop_assert_eq!(own, read);
        }
    }
}
