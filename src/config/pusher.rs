//! Apps of the Pusher Channels protocol, as text and as tables of the TOML file.

mod event;
mod names;

pub use event::PusherEvent;
#[doc(hidden)]
pub use names::{app_channel, app_itself, id_of_app_itself, is_of_app};

use std::fmt;
use std::str::FromStr;

use super::backend::url_of_backend;
use super::channel_rule::within;
use super::client_rights::some_of;
use super::nearest::nearest;
use super::{Config, ConfigError};
use crate::limits::{Bounds, PUSHER_ID_BYTES_MAX, PUSHER_KEY_BYTES_MAX};

/// Whether this build speaks the protocol. One that does not has no apps: its settings refuse them, and where it is asked
/// for this the compiler leaves out what is for apps alone.
#[doc(hidden)]
pub const PUSHER_SPOKEN: bool = cfg!(any(test, feature = "pusher"));

/// An app of the Pusher Channels protocol: `3 key=KEY secret=SECRET client_events=true`. Its clients connect to
/// `/app/KEY`, its backends publish to `/apps/3/events`, and its channels never meet those of another app.
///
/// ```
/// use wspush::config::PusherApp;
///
/// let app: PusherApp = "3 key=278d425bdf160c739803 secret=7ad3773142a6692b25b8 client_events=true".parse()?;
/// assert_eq!((app.id.as_str(), app.client_events, app.members_max), ("3", true, 100));
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PusherApp {
    /// Its id, 1 to 32 letters, digits and `_-`: backends have it in their paths.
    pub id: String,
    /// Its key, which clients know.
    pub key: String,
    /// Its secret, which signs what backends ask and what clients may subscribe to.
    pub secret: String,
    /// Whether clients and backends are served.
    pub enabled: bool,
    /// Whether clients may send events to private and presence channels.
    pub client_events: bool,
    /// Client events of one connection within a second.
    pub client_events_per_second: u64,
    /// Open connections; 0: as many as the server has.
    pub connections_max: u64,
    /// Channels that one connection is subscribed to.
    pub channels_per_connection_max: u64,
    /// The bytes of an event's data.
    pub event_bytes_max: u64,
    /// The characters of an event's name.
    pub event_name_max: u64,
    /// The channels that a backend may publish one event to at once.
    pub event_channels_max: u64,
    /// The events that a backend may publish at once.
    pub batch_events_max: u64,
    /// Users in one presence channel.
    pub members_max: u64,
    /// The bytes of what is said of such a user, as JSON.
    pub member_bytes_max: u64,
    /// How long a cache channel keeps its last event.
    pub cache_ttl_s: u64,
    /// After such a silence a client asks whether the server is still there.
    pub activity_timeout_s: u64,
    /// How long a connection may stay without a signed subscription or a sign-in; 0: for ever.
    pub authorization_s: u64,
    /// Whether subscribers are told how many they are, where no presence tells them.
    pub subscription_count: bool,
    /// Users who sign in with a `watchlist` are told which of those they name are there.
    pub watchlists: bool,
    /// A client that comes without TLS is told to come with it.
    pub tls_only: bool,
    /// Where its backend is told what happens in the app.
    pub webhook_url: Option<String>,
    /// The events that it is told of.
    pub webhook_events: Vec<PusherEvent>,
}

/// The keys behind the id. In a table of the TOML file the id has the key `id`.
const KEYS: [&str; 21] = [
    "key",
    "secret",
    "enabled",
    "client_events",
    "client_events_per_second",
    "connections_max",
    "channels_per_connection_max",
    "event_bytes_max",
    "event_name_max",
    "event_channels_max",
    "batch_events_max",
    "members_max",
    "member_bytes_max",
    "cache_ttl_s",
    "activity_timeout_s",
    "authorization_s",
    "subscription_count",
    "watchlists",
    "tls_only",
    "webhook_url",
    "webhook_events",
];

impl PusherApp {
    /// One with these three, and with everything else as it is unless something is said of it.
    pub fn new(id: &str, key: &str, secret: &str) -> PusherApp {
        PusherApp {
            id: id.to_owned(),
            key: key.to_owned(),
            secret: secret.to_owned(),
            enabled: true,
            client_events: false,
            client_events_per_second: 10,
            connections_max: 0,
            channels_per_connection_max: 100,
            event_bytes_max: 10 << 10,
            event_name_max: 200,
            event_channels_max: 100,
            batch_events_max: 10,
            members_max: 100,
            member_bytes_max: 1 << 10,
            cache_ttl_s: 1_800,
            activity_timeout_s: 120,
            authorization_s: 0,
            subscription_count: false,
            watchlists: false,
            tls_only: false,
            webhook_url: None,
            webhook_events: PusherEvent::ALL.to_vec(),
        }
    }

