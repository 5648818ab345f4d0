//! Requests, and the answers of long polling, each of which leads to the next request.

use super::{Streams, lines};
use crate::http::{self, LINES};
use crate::job::Job;
use crate::transport::{End, Kind, Receiver};

/// Where a poll goes on. wspush takes the tag as `since`; who sends `Last-Modified` as well, as Nchan does, takes both
/// back.
#[derive(Default)]
pub(super) struct Place {
    tag: Option<String>,
    modified: Option<String>,
}

impl Place {
    /// As an answer tells it.
    fn of(head: &http::Head<'_>) -> Self {
        let text = |value: Option<&[u8]>| value.map(|value| String::from_utf8_lossy(value).into_owned());
        Self { tag: text(head.etag), modified: text(head.modified) }
    }
}

/// Appends a request.
pub(super) fn request(out: &mut Vec<u8>, job: &Job, place: &Place) {
    let path = &job.target.path;
    out.extend_from_slice(b"GET ");
    out.extend_from_slice(path.as_bytes());
    let Place { tag, modified } = place;
    if let (Some(tag), None) = (tag, modified) {
        let sign = if path.contains('?') { '&' } else { '?' };
        let tag = tag.strip_prefix("W/").unwrap_or(tag).trim_matches('"');
        out.extend_from_slice(format!("{sign}since={tag}").as_bytes());
    }
    out.extend_from_slice(format!(" HTTP/1.1\r\nHost: {}\r\n", job.target.host).as_bytes());
    if job.transport == Kind::Sse {
        out.extend_from_slice(b"Accept: text/event-stream\r\n");
    }
    if let (Some(tag), Some(modified)) = (tag, modified) {
        out.extend_from_slice(
            format!("If-None-Match: {tag}\r\nIf-Modified-Since: {modified}\r\n").as_bytes(),
        );
    }
    for header in &job.headers {
        out.extend_from_slice(header.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"\r\n");
}

impl Streams {
    /// Takes whole answers, asks anew, and returns how many bytes they took.
    pub(super) fn answers(&mut self, receiver: &mut Receiver<'_>, bytes: &[u8]) -> Result<usize, End> {
        let mut at = 0;
        while let Some(head) =
            http::Head::parse(&bytes[at..]).map_err(|_| End::Fault("an answer that is not HTTP"))?
        {
            let Some((body, size)) =
                head.body(&bytes[at..]).map_err(|_| End::Fault("an answer without an end"))?
            else {
                break;
            };
            at += size;
            match head.status {
                200 if head.media_type.starts_with(LINES) => drop(lines(receiver, &body)?),
                200 => receiver.deliver(&body),
                204 | 304 => {}
                410 => return Err(End::Fault("a poll was answered 410: publications are gone")),
                _ => return Err(End::Fault("a poll was refused")),
            }
            request(&mut self.out, receiver.job, &Place::of(&head));
        }
        Ok(at)
    }
}
