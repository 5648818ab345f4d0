//! The settings of servers that are one service.

use super::field::OTHER_TYPE;
use super::setting::Value;
use super::{Config, ConfigError};
use crate::limits::{CLUSTER_NAME_BYTES_MAX, FILE_NAME_BYTES_MAX};

/// A Redis server, or none is set. No error repeats it.
pub(super) fn url(value: Value) -> Result<Option<String>, String> {
    match value {
        Value::Unset => Ok(None),
        Value::Text(text) => {
            let sentinels = text.strip_prefix("redis+sentinel://");
            let rest = sentinels.or_else(|| text.strip_prefix("redis://"));
            let rest = rest.ok_or("a URL that begins with redis:// or redis+sentinel:// is expected")?;
            let (authority, path) = rest.split_once(['/', '?', '#']).unwrap_or((rest, ""));
            let hosts = authority.rsplit_once('@').map_or(authority, |(_, hosts)| hosts);
            if sentinels.is_some() && path.split('/').next().unwrap_or_default().is_empty() {
                return Err(
                    "behind the Sentinels stands the master's name: redis+sentinel://h1,h2/name".to_owned()
                );
            }
            let ok = hosts.split(',').all(|host| !host.is_empty())
                && (sentinels.is_some() || !hosts.contains(','))
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
        if self.state_file.is_some() {
            let why = "with cluster a server begins with what the streams have; a state_file would be another order";
            return Err(self.invalid("state_file", why));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_has_a_scheme_and_a_host_and_is_never_repeated() {
        for good in
            ["redis://h", "redis://:s3cret@h:6379/0", "redis://u:p@[::1]:7", "redis+sentinel://:p@a,b:1/main"]
        {
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
