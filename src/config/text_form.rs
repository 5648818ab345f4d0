//! The types of single settings as text: `listen`, `admin` and the choices.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use super::{
    AdminListen, ApiRight, Audit, ClientAuth, ClientRight, ClusterDown, Heartbeat, Keep, KernelTls, Listen,
    LogFormat, LogLevel, Missed, Priority, SlowConsumer, TokenAuth, Transport,
};
use crate::limits::UNIX_PATH_BYTES_MAX;

const UNIX: &str = "unix:";
const TLS: &str = "tls://";
const METRICS: &str = "metrics://";
const PROXY: &str = "proxy://";
const PROXY_TLS: &str = "proxy+tls://";

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match (self.proxy, self.tls) {
            (false, false) => "",
            (false, true) => TLS,
            (true, false) => PROXY,
            (true, true) => PROXY_TLS,
        };
        write!(f, "{scheme}{}", self.address)
    }
}

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Listen, String> {
        let schemes = [(TLS, false, true), (PROXY, true, false), (PROXY_TLS, true, true)];
        let found =
            schemes.iter().find_map(|&(scheme, proxy, tls)| Some((text.strip_prefix(scheme)?, proxy, tls)));
        let (address, proxy, tls) = found.unwrap_or((text, false, false));
        match address.parse() {
            Ok(address) => Ok(Listen { address, tls, proxy }),
            Err(_) => Err(format!(
                "{text:?} is not an address with its port like 127.0.0.1:8080, [::]:8080 or tls://0.0.0.0:8443"
            )),
        }
    }
}

impl AdminListen {
    /// The address, if it is one of TCP.
    pub fn address(&self) -> Option<SocketAddr> {
        match self {
            AdminListen::Tcp(address) | AdminListen::Tls(address) | AdminListen::Metrics(address) => {
                Some(*address)
            }
            AdminListen::Unix(_) => None,
        }
    }
}

impl fmt::Display for AdminListen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AdminListen::Tcp(address) => write!(f, "{address}"),
            AdminListen::Tls(address) => write!(f, "{TLS}{address}"),
            AdminListen::Unix(path) => write!(f, "{UNIX}{}", path.display()),
            AdminListen::Metrics(address) => write!(f, "{METRICS}{address}"),
        }
    }
}

impl FromStr for AdminListen {
    type Err = String;

    fn from_str(text: &str) -> Result<AdminListen, String> {
        const WRONG: &str = "expected \"off\", or an address with its port like \"127.0.0.1:8081\", \
                             \"tls://127.0.0.1:8081\" or \"metrics://0.0.0.0:9464\", or \"unix:/path\"";
        if let Some(address) = text.strip_prefix(METRICS) {
            return address.parse().map(AdminListen::Metrics).map_err(|_| WRONG.to_owned());
        }
        if let Some(path) = text.strip_prefix(UNIX) {
            return match path.len() {
                0 => Err("the path is missing".to_owned()),
                _ if path.contains('\0') => Err("the path has a NUL byte in it".to_owned()),
                1..=UNIX_PATH_BYTES_MAX => Ok(AdminListen::Unix(PathBuf::from(path))),
                _ => Err(format!("the path is longer than {UNIX_PATH_BYTES_MAX} bytes")),
            };
        }
        match text.parse() {
            Ok(Listen { address, tls: false, proxy: false }) => Ok(AdminListen::Tcp(address)),
            Ok(Listen { address, tls: true, proxy: false }) => Ok(AdminListen::Tls(address)),
            Ok(Listen { proxy: true, .. }) => {
                Err("the admin listener speaks no PROXY protocol; proxy:// belongs into listen".to_owned())
            }
            Err(_) => Err(WRONG.to_owned()),
        }
    }
}

