//! Where the Redis server is, and the way to say it without its password.

use std::fmt;

use redis::io::tcp::TcpSettings;
use redis::{Client, ConnectionInfo, IntoConnectionInfo, ProtocolVersion};

/// A Redis server's address.
pub(super) struct Address {
    client: Client,
    shown: String,
}

impl Address {
    /// Reads a URL. No error repeats it.
    pub fn parse(url: &str) -> Result<Address, String> {
        let info: ConnectionInfo =
            url.into_connection_info().map_err(|_| "the URL is not one of a Redis server".to_owned())?;
        let redis = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP2);
        let info = info
            .set_redis_settings(redis.set_lib_name("wspush", env!("CARGO_PKG_VERSION")))
            .set_tcp_settings(TcpSettings::default().set_nodelay(true));
        let shown = info.addr().to_string();
        let client = Client::open(info).map_err(|_| "the URL is not one of a Redis server".to_owned())?;
        Ok(Address { client, shown })
    }

    /// For a connection.
    pub fn client(&self) -> &Client {
        &self.client
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_shown() {
        let address = Address::parse("redis://user:s3cret@127.0.0.1:7000/2").unwrap();
        assert_eq!(
            (address.to_string(), format!("{address:?}")),
            ("127.0.0.1:7000".into(), "127.0.0.1:7000".into())
        );
        let problem = Address::parse("redis://:s3cret@h:99999/x").unwrap_err();
        assert!(!problem.contains("s3cret"), "{problem}");
    }
}
