//! Channels in the admin API: which there are, how each stands, and what it has had.

use std::borrow::Cow;
use std::sync::Arc;

use serde::Serialize;

use crate::config::channel_name_ok;
use crate::narrow;
use crate::protocol::head::Head;
use crate::protocol::json;
use crate::protocol::response::{Refusal, Response};
use crate::protocol::v1::push_publication;
use crate::push::{History, HistoryAsked, HistoryOrder, PushError, Since};

use super::admin::{self, Answer};
use super::control::{Control, Wanted};
use super::publishing::Later;
use super::query::{Others, Query};
use super::requests::{self, PAGE_DEFAULT, PAGE_MAX};

/// Bytes of publications on a page of a channel's history, or a single one that is larger: it bounds the time that the
/// answer takes.
pub const HISTORY_BYTES_MAX: usize = 256 << 10;
const _: () = assert!(PAGE_MAX < 1 << 16, "a page of history is made in one turn");

/// How a channel stands. Nothing in it changes with time alone.
///
/// ```
/// use wspush::ChannelInfo;
///
/// fn is_empty(channel: &ChannelInfo) -> bool {
///     channel.first > channel.offset
/// }
/// # assert!(!is_empty(&ChannelInfo::default()));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ChannelInfo {
    /// Its name.
    pub channel: Arc<str>,
    /// Which life of it.
    pub epoch: u64,
    /// The offset of its newest publication; 0: none yet.
    pub offset: u64,
    /// The offset of the oldest one that it has; of the next one if it has none.
    pub first: u64,
    /// Bytes of those that it has, as frames.
    pub bytes: u64,
    /// Its subscribers.
    pub subscribers: u32,
    /// Its members: users who are there, if it has presence.
    pub members: u64,
}

/// Which channels to list: by default all, 100 on a page.
///
/// ```
/// use wspush::ChannelList;
///
/// let inboxes = ChannelList { prefix: "inbox.".to_owned(), ..ChannelList::default() };
/// # assert_eq!((inboxes.after, inboxes.limit), (None, 100));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelList {
    /// Those whose names begin so.
    pub prefix: String,
    /// Those behind this place, which is a page's `next`.
    pub after: Option<u64>,
    /// So many at the most, 1 to 1,000.
    pub limit: usize,
}

impl Default for ChannelList {
    fn default() -> ChannelList {
        ChannelList { prefix: String::new(), after: None, limit: narrow::to_usize(PAGE_DEFAULT) }
    }
}

/// A page of channels.
///
/// ```
/// use wspush::{ChannelList, ChannelPage};
///
/// /// The list that goes on behind this page; None: that was all.
/// fn next(list: ChannelList, page: &ChannelPage) -> Option<ChannelList> {
///     page.next.map(|after| ChannelList { after: Some(after), ..list })
/// }
/// # assert_eq!(next(ChannelList::default(), &ChannelPage::default()), None);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ChannelPage {
    /// The channels.
    pub channels: Vec<ChannelInfo>,
    /// Pass this as `after` for the next page; None: that was all.
    pub next: Option<u64>,
    /// The place of the last one.
    #[serde(skip)]
    pub last: u64,
}

/// `GET /channels`.
pub(super) fn list(head: &Head<'_>) -> Result<Answer, Refusal> {
    let query = Query::read(head, requests::CHANNELS.query, Others::Refused)?;
    Ok(Answer::List(Wanted::Channels(ChannelList {
        prefix: query.text("prefix").unwrap_or_default().to_owned(),
        after: query.number("after"),
        limit: narrow::clamped(query.number("limit").unwrap_or(PAGE_DEFAULT)),
    })))
}

/// The subject of a path behind `/channels/`.
pub(super) enum About {
    Channel,
    History,
    Presence,
}

/// The channel that a path behind `/channels/` names, and what of it.
pub(super) fn named(path: &str) -> Result<(Cow<'_, str>, About), Refusal> {
    let (name, about) = match path.rsplit_once('/') {
        Some((name, "history")) => (name, About::History),
        Some((name, "presence")) => (name, About::Presence),
        _ => (path, About::Channel),
    };
    let name: Cow<'_, str> = percent_encoding::percent_decode_str(name).decode_utf8_lossy();
    if !channel_name_ok(&name) {
        return Err(PushError::BadChannel.into());
    }
    Ok((name, about))
}

