//! Requests about a user: about all its connections at once. `/users/USER` on the admin listener,
//! `POST /push?user=`, and the same through a handle.

use percent_encoding::percent_decode_str;
use serde::Serialize;

use crate::limits::USER_BYTES_MAX;
use crate::protocol::close::CloseCode;
use crate::protocol::head::Head;
use crate::protocol::response::{Refusal, Response};
use crate::push::{Publication, PushError};

use super::ConnId;
use super::admin::{close_of, json, query};
use super::requests;

/// Something to do with all connections that a user has when its turn comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserRequest {
    /// The user.
    pub user: String,
    /// The action.
    pub action: UserAction,
}

/// The actions on a user's connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UserAction {
    /// Send this to each of them.
    Push {
        /// The message.
        publication: Publication,
        /// The part of a request's body that it was, where that is not all of it.
        taken_as: Option<&'static str>,
    },
    /// Close each of them.
    Disconnect {
        /// With this code.
        code: CloseCode,
        /// And this reason.
        reason: String,
    },
    /// Say which they are.
    List {
        /// Those behind this one.
        after: Option<ConnId>,
        /// So many at the most.
        limit: usize,
    },
}

/// One of a user's connections.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UserConnection {
    /// Its id, in quotes: JavaScript's numbers are too short for it.
    pub id: String,
    /// The channels it receives.
    pub channels: Vec<String>,
}

/// The outcome of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserOutcome {
    /// With how many connections it was done.
    pub connections: u32,
    /// Those that were asked for.
    pub page: Vec<UserConnection>,
    /// Behind which one there are more.
    pub next: Option<ConnId>,
}

impl UserRequest {
    /// A request for a user whose name is one.
    ///
    /// # Errors
    /// [`PushError::BadUser`]
    pub fn new(user: impl Into<String>, action: UserAction) -> Result<UserRequest, PushError> {
        let user = user.into();
        if is_user_name(&user) { Ok(UserRequest { user, action }) } else { Err(PushError::BadUser) }
    }

    /// The bytes that it takes in the inbox beside itself.
    pub fn bytes(&self) -> usize {
        let rest = match &self.action {
            UserAction::Push { publication, .. } => publication.plain_frame().len(),
            UserAction::Disconnect { reason, .. } => reason.len(),
            UserAction::List { .. } => 0,
        };
        self.user.len() + rest
    }

    /// The admin API's answer, when it is done.
    pub fn answer(&self, outcome: &UserOutcome) -> Response {
        let (user, connections) = (&self.user, outcome.connections);
        match &self.action {
            UserAction::Push { taken_as, .. } => {
                json(200, &Pushed { user, recipients: connections, taken_as: *taken_as })
            }
            UserAction::Disconnect { code, .. } => {
                json(200, &serde_json::json!({ "user": user, "closed": connections, "code": code.0 }))
            }
            UserAction::List { .. } => {
                let next = outcome.next.map(|conn| conn.to_string());
                json(200, &Listed { user, connections: &outcome.page, next })
            }
        }
    }
}

/// Whether a user may be called so: whoever has no name is nobody, and an empty one must not pass for one.
pub fn is_user_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= USER_BYTES_MAX
}

#[derive(Serialize)]
struct Pushed<'a> {
    user: &'a str,
    recipients: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    taken_as: Option<&'static str>,
}

#[derive(Serialize)]
struct Listed<'a> {
    user: &'a str,
    connections: &'a [UserConnection],
    next: Option<String>,
}

/// Reads a request for `/users/` and `rest`.
///
/// # Errors
/// 400, 404 or 405: it is none.
pub(super) fn read(rest: &str, head: &Head<'_>) -> Result<UserRequest, Refusal> {
    if rest.contains('/') {
        return Err(Refusal::fixed(404, "no such path; a '/' in a user's name is written %2F"));
    }
    let action = match head.method {
        "GET" | "HEAD" => {
            let query = query(head, &requests::USER)?;
            let limit = query.number("limit").unwrap_or(requests::PAGE_DEFAULT) as usize;
            UserAction::List { after: query.number("after").map(ConnId), limit }
        }
        "DELETE" => {
            let (code, reason) = close_of(&query(head, &requests::DISCONNECT_USER)?)?;
            UserAction::Disconnect { code, reason }
        }
        _ => {
            let allow = &[("Allow", "GET, HEAD, DELETE")];
            return Err(Refusal::fixed(405, "this path takes GET, HEAD, DELETE").with_headers(allow));
        }
    };
    let user = percent_decode_str(rest).decode_utf8();
    let user = user.map_err(|_| Refusal::fixed(400, "a user's name in a path is UTF-8, percent-encoded"))?;
    Ok(UserRequest::new(user, action)?)
}
