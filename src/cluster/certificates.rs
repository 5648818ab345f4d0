//! The files by which a Redis server's certificate is checked and this node shows its own. They are read for each
//! connection, so that what is renewed counts with the next one.

use redis::{Client, ConnectionInfo};

use crate::config::Config;

/// The files' names.
#[derive(Clone, Debug, Default)]
pub(super) struct Certificates {
    #[cfg(feature = "tls")]
    ca: Option<String>,
    /// Certificate and key.
    #[cfg(feature = "tls")]
    own: Option<(String, String)>,
}

impl Certificates {
    /// Those of the settings.
    #[cfg(feature = "tls")]
    pub fn new(config: &Config) -> Certificates {
        Certificates {
            ca: config.cluster_ca.clone(),
            own: config.cluster_cert.clone().zip(config.cluster_key.clone()),
        }
    }

    /// Without TLS there are none.
    #[cfg(not(feature = "tls"))]
    pub fn new(_config: &Config) -> Certificates {
        Certificates::default()
    }

    /// A client of a server.
    ///
    /// # Errors
    /// A file, and what is wrong with it.
    pub fn client(&self, info: ConnectionInfo) -> Result<Client, String> {
        #[cfg(feature = "tls")]
        if let redis::ConnectionAddr::TcpTls { .. } = info.addr() {
            let certificates = self.read()?;
            return Client::build_with_tls(info, certificates).map_err(|problem| problem.to_string());
        }
        Client::open(info).map_err(|problem| problem.to_string())
    }

    #[cfg(feature = "tls")]
    fn read(&self) -> Result<redis::TlsCertificates, String> {
        let read = |setting: &str, file: &str| {
            let bytes = crate::config::read_file(file, crate::limits::PEM_BYTES_MAX);
            bytes.map_err(|why| format!("{setting} ({file}): {why}"))
        };
        let root_cert = self.ca.as_ref().map(|file| read("cluster_ca", file)).transpose()?;
        let client_tls = match &self.own {
            None => None,
            Some((cert, key)) => Some(redis::ClientTlsConfig {
                client_cert: read("cluster_cert", cert)?,
                client_key: read("cluster_key", key)?,
            }),
        };
        Ok(redis::TlsCertificates { client_tls, root_cert })
    }
}
