//! The rules for a configuration as a whole, and for the entries of its lists.

use super::setting::Setting;
use super::{AdminListen, ClientAuth, Config, ConfigError, Problem, SETTINGS, Source, pattern_ok};
use crate::alphabet::is_token;
use crate::limits::{
    ADMIN_TOKEN_BYTES_MAX, FRAME_HEADER_BYTES_MAX, LOG_FORMS, ORIGIN_BYTES_MAX, SWEEP_MS, log_memory_bytes,
};

impl Config {
    /// Whether a server can run with this: every setting within its bounds, and all of them together. The
    /// loader asks it, and so does the server about a configuration that an embedder filled in itself.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let mut scratch = self.clone();
        for setting in SETTINGS {
            let value = setting.get(self);
            setting.set(&mut scratch, value).map_err(|problem| self.refuse(setting, problem))?;
        }
        self.validate_listeners()?;
        self.validate_api_keys()?;
        self.validate_pusher()?;
        self.validate_tls()?;
        self.validate_auth()?;
        self.validate_backend()?;
        self.validate_cluster()?;
        if self.deflate && !cfg!(feature = "deflate") {
            return Err(self.invalid("deflate", "this build has no compression (cargo feature deflate)"));
        }
        self.validate_sizes()?;
        self.validate_reactors()?;
        if self.ws_only && self.demo {
            return Err(
                self.invalid("ws_only", "demo needs other paths than /ws; one of the two must be off")
            );
        }
        self.validate_transports()?;
        if (1..SWEEP_MS).contains(&self.heartbeat_ms) {
            let why = format!(
                "a silence is noticed every {SWEEP_MS} ms; allowed are 0 (never), and {SWEEP_MS} ms or more"
            );
            return Err(self.invalid("heartbeat_ms", &why));
        }
        self.validate_heartbeat()?;
        self.validate_paths()?;
        for (name, list) in [
            ("origins", &self.origins),
            ("channels", &self.channels),
            ("subprotocols", &self.subprotocols),
            ("ws_paths", &self.ws_paths),
        ] {
            if let Some(entry) = duplicate(list) {
                return Err(self.invalid(name, &format!("{entry:?} is there twice")));
            }
        }
        Ok(())
    }

    fn validate_listeners(&self) -> Result<(), ConfigError> {
        if self.listen.is_empty() {
            return Err(self.invalid("listen", "at least one address is needed"));
        }
        // Port 0 is another port each time.
        let addresses = self.listen.iter().map(|listen| listen.address);
        let fixed: Vec<_> = addresses.filter(|address| address.port() != 0).collect();
        if let Some(address) = duplicate(&fixed) {
            return Err(self.invalid("listen", &format!("{address} is there twice")));
        }
        if self.trusted_proxies.is_empty() && self.listen.iter().any(|listen| listen.proxy) {
            let why = "a listener with proxy:// takes nobody's word but that of trusted_proxies, and there are none";
            return Err(self.invalid("trusted_proxies", why));
        }
        if let AdminListen::Tcp(admin) | AdminListen::Tls(admin) = &self.admin {
            if fixed.contains(admin) {
                return Err(self.invalid("admin", "this is a public listener's address"));
            }
            if !admin.ip().to_canonical().is_loopback() && !self.names_callers() {
                let why = "an address that is not loopback needs admin_token or an api_key, or everybody could push";
                return Err(self.invalid("admin", why));
            }
        }
        Ok(())
    }

    fn validate_tls(&self) -> Result<(), ConfigError> {
        let admin_tls = matches!(self.admin, AdminListen::Tls(_));
        let name = if admin_tls { "admin" } else { "listen" };
        let speaks_tls = self.speaks_tls();
        if speaks_tls && !cfg!(feature = "tls") {
            return Err(self.invalid(name, "this build speaks no TLS (cargo feature tls)"));
        }
        if speaks_tls && self.tls_cert.is_empty() {
            return Err(
                self.invalid("tls_cert", "a listener with tls:// needs a certificate and its key (tls_key)")
            );
        }
        if !speaks_tls && !self.tls_cert.is_empty() {
            let why = "no listener speaks TLS; write tls:// before the address of one in listen or admin";
            return Err(self.invalid("tls_cert", why));
        }
        if self.tls_key.len() != self.tls_cert.len() {
            let why = format!("{} certificates need as many keys", self.tls_cert.len());
            return Err(self.invalid("tls_key", &why));
        }
        if !self.tls_ocsp.is_empty() && self.tls_ocsp.len() != self.tls_cert.len() {
            let why = format!("{} certificates need as many OCSP responses; - for none", self.tls_cert.len());
            return Err(self.invalid("tls_ocsp", &why));
        }
        if self.tls_client_auth != ClientAuth::Off && self.tls_client_ca.is_none() {
            return Err(self.invalid("tls_client_auth", "clients' certificates are checked by tls_client_ca"));
        }
        Ok(())
    }

    /// Whether this address's word about a client's is taken.
    pub fn trusts(&self, address: std::net::IpAddr) -> bool {
        self.trusted_proxies.iter().any(|block| block.contains(address))
    }

    /// Whether any listener speaks TLS.
    pub fn speaks_tls(&self) -> bool {
        matches!(self.admin, AdminListen::Tls(_)) || self.listen.iter().any(|listen| listen.tls)
    }

    /// A rule keeps less than all channels may, so that a bound on one log holds for each.
    fn validate_rules(&self) -> Result<(), ConfigError> {
        for (at, rule) in self.channel_rule.iter().enumerate() {
            let pattern = &rule.pattern;
            let most = [
                ("publications", rule.publications, "log_publications", self.log_publications),
                ("bytes", rule.bytes, "log_bytes", self.log_bytes),
            ];
            for (key, value, setting, max) in most {
                if let Some(value) = value.filter(|&value| value > max) {
                    let why = format!(
                        "{pattern}: {key}={value} is more than {setting} = {max}; raise that, and bound the others \
                         by a last rule for *"
                    );
                    return Err(self.invalid("channel_rule", &why));
                }
            }
            if self.channel_rule[..at].iter().any(|earlier| earlier.pattern == *pattern) {
                return Err(self.invalid("channel_rule", &format!("{pattern} is there twice")));
            }
        }
        Ok(())
    }

    fn validate_sizes(&self) -> Result<(), ConfigError> {
        let assembly = self.message_bytes_max.saturating_add(self.handshake_bytes_max);
        if self.assembly_bytes_max < assembly {
            let why = format!("message_bytes_max + handshake_bytes_max need at least {assembly} bytes");
            return Err(self.invalid("assembly_bytes_max", &why));
        }
        // Whatever the other logs give up, one must have room.
        let one_log = log_memory_bytes(self.log_bytes, self.log_publications);
        if self.logs_bytes_max < one_log {
            let why = format!(
                "one log of log_bytes and log_publications, in all {LOG_FORMS} forms, needs {one_log} bytes"
            );
            return Err(self.invalid("logs_bytes_max", &why));
        }
        self.validate_rules()?;
        let fits = |payload: usize| payload.saturating_add(FRAME_HEADER_BYTES_MAX) <= self.log_bytes;
        if !fits(self.admin_body_bytes_max) {
            let why = format!(
                "a publication of this size and its frame header ({FRAME_HEADER_BYTES_MAX} bytes) do not \
                 fit log_bytes = {}",
                self.log_bytes
            );
            return Err(self.invalid("admin_body_bytes_max", &why));
        }
        // Only the chat publishes what clients send; other endpoints may take messages that no log holds.
        if self.demo && !fits(self.message_bytes_max) {
            let why =
                format!("with demo, a chat message of this size does not fit log_bytes = {}", self.log_bytes);
            return Err(self.invalid("message_bytes_max", &why));
        }
        Ok(())
    }

    pub(super) fn invalid(&self, name: &str, why: &str) -> ConfigError {
        let problem = Problem::Invalid(why.to_owned());
        match SETTINGS.iter().find(|setting| setting.name == name) {
            Some(setting) => self.refuse(setting, problem),
            None => ConfigError::new(Source::Default, name.to_owned(), None, problem),
        }
    }

    fn refuse(&self, setting: &Setting, problem: Problem) -> ConfigError {
        let value = (!setting.secret).then(|| setting.get(self).to_string());
        ConfigError::new(Source::Default, setting.name.to_owned(), value, problem)
    }
}