    /// The number of this name and its bounds.
    fn number(&mut self, key: &str) -> Option<(&mut u64, Bounds)> {
        Some(match key {
            "client_events_per_second" => (&mut self.client_events_per_second, Bounds::new(1, 1_000_000)),
            "connections_max" => (&mut self.connections_max, Bounds::new(0, 50_000_000)),
            "channels_per_connection_max" => (&mut self.channels_per_connection_max, Bounds::new(1, 10_000)),
            "event_bytes_max" => (&mut self.event_bytes_max, Bounds::new(1, 16 << 20)),
            "event_name_max" => (&mut self.event_name_max, Bounds::new(1, 1_000)),
            "event_channels_max" => (&mut self.event_channels_max, Bounds::new(1, 1_000)),
            "batch_events_max" => (&mut self.batch_events_max, Bounds::new(1, 1_000)),
            "members_max" => (&mut self.members_max, Bounds::new(1, 100_000)),
            "member_bytes_max" => (&mut self.member_bytes_max, Bounds::new(2, 64 << 10)),
            "cache_ttl_s" => (&mut self.cache_ttl_s, Bounds::new(1, 31_622_400)),
            "activity_timeout_s" => (&mut self.activity_timeout_s, Bounds::new(1, 3_600)),
            "authorization_s" => (&mut self.authorization_s, Bounds::new(0, 3_600)),
            _ => return None,
        })
    }

    /// The answer of this name.
    fn answer(&mut self, key: &str) -> Option<&mut bool> {
        Some(match key {
            "enabled" => &mut self.enabled,
            "client_events" => &mut self.client_events,
            "subscription_count" => &mut self.subscription_count,
            "watchlists" => &mut self.watchlists,
            "tls_only" => &mut self.tls_only,
            _ => return None,
        })
    }

    fn set(&mut self, key: &str, value: &str) -> Result<(), String> {
        if let Some((number, bounds)) = self.number(key) {
            *number = within(key, value, bounds)?;
            return Ok(());
        }
        if let Some(answer) = self.answer(key) {
            *answer = value.parse().map_err(|_| format!("{key} is neither true nor false"))?;
            return Ok(());
        }
        match key {
            "webhook_url" => {
                self.webhook_url = Some(url_of_backend(value).map_err(|why| format!("webhook_url: {why}"))?);
            }
            "webhook_events" => {
                self.webhook_events =
                    some_of(value, &PusherEvent::NAMES).map_err(|why| format!("webhook_events: {why}"))?;
            }
            "key" if is_key(value) => self.key = value.to_owned(),
            "secret" if is_key(value) => self.secret = value.to_owned(),
            "key" | "secret" => {
                return Err(format!("{key} is not 1 to {PUSHER_KEY_BYTES_MAX} letters, digits and ._-"));
            }
            _ => {
                // It may be the secret itself, which somebody has put in the wrong place.
                return Err(match nearest(key, KEYS.into_iter()) {
                    Some(near) => format!("an app's text has no such word; did you mean {near}?"),
                    None => format!("an app's text has no such word; there are {}", KEYS.join(", ")),
                });
            }
        }
        Ok(())
    }
}

/// A key stands in a path, and before the colon of a signature.
fn is_key(text: &str) -> bool {
    let ok = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=PUSHER_KEY_BYTES_MAX).contains(&text.len()) && text.bytes().all(ok)
}

fn is_id(text: &str) -> bool {
    let ok = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    (1..=PUSHER_ID_BYTES_MAX).contains(&text.len()) && text.bytes().all(ok)
}

impl FromStr for PusherApp {
    type Err = String;

    fn from_str(text: &str) -> Result<PusherApp, String> {
        let mut words = text.split_ascii_whitespace();
        let id = words.next().filter(|id| is_id(id)).ok_or_else(|| {
            format!("an app begins with its id, 1 to {PUSHER_ID_BYTES_MAX} letters, digits and _-")
        })?;
        let (mut app, mut seen) = (PusherApp::new(id, "", ""), Vec::new());
        for word in words {
            let (key, value) = word
                .split_once('=')
                .ok_or_else(|| format!("{id}: each word is key=value ({})", KEYS.join(", ")))?;
            app.set(key, value).map_err(|why| format!("{id}: {why}"))?;
            if seen.contains(&key) {
                return Err(format!("{id}: {key} is there twice"));
            }
            seen.push(key);
        }
        match ["key", "secret"].iter().find(|needed| !seen.contains(needed)) {
            Some(missing) => Err(format!("{id}: {missing} is missing")),
            None => Ok(app),
        }
    }
}

