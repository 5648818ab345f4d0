//! The settings of servers that are one service.

use super::field::OTHER_TYPE;
use super::setting::Value;
use super::{Config, ConfigError};
use crate::limits::{CLUSTER_NAME_BYTES_MAX, FILE_NAME_BYTES_MAX};

/// The fate of publications while the Redis server of a cluster is away.
///
/// ```
/// use wspush::config::{ClusterDown, Config};
///
/// let config = Config { cluster_down: ClusterDown::Local, ..Config::default() };
/// assert!(config.validate().is_ok());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClusterDown {
    /// They are refused.
    Refuse,
    /// This server gives them to its own clients, in a life of the channel of its own.
    Local,
}

/// The kind of server that a URL leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Server,
    Sentinels,
    Cluster,
}

const PLAIN: &str = "redis://";
const TLS: &str = "rediss://";

/// The ways by their schemes, each with the scheme of one server there.
const SCHEMES: [(&str, Way, &str); 6] = [
    (PLAIN, Way::Server, PLAIN),
    (TLS, Way::Server, TLS),
    ("redis+sentinel://", Way::Sentinels, PLAIN),
    ("rediss+sentinel://", Way::Sentinels, TLS),
    ("redis-cluster://", Way::Cluster, PLAIN),
    ("rediss-cluster://", Way::Cluster, TLS),
];

/// A URL of a cluster, taken apart behind its scheme.
#[derive(Clone, Copy)]
pub(crate) struct ClusterUrl<'a> {
    pub way: Way,
    /// The scheme of one server.
    pub scheme: &'static str,
    pub rest: &'a str,
}

