//! `Sec-WebSocket-Extensions` (RFC 6455 section 9.1) and what is agreed on of it: permessage-deflate (RFC 7692 section
//! 7.1).
//!
//! Every offer is read, the first one that can be kept is taken, in the client's order of preference. The answer always
//! has `server_no_context_takeover`, which lets all clients share one compressed form, and
//! `client_no_context_takeover`, which spares the server a window for each connection; both may be answered without
//! having been asked for (sections 7.1.1.1 and 7.1.1.2).

use crate::alphabet::is_token;

use super::head::Head;
use super::response::Refusal;

/// Most extensions that a client may offer.
pub const OFFERS_MAX: usize = 32;

/// The largest window of DEFLATE, as an exponent of 2 (RFC 7692 section 7.1.2).
pub const WINDOW_BITS_MAX: u8 = 15;
/// The smallest one.
pub const WINDOW_BITS_MIN: u8 = 8;

/// permessage-deflate, agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Agreement {
    /// The client's `server_max_window_bits`, if it has set any.
    server_max_window_bits: Option<u8>,
}

impl Agreement {
    /// The exponent of the window that the server may use.
    pub fn window_bits(self) -> u8 {
        self.server_max_window_bits.unwrap_or(WINDOW_BITS_MAX)
    }

    /// Appends the answer's header field, with the line end in front of it.
    pub fn respond(self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"\r\nSec-WebSocket-Extensions: permessage-deflate; ");
        out.extend_from_slice(b"server_no_context_takeover; client_no_context_takeover");
        if let Some(bits) = self.server_max_window_bits {
            out.extend_from_slice(format!("; server_max_window_bits={bits}").as_bytes());
        }
    }
}

/// Reads all offers and takes the first permessage-deflate that can be kept; `None`: there is none, which is no error.
///
/// # Errors
/// 400 for a field that doesn't conform to the grammar (RFC 6455 section 9.1) or has more than [`OFFERS_MAX`] offers.
pub fn negotiate(head: &Head<'_>) -> Result<Option<Agreement>, Refusal> {
    let (mut agreed, mut offers) = (None, 0);
    for line in head.headers("sec-websocket-extensions") {
        let mut rest = Scanner(line);
        while rest.next_element() {
            offers += 1;
            if offers > OFFERS_MAX {
                return Err(Refusal::new(400, format!("more than {OFFERS_MAX} extensions offered")));
            }
            let offer =
                rest.offer().ok_or_else(|| Refusal::fixed(400, "malformed Sec-WebSocket-Extensions"))?;
            agreed = agreed.or(offer.agreement());
        }
    }
    Ok(agreed)
}

/// One offer, as far as it has been read.
struct Offer {
    /// Whether it is one of permessage-deflate, and can be kept so far.
    acceptable: bool,
    /// Parameters that were there: none may be there twice (RFC 7692 section 7.1).
    seen: [bool; PARAMETERS.len()],
    server_max_window_bits: Option<u8>,
}

const SERVER_MAX_WINDOW_BITS: usize = 2;
const CLIENT_MAX_WINDOW_BITS: usize = 3;

/// The parameters of RFC 7692 section 7.1.
const PARAMETERS: [&[u8]; 4] = [
    b"server_no_context_takeover",
    b"client_no_context_takeover",
    b"server_max_window_bits",
    b"client_max_window_bits",
];

impl Offer {
    /// RFC 7692 section 7.1: a parameter that is unknown, doubled or has another value than it may have declines the
    /// offer.
    fn parameter(&mut self, name: &[u8], value: Option<Value>) {
        let known = PARAMETERS.iter().position(|parameter| *parameter == name);
        let doubled = known.is_some_and(|at| std::mem::replace(&mut self.seen[at], true));
        let bits = value.as_ref().map(Value::window_bits);
        let fits = match (known, bits) {
            (Some(SERVER_MAX_WINDOW_BITS), Some(Some(bits))) => {
                self.server_max_window_bits = Some(bits);
                true
            }
            (Some(CLIENT_MAX_WINDOW_BITS), None | Some(Some(_))) => true,
            (Some(at), None) => at < SERVER_MAX_WINDOW_BITS,
            _ => false,
        };
        self.acceptable &= fits && !doubled;
    }

    fn agreement(self) -> Option<Agreement> {
        let server_max_window_bits = self.server_max_window_bits;
        self.acceptable.then_some(Agreement { server_max_window_bits })
    }
}