impl fmt::Display for PusherApp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} key={} secret={}", self.id, self.key, self.secret)?;
        let (mut app, mut usual) = (self.clone(), PusherApp::new("", "", ""));
        if let Some(url) = &self.webhook_url {
            write!(f, " webhook_url={url}")?;
        }
        if self.webhook_events != PusherEvent::ALL {
            let names: Vec<&str> = self.webhook_events.iter().map(|event| event.name()).collect();
            write!(f, " webhook_events={}", names.join("+"))?;
        }
        for key in KEYS {
            match (app.number(key), usual.number(key)) {
                (Some((value, _)), Some((default, _))) if value != default => write!(f, " {key}={value}")?,
                _ => {}
            }
            match (app.answer(key), usual.answer(key)) {
                (Some(value), Some(default)) if value != default => write!(f, " {key}={value}")?,
                _ => {}
            }
        }
        Ok(())
    }
}

/// Without the secret.
impl fmt::Debug for PusherApp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PusherApp").field("id", &self.id).field("key", &self.key).finish_non_exhaustive()
    }
}

/// The apps of a configuration.
///
/// ```
/// use wspush::config::{Config, PusherApp};
///
/// let config = Config { pusher_app: vec![PusherApp::new("3", "key", "secret")], ..Config::default() };
/// assert!(config.apps().by_key("key").is_some_and(|app| app.id == "3") && config.apps().by_id("4").is_none());
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Apps<'a>(&'a [PusherApp]);

impl<'a> Apps<'a> {
    /// The app whose clients connect with this key, enabled or not.
    pub fn by_key(self, key: &str) -> Option<&'a PusherApp> {
        self.0.iter().find(|app| app.key == key)
    }

    /// The app with this id, enabled or not.
    pub fn by_id(self, id: &str) -> Option<&'a PusherApp> {
        self.0.iter().find(|app| app.id == id)
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.0.is_empty()
    }
}

