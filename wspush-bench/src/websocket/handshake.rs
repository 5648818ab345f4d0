//! The client's opening handshake (RFC 6455 section 4.1).

use crate::http::field;
use crate::job::Job;
use crate::random::Random;
use crate::target::Target;
use crate::transport::{Answer, Kind};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// The key of RFC 6455 section 1.3, for servers that answer with constants.
const SAMPLE_KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
/// The subprotocol whose messages are envelopes.
const V1: &str = "wspush.v1";
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/// More than any server answers an upgrade with.
const RESPONSE_MAX: usize = 16 * 1024;

/// The key of connection `slot` of a job. It follows from the run's seed, so that a connection need not keep it.
pub(super) fn key(job: &Job, slot: u32) -> String {
    if job.fixed_key { SAMPLE_KEY.to_owned() } else { random_key(job.seed, job.first + slot) }
}

fn random_key(seed: u64, number: u32) -> String {
    let mut random = Random::from_seed(seed ^ u64::from(number) << 20);
    STANDARD.encode(
        u128::from(random.next()).wrapping_shl(64).wrapping_add(u128::from(random.next())).to_le_bytes(),
    )
}

/// Appends the request. permessage-deflate is offered in the one form that needs no state per connection.
pub(super) fn request(out: &mut Vec<u8>, job: &Job, key: &str) {
    let Target { path, host, .. } = &job.target;
    out.extend_from_slice(
        format!(
            "GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
        )
        .as_bytes(),
    );
    if job.transport == Kind::V1 {
        out.extend_from_slice(format!("Sec-WebSocket-Protocol: {V1}\r\n").as_bytes());
    }
    if job.deflate {
        out.extend_from_slice(
            b"Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; \
              client_no_context_takeover\r\n",
        );
    }
    for header in &job.headers {
        out.extend_from_slice(header.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"\r\n");
}

/// A request's offers, which its answer is held against.
pub(super) struct Offer {
    key: String,
    deflate: bool,
    is_v1: bool,
}

impl Offer {
    pub(super) fn of(job: &Job, slot: u32) -> Self {
        Self { key: key(job, slot), deflate: job.deflate, is_v1: job.transport == Kind::V1 }
    }
}

/// Checks the answer; `Ok(None)` asks for more bytes.
pub(super) fn check(response: &[u8], offer: &Offer) -> Result<Option<Answer>, String> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut head = httparse::Response::new(&mut headers);
    let size = match head.parse(response) {
        Ok(httparse::Status::Complete(size)) => size,
        Ok(httparse::Status::Partial) if response.len() < RESPONSE_MAX => return Ok(None),
        Ok(httparse::Status::Partial) => return Err("endless handshake response".into()),
        Err(_) => return Err("handshake response is not HTTP".into()),
    };
    let status = head.code.unwrap_or(0);
    if status != 101 {
        return Err(format!("http {status}"));
    }
    if field(head.headers, "Sec-WebSocket-Accept") != Some(accept(&offer.key).as_bytes()) {
        return Err("wrong Sec-WebSocket-Accept".into());
    }
    if !field(head.headers, "Upgrade").is_some_and(|value| value.eq_ignore_ascii_case(b"websocket")) {
        return Err("101 without Upgrade: websocket".into());
    }
    let protocol = offer.is_v1.then_some(V1.as_bytes());
    if field(head.headers, "Sec-WebSocket-Protocol") != protocol {
        return Err(match protocol {
            Some(_) => format!("the subprotocol {V1} was declined"),
            None => "a subprotocol that was not offered".into(),
        });
    }
    let extensions = head.headers.iter().filter(|header| {
        header.name.eq_ignore_ascii_case("Sec-WebSocket-Extensions") && !header.value.trim_ascii().is_empty()
    });
    let mut may_deflate = false;
    for extension in extensions {
        if !offer.deflate || may_deflate {
            return Err("an extension that was not offered".into());
        }
        check_deflate(&String::from_utf8_lossy(extension.value))?;
        may_deflate = true;
    }
    Ok(Some(Answer { size, may_deflate, is_chunked: false }))
}

