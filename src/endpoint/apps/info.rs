//! Numbers of channels that a backend asks for beside something else.

use serde_json::{Map, Value};

/// Which attributes of a channel are asked for (`info=`). Others than these nobody knows, and they are passed over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Info {
    /// How many users are in a presence channel.
    pub user_count: bool,
    /// How many connections are subscribed.
    pub subscription_count: bool,
    /// The last event of a cache channel.
    pub cache: bool,
}

/// The numbers of a channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Connections that are subscribed.
    pub subscriptions: u64,
    /// Users who are there; None: the channel has no presence.
    pub users: Option<u64>,
}

impl Info {
    /// Reads a list with commas.
    pub fn read(text: &str) -> Info {
        let mut info = Info::default();
        for name in text.split(',') {
            match name.trim() {
                "user_count" => info.user_count = true,
                "subscription_count" => info.subscription_count = true,
                "cache" => info.cache = true,
                _ => {}
            }
        }
        info
    }

    /// Whether nothing is asked for.
    pub fn is_empty(self) -> bool {
        self == Info::default()
    }

    /// The members of a channel's object. A number of users is only there where there are users.
    pub fn show(self, counts: Counts, object: &mut Map<String, Value>) {
        if let Some(users) = counts.users.filter(|_| self.user_count) {
            object.insert("user_count".to_owned(), users.into());
        }
        if self.subscription_count {
            object.insert("subscription_count".to_owned(), counts.subscriptions.into());
        }
    }
}