/// A parameter's value without its quotes. No value that we know is longer than two characters.
#[derive(Default)]
struct Value {
    text: [u8; 2],
    len: usize,
}

impl Value {
    /// Adds a character; `None` if a token can't have it: also a quoted value must be a token.
    fn push(&mut self, byte: u8) -> Option<()> {
        if let Some(place) = self.text.get_mut(self.len) {
            *place = byte;
        }
        self.len += 1;
        is_token(&[byte]).then_some(())
    }

    /// 8 to 15, without leading zeros (RFC 7692 section 7.1.2).
    fn window_bits(&self) -> Option<u8> {
        let bits = match self.text.get(..self.len)? {
            [digit @ b'8'..=b'9'] => digit - b'0',
            [b'1', digit @ b'0'..=b'5'] => 10 + digit - b'0',
            _ => return None,
        };
        debug_assert!((WINDOW_BITS_MIN..=WINDOW_BITS_MAX).contains(&bits));
        Some(bits)
    }
}

/// The rest of a field.
struct Scanner<'a>(&'a [u8]);

impl<'a> Scanner<'a> {
    /// Goes to the next element of the list; empty ones are none (RFC 9110 section 5.6.1). False: that was all.
    fn next_element(&mut self) -> bool {
        self.skip(|byte| matches!(byte, b' ' | b'\t' | b','));
        !self.0.is_empty()
    }

    /// `token *( ";" token [ "=" ( token / quoted-string ) ] )`, up to a comma or the end; `None`: it is none.
    fn offer(&mut self) -> Option<Offer> {
        let name = self.token()?;
        let mut offer = Offer {
            acceptable: name == b"permessage-deflate",
            seen: Default::default(),
            server_max_window_bits: None,
        };
        while self.take(b';') {
            let name = self.token()?;
            let value = if self.take(b'=') { Some(self.value()?) } else { None };
            offer.parameter(name, value);
        }
        matches!(self.0, [] | [b',', ..]).then_some(offer)
    }

