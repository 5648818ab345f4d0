//! The demo: a page that receives pushes and makes them.

use serde::Serialize;

use crate::auth::{Claims, Rights};
use crate::config::{Config, DEMO_SHOWN};
use crate::metrics::RefuseReason;
use crate::protocol::head::Head;
use crate::protocol::response::{Refusal, Response};
use crate::push::PublishTerms;

use super::control::Control;
use super::query::{Others, Query};
use super::{admin, guard, publishing, push_request, requests};

/// The client that the page uses is in the page, so that it needs nothing else.
const PAGE: &str = concat!(
    include_str!("page.html"),
    include_str!("../../js/wspush-client.min.js"),
    include_str!("page.js"),
    "</script>\n</body>\n</html>\n"
);

/// Bytes of a guest's name.
pub const GUEST_BYTES_MAX: usize = 32;

/// The channel by which guests know of each other.
const HERE: &str = "demo.here";

/// How the demo's channels are kept, unless the operator's own rules say otherwise.
const RULES: [&str; 2] = ["demo.inbox.* missed=tail", "demo.here presence=true"];

/// The configuration with rules for the demo's channels, if there is a demo.
pub fn with_rules(mut config: Config) -> Config {
    if DEMO_SHOWN && config.demo {
        config.channel_rule.extend(RULES.iter().filter_map(|rule| rule.parse().ok()));
    }
    config
}

/// The beginning of the names of guests' inboxes.
const INBOX: &str = "demo.inbox.";

/// Whether the demo's visitors are whom they say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guests {
    /// They are.
    Named,
    /// They are nobody, or others say who they are.
    Unnamed,
}

/// A guest who calls itself so: nobody has checked it.
pub fn guest(name: &str) -> Result<Claims, Refusal> {
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    if name.is_empty() || name.len() > GUEST_BYTES_MAX || !name.bytes().all(is_name) {
        return Err(Refusal::fixed(400, "as is a name of 1 to 32 letters, digits and -"));
    }
    let allow = [format!("{INBOX}{name}"), HERE.to_owned()].into();
    Ok(Claims {
        user: Some(name.to_owned()),
        rights: Rights { allow, ..Rights::default() },
        ..Claims::default()
    })
}

/// The server's state as the page shows it.
#[derive(Clone, Debug, Serialize)]
pub struct Facts<'a> {
    /// Open WebSocket connections.
    pub connections: usize,
    /// Where pushes are taken from programs: `http://127.0.0.1:8081`, or `unix:/path`.
    pub admin: Option<&'a str>,
    /// Whether that asks for a token.
    pub needs_token: bool,
    /// Whether visitors are whom they say.
    pub guests: bool,
}

/// The page.
pub fn page() -> Response {
    let mut response = Response::html(200, PAGE);
    // The page's own script and style only, and sockets back to where it came from.
    let policy = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; \
                  connect-src 'self' ws: wss:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
    response.headers.push(("Content-Security-Policy", policy.to_owned()));
    response
}

/// `GET /demo/info`.
pub fn info(facts: &Facts<'_>) -> Response {
    admin::json(200, facts)
}

/// `POST /demo/push`: to everybody or to a channel, if it comes from where it may come from. Beside a refusal: what it
/// counts as, if not as its status says.
pub fn push(
    head: &Head<'_>,
    body: &[u8],
    (config, guests): (&Config, Guests),
    server: &mut dyn Control,
) -> Result<Response, (Refusal, Option<RefuseReason>)> {
    let plain = |refusal| (refusal, None);
    guard::check_demo(head, &config.origins).map_err(|refusal| (refusal, Some(RefuseReason::Origin)))?;
    let query = Query::read(head, requests::DEMO_PUSH.query, Others::Refused).map_err(plain)?;
    let channel = query.text("channel");
    if let Some(name) = channel
        && !config.is_open_to_clients(name)
        && !(guests == Guests::Named
            && name.strip_prefix(INBOX).is_some_and(|guest| self::guest(guest).is_ok()))
    {
        let refusal = Refusal::new(403, format!("channel {name:?} is not open to clients (channels)"));
        return Err((refusal, Some(RefuseReason::ForbiddenChannel)));
    }
    let pushed = push_request::read(head, body).map_err(plain)?;
    let said = publishing::publish(channel.as_slice(), &pushed, PublishTerms::default(), server);
    Ok(match said.map_err(plain)? {
        publishing::Said::Now(response) => response,
        // It is on its way to the cluster; the page sees it come.
        publishing::Said::Later(_) => Response::text(202, "taken\n"),
    })
}
