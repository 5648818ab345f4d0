//! How silent connections are kept open.

use super::{Config, ConfigError};

/// How a silent WebSocket is kept open.
///
/// ```
/// use wspush::config::{Config, Heartbeat};
///
/// let quiet = Config { heartbeat: Heartbeat::Pong, ..Config::default() };
/// assert!(quiet.validate().is_ok());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Heartbeat {
    /// It is pinged, and has to answer.
    #[default]
    Ping,
    /// It gets a pong that nobody has asked for and nobody answers (RFC 6455 section 5.5.3). That keeps proxies and
    /// address translation awake for half of the work; the kernel gives up a peer that acknowledges nothing
    /// (`TCP_USER_TIMEOUT`).
    Pong,
}

impl Config {
    /// Only who answers can be asked less often.
    pub(super) fn validate_heartbeat(&self) -> Result<(), ConfigError> {
        let (least_ms, most_ms) = (self.heartbeat_ms, self.heartbeat_max_ms);
        if most_ms == 0 {
            return Ok(());
        }
        let why = match self.heartbeat {
            Heartbeat::Pong => "a pong is not answered; it goes with heartbeat = ping".to_owned(),
            Heartbeat::Ping if least_ms == 0 => "with heartbeat_ms = 0 nobody is asked".to_owned(),
            Heartbeat::Ping if most_ms < least_ms => {
                format!("it is less than heartbeat_ms = {least_ms}; allowed are 0 (none), and that or more")
            }
            Heartbeat::Ping => return Ok(()),
        };
        Err(self.invalid("heartbeat_max_ms", &why))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_answers_is_asked_less_often() {
        let check = |heartbeat, heartbeat_ms, heartbeat_max_ms| {
            let config = Config { heartbeat, heartbeat_ms, heartbeat_max_ms, ..Config::default() };
            config.validate().err().map(|error| error.to_string())
        };
        for good in [(Heartbeat::Ping, 30_000, 30_000), (Heartbeat::Ping, 0, 0), (Heartbeat::Pong, 1_000, 0)]
        {
            assert_eq!(check(good.0, good.1, good.2), None);
        }
        for (heartbeat, least_ms, most_ms, why) in [
            (
                Heartbeat::Ping,
                30_000,
                29_999,
                "heartbeat_max_ms = 29999: it is less than heartbeat_ms = 30000",
            ),
            (Heartbeat::Ping, 0, 1, "nobody is asked"),
            (Heartbeat::Pong, 30_000, 60_000, "it goes with heartbeat = ping"),
        ] {
            let error = check(heartbeat, least_ms, most_ms).unwrap();
            assert!(error.contains(why), "{error}");
        }
    }
}