/// Whether an answer accepts what `request` offers (RFC 7692 section 7.1).
fn check_deflate(extension: &str) -> Result<(), String> {
    let mut parts = extension.split(';').map(str::trim);
    if parts.next() != Some("permessage-deflate") {
        return Err("an extension that was not offered".into());
    }
    let mut resets = false;
    for parameter in parts {
        let (name, value) = parameter.split_once('=').map_or((parameter, None), |(name, value)| {
            (name.trim_end(), Some(value.trim_start().trim_matches('"')))
        });
        match (name, value) {
            ("server_no_context_takeover", None) => resets = true,
            ("client_no_context_takeover", None) => {}
            ("server_max_window_bits", Some(bits))
                if bits.parse().is_ok_and(|bits| (8..=15).contains(&bits)) => {}
            _ => return Err(format!("wrong parameter of permessage-deflate: {parameter}")),
        }
    }
    if resets { Ok(()) } else { Err("permessage-deflate without server_no_context_takeover".into()) }
}

fn accept(key: &str) -> String {
    let mut sha1 = sha1_smol::Sha1::new();
    sha1.update(key.as_bytes());
    sha1.update(GUID);
    STANDARD.encode(sha1.digest().bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_accept_value_of_the_rfc() {
        assert_eq!(accept(SAMPLE_KEY), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn keys_are_sixteen_bytes_and_differ() {
        assert_eq!(random_key(1, 1).len(), SAMPLE_KEY.len());
        assert_ne!(random_key(1, 1), random_key(1, 2));
        assert_ne!(random_key(1, 1), random_key(2, 1));
    }

    #[test]
    fn answers_are_told_apart() {
        let good = "HTTP/1.1 101 Switching Protocols\r\nupgrade: WebSocket\r\n\
                    sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
        let check = |response: &[u8], key: &str| {
            check(response, &Offer { key: key.to_owned(), deflate: false, is_v1: false })
        };
        let plain = Answer { size: good.len(), may_deflate: false, is_chunked: false };
        assert_eq!(check(good.as_bytes(), SAMPLE_KEY), Ok(Some(plain)));
        assert_eq!(check(&good.as_bytes()[..40], SAMPLE_KEY), Ok(None));
        assert_eq!(check(good.as_bytes(), "other"), Err("wrong Sec-WebSocket-Accept".into()));
        assert_eq!(check(b"HTTP/1.1 503 Busy\r\n\r\n", SAMPLE_KEY), Err("http 503".into()));
        assert!(check(b"\x81\x05hello", SAMPLE_KEY).is_err());
    }

    #[test]
    fn a_subprotocol_is_the_one_that_was_offered() {
        let answer = |line: &str, is_v1| {
            let head = format!(
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
                 Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n{line}\r\n"
            );
            check(head.as_bytes(), &Offer { key: SAMPLE_KEY.to_owned(), deflate: false, is_v1 }).is_ok()
        };
        let chosen = "Sec-WebSocket-Protocol: wspush.v1\r\n";
        assert!(answer(chosen, true) && answer("", false));
        assert!(!answer(chosen, false) && !answer("", true));
        assert!(!answer("Sec-WebSocket-Protocol: other\r\n", true));
    }

    #[test]
    fn compression_is_agreed_to_refused_or_wrong() {
        let answer = |extension: &str, offered| {
            let head = format!(
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
                 Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n{extension}\r\n"
            );
            let offer = Offer { key: SAMPLE_KEY.to_owned(), deflate: offered, is_v1: false };
            check(head.as_bytes(), &offer).map(|answer| answer.map(|answer| answer.may_deflate))
        };
        let line = |value: &str| format!("sec-websocket-extensions: {value}\r\n");
        assert_eq!(answer("", true), Ok(Some(false)));
        for good in [
            "permessage-deflate; server_no_context_takeover",
            "permessage-deflate;client_no_context_takeover;server_no_context_takeover",
            "permessage-deflate; server_no_context_takeover; server_max_window_bits=\"12\"",
        ] {
            assert_eq!(answer(&line(good), true), Ok(Some(true)), "{good}");
            assert!(answer(&line(good), false).is_err(), "not offered");
        }
        for bad in [
            "permessage-deflate",
            "x-webkit-deflate-frame",
            "permessage-deflate; server_no_context_takeover; client_max_window_bits=10",
            "permessage-deflate; server_no_context_takeover; server_max_window_bits=7",
            "permessage-deflate; server_no_context_takeover=1",
        ] {
            assert!(answer(&line(bad), true).is_err(), "{bad}");
        }
    }
}
