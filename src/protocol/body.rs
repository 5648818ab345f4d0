//! Request bodies (RFC 9112 sections 6 and 7): which framing a head announces, and the chunked coding.
//!
//! Strict throughout: a proxy in front of us that read the same bytes another way could be made to smuggle a
//! request. So `Transfer-Encoding` is the one list in which an empty element is not read over.

use super::head::Head;
use super::response::Refusal;

#[cfg(test)]
mod tests;

/// Most bytes of chunk extensions and trailers in one body. They are read over and forgotten.
pub const OVERHEAD_MAX: usize = 4096;

/// Most hexadecimal digits of a chunk's size.
const DIGITS_MAX: u32 = 16;

/// How a request's body comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// No body.
    None,
    /// So many bytes.
    Length(usize),
    /// The chunked coding: see [`Chunked`].
    Chunked,
}

impl Framing {
    /// The framing that a head announces (RFC 9112 section 6.3). 413 for a length over `bytes_max`, 501 for codings
    /// other than `chunked`, 400 for everything that could be read in two ways.
    pub fn of(head: &Head<'_>, bytes_max: usize) -> Result<Self, Refusal> {
        let mut lengths = head.headers("content-length");
        let mut codings = head.headers("transfer-encoding");
        match (lengths.next(), codings.next()) {
            (None, None) => Ok(Self::None),
            (Some(_), Some(_)) => {
                Err(Refusal::fixed(400, "both Content-Length and Transfer-Encoding in one request"))
            }
            (None, Some(_)) if head.minor_version == 0 => {
                Err(Refusal::fixed(400, "Transfer-Encoding in HTTP/1.0"))
            }
            (None, Some(coding)) => {
                if !coding.eq_ignore_ascii_case(b"chunked") || codings.next().is_some() {
                    return Err(Refusal::fixed(501, "a transfer coding other than chunked"));
                }
                Ok(Self::Chunked)
            }
            (Some(length), None) => {
                if lengths.next().is_some() {
                    return Err(Refusal::fixed(400, "more than one Content-Length"));
                }
                let length = parse_length(length).ok_or(Refusal::fixed(400, "malformed Content-Length"))?;
                if length > bytes_max {
                    let reason = format!("body of {length} bytes, the limit is {bytes_max}");
                    return Err(Refusal::new(413, reason));
                }
                Ok(Self::Length(length))
            }
        }
    }
}

/// Digits only: `str::parse` alone would take a sign.
fn parse_length(field: &[u8]) -> Option<usize> {
    if !field.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(field).ok()?.parse().ok()
}

/// Decodes the chunked coding (RFC 9112 section 7.1) in whatever pieces it arrives.
#[derive(Clone, Debug, Default, serde::Deserialize, serde::Serialize)]
pub struct Chunked {
    state: State,
    /// Bytes left of the current chunk; while its size is read, what the digits say so far.
    left: usize,
    digits: u32,
    /// Bytes of the body so far.
    total: usize,
    /// Bytes of extensions and trailers so far.
    overhead: usize,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
enum State {
    #[default]
    Size,
    /// White space behind the size: only an extension may follow.
    Space,
    Extension,
    SizeLf,
    Data,
    DataCr,
    DataLf,
    /// The first byte of a trailer line, or the end.
    Trailer,
    TrailerRest,
    TrailerLf,
    EndLf,
    Done,
}

impl Chunked {
    /// Appends what `input` holds of the body to `out`. Says how many bytes it consumed, which are all of
    /// them unless the body is done (`true`): what follows is the next request. 413 as soon as a chunk's size
    /// passes `bytes_max`.
    pub fn decode(
        &mut self,
        input: &[u8],
        out: &mut Vec<u8>,
        bytes_max: usize,
    ) -> Result<(usize, bool), Refusal> {
        let mut at = 0;
        while at < input.len() && self.state != State::Done {
            if self.state == State::Data {
                let piece = self.left.min(input.len() - at);
                out.extend_from_slice(&input[at..at + piece]);
                at += piece;
                self.left -= piece;
                if self.left == 0 {
                    self.state = State::DataCr;
                }
                continue;
            }
            self.state = self.turn(input[at], bytes_max)?;
            at += 1;
        }
        Ok((at, self.state == State::Done))
    }

    /// The state behind one byte that isn't data.
    fn turn(&mut self, byte: u8, bytes_max: usize) -> Result<State, Refusal> {
        const MALFORMED: Refusal = Refusal::fixed(400, "malformed chunk");
        let text = |byte: u8| byte == b'\t' || !byte.is_ascii_control();
        Ok(match (self.state, byte) {
            (State::Size, digit) if digit.is_ascii_hexdigit() => {
                self.digit(digit, bytes_max)?;
                State::Size
            }
            (State::Size, _) if self.digits == 0 => return Err(MALFORMED),
            (State::Size | State::Extension, b'\r') => State::SizeLf,
            (State::Size | State::Space, b' ' | b'\t') => self.counted(State::Space)?,
            (State::Size | State::Space, b';') => self.counted(State::Extension)?,
            (State::Extension, byte) if text(byte) => self.counted(State::Extension)?,
            (State::SizeLf, b'\n') => {
                self.digits = 0;
                if self.left == 0 { State::Trailer } else { State::Data }
            }
            (State::DataCr, b'\r') => State::DataLf,
            (State::DataLf, b'\n') => State::Size,
            (State::Trailer, b'\r') => State::EndLf,
            (State::TrailerRest, b'\r') => State::TrailerLf,
            // No line folding: a trailer line begins with its name.
            (State::Trailer, byte) if byte.is_ascii_graphic() => self.counted(State::TrailerRest)?,
            (State::TrailerRest, byte) if text(byte) => self.counted(State::TrailerRest)?,
            (State::TrailerLf, b'\n') => State::Trailer,
            (State::EndLf, b'\n') => State::Done,
            _ => return Err(MALFORMED),
        })
    }

    /// One more digit of a chunk's size.
    fn digit(&mut self, digit: u8, bytes_max: usize) -> Result<(), Refusal> {
        self.digits += 1;
        if self.digits > DIGITS_MAX {
            return Err(Refusal::fixed(400, "chunk size of too many digits"));
        }
        // `left` is 0 before the first digit, and `total` always has the chunk's size as it is known so far.
        let value = char::from(digit).to_digit(16).unwrap_or_default() as usize;
        let size = self.left.checked_mul(16).and_then(|size| size.checked_add(value));
        let total = size.and_then(|size| (self.total - self.left).checked_add(size));
        match (size, total) {
            (Some(size), Some(total)) if total <= bytes_max => {
                (self.left, self.total) = (size, total);
                Ok(())
            }
            _ => Err(Refusal::new(413, format!("body over the limit of {bytes_max} bytes"))),
        }
    }

    /// The next state, if the byte that leads to it is still within the bound for what is read over.
    fn counted(&mut self, state: State) -> Result<State, Refusal> {
        self.overhead += 1;
        if self.overhead > OVERHEAD_MAX {
            return Err(Refusal::fixed(400, "chunk extensions and trailers over 4 KiB"));
        }
        Ok(state)
    }
}
