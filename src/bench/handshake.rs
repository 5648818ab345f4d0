//! The client's opening handshake (RFC 6455 section 4.1).

use super::random::Random;
use super::target::Target;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// The key of RFC 6455 section 1.3, for servers that answer with constants.
pub(crate) const SAMPLE_KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/// More than any server answers an upgrade with.
const RESPONSE_MAX: usize = 16 * 1024;

/// The key of connection `number`. It follows from the run's seed, so that a connection need not keep it.
pub(crate) fn key(seed: u64, number: u32) -> String {
    let mut random = Random::from_seed(seed ^ u64::from(number) << 20);
    STANDARD.encode(
        u128::from(random.next()).wrapping_shl(64).wrapping_add(u128::from(random.next())).to_le_bytes(),
    )
}

/// Appends the request.
pub(crate) fn request(out: &mut Vec<u8>, target: &Target, headers: &[String], key: &str) {
    let Target { path, host, .. } = target;
    out.extend_from_slice(
        format!(
            "GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
        )
        .as_bytes(),
    );
    for header in headers {
        out.extend_from_slice(header.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"\r\n");
}

/// Checks the answer and returns where the frames begin; `Ok(None)` asks for more bytes.
pub(crate) fn check(response: &[u8], key: &str) -> Result<Option<usize>, String> {
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
    let field = |name: &str| {
        head.headers
            .iter()
            .find(|header| header.name.eq_ignore_ascii_case(name))
            .map_or(&[][..], |header| header.value)
    };
    if field("Sec-WebSocket-Accept") != accept(key).as_bytes() {
        return Err("wrong Sec-WebSocket-Accept".into());
    }
    if !field("Upgrade").eq_ignore_ascii_case(b"websocket") {
        return Err("101 without Upgrade: websocket".into());
    }
    Ok(Some(size))
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
        assert_eq!(key(1, 1).len(), SAMPLE_KEY.len());
        assert_ne!(key(1, 1), key(1, 2));
        assert_ne!(key(1, 1), key(2, 1));
    }

    #[test]
    fn answers_are_told_apart() {
        let good = "HTTP/1.1 101 Switching Protocols\r\nupgrade: WebSocket\r\n\
                    sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
        assert_eq!(check(good.as_bytes(), SAMPLE_KEY), Ok(Some(good.len())));
        assert_eq!(check(&good.as_bytes()[..40], SAMPLE_KEY), Ok(None));
        assert_eq!(check(good.as_bytes(), "other"), Err("wrong Sec-WebSocket-Accept".into()));
        assert_eq!(check(b"HTTP/1.1 503 Busy\r\n\r\n", SAMPLE_KEY), Err("http 503".into()));
        assert!(check(b"\x81\x05hello", SAMPLE_KEY).is_err());
    }
}