    fn skip(&mut self, which: impl Fn(u8) -> bool) -> &'a [u8] {
        let len = self.0.iter().position(|&byte| !which(byte)).unwrap_or(self.0.len());
        let (skipped, rest) = self.0.split_at(len);
        self.0 = rest;
        skipped
    }

    fn white_space(&mut self) {
        self.skip(|byte| matches!(byte, b' ' | b'\t'));
    }

    /// A token and the white space around it.
    fn token(&mut self) -> Option<&'a [u8]> {
        self.white_space();
        let token = self.skip(|byte| is_token(&[byte]));
        self.white_space();
        (!token.is_empty()).then_some(token)
    }

    fn take(&mut self, byte: u8) -> bool {
        let Some(rest) = self.0.strip_prefix(&[byte]) else { return false };
        self.0 = rest;
        true
    }

    fn value(&mut self) -> Option<Value> {
        let mut value = Value::default();
        self.white_space();
        if !self.take(b'"') {
            return self.token()?.iter().try_for_each(|&byte| value.push(byte)).map(|()| value);
        }
        loop {
            let (&byte, rest) = self.0.split_first()?;
            self.0 = rest;
            match byte {
                b'"' => break,
                b'\\' => {
                    let (&escaped, rest) = self.0.split_first()?;
                    self.0 = rest;
                    value.push(escaped)?;
                }
                byte => value.push(byte)?,
            }
        }
        self.white_space();
        (value.len > 0).then_some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::head;
    use proptest::prelude::*;

    /// The window of what was agreed on; the status where nothing could be.
    fn agreed(lines: &[&str]) -> Result<Option<u8>, u16> {
        let fields: String =
            lines.iter().map(|line| format!("Sec-WebSocket-Extensions: {line}\r\n")).collect();
        let request = format!("GET / HTTP/1.1\r\nHost: x\r\n{fields}\r\n");
        let mut fields = head::Fields::new();
        let Ok(Some((head, _))) = head::parse(request.as_bytes(), 64 << 10, &mut fields) else {
            return Err(431);
        };
        negotiate(&head)
            .map(|agreement| agreement.map(Agreement::window_bits))
            .map_err(|refusal| refusal.status)
    }

    #[test]
    fn what_clients_offer() {
        for (line, bits) in [
            ("permessage-deflate", 15),
            // Chromium, Firefox, the packages ws and websockets.
            ("permessage-deflate; client_max_window_bits", 15),
            ("permessage-deflate; server_max_window_bits=12; client_max_window_bits=12", 12),
            ("permessage-deflate; client_no_context_takeover; server_no_context_takeover", 15),
            ("permessage-deflate;server_max_window_bits=\"8\"", 8),
            ("permessage-deflate; server_max_window_bits=\"1\\0\"", 10),
            (" , permessage-deflate\t;\tserver_max_window_bits = 9 ,", 9),
            ("x-webkit-deflate-frame, permessage-deflate; server_max_window_bits=15", 15),
            ("permessage-deflate; server_max_window_bits=10, permessage-deflate", 10),
            ("permessage-deflate; later=1, permessage-deflate; server_max_window_bits=11", 11),
        ] {
            assert_eq!(agreed(&[line]), Ok(Some(bits)), "{line}");
        }
        assert_eq!(agreed(&["foo; a=b; c=\"d\"", "permessage-deflate"]), Ok(Some(15)));
    }

    #[test]
    fn what_can_not_be_kept_is_declined() {
        for line in [
            "",
            "foo",
            "Permessage-Deflate",
            "permessage-deflate; unknown",
            "permessage-deflate; server_no_context_takeover=1",
            "permessage-deflate; client_no_context_takeover=true",
            "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
            "permessage-deflate; client_max_window_bits; client_max_window_bits=9",
            "permessage-deflate; server_max_window_bits",
            "permessage-deflate; server_max_window_bits=7",
            "permessage-deflate; server_max_window_bits=16",
            "permessage-deflate; server_max_window_bits=08",
            "permessage-deflate; server_max_window_bits=100",
            "permessage-deflate; server_max_window_bits=1a",
            "permessage-deflate; server_max_window_bits=+9",
            "permessage-deflate; client_max_window_bits=0",
            "permessage-deflate; client_max_window_bits=16",
            "permessage-deflate; server_max_window_bits=10; server_max_window_bits=10",
        ] {
            assert_eq!(agreed(&[line]), Ok(None), "{line}");
        }
    }

    #[test]
    fn what_is_no_list_of_extensions_is_refused() {
        for line in [
            ";",
            "a b",
            "permessage-deflate;",
            "permessage-deflate; =9",
            "permessage-deflate; server_max_window_bits=",
            "permessage-deflate; server_max_window_bits=\"\"",
            "permessage-deflate; server_max_window_bits=\"9",
            "permessage-deflate; server_max_window_bits=\"9\\",
            "permessage-deflate; server_max_window_bits=\"9 \"",
            "permessage-deflate; server_max_window_bits=9 9",
            "permessage-deflate; server_max_window_bits=\"9\"9",
            "permessage-deflate, foo=bar",
            "permessage/deflate",
            "\"permessage-deflate\"",
            "permessage-deflate, \u{e9}",
        ] {
            assert_eq!(agreed(&[line]), Err(400), "{line}");
        }
        let many = vec!["a"; OFFERS_MAX + 1].join(",");
        assert_eq!((agreed(&[&many[2..]]), agreed(&[&many])), (Ok(None), Err(400)));
    }

    #[test]
    fn the_answer() {
        let mut out = Vec::new();
        Agreement { server_max_window_bits: None }.respond(&mut out);
        Agreement { server_max_window_bits: Some(9) }.respond(&mut out);
        let always = "\r\nSec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; \
                      client_no_context_takeover";
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text, format!("{always}{always}; server_max_window_bits=9"));
    }

    proptest! {
        /// Made of the pieces that matter; never agreed on without the offer, and a window never larger than asked.
        #[test]
        fn nothing_is_agreed_on_that_was_not_offered(
            words in proptest::collection::vec(
                prop_oneof![
                    Just("permessage-deflate"), Just("server_max_window_bits"), Just("client_max_window_bits"),
                    Just("server_no_context_takeover"), Just("client_no_context_takeover"),
                    Just("="), Just("; "), Just(";"), Just(","), Just("\""), Just("\\"), Just("8"), Just("9"),
                    Just("10"), Just("15"), Just("16"), Just(" "), Just("x"),
                ],
                0..16,
            ),
        ) {
            let line = words.concat();
            if let Ok(Some(bits)) = agreed(&[&line]) {
                prop_assert!((WINDOW_BITS_MIN..=WINDOW_BITS_MAX).contains(&bits));
                let offers = line.split(',').filter(|offer| offer.trim().starts_with("permessage-deflate"));
                let asks = |offer: &str| offer.contains("server_max_window_bits");
                prop_assert!(offers.clone().count() > 0, "{line}");
                prop_assert!(bits == WINDOW_BITS_MAX || offers.clone().any(asks), "{line}");
            }
        }
    }
}
