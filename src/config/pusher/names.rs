//! The names of an app's channels and users in the server.
//!
//! `news;eu` of the app `3` is the channel `pusher/3/news!eu`: a name like any other, so that rules, state files, admin
//! requests and other transports know it. The bytes that Pusher allows and we do not have others in their place, which
//! Pusher does not allow.

use super::super::channel_name::APPS;
use super::PusherApp;
use crate::limits::PUSHER_NAME_BYTES_MAX;

/// Whether this build speaks the protocol. One that does not has no apps: its settings refuse them, and where it is
/// asked for this the compiler leaves out what is for apps alone.
pub const PUSHER_SPOKEN: bool = cfg!(any(test, feature = "pusher"));

/// Pusher's bytes, and ours in their place.
const BYTES: [(char, char); 4] = [('=', '+'), (',', '~'), (';', '!'), ('#', '$')];

impl PusherApp {
    /// The server's name for a channel of this app; None: Pusher has no channel of this name.
    ///
    /// ```
    /// use wspush::config::PusherApp;
    ///
    /// let app = PusherApp::new("3", "key", "secret");
    /// assert_eq!(app.channel("private-a=1").as_deref(), Some("pusher/3/private-a+1"));
    /// assert_eq!(app.channel("a b"), None);
    /// ```
    pub fn channel(&self, name: &str) -> Option<String> {
        let is_to_user = name.strip_prefix(Self::TO_USER).is_some_and(|user| !user.is_empty());
        let text = if is_to_user { &name[1..] } else { name };
        let ok = |byte: u8| byte.is_ascii_alphanumeric() || b"_-=@,.;".contains(&byte);
        if text.is_empty() || name.len() > PUSHER_NAME_BYTES_MAX || !text.bytes().all(ok) {
            return None;
        }
        let ours = |char| BYTES.iter().find(|(theirs, _)| *theirs == char).map_or(char, |(_, ours)| *ours);
        let mut channel = self.beginning();
        channel.extend(name.chars().map(ours));
        Some(channel)
    }

    /// The beginning of the server's names of all channels and users of this app.
    pub fn beginning(&self) -> String {
        format!("{APPS}{}/", self.id)
    }

    /// The server's name for a user of this app.
    pub fn user(&self, id: &str) -> String {
        self.beginning() + id
    }

    /// The beginning of the name of a channel that is one user's.
    pub const TO_USER: &'static str = "#server-to-user-";
}

/// Whether a cluster's nodes tell each other how many are subscribed to this: a channel of an app, or an app itself.
pub fn is_of_app(channel: &str) -> bool {
    PUSHER_SPOKEN && (channel.starts_with(APPS) || channel.starts_with(APP))
}

/// The app itself, where nodes of a cluster tell each other how many connections it has and who has signed in. No
/// channel is called so: names have no spaces.
pub fn app_itself(id: &str) -> String {
    format!("{APP}{id}")
}

/// The id of an app that is called so.
pub fn id_of_app_itself(name: &str) -> Option<&str> {
    name.strip_prefix(APP).filter(|_| PUSHER_SPOKEN)
}

const APP: &str = "pusher ";

/// The id of the app whose channel has this name in the server, and the channel's name in the app. A build that does
/// not speak the protocol has no such channels.
pub fn app_channel(channel: &str) -> Option<(&str, String)> {
    if !PUSHER_SPOKEN {
        return None;
    }
    let (id, name) = channel.strip_prefix(APPS)?.split_once('/')?;
    let theirs = |char| BYTES.iter().find(|(_, ours)| *ours == char).map_or(char, |(theirs, _)| *theirs);
    Some((id, name.chars().map(theirs).collect()))
}

#[cfg(test)]
mod tests {
    use super::super::super::channel_name_ok;
    use super::*;

    #[test]
    fn there_and_back() {
        let app = PusherApp::new("3", "key", "secret");
        for name in ["news", "private-encrypted-a=b,c;d@e.f_g-h", "#server-to-user-a@b.c", "presence-cache-1"]
        {
            let channel = app.channel(name).unwrap();
            assert!(channel_name_ok(&channel), "{channel}");
            assert_eq!(app_channel(&channel), Some(("3", name.to_owned())));
        }
        assert!(channel_name_ok(&app.channel(&"n".repeat(200)).unwrap()));
        for name in ["", "a b", "a#b", "#a", "#server-to-user-", "a/b", "a+b", "\u{e4}", &"n".repeat(201)] {
            assert_eq!(app.channel(name), None, "{name}");
        }
        assert_eq!((app_channel("news"), app_channel("pusher/3")), (None, None));
        let itself = app_itself("3");
        assert!(!channel_name_ok(&itself) && app_channel(&itself).is_none());
        assert_eq!((id_of_app_itself(&itself), id_of_app_itself("pusher/3/a")), (Some("3"), None));
        assert!(is_of_app(&itself) && is_of_app("pusher/3/a") && !is_of_app("pusher"));
    }

    #[test]
    fn apps_never_meet() {
        let of = |id| PusherApp::new(id, "key", "secret").channel("a").unwrap();
        assert_ne!(of("3"), of("33"));
        assert_eq!(PusherApp::new("3", "k", "s").user("u/1"), "pusher/3/u/1");
    }
}