/// Answers a path behind `/channels/`: a name, in which anything that does not stand for itself is escaped, and perhaps
/// `/history` or `/presence`.
pub(super) fn answer(path: &str, head: &Head<'_>, server: &mut dyn Control) -> Result<Answer, Refusal> {
    let (name, about) = named(path)?;
    let response = match (about, head.method) {
        (About::History, "GET" | "HEAD") => history(&name, head, server),
        (About::Channel, "GET" | "HEAD") => {
            Query::read(head, requests::CHANNEL.query, Others::Refused)?;
            Ok(admin::json(200, &server.channel(&name).ok_or_else(no_channel)?))
        }
        (About::Presence, "GET" | "HEAD") => {
            Query::read(head, requests::PRESENCE.query, Others::Refused)?;
            let presence = server.presence(&name).ok_or_else(no_channel)?;
            let reason = "this channel has no presence; a rule with presence = true gives it one";
            Ok(admin::json(200, &presence.ok_or_else(|| Refusal::fixed(404, reason))?))
        }
        (About::History, "DELETE") => {
            Query::read(head, requests::FORGET.query, Others::Refused)?;
            if let Some(asked) = server.forget_later(&name) {
                let ticket = asked?;
                return Ok(Answer::Later(Later::forgotten(ticket)));
            }
            match server.forget_history(&name).ok_or_else(no_channel)? {
                Ok(info) => Ok(admin::json(200, &info)),
                Err(_) => {
                    let reason = "publications are on their way to subscribers; try again";
                    Err(Refusal::fixed(503, reason).with_headers(&[("Retry-After", "1")]))
                }
            }
        }
        (About::History, _) => {
            let reason = "this path takes GET, HEAD, DELETE";
            Err(Refusal::fixed(405, reason).with_headers(&[("Allow", "GET, HEAD, DELETE")]))
        }
        (About::Channel, _) => Err(admin::takes(&requests::CHANNEL)),
        (About::Presence, _) => Err(admin::takes(&requests::PRESENCE)),
    };
    response.map(Answer::Now)
}

pub(super) fn no_channel() -> Refusal {
    Refusal::fixed(404, "no such channel: it has neither subscribers nor publications")
}

fn history(name: &str, head: &Head<'_>, server: &dyn Control) -> Result<Response, Refusal> {
    let query = Query::read(head, requests::HISTORY.query, Others::Refused)?;
    let order = match query.text("reverse") {
        Some("yes") => HistoryOrder::NewestFirst,
        _ => HistoryOrder::OldestFirst,
    };
    let asked = HistoryAsked {
        since: query.text("since").and_then(|text| text.parse().ok()).unwrap_or(Since::Earliest),
        limit: narrow::clamped(query.number("limit").unwrap_or(PAGE_DEFAULT)),
        bytes_max: HISTORY_BYTES_MAX,
        order,
    };
    let (info, history) = server.history(name, asked).ok_or_else(no_channel)?;
    let mut body = Vec::new();
    write(&info, &history, &mut body);
    Ok(Response::json(200, body))
}

/// The inner object of the answer in `wspush.v1`, but that the epoch is a number; `missed` only where something is.
fn write(info: &ChannelInfo, history: &History<'_>, out: &mut Vec<u8>) {
    let number = |name: &str, number, out: &mut Vec<u8>| {
        out.extend_from_slice(name.as_bytes());
        json::push_number(number, out);
    };
    out.extend_from_slice(b"{\"channel\":");
    json::push_string(info.channel.as_bytes(), out);
    number(",\"epoch\":", info.epoch, out);
    number(",\"offset\":", info.offset, out);
    if let Some(gap) = history.missed {
        number(",\"missed\":{\"from\":", gap.from, out);
        number(",\"to\":", gap.to, out);
        out.push(b'}');
    }
    out.extend_from_slice(b",\"publications\":[");
    for (n, past) in history.publications.iter().enumerate() {
        out.extend_from_slice(if n == 0 { b"" } else { b"," });
        push_publication(past.offset, Some(past.unix_ms), (past.kind.opcode(), &past.payload), out);
    }
    out.extend_from_slice(b"]}\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::push::{Gap, Kind, Past};

    #[test]
    fn a_page_of_history_to_the_letter() {
        let info = ChannelInfo { channel: "c".into(), epoch: 7, offset: 9, ..ChannelInfo::default() };
        let past =
            |offset, kind, payload: &'static [u8]| Past { offset, unix_ms: 5, kind, payload: payload.into() };
        let publications = vec![past(8, Kind::Text, b"\"\n"), past(9, Kind::Binary, b"\xff")];
        let history = History { publications, missed: Some(Gap { from: 3, to: 7 }) };
        let mut out = Vec::new();
        write(&info, &history, &mut out);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            concat!(
                r#"{"channel":"c","epoch":7,"offset":9,"missed":{"from":3,"to":7},"publications":["#,
                r#"{"offset":8,"time_ms":5,"data":"\"\n"},{"offset":9,"time_ms":5,"base64":"/w=="}]}"#,
                "\n"
            )
        );
        let mut out = Vec::new();
        write(&info, &History { publications: Vec::new(), missed: None }, &mut out);
        assert_eq!(out, b"{\"channel\":\"c\",\"epoch\":7,\"offset\":9,\"publications\":[]}\n");
    }
}
