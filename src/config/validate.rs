//! The rules for a configuration as a whole, and for the entries of its lists.

use std::net::SocketAddr;

use super::paths::DEMO_SHOWN;
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
        if self.demo && !DEMO_SHOWN {
            return Err(self.invalid("demo", "this build has no demo (cargo feature demo)"));
        }
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
        self.validate_admin(&fixed)
    }

    fn validate_admin(&self, public: &[SocketAddr]) -> Result<(), ConfigError> {
        if let Some(on) = duplicate(&self.admin).filter(|on| on.address().is_none_or(|at| at.port() != 0)) {
            return Err(self.invalid("admin", &format!("{on} is there twice")));
        }
        for on in &self.admin {
            let Some(address) = on.address() else {
                if self.admin_socket_mode.is_for_all() && !self.names_callers() {
                    let why = "a socket for everybody on the machine needs admin_token or an api_key";
                    return Err(self.invalid("admin_socket_mode", why));
                }
                continue;
            };
            if public.contains(&address) {
                return Err(self.invalid("admin", "this is a public listener's address"));
            }
            let is_open =
                !matches!(on, AdminListen::Metrics(_)) && !address.ip().to_canonical().is_loopback();
            if is_open && !self.names_callers() {
                let why = "an address that is not loopback needs admin_token or an api_key, or everybody could push";
                return Err(self.invalid("admin", why));
            }
        }
        if self.admin_socket_group.is_some() && self.admin.iter().all(|on| on.address().is_some()) {
            let why = "there is no Unix-domain socket in admin whose group it could be";
            return Err(self.invalid("admin_socket_group", why));
        }
        Ok(())
    }

    fn validate_tls(&self) -> Result<(), ConfigError> {
        let admin_tls = self.admin_speaks_tls();
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

    fn admin_speaks_tls(&self) -> bool {
        self.admin.iter().any(|on| matches!(on, AdminListen::Tls(_)))
    }

    /// Whether any listener speaks TLS.
    pub fn speaks_tls(&self) -> bool {
        self.admin_speaks_tls() || self.listen.iter().any(|listen| listen.tls)
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

    pub(crate) fn invalid(&self, name: &str, why: &str) -> ConfigError {
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
mod tests;
