//! Posts publications over one kept-alive HTTP connection.

use crate::payload::Template;
use crate::sys::monotonic_ns;
use crate::target::Target;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

const ANSWER_MAX: usize = 64 * 1024;

/// The publisher.
pub(crate) struct Pusher {
    target: Target,
    stream: TcpStream,
    template: Template,
    content_type: &'static str,
    answer: Vec<u8>,
    /// When each publication so far was sent.
    pub(crate) sent_ns: Vec<u64>,
    /// Publications that were refused, by status.
    pub(crate) refused: u64,
    pub(crate) last_refusal: String,
}

impl Pusher {
    pub(crate) fn connect(
        target: &Target,
        template: Template,
        is_binary: bool,
        timeout: Duration,
    ) -> Result<Self, String> {
        let failed = |error: std::io::Error| format!("push to {}: {error}", target.address);
        let stream = TcpStream::connect_timeout(&target.address, timeout).map_err(failed)?;
        stream.set_nodelay(true).map_err(failed)?;
        stream.set_read_timeout(Some(timeout)).map_err(failed)?;
        stream.set_write_timeout(Some(timeout)).map_err(failed)?;
        Ok(Self {
            target: target.clone(),
            stream,
            template,
            // Not application/json: a server might take that for a command of its own.
            content_type: if is_binary { "application/octet-stream" } else { "text/plain; charset=utf-8" },
            answer: Vec::new(),
            sent_ns: Vec::new(),
            refused: 0,
            last_refusal: String::new(),
        })
    }

    /// How many publications there are, which is the number of the next.
    pub(crate) fn published(&self) -> u32 {
        self.sent_ns.len() as u32
    }

    /// Posts `count` publications, up to `pipeline` before the first of their answers is read.
    pub(crate) fn burst(&mut self, count: u32, pipeline: u32) -> Result<(), String> {
        let mut left = count;
        while left > 0 {
            let posts = left.min(pipeline);
            let mut requests = Vec::new();
            for _ in 0..posts {
                self.compose(&mut requests);
            }
            let failed = |error: std::io::Error| format!("push: {error}");
            self.stream.write_all(&requests).map_err(failed)?;
            for _ in 0..posts {
                self.read_answer()?;
            }
            left -= posts;
        }
        Ok(())
    }

    fn compose(&mut self, out: &mut Vec<u8>) {
        let Target { path, host, .. } = &self.target;
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: {}\r\nContent-Length: {}\r\n\r\n",
            self.content_type, self.template.size
        );
        out.extend_from_slice(head.as_bytes());
        let now_ns = monotonic_ns();
        self.template.compose(out, self.published(), now_ns);
        self.sent_ns.push(now_ns);
    }

    fn read_answer(&mut self) -> Result<(), String> {
        let mut chunk = [0; 4096];
        loop {
            if let Some(answer) = parse_answer(&self.answer)? {
                self.answer.drain(..answer.size);
                if !(200..300).contains(&answer.status) {
                    self.refused += 1;
                    self.last_refusal = format!("http {}", answer.status);
                }
                return Ok(());
            }
            if self.answer.len() > ANSWER_MAX {
                return Err("push: endless answer".into());
            }
            match self.stream.read(&mut chunk) {
                Ok(0) => return Err("push: the server ended the connection (keep-alive is needed)".into()),
                Ok(got) => self.answer.extend_from_slice(&chunk[..got]),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(format!("push: no answer: {error}")),
            }
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Answer {
    status: u16,
    /// Bytes of head and body.
    size: usize,
}

/// Finds the end of an answer, with a length, in chunks, or without a body.
fn parse_answer(bytes: &[u8]) -> Result<Option<Answer>, String> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut head = httparse::Response::new(&mut headers);
    let body_at = match head.parse(bytes).map_err(|error| format!("push: the answer is not HTTP: {error}"))? {
        httparse::Status::Complete(size) => size,
        httparse::Status::Partial => return Ok(None),
    };
    let status = head.code.unwrap_or(0);
    let field = |name: &str| {
        let header = head.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(header.value).ok().map(str::trim)
    };
    let body = if status == 204 {
        Some(0)
    } else if field("Transfer-Encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")) {
        chunked_size(&bytes[body_at..])?
    } else {
        let length = field("Content-Length").and_then(|length| length.parse::<usize>().ok());
        let length =
            length.ok_or("push: an answer without a length ends the connection (keep-alive is needed)")?;
        (bytes.len() - body_at >= length).then_some(length)
    };
    Ok(body.map(|body| Answer { status, size: body_at + body }))
}

fn chunked_size(body: &[u8]) -> Result<Option<usize>, String> {
    let mut at = 0;
    loop {
        match httparse::parse_chunk_size(&body[at..]) {
            Ok(httparse::Status::Complete((line, 0))) => {
                let end = at + line + 2; // No trailers: nobody sends them to a push.
                return Ok((body.len() >= end).then_some(end));
            }
            Ok(httparse::Status::Complete((line, size))) => at += line + size as usize + 2,
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(_) => return Err("push: a broken chunk in the answer".into()),
        }
        if at > body.len() {
            return Ok(None);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_end_where_they_end() {
        for (text, size) in [
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP", Some(40)),
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no", None),
            ("HTTP/1.1 204 No Content\r\n\r\nHTTP", Some(27)),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\nHTTP", Some(59)),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n", None),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n20\r\nok", None),
            ("HTTP/1.1 200", None),
        ] {
            assert_eq!(parse_answer(text.as_bytes()).unwrap().map(|answer| answer.size), size, "{text}");
        }
        assert!(parse_answer(b"HTTP/1.0 200 OK\r\n\r\nok").is_err());
    }
}
