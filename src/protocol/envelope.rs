//! The envelope in which `wspush.v1` says a publication: its channel, where it lies there, and its payload, as one JSON
//! object in a text frame. It is the same for every subscriber, so it is made once.

use super::frame::{self, Opcode};
use super::json;
use crate::limits::FRAME_HEADER_BYTES_MAX;

/// Whose publication it is, and which number it has there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin<'a> {
    /// The channel's name.
    pub channel: &'a str,
    /// Which life of the channel.
    pub epoch: u64,
    /// The publication's offset.
    pub offset: u64,
    /// So long may its frame be at the most, for the channel's log to hold it.
    pub frame_bytes_max: usize,
}

/// Memory for a frame that is kept from one to the next.
const BUFFER_AT_REST: usize = 64 << 10;

/// Makes envelopes, one after the other.
#[derive(Debug, Default)]
pub struct Enveloper {
    buffer: Vec<u8>,
    /// Where the frame begins in it.
    start: usize,
    is_missed: bool,
}

impl Enveloper {
    /// Makes a publication's envelope. Its payload is text if its opcode is.
    ///
    /// Escaped, or as base64, a payload takes more bytes than it has. If they are more than the log can hold, there is
    /// a notice in its place that this publication is missed: no gap is silent.
    pub fn make(&mut self, origin: Origin<'_>, opcode: Opcode, payload: &[u8]) {
        self.buffer.truncate(BUFFER_AT_REST);
        self.buffer.shrink_to(BUFFER_AT_REST);
        self.begin();
        push_publication(origin, opcode, payload, &mut self.buffer);
        self.is_missed = frame::encoded_len(self.object().len()) > origin.frame_bytes_max;
        if self.is_missed {
            self.begin();
            push_missed(origin.channel, origin.epoch, (origin.offset, origin.offset), &mut self.buffer);
        }
        let (header, size) = frame::encode_header(Opcode::Text, self.object().len());
        self.start = FRAME_HEADER_BYTES_MAX - size;
        self.buffer[self.start..FRAME_HEADER_BYTES_MAX].copy_from_slice(&header[..size]);
    }

    /// Leaves room for the longest header.
    fn begin(&mut self) {
        self.buffer.clear();
        self.buffer.resize(FRAME_HEADER_BYTES_MAX, 0);
    }

    /// The envelope that was made last.
    pub fn object(&self) -> &[u8] {
        self.buffer.get(FRAME_HEADER_BYTES_MAX..).unwrap_or_default()
    }

    /// Whether it is only a notice that the publication is missed.
    pub fn is_missed(&self) -> bool {
        self.is_missed
    }

    /// The same as a frame.
    pub fn frame(&self) -> &[u8] {
        &self.buffer[self.start..]
    }
}

/// Appends `{"channel":"C","epoch":"E","offset":N,"data":"text"}`, with `base64` in place of `data` if it is no text.
pub fn push_publication(origin: Origin<'_>, opcode: Opcode, payload: &[u8], out: &mut Vec<u8>) {
    push_position(origin.channel, origin.epoch, out);
    out.extend_from_slice(b",\"offset\":");
    json::push_number(origin.offset, out);
    out.push(b',');
    push_payload(opcode, payload, out);
    out.push(b'}');
}

/// Appends `"data":"text"`, or `"base64":".."`.
pub fn push_payload(opcode: Opcode, payload: &[u8], out: &mut Vec<u8>) {
    if opcode == Opcode::Text {
        out.extend_from_slice(b"\"data\":");
        json::push_string(payload, out);
    } else {
        out.extend_from_slice(b"\"base64\":");
        json::push_base64(payload, out);
    }
}

/// Appends `{"missed":{"channel":"C","epoch":"E","from":N,"to":M}}`: the first and the last offset of what a subscriber
/// does not get.
pub fn push_missed(channel: &str, epoch: u64, (from, to): (u64, u64), out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"missed\":");
    push_position(channel, epoch, out);
    out.extend_from_slice(b",\"from\":");
    json::push_number(from, out);
    out.extend_from_slice(b",\"to\":");
    json::push_number(to, out);
    out.extend_from_slice(b"}}");
}

/// Appends `{"channel":"C","epoch":"E"`. The epoch is a string: JavaScript's numbers end at 2^53.
pub fn push_position(channel: &str, epoch: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"channel\":");
    json::push_string(channel.as_bytes(), out);
    out.extend_from_slice(b",\"epoch\":\"");
    json::push_number(epoch, out);
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    const ORIGIN: Origin<'_> =
        Origin { channel: "news", epoch: 1_795_257_271_813_595, offset: 42, frame_bytes_max: 1 << 20 };

    fn made(origin: Origin<'_>, opcode: Opcode, payload: &[u8]) -> String {
        let mut enveloper = Enveloper::default();
        // A longer one before it leaves nothing behind.
        enveloper.make(origin, Opcode::Binary, &[7; 300]);
        enveloper.make(origin, opcode, payload);
        let mut expected = Vec::new();
        frame::encode(Opcode::Text, enveloper.object(), &mut expected);
        assert_eq!(enveloper.frame(), expected);
        String::from_utf8(enveloper.object().to_vec()).unwrap()
    }

    #[test]
    fn to_the_letter() {
        assert_eq!(
            made(ORIGIN, Opcode::Text, b"say \"hi\"\n"),
            r#"{"channel":"news","epoch":"1795257271813595","offset":42,"data":"say \"hi\"\n"}"#
        );
        assert_eq!(
            made(ORIGIN, Opcode::Binary, b"\0\xff"),
            r#"{"channel":"news","epoch":"1795257271813595","offset":42,"base64":"AP8="}"#
        );
    }

    #[test]
    fn what_no_log_could_hold_is_said_to_be_missed() {
        let whole = made(ORIGIN, Opcode::Text, &[0; 200]);
        let frame_bytes = frame::encoded_len(whole.len());
        let longest = Origin { frame_bytes_max: frame_bytes, ..ORIGIN };
        assert_eq!(made(longest, Opcode::Text, &[0; 200]), whole);
        let shorter = Origin { frame_bytes_max: frame_bytes - 1, ..ORIGIN };
        assert_eq!(
            made(shorter, Opcode::Text, &[0; 200]),
            r#"{"missed":{"channel":"news","epoch":"1795257271813595","from":42,"to":42}}"#
        );
    }

    #[test]
    fn no_large_one_is_kept() {
        let mut enveloper = Enveloper::default();
        enveloper.make(ORIGIN, Opcode::Text, &[b'x'; 500_000]);
        enveloper.make(ORIGIN, Opcode::Text, b"x");
        assert!(enveloper.buffer.capacity() <= BUFFER_AT_REST);
    }

    proptest! {
        #[test]
        fn it_reads_back(text in any::<String>(), bytes in any::<Vec<u8>>(), epoch: u64, offset: u64) {
            let origin = Origin { epoch, offset, ..ORIGIN };
            let mut expected =
                json!({"channel": "news", "epoch": epoch.to_string(), "offset": offset, "data": text});
            let read = |made: String| serde_json::from_str::<Value>(&made).unwrap();
            prop_assert_eq!(&read(made(origin, Opcode::Text, text.as_bytes())), &expected);
            let fields = expected.as_object_mut().unwrap();
            fields.remove("data");
            fields.insert("base64".into(), base64::prelude::BASE64_STANDARD.encode(&bytes).into());
            prop_assert_eq!(&read(made(origin, Opcode::Binary, &bytes)), &expected);
        }
    }
}
