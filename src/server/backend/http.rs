//! An HTTP client for what this server asks and tells others.

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ureq::config::ConfigBuilder;
use ureq::tls::{Certificate, RootCerts, TlsConfig, TlsProvider};
use ureq::typestate::AgentScope;

/// Times that a request is made anew on another connection, when the peer has given up the one it was made on.
const REPEATS: usize = 1;

/// Settings of a client that checks certificates by the authorities that the system trusts, or those that the variables
/// `SSL_CERT_FILE` and `SSL_CERT_DIR` name.
///
/// # Errors
/// There are none.
pub fn trusting_the_system() -> Result<ConfigBuilder<AgentScope>, String> {
    let found = rustls_native_certs::load_native_certs();
    let roots: Vec<Certificate<'static>> =
        found.certs.iter().map(|root| Certificate::from_der(root).to_owned()).collect();
    if roots.is_empty() {
        return Err("the system names no authorities to check certificates by (SSL_CERT_FILE)".to_owned());
    }
    let tls = TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .root_certs(RootCerts::new_with_certs(&roots))
        .build();
    Ok(plain().tls_config(tls))
}

fn plain() -> ConfigBuilder<AgentScope> {
    ureq::Agent::config_builder().user_agent(concat!("wspush/", env!("CARGO_PKG_VERSION")))
}

/// Does a request with what is left of its time, and once more where that makes sense: the peer may just have closed a
/// connection that was kept, and a process that is stopped and continued finds its reads interrupted.
///
/// # Errors
/// The last one; its text has nothing of the URL.
pub fn within<T>(
    time: Duration,
    mut request: impl FnMut(Duration) -> Result<T, ureq::Error>,
) -> Result<T, String> {
    let until = Instant::now() + time;
    let mut repeats = REPEATS;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(said(&ureq::Error::Timeout(ureq::Timeout::Global), time));
        }
        match request(left) {
            Ok(reply) => return Ok(reply),
            Err(ureq::Error::Io(error)) if error.kind() == ErrorKind::Interrupted => {}
            Err(ureq::Error::Io(error)) if repeats > 0 && is_given_up(error.kind()) => repeats -= 1,
            Err(error) => return Err(said(&error, time)),
        }
    }
}

fn is_given_up(kind: ErrorKind) -> bool {
    use ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(kind, BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof)
}

fn said(error: &ureq::Error, time: Duration) -> String {
    match error {
        ureq::Error::Timeout(_) => format!("no answer within {} ms", time.as_millis()),
        ureq::Error::BadUri(_) => "the URL is none".to_owned(),
        ureq::Error::BodyExceedsLimit(bytes) => format!("an answer of more than {bytes} bytes"),
        other => other.to_string(),
    }
}

/// A backend at a URL.
pub struct Client {
    agent: ureq::Agent,
    url: String,
}

/// An answer.
pub struct Reply {
    /// Its status.
    pub status: u16,
    /// Its body.
    pub body: Vec<u8>,
}

impl Client {
    /// One that keeps up to so many connections.
    ///
    /// # Errors
    /// There is nothing to check its certificate by.
    pub fn new(url: &str, connections: usize) -> Result<Client, String> {
        let config = if url.starts_with("https://") { trusting_the_system()? } else { plain() };
        let agent = config
            .http_status_as_error(false)
            .max_redirects(0)
            // Whatever the environment says: this is about clients, and goes to nobody else.
            .proxy(None)
            .max_idle_connections(connections)
            .max_idle_connections_per_host(connections)
            .build()
            .new_agent();
        Ok(Client { agent, url: url.to_owned() })
    }

    /// Posts JSON, and waits for an answer that is not longer than that.
    ///
    /// # Errors
    /// There is none in time, or it is longer.
    pub fn post(
        &self,
        body: &[u8],
        headers: &[(&str, String)],
        time: Duration,
        bytes_max: u64,
    ) -> Result<Reply, String> {
        within(time, |left| {
            let mut request = self.agent.post(&self.url).header("Content-Type", "application/json");
            for (name, value) in headers {
                request = request.header(*name, value);
            }
            let request = request.config().timeout_global(Some(left)).build();
            let mut response = request.send(body)?;
            let status = response.status().as_u16();
            let body = response.body_mut().with_config().limit(bytes_max).read_to_vec()?;
            Ok(Reply { status, body })
        })
    }
}
