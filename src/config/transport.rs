//! How clients are pushed to.

use super::validate::duplicate;
use super::{Config, ConfigError};
use crate::metrics::ConnectionTransport;

/// The way that publications go to a client.
///
/// ```
/// use wspush::{Connect, Decision, Transport};
///
/// // Those who can't publish need no account.
/// fn let_in(connect: &Connect<'_>) -> Decision {
///     match connect.transport() {
///         Transport::WebSocket => Decision::refuse(401, "log in first"),
///         _ => connect.by_config(),
///     }
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// `/ws`: WebSocket (RFC 6455).
    WebSocket,
    /// `/sse`: Server-Sent Events.
    Sse,
    /// `/stream`: envelopes of `wspush.v1`, one a line.
    Stream,
    /// `/poll`: the same envelopes, by long polling.
    Poll,
}

impl Transport {
    /// Its label in the metrics.
    #[doc(hidden)]
    pub fn label(self) -> ConnectionTransport {
        match self {
            Transport::WebSocket => ConnectionTransport::WebSocket,
            Transport::Sse => ConnectionTransport::Sse,
            Transport::Stream => ConnectionTransport::Stream,
            Transport::Poll => ConnectionTransport::Poll,
        }
    }
}

impl Config {
    /// Somebody may be pushed to, and what needs a WebSocket has it.
    pub(super) fn validate_transports(&self) -> Result<(), ConfigError> {
        if self.transports.is_empty() {
            return Err(self.invalid("transports", "at least one of ws, sse, stream, poll is needed"));
        }
        if let Some(transport) = duplicate(&self.transports) {
            return Err(self.invalid("transports", &format!("{transport} is there twice")));
        }
        let has_ws = self.transports.contains(&Transport::WebSocket);
        for (name, is_set, needs) in
            [("ws_only", self.ws_only, "leaves nothing but ws"), ("demo", self.demo, "needs ws")]
        {
            if is_set && !has_ws {
                return Err(self.invalid("transports", &format!("ws is not among them, and {name} {needs}")));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::SETTINGS;
    use super::*;

    fn with(text: &str, change: fn(&mut Config)) -> Result<Config, String> {
        let setting = SETTINGS.iter().find(|setting| setting.name == "transports").unwrap();
        let mut config = Config::default();
        change(&mut config);
        let refused = |problem| format!("{problem:?}");
        let value = setting.parse(text).map_err(refused)?;
        setting.set(&mut config, value).map_err(refused)?;
        config.validate().map_err(|error| error.to_string())?;
        Ok(config)
    }

    #[test]
    fn the_metrics_have_the_same_names() {
        let labels = Transport::ALL.iter().map(|transport| transport.label().name());
        assert!(labels.eq(Transport::NAMES.iter().copied()));
    }

    #[test]
    fn some_may_be_left_out() {
        assert_eq!(Config::default().transports, Transport::ALL);
        assert_eq!(with("poll, ws", |_| ()).unwrap().transports, [Transport::Poll, Transport::WebSocket]);
        assert_eq!(with("sse", |_| ()).unwrap().transports, [Transport::Sse]);
        assert!(with("ws", |config| config.ws_only = true).is_ok());
        for (text, change, why) in [
            ("", (|_| ()) as fn(&mut Config), "transports = []: at least one"),
            ("sse,sse", |_| (), "sse is there twice"),
            ("WS", |_| (), "expected one of ws, sse, stream, poll"),
            ("sse,poll", |config| config.ws_only = true, "ws is not among them, and ws_only"),
            ("sse,poll", |config| config.demo = true, "ws is not among them, and demo"),
        ] {
            let refused = with(text, change).unwrap_err();
            assert!(refused.contains(why), "{text:?}: {refused}");
        }
    }
}