pub(super) fn duplicate<T: PartialEq>(list: &[T]) -> Option<&T> {
    list.iter().enumerate().find(|(index, entry)| list[..*index].contains(entry)).map(|(_, entry)| entry)
}

/// A bearer token as in RFC 6750, 2.1.
pub(super) fn check_token(token: &str) -> Result<(), String> {
    let in_bearer = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
    match token.len() {
        1..=ADMIN_TOKEN_BYTES_MAX if token.bytes().all(in_bearer) => Ok(()),
        _ => Err(format!("a token has 1 to {ADMIN_TOKEN_BYTES_MAX} letters, digits and -._~+/=")),
    }
}

/// In `origins`: any page, but only the server's own in a visitor's name or to a host. It is what is there unless
/// something is set.
pub const OWN_ORIGIN: &str = "auto";

/// `*`, `auto`, `null`, or a scheme, a host and perhaps a port as a browser sends them (RFC 6454 section 6.2). Apps
/// have schemes of their own, and some of these no host: `file://`.
pub(super) fn check_origin(origin: String) -> Result<String, String> {
    let Some((scheme, host)) = origin.split_once("://") else {
        return match origin.as_str() {
            "*" | "null" | OWN_ORIGIN => Ok(origin),
            _ => Err(format!("{origin:?} is not *, auto, null or an origin like https://example.com:8443")),
        };
    };
    let refuse = |why: &str| Err(format!("{origin:?}: {why}"));
    if origin.len() > ORIGIN_BYTES_MAX {
        return refuse("an origin this long is sent by no browser");
    }
    if host.contains(['/', '?', '#']) {
        return refuse("an origin ends after its host or port, without a slash or a path");
    }
    if host.contains('*') {
        return refuse("* stands alone; there are no patterns of origins");
    }
    let is_web = scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https");
    let scheme_ok = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    let host_ok = (!host.is_empty() || !is_web)
        && !host.starts_with(':')
        && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~:[]".contains(&byte));
    if scheme_ok && host_ok && port_ok(host) {
        Ok(origin)
    } else {
        refuse("an origin looks like https://example.com:8443")
    }
}