impl Config {
    /// The apps of the Pusher Channels protocol.
    pub fn apps(&self) -> Apps<'_> {
        Apps(&self.pusher_app)
    }

    /// The key in the path of an app's client, and the rest of the path of a backend's request: what stands behind the
    /// prefix and `/app/` or `/apps/`. None while no app is configured.
    #[doc(hidden)]
    pub fn pusher_path<'a>(&self, path: &'a str, before: &str) -> Option<&'a str> {
        if !PUSHER_SPOKEN {
            return None;
        }
        let rest = path.strip_prefix(self.pusher_path.as_deref().unwrap_or_default())?;
        rest.strip_prefix(before).filter(|_| !self.pusher_app.is_empty())
    }

    pub(super) fn validate_pusher(&self) -> Result<(), ConfigError> {
        let refuse = |why: String| Err(self.invalid("pusher_app", &why));
        if !self.pusher_app.is_empty() && !cfg!(feature = "pusher") {
            return refuse("this build speaks no Pusher protocol (cargo feature pusher)".to_owned());
        }
        for (n, app) in self.pusher_app.iter().enumerate() {
            if app.webhook_url.is_some() && !cfg!(feature = "backend") {
                let text = "webhook_url is set, and this build tells nobody anything (cargo feature backend)";
                return refuse(format!("{}: {text}", app.id));
            }
            let earlier = &self.pusher_app[..n];
            if earlier.iter().any(|other| other.id == app.id) {
                return refuse(format!("the id {} is there twice", app.id));
            }
            if let Some(other) = earlier.iter().find(|other| other.key == app.key) {
                return refuse(format!("{} and {} have the same key", other.id, app.id));
            }
            // As a frame, with a name and a channel, and every byte of the data escaped.
            let most = self.log_bytes / 8;
            if app.event_bytes_max > most as u64 {
                let why = format!(
                    "{}: event_bytes_max={} is more than an eighth of log_bytes, {most}; lower it or raise that",
                    app.id, app.event_bytes_max
                );
                return refuse(why);
            }
        }
        if self.pusher_app.is_empty() && (self.pusher_path.is_some() || self.pusher_http_public) {
            let name = if self.pusher_http_public { "pusher_http_public" } else { "pusher_path" };
            return Err(self.invalid(name, "there is no pusher_app, for which it would be"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::validate::refused;
    use super::*;

    fn app(text: &str) -> PusherApp {
        text.parse().unwrap()
    }

    #[test]
    fn there_and_back() {
        for text in [
            "3 key=a secret=b",
            "3 key=a secret=b webhook_url=http://localhost/hook?a=1 webhook_events=cache_miss+client_event",
            "shop-1 key=a.b_c-d secret=b enabled=false client_events=true client_events_per_second=20",
            "3 key=a secret=b connections_max=5 channels_per_connection_max=7 event_bytes_max=100000 event_name_max=9 \
             event_channels_max=9 batch_events_max=9 members_max=9 \
             member_bytes_max=99 cache_ttl_s=60 activity_timeout_s=30 authorization_s=30 subscription_count=true \
             watchlists=true tls_only=true",
        ] {
            assert_eq!(app(text).to_string(), text);
        }
        assert!(!format!("{:?}", app("3 key=a secret=hunter2")).contains("hunter2"));
    }

    #[test]
    fn errors_say_what_is_allowed_and_no_secret() {
        let long = "k".repeat(129);
        for (text, error) in [
            ("", "an app begins with its id, 1 to 32 letters, digits and _-"),
            ("a/b key=a secret=b", "an app begins with its id, 1 to 32 letters, digits and _-"),
            ("3 key=a", "3: secret is missing"),
            ("3 secret=a", "3: key is missing"),
            ("3 key=a secret=b key=c", "3: key is there twice"),
            ("3 key=a secret=hunter:2", "3: secret is not 1 to 128 letters, digits and ._-"),
            (&format!("3 key={long} secret=b"), "3: key is not 1 to 128 letters, digits and ._-"),
            ("3 key=a secret=b enabled=yes", "3: enabled is neither true nor false"),
            (
                "3 key=a secret=b webhook_url=localhost",
                "3: webhook_url: a URL that begins with https:// or http:// is expected",
            ),
            ("3 key=a secret=b members_max=0", "3: members_max=0 is out of range; allowed 1..=100000"),
            ("3 key=a secret=b member_max=1", "3: an app's text has no such word; did you mean members_max?"),
        ] {
            assert_eq!(text.parse::<PusherApp>().expect_err(text), error);
        }
        assert!(
            "3 hunter2".parse::<PusherApp>().unwrap_err().starts_with("3: each word is key=value (key, ")
        );
    }

    #[cfg(feature = "pusher")]
    #[test]
    fn apps_are_told_apart() {
        let two = |first: &str, second: &str| {
            Config { pusher_app: vec![app(first), app(second)], ..Config::default() }.validate()
        };
        assert_eq!(two("3 key=a secret=b", "4 key=b secret=b"), Ok(()));
        let said = |result: Result<(), ConfigError>| result.unwrap_err().to_string();
        assert!(said(two("3 key=a secret=b", "3 key=b secret=b")).contains("the id 3 is there twice"));
        assert!(said(two("3 key=a secret=b", "4 key=a secret=b")).contains("3 and 4 have the same key"));
        let large = two("3 key=a secret=hunter2 event_bytes_max=600000", "4 key=b secret=b");
        let text = said(large);
        assert!(
            text.contains("more than an eighth of log_bytes, 524288") && !text.contains("hunter2"),
            "{text}"
        );
    }

    #[cfg(feature = "pusher")]
    #[test]
    fn paths_are_there_with_an_app() {
        let mut config = Config { pusher_app: vec![app("3 key=a secret=b")], ..Config::default() };
        assert_eq!(config.pusher_path("/app/a", "/app/"), Some("a"));
        assert_eq!(config.pusher_path("/apps/3/events", "/app/"), None);
        assert_eq!(config.pusher_path("/apps/3/events", "/apps/"), Some("3/events"));
        config.pusher_path = Some("/socket".to_owned());
        assert_eq!(config.validate(), Ok(()));
        assert_eq!(config.pusher_path("/socket/app/a", "/app/"), Some("a"));
        assert_eq!(config.pusher_path("/app/a", "/app/"), None);
        config.pusher_app.clear();
        assert_eq!(config.pusher_path("/socket/app/a", "/app/"), None);
        assert_eq!(config.validate().unwrap_err().key, "pusher_path");
        assert!(refused(|config| config.pusher_http_public = true).contains("there is no pusher_app"));
    }

    #[cfg(not(feature = "pusher"))]
    #[test]
    fn without_the_feature_an_app_is_refused() {
        assert!(
            refused(|config| config.pusher_app = vec![app("3 key=a secret=b")]).contains("feature pusher")
        );
    }
}
