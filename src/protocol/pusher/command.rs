//! A client's message, read.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::json::is_object;
use crate::limits::PUSHER_WATCHLIST_MAX;

/// A message from a client.
#[derive(Debug)]
pub enum Command<'a> {
    /// Whether somebody is there.
    Ping,
    /// The answer to the same question.
    Pong,
    /// To receive a channel.
    Subscribe {
        /// Its name.
        channel: Cow<'a, str>,
        /// The backend's signature: a key, a colon and hexadecimal digits; empty where none is needed.
        auth: Cow<'a, str>,
        /// The user, as it was signed.
        channel_data: Option<Cow<'a, str>>,
    },
    /// To receive it no more.
    Unsubscribe {
        /// Its name.
        channel: Cow<'a, str>,
    },
    /// To be known as a user.
    SignIn {
        /// The backend's signature.
        auth: Cow<'a, str>,
        /// The user, as it was signed.
        user_data: Cow<'a, str>,
    },
    /// An event for the others of a channel.
    Client {
        /// Its name, which begins with `client-`.
        event: Cow<'a, str>,
        /// The channel.
        channel: Cow<'a, str>,
        /// JSON, as it was sent.
        data: &'a str,
    },
    /// Something that there is not.
    Unknown {
        /// Its name.
        event: Cow<'a, str>,
    },
}

#[derive(Deserialize)]
struct Raw<'a> {
    #[serde(borrow)]
    event: Cow<'a, str>,
    #[serde(borrow)]
    channel: Option<Cow<'a, str>>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
struct Data {
    channel: Option<String>,
    auth: Option<String>,
    channel_data: Option<String>,
    user_data: Option<String>,
}

impl Data {
    /// An object, or a string that holds one: some libraries send `data` as the server does.
    fn read(raw: Option<&RawValue>) -> Result<Data, &'static str> {
        const REFUSED: &str = "data is not an object of the strings that this event has";
        let text = raw.map_or("{}", RawValue::get);
        match text.starts_with('"') {
            false => object(text).ok_or(REFUSED),
            true => {
                let held: String = serde_json::from_str(text).map_err(|_| REFUSED)?;
                object(&held).ok_or(REFUSED)
            }
        }
    }
}

fn object<'a, T: Deserialize<'a>>(text: &'a str) -> Option<T> {
    serde_json::from_str(text).ok().filter(|_| is_object(text.as_bytes()))
}

impl<'a> Command<'a> {
    /// Reads a message.
    ///
    /// # Errors
    /// It is none; why, without repeating any of it.
    pub fn parse(text: &'a str) -> Result<Command<'a>, &'static str> {
        let Raw { event, channel, data } =
            object(text).ok_or("the message is not a JSON object with an event")?;
        let needed = |value: Option<String>, why| value.map(Cow::Owned).ok_or(why);
        const NO_CHANNEL: &str = "data has no channel";
        Ok(match &*event {
            "pusher:ping" => Command::Ping,
            "pusher:pong" => Command::Pong,
            "pusher:subscribe" => {
                let Data { channel, auth, channel_data, .. } = Data::read(data)?;
                Command::Subscribe {
                    channel: needed(channel, NO_CHANNEL)?,
                    auth: auth.unwrap_or_default().into(),
                    channel_data: channel_data.map(Cow::Owned),
                }
            }
            "pusher:unsubscribe" => {
                Command::Unsubscribe { channel: needed(Data::read(data)?.channel, NO_CHANNEL)? }
            }
            "pusher:signin" => {
                let Data { auth, user_data, .. } = Data::read(data)?;
                Command::SignIn {
                    auth: needed(auth, "data has no auth")?,
                    user_data: needed(user_data, "data has no user_data")?,
                }
            }
            name if name.starts_with("client-") => Command::Client {
                channel: channel.ok_or("a client event has a channel")?,
                data: data.map_or("null", RawValue::get),
                event,
            },
            _ => Command::Unknown { event },
        })
    }
}

/// A number or a string that names a user.
#[derive(Deserialize)]
#[serde(untagged)]
enum UserId {
    Text(String),
    Number(serde_json::Number),
}

impl From<UserId> for String {
    fn from(id: UserId) -> String {
        match id {
            UserId::Text(text) => text,
            UserId::Number(number) => number.to_string(),
        }
    }
}

/// The user of a subscription to a presence channel.
#[derive(Debug, PartialEq, Eq)]
pub struct ChannelData {
    /// Who.
    pub user_id: String,
    /// JSON that says more about it.
    pub user_info: Option<String>,
}

impl ChannelData {
    /// Reads what was signed; None: it names nobody.
    pub fn parse(text: &str) -> Option<ChannelData> {
        #[derive(Deserialize)]
        struct Read {
            user_id: UserId,
            user_info: Option<Box<RawValue>>,
        }
        let Read { user_id, user_info } = object(text)?;
        let user_id = Some(String::from(user_id)).filter(|id| !id.is_empty())?;
        Some(ChannelData { user_id, user_info: user_info.map(|info| info.get().to_owned()) })
    }
}

