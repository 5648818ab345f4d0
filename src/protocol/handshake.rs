//! The opening handshake, server side (RFC 6455 section 4.2).

use crate::alphabet::{Alphabet, is_token};

use super::body::Framing;
use super::extensions::{self, Agreement};
use super::head::Head;
use super::list;
use super::response::Refusal;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;

#[cfg(test)]
mod tests;

/// How a subprotocol begins that is a token in truth: pages can send one in no other field. It is told to nobody.
const BEARER: &str = "wspush.bearer.";

/// Most subprotocols that a client may offer.
pub const PROTOCOLS_MAX: usize = 32;

/// The GUID that the accept key is hashed with (RFC 6455 section 1.3).
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// The standard alphabet of base64 (RFC 4648 section 4).
static BASE64_ALPHABET: Alphabet = Alphabet::alphanumeric_and(b"+/");

/// A valid request to become a WebSocket.
#[derive(Debug, Clone, Copy)]
pub struct Upgrade<'a> {
    /// `Sec-WebSocket-Key`: what [`respond`] proves to have read.
    pub key: &'a [u8],
    /// The page that asks, if it is a browser's: see [`Origin`](super::Origin).
    pub origin: Option<&'a str>,
    /// The offered extension that can be agreed on.
    pub deflate: Option<Agreement>,
    /// The whole head.
    pub head: &'a Head<'a>,
}

impl<'a> Upgrade<'a> {
    /// The subprotocols that the client offers, as it prefers them: tokens, each once. What only carries a bearer token
    /// is not among them, so that no answer has it.
    pub fn protocols(&self) -> impl Iterator<Item = &'a str> {
        offered(self.head).filter(|protocol| !protocol.starts_with(BEARER))
    }

    /// The client's first subprotocol that is ours; names are case-sensitive.
    pub fn choose(&self, is_ours: impl Fn(&str) -> bool) -> Option<&'a str> {
        self.protocols().find(|offered| is_ours(offered))
    }
}

/// The bearer token that is offered as the subprotocol `wspush.bearer.TOKEN`.
///
/// # Errors
/// 400: there are several.
pub fn bearer<'a>(head: &Head<'a>) -> Result<Option<&'a str>, Refusal> {
    let mut tokens = offered(head).filter_map(|protocol| protocol.strip_prefix(BEARER));
    match (tokens.next(), tokens.next()) {
        (_, Some(_)) => Err(Refusal::fixed(400, "more than one wspush.bearer subprotocol")),
        (token, None) => Ok(token),
    }
}

fn offered<'a>(head: &Head<'a>) -> impl Iterator<Item = &'a str> {
    protocols(head).filter_map(|protocol| std::str::from_utf8(protocol).ok())
}

fn protocols<'a>(head: &Head<'a>) -> impl Iterator<Item = &'a [u8]> {
    head.headers("sec-websocket-protocol").flat_map(list::elements)
}

/// Whether a request wants to become a WebSocket; it may still be wrong in every other way.
pub fn is_upgrade(head: &Head<'_>) -> bool {
    head.has_token("upgrade", "websocket")
}

/// The headers of a 426 (RFC 9110 section 15.5.22, RFC 6455 section 4.4).
const ASKED_FOR: &[(&str, &str)] = &[("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13")];

/// Checks an opening handshake (RFC 6455 section 4.2.1).
pub fn check<'a>(head: &'a Head<'a>) -> Result<Upgrade<'a>, Refusal> {
    if head.method != "GET" {
        return Err(Refusal::fixed(405, "a WebSocket opens with GET").with_headers(&[("Allow", "GET")]));
    }
    if head.minor_version == 0 {
        return Err(Refusal::fixed(400, "a WebSocket needs HTTP/1.1"));
    }
    if !is_upgrade(head) {
        let refusal = Refusal::fixed(426, "this is a WebSocket endpoint (no `Upgrade: websocket`)");
        return Err(refusal.with_headers(ASKED_FOR));
    }
    if !head.has_token("connection", "upgrade") {
        return Err(Refusal::fixed(400, "no `Connection: Upgrade`"));
    }
    if !is_version_13(head)? {
        let refusal = Refusal::fixed(426, "only WebSocket version 13 is spoken here");
        return Err(refusal.with_headers(ASKED_FOR));
    }
    let key = head.single_bytes("sec-websocket-key")?.filter(|key| is_key(key));
    let key = key.ok_or_else(|| Refusal::fixed(400, "Sec-WebSocket-Key is not 16 bytes in base64"))?;
    let origin = head.single("origin")?;
    // A proxy that looks at the last one and a host that looks at the first must not see two clients in one.
    head.single("authorization")?;
    check_protocols(head)?;
    let deflate = extensions::negotiate(head)?;
    match head.body(0) {
        Ok(Framing::None | Framing::Length(0)) => Ok(Upgrade { key, origin, deflate, head }),
        _ => Err(Refusal::fixed(400, "a WebSocket handshake has no body")),
    }
}