impl<'a> ClusterUrl<'a> {
    /// Takes it apart; None: it has none of the schemes.
    pub fn of(url: &'a str) -> Option<ClusterUrl<'a>> {
        let read = |&(own, way, scheme)| Some(ClusterUrl { way, scheme, rest: url.strip_prefix(own)? });
        SCHEMES.iter().find_map(read)
    }

    fn has_tls(self) -> bool {
        self.scheme == TLS
    }
}

/// A Redis server, or none is set. No error repeats it.
pub(super) fn url(value: Value) -> Result<Option<String>, String> {
    match value {
        Value::Unset => Ok(None),
        Value::Text(text) => {
            let names = SCHEMES.map(|(scheme, ..)| scheme).join(", ");
            let ClusterUrl { way, rest, .. } = ClusterUrl::of(&text)
                .ok_or_else(|| format!("a URL that begins with one of {names} is expected"))?;
            let before_query = rest.split('?').next().unwrap_or_default();
            let (authority, path) = before_query.split_once('/').unwrap_or((before_query, ""));
            let hosts = authority.rsplit_once('@').map_or(authority, |(_, hosts)| hosts);
            if way == Way::Sentinels && path.split('/').next().unwrap_or_default().is_empty() {
                return Err(
                    "behind the Sentinels stands the master's name: redis+sentinel://h1,h2/name".to_owned()
                );
            }
            let ok = hosts.split(',').all(|host| !host.is_empty())
                && (way != Way::Server || !hosts.contains(','))
                && (way != Way::Cluster || path.is_empty() && !rest.contains('?'))
                && !text.contains('#')
                && text.len() <= FILE_NAME_BYTES_MAX
                && text.bytes().all(|byte| byte.is_ascii_graphic());
            if ok { Ok(Some(text)) } else { Err("no URL like redis://:password@host:6379/0".to_owned()) }
        }
        _ => Err(OTHER_TYPE.to_owned()),
    }
}

/// The beginning of all keys.
pub(super) fn prefix(value: Value) -> Result<String, String> {
    match value {
        Value::Text(text) if is_name(&text) => Ok(text),
        Value::Text(_) => Err("1 to 64 letters, digits and -._: are expected".to_owned()),
        _ => Err(OTHER_TYPE.to_owned()),
    }
}

/// A node's name, or none is set.
pub(super) fn node(value: Value) -> Result<Option<String>, String> {
    match value {
        Value::Unset => Ok(None),
        other => prefix(other).map(Some),
    }
}

pub(super) fn shown(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn is_name(text: &str) -> bool {
    (1..=CLUSTER_NAME_BYTES_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._:".contains(&byte))
}

impl Config {
    pub(super) fn validate_cluster(&self) -> Result<(), ConfigError> {
        if self.cluster.is_none() {
            return Ok(());
        }
        if !cfg!(feature = "cluster") {
            return Err(self.invalid("cluster", "this build is alone (cargo feature cluster)"));
        }
        self.validate_cluster_tls()?;
        if self.state_file.is_some() {
            let why = "with cluster a server begins with what the streams have; a state_file would be another order";
            return Err(self.invalid("state_file", why));
        }
        Ok(())
    }

    fn validate_cluster_tls(&self) -> Result<(), ConfigError> {
        let has_tls = self.cluster.as_deref().and_then(ClusterUrl::of).is_some_and(ClusterUrl::has_tls);
        if has_tls && !cfg!(feature = "tls") {
            return Err(self.invalid("cluster", "this build has no TLS (cargo feature tls)"));
        }
        let files = [
            ("cluster_ca", &self.cluster_ca),
            ("cluster_cert", &self.cluster_cert),
            ("cluster_key", &self.cluster_key),
        ];
        if let Some((key, _)) = files.iter().find(|(_, file)| file.is_some() && !has_tls) {
            return Err(self.invalid(key, "it is for a cluster that begins with rediss"));
        }
        match (&self.cluster_cert, &self.cluster_key) {
            (Some(_), None) => Err(self.invalid("cluster_cert", "its key is missing (cluster_key)")),
            (None, Some(_)) => Err(self.invalid("cluster_key", "its certificate is missing (cluster_cert)")),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_has_a_scheme_and_a_host_and_is_never_repeated() {
        for good in [
            "redis://h",
            "redis://:s3cret@h:6379/0",
            "rediss://u:p@[::1]:7",
            "redis+sentinel://:p@a,b:1/main",
            "redis-cluster://:p@a:7000,b",
            "rediss+sentinel://a,b/main?sentinel_user=u&sentinel_password=p%40",
        ] {
            assert_eq!(url(Value::Text(good.to_owned())), Ok(Some(good.to_owned())));
        }
        for bad in [
            "",
            "h:6379",
            "http://s3cret@h",
            "redis://",
            "redis://:s3cret@",
            "redis://s3cret@/0",
            "redis://h s3cret",
            "redis://:s3cret@a,b",
            "redis+sentinel://:s3cret@a,b",
            "redis+sentinel://:s3cret@a,,b/main",
            "redis+sentinel://a?sentinel_password=s3cret",
            "rediss://:s3cret@h#insecure",
            "redis-cluster://:s3cret@a,b/1",
            "redis-cluster://:s3cret@a?x=y",
        ] {
            let problem = url(Value::Text(bad.to_owned())).unwrap_err();
            assert!(!problem.contains("s3cret"), "{problem}");
        }
    }

    #[test]
    fn names_are_short_and_plain() {
        let named = |text: &str| prefix(Value::Text(text.to_owned())).is_ok();
        assert!(named("wspush") && named("a-b_c".replace('_', ".").as_str()) && named(&"x".repeat(64)));
        assert!(!named("") && !named("a b") && !named("{a}") && !named(&"x".repeat(65)));
        assert_eq!(node(Value::Unset), Ok(None));
    }

    #[cfg(all(feature = "cluster", feature = "tls"))]
    #[test]
    fn certificates_are_for_tls_and_come_with_their_key() {
        let config = |url: &str, files: [Option<&str>; 3]| {
            let [cluster_ca, cluster_cert, cluster_key] = files.map(|file| file.map(str::to_owned));
            let cluster = Some(url.to_owned());
            Config { cluster, cluster_ca, cluster_cert, cluster_key, ..Config::default() }
                .validate()
                .map_err(|problem| problem.key)
        };
        assert_eq!(config("rediss://h", [Some("ca"), Some("c"), Some("k")]), Ok(()));
        assert_eq!(config("redis://h", [None; 3]), Ok(()));
        assert_eq!(config("redis://h", [Some("ca"), None, None]), Err("cluster_ca".to_owned()));
        assert_eq!(config("rediss://h", [None, Some("c"), None]), Err("cluster_cert".to_owned()));
        assert_eq!(config("rediss+sentinel://h/m", [None, None, Some("k")]), Err("cluster_key".to_owned()));
    }

    #[cfg(feature = "cluster")]
    #[test]
    fn a_state_file_goes_with_a_server_alone() {
        let config = |state_file: Option<&str>| {
            let state_file = state_file.map(str::to_owned);
            Config { cluster: Some("redis://h".to_owned()), state_file, ..Config::default() }.validate()
        };
        assert_eq!(config(None), Ok(()));
        assert_eq!(config(Some("/tmp/s")).unwrap_err().key, "state_file");
    }
}