/// Names for a plain enum, given once.
macro_rules! choice {
    ($type:ident { $($variant:ident = $name:literal),+ $(,)? }) => {
        impl $type {
            /// Every choice.
            pub const ALL: &[$type] = &[$($type::$variant),+];
            /// Their names, in the same order.
            pub const NAMES: &[&str] = &[$($name),+];

            /// The name of this choice.
            pub const fn name(self) -> &'static str {
                match self { $($type::$variant => $name),+ }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.name())
            }
        }

        impl FromStr for $type {
            type Err = String;

            fn from_str(text: &str) -> Result<$type, String> {
                match text {
                    $($name => Ok($type::$variant),)+
                    _ => Err(format!("expected one of {}", $type::NAMES.join(", "))),
                }
            }
        }
    };
}

choice!(ClientAuth { Off = "off", Optional = "optional", Required = "required" });
choice!(ClusterDown { Refuse = "refuse", Local = "local" });
choice!(KernelTls { Auto = "auto", Off = "off" });
choice!(TokenAuth { None = "none", Optional = "optional", Required = "required" });
choice!(ApiRight { Push = "push", Read = "read", Disconnect = "disconnect" });
choice!(Audit { Auto = "auto", On = "on", Off = "off" });
choice!(Keep { All = "all", Latest = "latest" });
choice!(ClientRight {
    Subscribe = "subscribe",
    Publish = "publish",
    History = "history",
    Presence = "presence",
});
choice!(Missed { Report = "report", Tail = "tail", Latest = "latest" });
choice!(Priority { High = "high", Normal = "normal", Low = "low" });
choice!(Heartbeat { Ping = "ping", Pong = "pong" });
choice!(SlowConsumer { Close = "close", Skip = "skip" });
choice!(Transport { WebSocket = "ws", Sse = "sse", Stream = "stream", Poll = "poll" });
choice!(LogFormat { Logfmt = "logfmt", Json = "json" });
choice!(LogLevel { Off = "off", Error = "error", Warn = "warn", Info = "info", Debug = "debug" });

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn admin_there_and_back() {
        for text in
            ["127.0.0.1:8081", "[::1]:8081", "metrics://[::]:9464", "unix:/run/wspush.sock", "unix:admin"]
        {
            assert_eq!(text.parse::<AdminListen>().unwrap().to_string(), text);
        }
        let long = format!("unix:{}", "x".repeat(108));
        for text in [
            "",
            "on",
            "off",
            "metrics://",
            "metrics://localhost:1",
            "127.0.0.1",
            "8081",
            "localhost:8081",
            "unix:",
            "unix:a\0b",
            &long,
        ] {
            assert!(text.parse::<AdminListen>().is_err(), "{text}");
        }
    }

    #[test]
    fn listeners_there_and_back() {
        for text in ["127.0.0.1:8080", "[::]:1", "tls://0.0.0.0:8443", "tls://[::1]:1"] {
            assert_eq!(text.parse::<Listen>().unwrap().to_string(), text);
            assert_eq!(text.parse::<AdminListen>().unwrap().to_string(), text);
        }
        for text in
            ["", "tls://", "tls:127.0.0.1:1", "tcp://127.0.0.1:1", "tls://localhost:1", "tls://127.0.0.1"]
        {
            assert!(text.parse::<Listen>().is_err() && text.parse::<AdminListen>().is_err(), "{text}");
        }
        for text in ["proxy://127.0.0.1:8080", "proxy+tls://[::]:8443"] {
            assert_eq!(text.parse::<Listen>().unwrap().to_string(), text);
            assert!(text.parse::<AdminListen>().unwrap_err().contains("PROXY"), "{text}");
        }
    }

    #[test]
    fn choices_there_and_back() {
        for (&level, &name) in LogLevel::ALL.iter().zip(LogLevel::NAMES) {
            assert_eq!((name.parse(), level.name()), (Ok(level), name));
        }
        for (&policy, &name) in SlowConsumer::ALL.iter().zip(SlowConsumer::NAMES) {
            assert_eq!((name.parse(), policy.name()), (Ok(policy), name));
        }
        assert!("Close".parse::<SlowConsumer>().is_err() && "".parse::<LogLevel>().is_err());
    }
}
