//! The list of an app's occupied channels, which is made over several turns.

use crate::config::{PusherApp, app_channel};
use crate::protocol::json;
use crate::protocol::response::{Refusal, Response};

use super::info::{Counts, Info};
use super::is_presence;

/// Bytes of such a list: there are no pages of it, so a larger one is asked for in parts.
pub const LIST_BYTES_MAX: usize = 4 << 20;

/// A list that is being made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppChannels {
    /// The beginning of the server's names for the channels that are asked for.
    pub prefix: String,
    info: Info,
    /// The channels that were found, as JSON.
    body: Vec<u8>,
    is_too_long: bool,
}

/// Reads what is asked for.
pub(super) fn asked(app: &PusherApp, prefix: Option<&str>, info: Info) -> Result<AppChannels, Refusal> {
    let prefix = prefix.unwrap_or_default();
    if info.user_count && !is_presence(prefix) {
        let text = "user_count is asked of presence channels alone: filter_by_prefix=presence- goes with it";
        return Err(Refusal::fixed(400, text));
    }
    let channels = if prefix.is_empty() {
        app.beginning()
    } else {
        app.channel(prefix).ok_or_else(|| super::event::no_channel(prefix))?
    };
    Ok(AppChannels { prefix: channels, info, body: Vec::new(), is_too_long: false })
}

impl AppChannels {
    /// Adds a channel, by the server's name for it, if it is occupied. True: the list is too long already.
    pub fn add(&mut self, channel: &str, counts: Counts) -> bool {
        let Some((_, name)) = app_channel(channel) else { return false };
        // Those of users are nobody's to list.
        if counts.subscriptions == 0 || name.starts_with('#') {
            return false;
        }
        if !self.body.is_empty() {
            self.body.push(b',');
        }
        json::push_string(name.as_bytes(), &mut self.body);
        self.body.extend_from_slice(b":{");
        let before = self.body.len();
        let mut number = |name: &str, number: u64| {
            if self.body.len() > before {
                self.body.push(b',');
            }
            self.body.extend_from_slice(name.as_bytes());
            json::push_number(number, &mut self.body);
        };
        if let Some(users) = counts.users.filter(|_| self.info.user_count) {
            number("\"user_count\":", users);
        }
        if self.info.subscription_count {
            number("\"subscription_count\":", counts.subscriptions);
        }
        self.body.push(b'}');
        self.is_too_long = self.body.len() > LIST_BYTES_MAX;
        self.is_too_long
    }

    /// The answer.
    pub fn response(&self) -> Response {
        if self.is_too_long {
            let text = format!(
                "the occupied channels are more than {LIST_BYTES_MAX} bytes; ask with filter_by_prefix"
            );
            return Refusal::new(400, text).into();
        }
        Response::json(200, [b"{\"channels\":{", &*self.body, b"}}"].concat())
    }
}
