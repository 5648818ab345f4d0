//! HTTP requests over one kept-alive connection, and their answers in order.

use super::address::Address;
use super::link::{self, Link};
use super::token::Token;
use crate::http::Answer;
use crate::tls::Terms;
use std::io::ErrorKind;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// More than a push or `/stats` is answered with.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// How the admin API is reached.
#[derive(Clone)]
pub(crate) struct Access {
    pub(crate) token: Option<Rc<Token>>,
    /// How an https:// address is secured.
    pub(crate) terms: Terms,
    /// For the connection, and for each answer.
    pub(crate) timeout: Duration,
}

/// A connection to the admin API.
pub(super) struct Client {
    link: Box<dyn Link>,
    /// The lines that all requests have.
    head: String,
    path: String,
    timeout: Duration,
    /// Bytes of answers that nobody has asked for yet.
    input: Vec<u8>,
}

impl Client {
    pub(super) fn connect(address: &Address, access: &Access) -> Result<Self, String> {
        let failed = |error| format!("{address}: {error}");
        let link = link::connect(address, &access.terms, access.timeout).map_err(failed)?;
        let authorization = access.token.as_ref().map(|token| token.header()).unwrap_or_default();
        let head = format!("Host: {}\r\n{authorization}", address.host());
        let path = address.path().to_owned();
        Ok(Self { link, head, path, timeout: access.timeout, input: Vec::new() })
    }

    /// Appends the head of a POST; the body has to follow.
    pub(super) fn compose_post(&self, out: &mut Vec<u8>, content_type: &str, body_bytes: usize) {
        let Self { head, path, .. } = self;
        let text = format!(
            "POST {path} HTTP/1.1\r\n{head}Content-Type: {content_type}\r\nContent-Length: {body_bytes}\r\n\r\n"
        );
        out.extend_from_slice(text.as_bytes());
    }

    /// Asks for what is at the address.
    pub(super) fn get(&mut self) -> Result<Answer, String> {
        let Self { head, path, .. } = self;
        let request = format!("GET {path} HTTP/1.1\r\n{head}\r\n");
        self.send(request.as_bytes())?;
        self.receive()
    }

    pub(super) fn send(&mut self, requests: &[u8]) -> Result<(), String> {
        self.link
            .write_all(requests)
            .and_then(|()| self.link.flush())
            .map_err(|error| format!("can't be written to: {error}"))
    }

    /// Takes the next answer.
    pub(super) fn receive(&mut self) -> Result<Answer, String> {
        let begun = Instant::now();
        let late = || format!("no answer within {} s", self.timeout.as_secs_f64());
        let mut chunk = [0; 4096];
        loop {
            if let Some(answer) = Answer::parse(&self.input)? {
                self.input.drain(..answer.size);
                return Ok(answer);
            }
            if self.input.len() > ANSWER_BYTES_MAX {
                return Err("endless answer".into());
            }
            if begun.elapsed() > self.timeout {
                return Err(late());
            }
            match self.link.read(&mut chunk) {
                Ok(0) => return Err("the server ended the connection (keep-alive is needed)".into()),
                Ok(got) => self.input.extend_from_slice(&chunk[..got]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    return Err(late());
                }
                Err(error) => return Err(format!("no answer: {error}")),
            }
        }
    }
}

/// Names a refusal, and the way out of the commonest.
pub(super) fn refusal(status: u16) -> String {
    let way_out = "; give the token in a file with --admin-token-file, or in WSPUSH_ADMIN_TOKEN";
    format!("http {status}{}", if status == 401 { way_out } else { "" })
}
