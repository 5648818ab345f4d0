//! `wspush.v1` on `/ws`: what a client may ask for, and what it is told. The messages themselves are in
//! [`protocol::v1`](crate::protocol::v1).

use crate::config::{ClientRight, Config};
use crate::protocol::v1::{ErrorCode, HistoryPage, Id};
use crate::push::{Channel, DEFAULT_NAME, PushError, Since};

/// The subprotocol's name.
pub const PROTOCOL: &str = "wspush.v1";

/// Name and version of the server.
pub const SERVER: &str = concat!("wspush/", env!("CARGO_PKG_VERSION"));

/// Publications on a page of history, unless the client asks for fewer or more.
pub const HISTORY_LIMIT: u64 = 100;
/// Publications on a page at the most.
pub const HISTORY_LIMIT_MAX: u64 = 1_000;
/// A page is not begun to be longer, but for its first publication.
const HISTORY_BYTES: usize = 64 << 10;

/// An error that a client is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    /// The sort of error.
    pub code: ErrorCode,
    /// The reason, and the way out.
    pub why: String,
}

impl Denial {
    /// One of this sort.
    pub fn new(code: ErrorCode, why: impl Into<String>) -> Denial {
        Denial { code, why: why.into() }
    }

    /// Something that is not allowed.
    fn forbidden(why: impl Into<String>) -> Denial {
        Denial::new(ErrorCode::Forbidden, why)
    }
}

/// Whether a client may do this with a channel, where neither its handshake nor its token says so.
pub fn may(right: ClientRight, channel: &str, config: &Config, has_host: bool) -> Result<(), Denial> {
    match config.rule_allows(right, channel) {
        Some(true) => return Ok(()),
        Some(false) => {
            let claim = if right == ClientRight::Publish { "publish" } else { "allow" };
            let why = format!(
                "the rule for channel {channel:?} leaves out {right} (clients), and no token allows it ({claim})"
            );
            return Err(Denial::forbidden(why));
        }
        None if right == ClientRight::Publish => return Err(no_publishing(channel)),
        None => {}
    }
    if has_host {
        let why = "the server's host decides which channels a connection receives; ask it";
        return Err(Denial::forbidden(why));
    }
    if channel == DEFAULT_NAME || config.is_open_to_clients(channel) {
        return Ok(());
    }
    let why =
        format!("channel {channel:?} is not open to clients (channels), and no token allows it (allow)");
    Err(Denial::forbidden(why))
}

/// A client without a right to publish has asked for it.
fn no_publishing(channel: &str) -> Denial {
    let why =
        format!("no token lets this connection publish to channel {channel:?} (publish); POST /push does it");
    Denial::forbidden(why)
}

/// A client's publication was not taken.
pub fn not_published(problem: &PushError) -> Denial {
    let code = match problem {
        PushError::InboxFull | PushError::Unavailable(_) | PushError::Stopped => ErrorCode::TryAgain,
        PushError::TooLarge { .. } | PushError::TooManyChannels { .. } => ErrorCode::Limit,
        _ => ErrorCode::BadRequest,
    };
    Denial::new(code, problem.to_string())
}

/// Who is there is not told.
pub fn no_presence(channel: &str) -> Denial {
    Denial::forbidden(format!(
        "channel {channel:?} has no presence; a rule with presence = true gives it one"
    ))
}

/// A client has shown a token, and nobody reads it.
pub fn no_tokens() -> Denial {
    Denial::forbidden("this server takes no tokens here; leave the token out")
}

/// Where a client wants to begin.
pub fn since(text: Option<&str>) -> Result<Option<Since>, Denial> {
    let since = text.map(str::parse::<Since>).transpose();
    since.map_err(|why| Denial::new(ErrorCode::BadRequest, format!("since is {why}")))
}

/// How many publications a page of history may have.
pub fn history_limit(limit: Option<u64>) -> Result<u64, Denial> {
    let limit = limit.unwrap_or(HISTORY_LIMIT);
    if limit > HISTORY_LIMIT_MAX {
        let why = format!("limit is {limit}, and at most {HISTORY_LIMIT_MAX} publications are on a page");
        return Err(Denial::new(ErrorCode::BadRequest, why));
    }
    Ok(limit)
}

