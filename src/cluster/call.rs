//! The calls of nodes to each other and the answers to them, as they stand in the streams.

use std::sync::Arc;

use redis::Value;
use serde_json::{Value as Json, json};

use super::entry::{flags, publication};
use super::reply;
use crate::endpoint::users::{Target, Tokens, UserAction, UserOutcome, UserRequest};
use crate::protocol::close::CloseCode;
use crate::protocol::response::Refusal;
use crate::reactor::engine::{AdminCall, Call, Manner, ReturnTo, Said};

/// A call, as the nodes read it.
#[derive(Debug, PartialEq)]
pub(super) struct Called {
    pub call: Call,
    /// The name of those that are to do it; None: all.
    pub node: Option<String>,
    /// The run of the node that has called, and its number there.
    pub origin: String,
    pub ticket: u64,
    /// Whether somebody waits for what comes of it.
    pub is_awaited: bool,
}

/// The user whose tokens are refused from then on.
pub(super) fn revoked(call: &Call) -> Option<&str> {
    match call {
        Call::User(UserRequest {
            target: Target::User(user),
            action: UserAction::Disconnect { tokens: Tokens::Revoked, .. },
        }) => Some(user),
        _ => None,
    }
}

/// The fields of a call's entry, beside those of every entry.
pub(super) fn fields(
    call: &Call,
    node: Option<&str>,
    (origin, ticket): (&str, u64),
    is_awaited: bool,
) -> Vec<(&'static str, Vec<u8>)> {
    let (what, payload, flags) = match call {
        Call::User(UserRequest { target, action }) => {
            let user = match target {
                Target::User(user) => user.as_str(),
                Target::Connection(_) => "",
            };
            let (action, payload, flags) = match action {
                UserAction::Push { publication, .. } => {
                    (json!("push"), Some(publication.payload().to_vec()), flags(publication))
                }
                UserAction::Disconnect { code, reason, tokens } => {
                    let is_revoked = *tokens == Tokens::Revoked;
                    (json!({"close": [code.0, reason, is_revoked]}), None, String::new())
                }
                UserAction::Subscribe { channel, since } => {
                    (json!({"subscribe": [channel, since.to_string()]}), None, String::new())
                }
                UserAction::Unsubscribe { channel } => {
                    (json!({ "unsubscribe": channel }), None, String::new())
                }
                UserAction::List { .. } => (Json::Null, None, String::new()),
            };
            (json!({"user": user, "do": action}), payload, flags)
        }
        Call::Admin(AdminCall { method, target, content_type, body }) => (
            json!({"method": method, "target": target, "type": content_type}),
            Some(body.clone()),
            String::new(),
        ),
        Call::Delivery { channel, epoch, offset } => {
            (json!({"delivery": [channel, epoch, offset]}), None, String::new())
        }
    };
    let mut fields = vec![
        ("k", b"call".to_vec()),
        ("s", format!("{origin} {ticket}").into_bytes()),
        ("j", what.to_string().into_bytes()),
    ];
    fields.extend(payload.map(|payload| ("d", payload)));
    fields.extend(node.map(|node| ("w", node.as_bytes().to_vec())));
    if !flags.is_empty() {
        fields.push(("f", flags.into_bytes()));
    }
    if is_awaited {
        fields.push(("a", b"1".to_vec()));
    }
    fields
}

/// Reads a call. None: this node can't, as a newer one has made it.
pub(super) fn read<'a>(find: impl Fn(&str) -> Option<&'a Value>) -> Option<Called> {
    let text = |name| find(name).and_then(reply::text);
    let mut sender = text("s")?.split(' ');
    let what: Json = serde_json::from_str(text("j")?).ok()?;
    let payload = match find("d") {
        Some(Value::BulkString(bytes)) => bytes.as_slice(),
        _ => &[],
    };
    let string = |value: &Json| value.as_str().map(str::to_owned);
    let call = if let Some(user) = what.get("user").and_then(Json::as_str) {
        let action = what.get("do")?;
        let action = if action == "push" {
            let publication = publication(payload, text("f").unwrap_or_default())?;
            UserAction::Push { publication, notes: Default::default() }
        } else if let Some(close) = action.get("close") {
            UserAction::Disconnect {
                code: CloseCode(u16::try_from(close.get(0)?.as_u64()?).ok()?),
                reason: string(close.get(1)?)?,
                tokens: if close.get(2)?.as_bool()? { Tokens::Revoked } else { Tokens::Kept },
            }
        } else if let Some(subscribe) = action.get("subscribe") {
            let since = subscribe.get(1)?.as_str()?.parse().ok()?;
            UserAction::Subscribe { channel: string(subscribe.get(0)?)?, since }
        } else {
            UserAction::Unsubscribe { channel: string(action.get("unsubscribe")?)? }
        };
        Call::User(UserRequest::new(user, action).ok()?)
    } else if let Some(delivery) = what.get("delivery") {
        Call::Delivery {
            channel: Arc::from(delivery.get(0)?.as_str()?),
            epoch: delivery.get(1)?.as_u64()?,
            offset: delivery.get(2)?.as_u64()?,
        }
    } else {
        Call::Admin(AdminCall {
            method: string(what.get("method")?)?,
            target: string(what.get("target")?)?,
            content_type: what.get("type").and_then(string),
            body: payload.to_vec(),
        })
    };
    Some(Called {
        call,
        node: text("w").map(str::to_owned),
        origin: sender.next()?.to_owned(),
        ticket: sender.next()?.parse().ok()?,
        is_awaited: find("a").is_some(),
    })
}

