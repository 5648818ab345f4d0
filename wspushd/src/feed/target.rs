//! The server that everything is pushed to, again and again until it has it.

use std::thread;
use std::time::Duration;

use super::http::{Answer, Http};
use super::{Body, Item, encoded, say};

/// Between two attempts, at first and at the most.
const AGAIN: Duration = Duration::from_millis(100);
const AGAIN_MAX: Duration = Duration::from_secs(5);
/// Of an idempotency key.
const KEY_MAX: usize = 128;

/// The server.
pub(super) struct Target {
    address: String,
    token: Option<String>,
    http: Option<Http>,
    /// Why it has not taken what is pushed.
    problem: Option<String>,
}

/// The end of a push.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Taken,
    /// It will never be taken.
    Refused(String),
}

/// The meaning of one answer.
#[derive(Debug, PartialEq, Eq)]
enum Meaning {
    Over(Outcome),
    /// It is pushed again, perhaps after so many seconds.
    Again(String, Option<u64>),
    /// Nothing will be taken.
    Shut(String),
}

impl Target {
    pub fn new(address: &str, token: Option<String>) -> Target {
        Target { address: address.to_owned(), token, http: None, problem: None }
    }

    /// Pushes something, for as long as it takes.
    ///
    /// # Errors
    /// The server does not let this program in.
    pub fn push(&mut self, item: &Item) -> Result<Outcome, String> {
        let (content_type, body) = match &item.body {
            Body::Text(bytes) => ("text/plain; charset=utf-8", bytes),
            Body::Binary(bytes) => ("application/octet-stream", bytes),
        };
        let token = self.token.as_ref().map_or(String::new(), |t| format!("Authorization: Bearer {t}\r\n"));
        let head = format!(
            "POST /push?{}&idempotency_key={} HTTP/1.1\r\nHost: localhost\r\n{token}Content-Type: {content_type}\r\n\
             Content-Length: {}\r\n\r\n",
            item.target,
            encoded(fitting(&item.key)),
            body.len()
        );
        let mut rest = AGAIN;
        loop {
            let after = match self.ask(&head, body) {
                Meaning::Over(outcome) => {
                    if self.problem.take().is_some() {
                        say(&format_args!("wspushd: {} takes publications again", self.address));
                    }
                    return Ok(outcome);
                }
                Meaning::Shut(why) => return Err(format!("{}: {why}", self.address)),
                Meaning::Again(why, after) => {
                    if self.problem.as_ref() != Some(&why) {
                        say(&format_args!("wspushd: {} does not take publications: {why}", self.address));
                        self.problem = Some(why);
                    }
                    after.map(Duration::from_secs)
                }
            };
            thread::sleep(after.unwrap_or(rest).min(AGAIN_MAX));
            rest = (rest * 2).min(AGAIN_MAX);
        }
    }

    fn ask(&mut self, head: &str, body: &[u8]) -> Meaning {
        let mut http = match self.http.take().map_or_else(|| Http::open(&self.address), Ok) {
            Ok(http) => http,
            Err(error) => return Meaning::Again(error.to_string(), None),
        };
        match http.ask(head, body) {
            Ok(answer) => {
                if !answer.is_last {
                    self.http = Some(http);
                }
                meaning(&answer)
            }
            Err(error) => Meaning::Again(error.to_string(), None),
        }
    }
}

fn meaning(answer: &Answer) -> Meaning {
    let why = || format!("{} {}", answer.status, answer.body.trim());
    match answer.status {
        200 => Meaning::Over(Outcome::Taken),
        // Or another thing was published under this key.
        400 | 409 | 413 | 422 => Meaning::Over(Outcome::Refused(why())),
        401 | 403 | 404 | 405 => Meaning::Shut(why()),
        _ => Meaning::Again(why(), answer.retry_after),
    }
}

/// The end of a key that is too long: its number is there.
fn fitting(key: &str) -> &str {
    let mut start = key.len().saturating_sub(KEY_MAX);
    while !key.is_char_boundary(start) {
        start += 1;
    }
    &key[start..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_answer_means() {
        let of = |status, retry_after| {
            meaning(&Answer { status, retry_after, body: "why\n".to_owned(), is_last: false })
        };
        assert_eq!(of(200, None), Meaning::Over(Outcome::Taken));
        for status in [400, 413, 422] {
            assert_eq!(of(status, None), Meaning::Over(Outcome::Refused(format!("{status} why"))));
        }
        assert_eq!(of(401, None), Meaning::Shut("401 why".into()));
        assert_eq!(of(503, Some(1)), Meaning::Again("503 why".into(), Some(1)));
        assert_eq!(of(429, None), Meaning::Again("429 why".into(), None));
    }

    #[test]
    fn a_long_key_keeps_its_number() {
        assert_eq!(fitting("wspush:orders:1-0"), "wspush:orders:1-0");
        let long = format!("{}\u{e9}{}:77-1", "x".repeat(200), "y".repeat(122));
        assert_eq!((fitting(&long).len(), fitting(&long).ends_with(":77-1")), (127, true));
    }
}