/// Appends a page of what a channel has, which begins there, of at most so many publications. The newest offset of all
/// is said with it, so whoever wants more asks again from the last one on.
pub fn push_history(
    id: Id<'_>,
    channel: &Channel,
    (since, unix_ms): (Since, u64),
    limit: u64,
    out: &mut Vec<u8>,
) {
    let (first, next) = channel.readable(since, unix_ms);
    let start = out.len();
    let mut page = HistoryPage::begin(id, &channel.name, (channel.epoch, next - 1), out);
    for offset in first..next.min(first.saturating_add(limit)) {
        let before = page.bytes();
        let past = channel.past(offset);
        if offset > first && before - start + past.payload.len() > HISTORY_BYTES {
            break;
        }
        page.push(offset, channel.time_ms(offset), past.kind.opcode(), &past.payload);
    }
    page.end();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::push::{Channels, DEFAULT, Encoded, Kind, LogLimits, Message, Place};
    use serde_json::Value;

    #[test]
    fn what_the_configuration_lets_clients_receive() {
        let config = Config::default();
        let refused = |channel, has_host| {
            may(ClientRight::Subscribe, channel, &config, has_host).err().map(|denial| denial.code)
        };
        assert_eq!((refused("public.news", false), refused(DEFAULT_NAME, false)), (None, None));
        assert_eq!(refused("secret", false), Some(ErrorCode::Forbidden));
        assert_eq!(refused("public.news", true), Some(ErrorCode::Forbidden), "that is the host's");
        let why = may(ClientRight::History, "secret", &config, false).unwrap_err().why;
        assert_eq!(
            why,
            "channel \"secret\" is not open to clients (channels), and no token allows it (allow)"
        );
        let why = may(ClientRight::Publish, "public.news", &config, false).unwrap_err().why;
        assert!(why.starts_with("no token lets this connection publish to channel"), "{why}");
    }

    #[test]
    fn what_a_rule_lets_clients_do() {
        let rules = ["public.a clients=publish+presence", "b clients=subscribe", "broadcast clients="];
        let config =
            Config { channel_rule: rules.map(|rule| rule.parse().unwrap()).into(), ..Config::default() };
        let may = |right, channel| may(right, channel, &config, true);
        assert_eq!(
            (may(ClientRight::Publish, "public.a"), may(ClientRight::Subscribe, "b")),
            (Ok(()), Ok(()))
        );
        for (right, channel, claim) in [
            (ClientRight::Subscribe, "public.a", "subscribe (clients), and no token allows it (allow)"),
            (ClientRight::Publish, "b", "publish (clients), and no token allows it (publish)"),
            (ClientRight::Subscribe, DEFAULT_NAME, "subscribe (clients), and no token allows it (allow)"),
        ] {
            let why = may(right, channel).unwrap_err().why;
            assert_eq!(why, format!("the rule for channel {channel:?} leaves out {claim}"));
        }
    }

    #[test]
    fn what_is_no_beginning_is_said() {
        assert_eq!((since(None), since(Some("last:3"))), (Ok(None), Ok(Some(Since::Last(3)))));
        assert_eq!(since(Some("now")).unwrap_err().code, ErrorCode::BadRequest);
        assert_eq!((history_limit(None), history_limit(Some(1_000))), (Ok(100), Ok(1_000)));
        let why = history_limit(Some(1_001)).unwrap_err().why;
        assert_eq!(why, "limit is 1001, and at most 1000 publications are on a page");
    }

    #[test]
    fn pages_of_history_are_bounded_and_lead_on() {
        let limits = LogLimits { bytes: 1 << 20, publications: 100, sum_bytes: 1 << 24 };
        let mut channels = Channels::new(limits, 7);
        for offset in 1..=9 {
            let text = "x".repeat(20_000);
            let place = Place { offset, receipt: offset, now_us: 0, unix_ms: 1_000 + offset };
            channels.append(DEFAULT, &Encoded::plain(&Message::Text(&text).to_frame()), place);
        }
        let channel = channels.get(DEFAULT);
        let page = |since, limit| {
            let mut out = b"before".to_vec();
            push_history(Id("4"), channel, (since, 2_000), limit, &mut out);
            assert!(out.len() < 80_000);
            let page: Value = serde_json::from_slice(&out[6..]).unwrap();
            assert_eq!((&page["id"], &page["history"]["offset"]), (&4.into(), &9.into()));
            let publications = page["history"]["publications"].as_array().unwrap().clone();
            publications.iter().map(|one| one["offset"].as_u64().unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(page(Since::Earliest, 100), [1, 2, 3], "as many as fit");
        assert_eq!(page("7.3".parse().unwrap(), 2), [4, 5]);
        assert_eq!((page(Since::Head, 9), page(Since::Last(1), 9)), (vec![], vec![9]));
        assert_eq!(channel.past(1).kind, Kind::Text);
    }
}
