//! The client's side of the admin API: one connection, one request after the other.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// To a connection.
const CONNECT: Duration = Duration::from_secs(2);
/// To an answer: a server whose cluster is away answers within a second.
const ANSWER: Duration = Duration::from_secs(10);
/// Of a line, and of an answer.
const LINE_MAX: u64 = 8_192;
const BODY_MAX: u64 = 1 << 20;

trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

/// A connection.
pub(super) struct Http {
    stream: BufReader<Box<dyn Stream>>,
}

/// An answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub status: u16,
    /// Seconds until the server is to be asked again.
    pub retry_after: Option<u64>,
    pub body: String,
    /// The server closes the connection.
    pub is_last: bool,
}

impl Http {
    /// Connects to `host:port` or `unix:/path`.
    pub fn open(address: &str) -> io::Result<Http> {
        let stream: Box<dyn Stream> = match address.strip_prefix("unix:") {
            Some(path) => {
                let stream = UnixStream::connect(path)?;
                stream.set_read_timeout(Some(ANSWER))?;
                stream.set_write_timeout(Some(ANSWER))?;
                Box::new(stream)
            }
            None => Box::new(open_tcp(address)?),
        };
        Ok(Http { stream: BufReader::new(stream) })
    }

    /// Sends a request's head and body, and reads the answer.
    pub fn ask(&mut self, head: &str, body: &[u8]) -> io::Result<Answer> {
        let stream = self.stream.get_mut();
        stream.write_all(&[head.as_bytes(), body].concat())?;
        Answer::read(&mut self.stream)
    }
}

fn open_tcp(address: &str) -> io::Result<TcpStream> {
    let mut problem = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    for address in address.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, CONNECT) {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                stream.set_read_timeout(Some(ANSWER))?;
                stream.set_write_timeout(Some(ANSWER))?;
                return Ok(stream);
            }
            Err(error) => problem = error,
        }
    }
    Err(problem)
}

impl Answer {
    fn read(from: &mut impl BufRead) -> io::Result<Answer> {
        let odd = || io::Error::new(io::ErrorKind::InvalidData, "no HTTP server is there");
        let mut line = || -> io::Result<String> {
            let mut line = String::new();
            from.by_ref().take(LINE_MAX).read_line(&mut line)?;
            match line.strip_suffix('\n') {
                Some(line) => Ok(line.trim_end_matches('\r').to_owned()),
                None if line.is_empty() => Err(io::ErrorKind::UnexpectedEof.into()),
                None => Err(odd()),
            }
        };
        let first = line()?;
        let mut words = first.split(' ');
        if !words.next().is_some_and(|version| version.starts_with("HTTP/1.")) {
            return Err(odd());
        }
        let status = words.next().and_then(|status| status.parse().ok()).ok_or_else(odd)?;
        let (mut length, mut retry_after, mut is_last) = (0, None, false);
        loop {
            let line = line()?;
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':').ok_or_else(odd)?;
            let value = value.trim();
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.parse().map_err(|_| odd())?,
                "retry-after" => retry_after = value.parse().ok(),
                "connection" => is_last = value.eq_ignore_ascii_case("close"),
                _ => {}
            }
        }
        if length > BODY_MAX {
            return Err(odd());
        }
        let mut body = Vec::new();
        from.by_ref().take(length).read_to_end(&mut body)?;
        if body.len() as u64 != length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(Answer { status, retry_after, body: String::from_utf8_lossy(&body).into_owned(), is_last })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_whole_or_not_at_all() {
        let whole = "HTTP/1.1 503 x\r\nContent-Length: 2\r\nretry-after: 1\r\nConnection: close\r\n\r\n{}";
        let answer = Answer::read(&mut whole.as_bytes()).unwrap();
        let expected = Answer { status: 503, retry_after: Some(1), body: "{}".into(), is_last: true };
        assert_eq!(answer, expected);
        for end in 0..whole.len() {
            assert!(Answer::read(&mut &whole.as_bytes()[..end]).is_err(), "{end}");
        }
        for odd in
            ["SSH-2.0-x\r\n\r\n", "HTTP/1.1 x\r\n\r\n", "HTTP/1.1 200\r\nContent-Length: 9999999\r\n\r\n"]
        {
            assert!(Answer::read(&mut odd.as_bytes()).is_err(), "{odd}");
        }
    }
}