/// RFC 6455 section 4.1: 13, in one field. An empty element of a list is none.
fn is_version_13(head: &Head<'_>) -> Result<bool, Refusal> {
    let mut values = head.headers("sec-websocket-version");
    if values.next() == Some(b"13") && values.next().is_none() {
        // Nearly everybody sends this.
        return Ok(true);
    }
    let fields = head.headers("sec-websocket-version").map(list::elements);
    let mut fields =
        fields.map(|mut elements| (elements.next(), elements.next())).filter(|(first, _)| first.is_some());
    match (fields.next(), fields.next()) {
        (_, Some(_)) => Err(Refusal::fixed(400, "more than one sec-websocket-version field")),
        (only, None) => Ok(only == Some((Some(b"13"), None))),
    }
}

/// Whether this is 16 bytes in base64. It is never decoded (RFC 6455 section 4.2.2), and some clients draw its
/// characters at random, so the bits behind the sixteenth byte may be anything.
fn is_key(key: &[u8]) -> bool {
    key.len() == 24 && key.ends_with(b"==") && BASE64_ALPHABET.has_all(&key[..22])
}

/// RFC 6455 section 4.1: the elements are tokens, and all different.
fn check_protocols(head: &Head<'_>) -> Result<(), Refusal> {
    let mut protocols = protocols(head).enumerate().peekable();
    if protocols.peek().is_none() {
        // As most do.
        return Ok(());
    }
    let mut seen = [&[][..]; PROTOCOLS_MAX];
    for (i, protocol) in protocols {
        if !is_token(protocol) {
            return Err(Refusal::fixed(400, "malformed subprotocol"));
        }
        if i == PROTOCOLS_MAX {
            return Err(Refusal::new(400, format!("more than {PROTOCOLS_MAX} subprotocols")));
        }
        if seen[..i].contains(&protocol) {
            return Err(Refusal::fixed(400, "a subprotocol offered twice"));
        }
        seen[i] = protocol;
    }
    Ok(())
}

/// `Sec-WebSocket-Accept` for a key (RFC 6455 section 4.2.2): SHA-1 of key and GUID in base64.
pub fn accept_key(key: &[u8]) -> [u8; 28] {
    let mut sha1 = sha1_smol::Sha1::new();
    sha1.update(key);
    sha1.update(GUID);
    let mut accept = [0; 28];
    let written = BASE64_STANDARD.encode_slice(sha1.digest().bytes(), &mut accept);
    debug_assert_eq!(written, Ok(28));
    accept
}

/// Appends the 101 response, with the extension if it was agreed on, and with more fields, each with a line's end in
/// front. A protocol that is no token, and so could break out of its line, is left out.
pub fn respond(
    key: &[u8],
    protocol: Option<&str>,
    deflate: Option<Agreement>,
    fields: impl FnOnce(&mut Vec<u8>),
    out: &mut Vec<u8>,
) {
    const HEAD: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                          Sec-WebSocket-Accept: ";
    let protocol = protocol.filter(|protocol| {
        let token = is_token(protocol.as_bytes());
        debug_assert!(token, "subprotocol {protocol:?}");
        token
    });
    out.extend_from_slice(HEAD);
    out.extend_from_slice(&accept_key(key));
    if let Some(protocol) = protocol {
        out.extend_from_slice(b"\r\nSec-WebSocket-Protocol: ");
        out.extend_from_slice(protocol.as_bytes());
    }
    if let Some(agreement) = deflate {
        agreement.respond(out);
    }
    fields(out);
    out.extend_from_slice(b"\r\n\r\n");
}