/// Whether what stands behind the host is a port as browsers write it.
fn port_ok(host: &str) -> bool {
    match host.rsplit_once(':') {
        Some((_, port)) if !port.ends_with(']') => !port.starts_with('0') && port.parse::<u16>().is_ok(),
        _ => true,
    }
}

/// A channel's name, or a prefix and `*`.
pub(super) fn check_pattern(pattern: String) -> Result<String, String> {
    if pattern_ok(&pattern) {
        return Ok(pattern);
    }
    Err(format!("{pattern:?} is not a channel's name (letters, digits and ._-:/@+~!$), or a prefix and *"))
}

/// A token as in RFC 6455, 4.1.
pub(super) fn check_subprotocol(name: String) -> Result<String, String> {
    if name.len() <= ORIGIN_BYTES_MAX && is_token(name.as_bytes()) {
        return Ok(name);
    }
    Err(format!("{name:?} is not a subprotocol's name"))
}

/// For tests: what is said of the default configuration with this change.
#[cfg(test)]
pub(super) fn refused(change: fn(&mut Config)) -> String {
    let mut config = Config::default();
    change(&mut config);
    config.validate().expect_err("a wrong configuration was accepted").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_valid() {
        assert_eq!(Config::default().validate(), Ok(()));
    }

    #[test]
    fn an_embedder_is_held_to_the_bounds() {
        let error = refused(|config| config.max_connections = 0);
        assert_eq!(error, "max_connections = 0 is out of range; allowed 1..=50000000 connections");
        assert!(refused(|config| config.origins = vec!["a,b".into()]).starts_with("origins = "));
        let error = refused(|config| config.admin_token = Some("sec ret".into()));
        assert!(error.starts_with("admin_token: ") && !error.contains("sec ret"), "{error}");
    }

    #[test]
    fn listeners() {
        assert!(refused(|config| config.listen.clear()).contains("at least one"));
        assert!(refused(|config| config.listen = vec![config.listen[0]; 2]).contains("twice"));
        assert!(refused(|config| config.listen[0].proxy = true).contains("proxy:// takes nobody's word"));
        assert!(
            refused(|config| config.admin = AdminListen::Tcp(config.listen[0].address)).contains("public")
        );
        let mut config = Config::default();
        config.listen = vec!["127.0.0.1:0".parse().unwrap(); 2];
        config.admin = AdminListen::Tcp(config.listen[0].address);
        assert_eq!(config.validate(), Ok(()));
    }

    #[test]
    fn an_open_admin_listener_needs_a_token() {
        for address in ["0.0.0.0:1", "[::]:1", "192.0.2.1:1", "[2001:db8::1]:1", "[::ffff:192.0.2.1]:1"] {
            let mut config = Config { admin: address.parse().unwrap(), ..Config::default() };
            assert!(config.validate().unwrap_err().to_string().contains("needs admin_token"));
            config.admin_token = Some("t0ken".into());
            assert_eq!(config.validate(), Ok(()));
        }
        for address in ["127.0.0.1:1", "127.1.2.3:1", "[::1]:1", "[::ffff:127.0.0.1]:1", "unix:/a", "off"] {
            let config = Config { admin: address.parse().unwrap(), ..Config::default() };
            assert_eq!(config.validate(), Ok(()), "{address}");
        }
    }

    #[cfg(feature = "tls")]
    #[test]
    fn tls_needs_pairs_and_a_listener() {
        let tls = |change: fn(&mut Config)| {
            let mut config =
                Config { listen: vec!["tls://127.0.0.1:0".parse().unwrap()], ..Config::default() };
            (config.tls_cert, config.tls_key) = (vec!["a".into()], vec!["b".into()]);
            change(&mut config);
            config.validate().map_err(|error| error.to_string())
        };
        assert_eq!(tls(|_| {}), Ok(()));
        assert_eq!(tls(|config| config.tls_ocsp = vec!["-".into()]), Ok(()));
        assert!(tls(|config| config.tls_cert.clear()).unwrap_err().contains("needs a certificate"));
        assert!(
            tls(|config| config.tls_key.clear()).unwrap_err().contains("1 certificates need as many keys")
        );
        assert!(tls(|config| config.tls_ocsp = vec!["-".into(); 2]).unwrap_err().contains("OCSP"));
        assert!(tls(|config| config.listen[0].tls = false).unwrap_err().contains("no listener speaks TLS"));
        assert_eq!(
            tls(|config| (config.listen[0].tls, config.admin) = (false, "tls://127.0.0.1:1".parse().unwrap())),
            Ok(())
        );
        let error = tls(|config| config.tls_client_auth = ClientAuth::Required).unwrap_err();
        assert!(error.contains("tls_client_ca"), "{error}");
        assert!(
            refused(|config| config.admin = "tls://192.0.2.1:1".parse().unwrap()).contains("admin_token")
        );
    }

    #[cfg(not(feature = "deflate"))]
    #[test]
    fn without_the_feature_deflate_is_refused() {
        assert_eq!(Config::default().validate(), Ok(()));
        let config = Config { deflate: true, ..Config::default() };
        assert_eq!(config.validate().unwrap_err().key, "deflate");
    }

    #[cfg(not(feature = "tls"))]
    #[test]
    fn without_the_feature_tls_is_refused() {
        let error = refused(|config| config.listen = vec!["tls://127.0.0.1:0".parse().unwrap()]);
        assert!(error.contains("this build speaks no TLS"), "{error}");
    }

    #[test]
    fn sizes() {
        let mut config = Config::default();
        config.assembly_bytes_max = config.message_bytes_max + config.handshake_bytes_max;
        config.log_bytes = config.admin_body_bytes_max + FRAME_HEADER_BYTES_MAX;
        assert_eq!(config.validate(), Ok(()));
        config.log_bytes -= 1;
        assert_eq!(config.validate().unwrap_err().key, "admin_body_bytes_max");
        config.assembly_bytes_max -= 1;
        assert_eq!(config.validate().unwrap_err().key, "assembly_bytes_max");
        let one_log = log_memory_bytes(4 << 20, 1024);
        let config = Config { logs_bytes_max: one_log, ..Config::default() };
        assert_eq!(config.validate(), Ok(()));
        let error = Config { logs_bytes_max: one_log - 1, ..config }.validate().unwrap_err().to_string();
        assert!(
            error.starts_with("logs_bytes_max = 38125567: ") && error.contains("38125568 bytes"),
            "{error}"
        );
        let config = Config { message_bytes_max: 8 << 20, ..Config::default() };
        assert_eq!(config.validate(), Ok(()));
        let config = Config { demo: true, ..config };
        assert_eq!(config.validate().unwrap_err().key, "message_bytes_max");
    }

    #[test]
    fn contradictions() {
        assert!(refused(|config| (config.ws_only, config.demo) = (true, true)).contains("demo"));
        let error = refused(|config| config.heartbeat_ms = 99);
        assert!(error.starts_with("heartbeat_ms = 99: ") && error.contains("100 ms or more"), "{error}");
        let allowed = "= 99 is out of range; allowed 100..=3600000 ms";
        assert!(refused(|config| config.pong_wait_ms = 99).contains(allowed));
        assert!(refused(|config| config.keep_alive_ms = 99).contains(allowed));
        assert!(refused(|config| config.origins = vec!["*".into(); 2]).contains("twice"));
        assert!(refused(|config| config.channels = vec!["a*b".into()]).contains("\"a*b\" is not"));
    }

    #[test]
    fn origins() {
        for origin in [
            "*",
            "auto",
            "null",
            "https://example.com",
            "https://A.com",
            "http://[::1]:8080",
            "http://[::1]",
            "chrome-extension://abc",
            "capacitor://localhost",
            "ionic://localhost",
            "tauri://localhost",
            "app://.",
            "file://",
        ] {
            assert!(check_origin(origin.into()).is_ok(), "{origin}");
        }
        for origin in [
            "",
            "example.com",
            "https://",
            "https://a/",
            "https://a/b",
            "https://*.a",
            "://a",
            "https://:80",
            "https://a:",
            "https://a:080",
            "https://a:65536",
            "https://a b",
            "file:///",
            "file:",
            "Auto",
            "any",
        ] {
            assert!(check_origin(origin.into()).is_err(), "{origin}");
        }
    }

    #[test]
    fn subprotocols() {
        assert!(check_subprotocol("wspush.v1".into()).is_ok());
        for name in ["", "a b", "a,b", "a/b", "ä", "a\n"] {
            assert!(check_subprotocol(name.into()).is_err(), "{name:?}");
        }
    }
}
