//! The paths that the public listeners serve.

use super::field::OTHER_TYPE;
use super::setting::Value;
use super::{Config, ConfigError};
use crate::limits::PATH_BYTES_MAX;

/// Where clients are pushed to: there unless `endpoints` is off.
const ENDPOINTS: [&str; 4] = [WS, "/sse", "/stream", "/poll"];

/// The only one of them with `ws_only`.
const WS: &str = "/ws";

/// Whether this build has the demo. Where it has not, the compiler leaves out what is for that alone.
#[doc(hidden)]
pub const DEMO_SHOWN: bool = cfg!(any(test, feature = "demo"));

/// The demo's.
const DEMO: [&str; 8] =
    ["/", "/echo", "/chat", "/demo/ws", "/demo/sse", "/demo/poll", "/demo/push", "/demo/info"];

impl Config {
    /// Whether a server with these settings has something of its own at this path.
    #[doc(hidden)]
    pub fn serves(&self, path: &str) -> bool {
        self.has_own(path) || self.ws_paths.iter().any(|own| own == path)
    }

    fn has_own(&self, path: &str) -> bool {
        self.endpoints && (path == WS || !self.ws_only && ENDPOINTS.contains(&path))
            || !self.ws_only && (matches!(path, "/healthz" | "/readyz") || self.demo && DEMO.contains(&path))
    }

    pub(super) fn validate_paths(&self) -> Result<(), ConfigError> {
        if self.demo && !self.endpoints {
            return Err(
                self.invalid("endpoints", "the demo's page needs them; one of the two must be changed")
            );
        }
        match self.ws_paths.iter().find(|path| self.has_own(path)) {
            Some(path) => Err(self.invalid("ws_paths", &format!("the server has {path:?} already"))),
            None => Ok(()),
        }
    }
}

/// A path as it stands in a request: `/socket`.
pub(super) fn check_path(path: String) -> Result<String, String> {
    let refuse = |why: &str| Err(format!("{path:?} is no path of clients: {why}"));
    if !path.starts_with('/') {
        return refuse("it begins with a slash, like /socket");
    }
    if path.len() > PATH_BYTES_MAX {
        return refuse(&format!("it has {PATH_BYTES_MAX} bytes at the most"));
    }
    if path.len() > 1 && path.ends_with('/') {
        return refuse("no slash ends it; clients may write one there");
    }
    if let Some(other) =
        path.chars().find(|char| !char.is_ascii_graphic() || matches!(char, '?' | '#' | '*' | '{'))
    {
        return refuse(&format!("{other:?} is in it, and it is compared as it is sent, without a query"));
    }
    Ok(path)
}

/// The same, or none is set; an empty one is an error.
pub(super) fn optional_path(value: Value) -> Result<Option<String>, String> {
    match value {
        Value::Unset => Ok(None),
        Value::Text(path) if path == "/" => Err("the path / is what there is without one".to_owned()),
        Value::Text(path) => check_path(path).map(Some),
        _ => Err(OTHER_TYPE.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::validate::refused;
    use super::*;

    #[test]
    fn a_path_of_ws_is_one_that_clients_send() {
        for path in ["/", "/socket", "/a/b.c", "/caf%C3%A9", "/socket.io"] {
            assert_eq!(check_path(path.to_owned()), Ok(path.to_owned()));
        }
        let long = format!("/{}", "a".repeat(256));
        for path in ["", "socket", "/a/", "/a?b", "/a#b", "/a b", "/caf\u{e9}", "/a/*", "/{a}", &long] {
            assert!(check_path(path.to_owned()).is_err(), "{path}");
        }
    }

    #[test]
    fn a_path_is_there_once() {
        for path in ["/ws", "/sse", "/poll", "/healthz", "/readyz"] {
            let config = Config { ws_paths: vec![path.to_owned()], ..Config::default() };
            let error = config.validate().unwrap_err();
            assert_eq!(error.key, "ws_paths", "{path}");
            let config = Config { ws_paths: vec![path.to_owned()], endpoints: false, ..Config::default() };
            assert_eq!(config.validate().is_ok(), !path.ends_with('z'), "{path}");
        }
        assert!(refused(|config| config.ws_paths = vec!["/a".into(); 2]).contains("twice"));
        assert!(refused(|config| (config.demo, config.endpoints) = (true, false)).contains("demo"));
        assert!(
            refused(|config| (config.demo, config.ws_paths) = (true, vec!["/".into()])).contains("already")
        );
        let config = Config { ws_paths: vec!["/".into(), "/echo".into()], ..Config::default() };
        assert_eq!(config.validate(), Ok(()));
        assert!(config.serves("/echo") && config.serves("/ws") && !config.serves("/chat"));
    }

    #[test]
    fn sockets_alone_leave_the_other_paths_free() {
        let config = Config { ws_only: true, ..Config::default() };
        let all = ["/ws", "/sse", "/stream", "/poll", "/healthz", "/readyz", "/"];
        assert_eq!(all.map(|path| config.serves(path)), [true, false, false, false, false, false, false]);
    }
}