impl Called {
    /// To whom its answer goes.
    pub fn return_to(&self) -> Option<ReturnTo> {
        self.is_awaited.then(|| ReturnTo {
            origin: Arc::from(self.origin.as_str()),
            ticket: self.ticket,
            manner: Manner::Outcome,
        })
    }
}

/// The answer to a call, as JSON.
pub(super) fn said_json(said: &Said) -> String {
    let json = match said {
        Said::User(UserOutcome { connections, refused, problem, .. }) => {
            let problem = problem.as_ref().map(|problem| (problem.status, &problem.reason));
            json!({"connections": connections, "refused": refused, "problem": problem})
        }
        Said::Admin { status, body } => json!({"status": status, "body": body}),
        Said::Delivery(delivery) => json!({ "delivery": delivery }),
        Said::Node(json) => json!({ "node": json }),
    };
    json.to_string()
}

/// Reads it.
pub(super) fn read_said(text: &str) -> Option<Said> {
    let json: Json = serde_json::from_str(text).ok()?;
    let small = |name: &str| json.get(name)?.as_u64().and_then(|number| u32::try_from(number).ok());
    if let Some(connections) = small("connections") {
        let refusal = |problem: &Json| {
            let status = u16::try_from(problem.get(0)?.as_u64()?).ok()?;
            Some(Refusal::new(status, problem.get(1)?.as_str()?.to_owned()))
        };
        let problem = json.get("problem").and_then(refusal);
        let refused = small("refused")?;
        return Some(Said::User(UserOutcome { connections, refused, problem, ..UserOutcome::default() }));
    }
    if let Some(delivery) = json.get("delivery") {
        return serde_json::from_value(delivery.clone()).ok().map(Said::Delivery);
    }
    let status = u16::try_from(json.get("status")?.as_u64()?).ok()?;
    Some(Said::Admin { status, body: json.get("body")?.as_str()?.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::push::{Delivery, Message, Publication, PushOptions, Since};

    fn again(call: Call) {
        let fields = fields(&call, Some("b"), ("a:1:2", 9), true);
        let values: Vec<(&str, Value)> =
            fields.into_iter().map(|(name, bytes)| (name, Value::BulkString(bytes))).collect();
        let find = |name: &str| values.iter().find(|(known, _)| *known == name).map(|(_, value)| value);
        let called = read(find).expect("a call");
        let to = called.return_to().expect("somebody waits");
        assert_eq!((&*to.origin, to.ticket, called.node.as_deref()), ("a:1:2", 9, Some("b")));
        assert_eq!(called.call, call);
    }

    #[test]
    fn a_call_comes_as_it_was_made() {
        let publication =
            Publication::to_one(Message::Binary(b"\xff\0"), PushOptions::default().compress(false)).unwrap();
        let close = |tokens| UserAction::Disconnect { code: CloseCode(4_000), reason: "x\"y".into(), tokens };
        for action in [
            UserAction::Push { publication, notes: Default::default() },
            close(Tokens::Kept),
            close(Tokens::Revoked),
            UserAction::Subscribe { channel: "a b".into(), since: Since::Last(3) },
            UserAction::Unsubscribe { channel: "a".into() },
        ] {
            again(Call::User(UserRequest::new("\u{e9} ann", action).unwrap()));
        }
        again(Call::Delivery { channel: Arc::from("news"), epoch: 1 << 52, offset: 7 });
        again(Call::Admin(AdminCall {
            method: "POST".into(),
            target: "/push?conn=7".into(),
            content_type: Some("text/plain".into()),
            body: b"\xfe".to_vec(),
        }));
    }

    #[test]
    fn so_does_the_answer() {
        let outcome = UserOutcome {
            connections: 2,
            refused: 1,
            problem: Some(Refusal::new(409, "full")),
            ..UserOutcome::default()
        };
        for said in [
            Said::User(UserOutcome::default()),
            Said::User(outcome),
            Said::Admin { status: 404, body: "{\"error\":\"x\"}".to_owned() },
            Said::Delivery(None),
            Said::Delivery(Some(Delivery { id: 3, recipients: 2, last_us: Some(9), ..Delivery::default() })),
        ] {
            assert_eq!(read_said(&said_json(&said)).as_ref(), Some(&said));
        }
        for strange in ["", "{}", "[1]", "{\"status\":1}", "{\"connections\":-1}"] {
            assert_eq!(read_said(strange), None, "{strange}");
        }
    }
}