/// A user who signs in.
#[derive(Debug, PartialEq, Eq)]
pub struct UserData {
    /// Who.
    pub id: String,
    /// JSON that says more about it.
    pub user_info: Option<String>,
    /// The users that it wants to hear of, so many at the most.
    pub watchlist: Vec<String>,
    /// Whether there were more of them.
    pub is_cut: bool,
}

impl UserData {
    /// Reads what was signed; None: it names nobody.
    pub fn parse(text: &str) -> Option<UserData> {
        #[derive(Deserialize)]
        struct Read {
            id: UserId,
            user_info: Option<Box<RawValue>>,
            #[serde(default)]
            watchlist: Vec<UserId>,
        }
        let Read { id, user_info, watchlist } = object(text)?;
        let id = Some(String::from(id)).filter(|id| !id.is_empty())?;
        let is_cut = watchlist.len() > PUSHER_WATCHLIST_MAX;
        let watchlist = watchlist.into_iter().take(PUSHER_WATCHLIST_MAX).map(String::from).collect();
        Some(UserData { id, user_info: user_info.map(|info| info.get().to_owned()), watchlist, is_cut })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_is_an_object_or_a_string_that_holds_one() {
        for text in [
            r#"{"event":"pusher:subscribe","data":{"channel":"private-a","auth":"k:s","channel_data":"{}"}}"#,
            r#"{"event":"pusher:subscribe",
                "data":"{\"channel\":\"private-a\",\"auth\":\"k:s\",\"channel_data\":\"{}\"}"}"#,
        ] {
            let Ok(Command::Subscribe { channel, auth, channel_data }) = Command::parse(text) else {
                panic!("{text}")
            };
            assert_eq!((&*channel, &*auth, channel_data.as_deref()), ("private-a", "k:s", Some("{}")));
        }
        let text = r#"{"event":"client-typing","channel":"private-a","data":{"a": [1]}}"#;
        let Ok(Command::Client { event, channel, data }) = Command::parse(text) else { panic!("{text}") };
        assert_eq!((&*event, &*channel, data), ("client-typing", "private-a", r#"{"a": [1]}"#));
        assert!(matches!(Command::parse(r#"{"event":"pusher:ping","data":{}}"#), Ok(Command::Ping)));
        assert!(matches!(Command::parse(r#"{"event":"pusher:pong"}"#), Ok(Command::Pong)));
        assert!(matches!(Command::parse(r#"{"event":"x"}"#), Ok(Command::Unknown { .. })));
    }

    #[test]
    fn what_is_no_message_is_refused_without_being_repeated() {
        for text in [
            "",
            "[]",
            "{}",
            "nonsense",
            r#"{"event":7}"#,
            r#"{"event":"pusher:subscribe"}"#,
            r#"{"event":"pusher:subscribe","data":"secret"}"#,
            r#"{"event":"pusher:subscribe","data":{"channel":7}}"#,
            r#"{"event":"pusher:signin","data":{"auth":"secret"}}"#,
            r#"{"event":"client-a","data":"secret"}"#,
            r#"["client-a","secret",1]"#,
            r#"{"event":"pusher:subscribe","data":["secret"]}"#,
            r#"{"event":"pusher:subscribe","data":"[\"secret\"]"}"#,
        ] {
            let why = Command::parse(text).expect_err(text);
            assert!(!why.contains("secret"), "{why}");
        }
    }

    #[test]
    fn users_are_numbers_or_strings() {
        let data = ChannelData::parse(r#"{"user_id":10,"user_info":{"name":"Mr. Pusher"}}"#).unwrap();
        assert_eq!((&*data.user_id, data.user_info.as_deref()), ("10", Some(r#"{"name":"Mr. Pusher"}"#)));
        let data = ChannelData::parse(r#"{"user_id":"a"}"#).unwrap();
        assert_eq!((&*data.user_id, data.user_info), ("a", None));
        for text in ["", "{}", r#"{"user_id":""}"#, r#"{"user_id":{}}"#, r#"{"user_id":null}"#, r#"["a"]"#] {
            assert_eq!(ChannelData::parse(text), None, "{text}");
        }
        assert_eq!(UserData::parse(r#"["1"]"#), None);
        let user = UserData::parse(r#"{"id":"1","watchlist":["2",3]}"#).unwrap();
        assert_eq!((user.watchlist, user.is_cut), (vec!["2".to_owned(), "3".to_owned()], false));
        let many: Vec<u32> = (0..101).collect();
        let user = UserData::parse(&format!(r#"{{"id":1,"watchlist":{many:?}}}"#)).unwrap();
        assert_eq!((user.watchlist.len(), user.is_cut), (100, true));
    }
}
