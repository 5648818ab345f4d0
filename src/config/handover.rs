//! Where a running server hands everything to its successor.

use std::path::Path;

use super::field::OTHER_TYPE;
use super::setting::Value;
use super::{AdminListen, Config, ConfigError};

const UNIX: &str = "unix:";

/// A path on which a successor asks, or none is set.
pub(super) fn handover(value: Value) -> Result<Option<String>, String> {
    match value {
        Value::Unset => Ok(None),
        Value::Text(text) if text.starts_with(UNIX) => {
            // Both are paths of sockets.
            text.parse::<AdminListen>().map(|_| Some(text))
        }
        Value::Text(_) => Err("expected \"unix:/path\"".to_owned()),
        _ => Err(OTHER_TYPE.to_owned()),
    }
}

impl Config {
    /// The path on which a successor asks.
    pub fn handover_path(&self) -> Option<&Path> {
        self.handover.as_deref().and_then(|text| text.strip_prefix(UNIX)).map(Path::new)
    }

    /// A hand-over is at odds with some settings.
    pub(super) fn validate_handover(&self) -> Result<(), ConfigError> {
        let Some(path) = self.handover_path() else { return Ok(()) };
        if !cfg!(feature = "handover") {
            return Err(self.invalid("handover", "this build hands nothing over (cargo feature handover)"));
        }
        let is_it = |admin: &AdminListen| matches!(admin, AdminListen::Unix(admin) if admin == path);
        if self.admin.iter().any(is_it) {
            return Err(self.invalid("handover", "the admin listener is at this path"));
        }
        if self.cluster.is_some() {
            return Err(self.invalid("handover", "a server of a cluster hands nothing over yet"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_path() {
        let text = |text: &str| handover(Value::Text(text.to_owned()));
        assert_eq!(text("unix:/run/a"), Ok(Some("unix:/run/a".to_owned())));
        assert_eq!(handover(Value::Unset), Ok(None));
        for bad in ["", "/run/a", "off", "127.0.0.1:1", "unix:", "unix:a\0b"] {
            assert!(text(bad).is_err(), "{bad:?}");
        }
        assert!(handover(Value::Boolean(true)).is_err());
    }

    #[test]
    #[cfg(feature = "handover")]
    fn what_it_is_at_odds_with_is_refused() {
        let config = Config { handover: Some("unix:/run/h".to_owned()), ..Config::default() };
        assert_eq!((config.validate(), config.handover_path()), (Ok(()), Some(Path::new("/run/h"))));
        for other in [
            Config { admin: vec![AdminListen::Unix("/run/h".into())], ..config.clone() },
            Config { cluster: Some("redis://127.0.0.1".to_owned()), ..config },
        ] {
            assert_eq!(other.validate().unwrap_err().key, "handover");
        }
    }
}
