//! The messages to clients.

use std::fmt::Display;

use super::super::envelope::push_payload;
use super::super::frame::Opcode;
use super::super::json::push_string;

/// A message to clients.
#[derive(Clone, Copy, Debug)]
pub struct Event<'a> {
    /// The event's name.
    pub event: &'a str,
    /// The channel that it is about.
    pub channel: Option<&'a str>,
    /// JSON as it stands: a string that holds more of it, or anything that a client has sent.
    pub data: Option<&'a [u8]>,
    /// The client that has sent it.
    pub user_id: Option<&'a str>,
}

impl<'a> Event<'a> {
    /// One of this name, without anything.
    pub fn new(event: &'a str) -> Event<'a> {
        Event { event, channel: None, data: None, user_id: None }
    }

    /// The same about a channel.
    pub fn on(self, channel: &'a str) -> Event<'a> {
        Event { channel: Some(channel), ..self }
    }

    /// The same with this data.
    pub fn with(self, data: &'a [u8]) -> Event<'a> {
        Event { data: Some(data), ..self }
    }

    /// Appends the message.
    pub fn push(self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"event\":");
        push_string(self.event.as_bytes(), out);
        if let Some(channel) = self.channel {
            out.extend_from_slice(b",\"channel\":");
            push_string(channel.as_bytes(), out);
        }
        if let Some(data) = self.data {
            out.extend_from_slice(b",\"data\":");
            out.extend_from_slice(data);
        }
        if let Some(user_id) = self.user_id {
            out.extend_from_slice(b",\"user_id\":");
            push_string(user_id.as_bytes(), out);
        }
        out.push(b'}');
    }
}

/// Appends an event of a backend, as it lies in the channel's log: `data` is the text as the backend has sent it.
pub fn push_event(event: &str, channel: &str, data: &str, out: &mut Vec<u8>) {
    push_held(Event::new(event).on(channel), data.as_bytes(), out);
}

/// Appends a message that somebody who knows nothing of this protocol has for one client.
pub fn push_to_client(opcode: Opcode, payload: &[u8], out: &mut Vec<u8>) {
    match std::str::from_utf8(payload).ok().filter(|_| opcode == Opcode::Text) {
        // It is one already.
        Some(text) if text.starts_with("{\"event\":") => out.extend_from_slice(payload),
        Some(_) => push_held(Event::new("message"), payload, out),
        None => {
            let mut data = b"{".to_vec();
            push_payload(opcode, payload, &mut data);
            data.push(b'}');
            push_held(Event::new("message"), &data, out);
        }
    }
}

/// Appends an event whose data is a string: this text, which is JSON where the server makes it.
fn push_held(event: Event<'_>, text: &[u8], out: &mut Vec<u8>) {
    let mut held = Vec::with_capacity(text.len() + 16);
    push_string(text, &mut held);
    event.with(&held).push(out);
}

/// The first message on a connection.
pub fn push_established(socket_id: impl Display, activity_timeout_s: u64, out: &mut Vec<u8>) {
    let json = format!("{{\"socket_id\":\"{socket_id}\",\"activity_timeout\":{activity_timeout_s}}}");
    push_held(Event::new("pusher:connection_established"), json.as_bytes(), out);
}

/// A subscription to a channel without presence.
pub fn push_subscribed(channel: &str, out: &mut Vec<u8>) {
    push_held(Event::new("pusher_internal:subscription_succeeded").on(channel), b"{}", out);
}

/// Those who are in a presence channel: each user, and JSON that says more about it.
pub type Members<'a> = [(&'a str, Option<&'a str>)];

/// A subscription to a channel with presence.
pub fn push_subscribed_with(channel: &str, members: &Members<'_>, out: &mut Vec<u8>) {
    let mut json = b"{\"presence\":{\"ids\":[".to_vec();
    for (n, (user, _)) in members.iter().enumerate() {
        if n > 0 {
            json.push(b',');
        }
        push_string(user.as_bytes(), &mut json);
    }
    json.extend_from_slice(b"],\"hash\":{");
    for (n, (user, info)) in members.iter().enumerate() {
        if n > 0 {
            json.push(b',');
        }
        push_string(user.as_bytes(), &mut json);
        json.push(b':');
        json.extend_from_slice(info.unwrap_or("{}").as_bytes());
    }
    json.extend_from_slice(format!("}},\"count\":{}}}}}", members.len()).as_bytes());
    push_held(Event::new("pusher_internal:subscription_succeeded").on(channel), &json, out);
}

/// A user has come to a channel.
pub fn push_member_added(channel: &str, user: &str, info: Option<&str>, out: &mut Vec<u8>) {
    let mut json = b"{\"user_id\":".to_vec();
    push_string(user.as_bytes(), &mut json);
    if let Some(info) = info {
        json.extend_from_slice(b",\"user_info\":");
        json.extend_from_slice(info.as_bytes());
    }
    json.push(b'}');
    push_held(Event::new("pusher_internal:member_added").on(channel), &json, out);
}

/// A user has gone from a channel.
pub fn push_member_removed(channel: &str, user: &str, out: &mut Vec<u8>) {
    let mut json = b"{\"user_id\":".to_vec();
    push_string(user.as_bytes(), &mut json);
    json.push(b'}');
    push_held(Event::new("pusher_internal:member_removed").on(channel), &json, out);
}

/// These of the users whom a client watches are there, and these are not.
pub fn push_watched(online: &[&str], offline: &[&str], out: &mut Vec<u8>) {
    let mut json = b"{\"events\":[".to_vec();
    let named = [("online", online), ("offline", offline)];
    for (n, (name, users)) in named.into_iter().filter(|(_, users)| !users.is_empty()).enumerate() {
        json.extend_from_slice(if n > 0 { b",{\"name\":" } else { b"{\"name\":" });
        push_string(name.as_bytes(), &mut json);
        json.extend_from_slice(b",\"user_ids\":[");
        for (n, user) in users.iter().enumerate() {
            if n > 0 {
                json.push(b',');
            }
            push_string(user.as_bytes(), &mut json);
        }
        json.extend_from_slice(b"]}");
    }
    json.extend_from_slice(b"]}");
    push_held(Event::new("pusher_internal:watchlist_events"), &json, out);
}

/// A subscription that there is not.
pub fn push_subscription_error(channel: &str, kind: &str, error: &str, status: u16, out: &mut Vec<u8>) {
    let mut data = b"{\"type\":".to_vec();
    push_string(kind.as_bytes(), &mut data);
    data.extend_from_slice(b",\"error\":");
    push_string(error.as_bytes(), &mut data);
    data.extend_from_slice(format!(",\"status\":{status}}}").as_bytes());
    Event::new("pusher:subscription_error").on(channel).with(&data).push(out);
}

/// An error that leaves the connection as it is, or comes before its end.
pub fn push_error(code: u16, message: &str, out: &mut Vec<u8>) {
    let mut data = format!("{{\"code\":{code},\"message\":").into_bytes();
    push_string(message.as_bytes(), &mut data);
    data.push(b'}');
    Event::new("pusher:error").with(&data).push(out);
}

/// Somebody has signed in.
pub fn push_signed_in(user_data: &str, out: &mut Vec<u8>) {
    let mut json = b"{\"user_data\":".to_vec();
    push_string(user_data.as_bytes(), &mut json);
    json.push(b'}');
    push_held(Event::new("pusher:signin_success"), &json, out);
}

/// The subscribers that a channel has now.
pub fn push_count(channel: &str, subscribers: u64, out: &mut Vec<u8>) {
    let json = format!("{{\"subscription_count\":{subscribers}}}");
    push_held(Event::new("pusher_internal:subscription_count").on(channel), json.as_bytes(), out);
}

/// Whether a publication is an event of a backend: neither a client's nor the server's own.
pub fn is_of_backend(payload: &[u8]) -> bool {
    let others = [&b"{\"event\":\"client-"[..], b"{\"event\":\"pusher_internal:"];
    !others.iter().any(|other| payload.starts_with(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(push: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        push(&mut out);
        let text = String::from_utf8(out).unwrap();
        serde_json::from_str::<serde_json::Value>(&text).unwrap();
        text
    }

    #[test]
    fn messages_are_those_of_the_protocol() {
        assert_eq!(
            said(|out| push_established("1.2", 120, out)),
            r#"{"event":"pusher:connection_established","data":"{\"socket_id\":\"1.2\",\"activity_timeout\":120}"}"#
        );
        assert_eq!(
            said(|out| push_subscribed("a", out)),
            r#"{"event":"pusher_internal:subscription_succeeded","channel":"a","data":"{}"}"#
        );
        assert_eq!(
            said(|out| push_subscribed_with("p", &[("1", Some("{\"n\":1}")), ("2", None)], out)),
            "{\"event\":\"pusher_internal:subscription_succeeded\",\"channel\":\"p\",\
             \"data\":\"{\\\"presence\\\":{\\\"ids\\\":[\\\"1\\\",\\\"2\\\"],\\\"hash\\\":{\\\"1\\\":{\\\"n\\\":1},\
             \\\"2\\\":{}},\\\"count\\\":2}}\"}"
        );
        assert_eq!(
            said(|out| push_member_added("p", "1", Some("[]"), out)),
            r#"{"event":"pusher_internal:member_added","channel":"p","data":"{\"user_id\":\"1\",\"user_info\":[]}"}"#
        );
        assert_eq!(
            said(|out| push_member_removed("p", "1", out)),
            r#"{"event":"pusher_internal:member_removed","channel":"p","data":"{\"user_id\":\"1\"}"}"#
        );
        assert_eq!(
            said(|out| push_subscription_error("p", "AuthError", "no \"key\"", 401, out)),
            "{\"event\":\"pusher:subscription_error\",\"channel\":\"p\",\"data\":{\"type\":\"AuthError\",\
             \"error\":\"no \\\"key\\\"\",\"status\":401}}"
        );
        assert_eq!(
            said(|out| push_error(4301, "slower", out)),
            r#"{"event":"pusher:error","data":{"code":4301,"message":"slower"}}"#
        );
        assert_eq!(
            said(|out| push_signed_in("{\"id\":\"1\"}", out)),
            r#"{"event":"pusher:signin_success","data":"{\"user_data\":\"{\\\"id\\\":\\\"1\\\"}\"}"}"#
        );
    }

    #[test]
    fn an_event_has_its_data_as_a_string() {
        let text = said(|out| push_event("e", "c", "{\"some\":\"data\"}", out));
        assert_eq!(text, r#"{"event":"e","channel":"c","data":"{\"some\":\"data\"}"}"#);
        assert!(is_of_backend(text.as_bytes()));
        let event = Event { user_id: Some("7"), ..Event::new("client-e").on("c").with(b"[1, 2]") };
        let text = said(|out| event.push(out));
        assert_eq!(text, r#"{"event":"client-e","channel":"c","data":[1, 2],"user_id":"7"}"#);
        assert!(!is_of_backend(text.as_bytes()));
        let text = said(|out| push_count("c", 7, out));
        assert_eq!(
            text,
            r#"{"event":"pusher_internal:subscription_count","channel":"c","data":"{\"subscription_count\":7}"}"#
        );
        assert!(!is_of_backend(text.as_bytes()));
    }
}
