//! New keys for a TLS 1.3 connection that is no longer ours to encrypt (RFC 8446 sections 4.6.3 and 7.2).
//!
//! The library can do this as well, with an object of more than 800 bytes for each connection. The two secrets that it
//! would keep in there are all that is needed, and it tells them to whoever logs keys.

use std::cell::RefCell;

use rustls::crypto::tls13::{HkdfExpander, OkmBlock};
use rustls::{KeyLog, SupportedCipherSuite, Tls13CipherSuite};

use super::traffic::{KEY_BYTES_MAX, NONCE_BYTES, Suite, TrafficKeys, wipe};
use crate::narrow;

/// Bytes of the longest secret: SHA-384's.
const SECRET_BYTES_MAX: usize = 48;

/// The secrets that keys are derived from, a direction each. Wiped when dropped.
#[derive(Default)]
pub(super) struct Secrets {
    client: Secret,
    server: Secret,
}

struct Secret {
    bytes: [u8; SECRET_BYTES_MAX],
    used: u8,
}

impl Default for Secret {
    fn default() -> Secret {
        Secret { bytes: [0; SECRET_BYTES_MAX], used: 0 }
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        wipe(&mut self.bytes);
    }
}

thread_local! {
    /// The secrets that the library has reported for the handshake that this thread is at.
    static TOLD: RefCell<Option<Box<Secrets>>> = const { RefCell::new(None) };
}

/// Listens to the library's log of keys: it is told both secrets as soon as the server's first answer is made.
#[derive(Debug)]
pub(super) struct KeyObserver;

const CLIENT: &str = "CLIENT_TRAFFIC_SECRET_0";
const SERVER: &str = "SERVER_TRAFFIC_SECRET_0";

impl KeyLog for KeyObserver {
    fn log(&self, label: &str, _client_random: &[u8], secret: &[u8]) {
        TOLD.with_borrow_mut(|told| {
            let told = &mut **told.get_or_insert_default();
            let place = match label {
                CLIENT => &mut told.client,
                SERVER => &mut told.server,
                _ => return,
            };
            if let Some(bytes) = place.bytes.get_mut(..secret.len()) {
                bytes.copy_from_slice(secret);
                place.used = narrow::to_u8(secret.len());
            }
        });
    }

    fn will_log(&self, label: &str) -> bool {
        matches!(label, CLIENT | SERVER)
    }
}

/// Takes what the library has told since the last time.
pub(super) fn take_told() -> Option<Box<Secrets>> {
    TOLD.with_borrow_mut(Option::take)
}

/// All that is needed to go on with new keys.
pub struct Renewal {
    secrets: Secrets,
    library_suite: &'static Tls13CipherSuite,
    suite: Suite,
    /// The peer waits for new keys of ours; the socket has not taken the notice yet.
    pub owed: bool,
}

impl std::fmt::Debug for Renewal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Renewal")
            .field("suite", &self.suite)
            .field("owed", &self.owed)
            .finish_non_exhaustive()
    }
}

/// Key updates that a connection may have had before it is released.
const EARLIER_UPDATES_MAX: usize = 4;

impl Renewal {
    /// From what the library has told, for a connection that is released with these keys. None: it speaks TLS 1.2, or
    /// the keys are not from these secrets.
    pub(super) fn new(
        secrets: Secrets,
        library_suite: SupportedCipherSuite,
        send: &TrafficKeys,
        receive: &TrafficKeys,
    ) -> Option<Renewal> {
        let library_suite = library_suite.tls13()?;
        let mut renewal = Renewal { secrets, library_suite, suite: send.suite, owed: false };
        let Secrets { client, server } = &mut renewal.secrets;
        for (secret, keys) in [(client, receive), (server, send)] {
            if usize::from(secret.used) != library_suite.common.hash_provider.output_len() {
                return None;
            }
            let mut updates = 0;
            while secret.keys(library_suite, keys.suite)?.key() != keys.key() {
                if updates == EARLIER_UPDATES_MAX {
                    return None;
                }
                secret.advance(library_suite)?;
                updates += 1;
            }
        }
        Some(renewal)
    }

    /// The keys that follow what we have sent with so far.
    pub fn next_to_send(&mut self) -> Option<TrafficKeys> {
        self.secrets.server.advance(self.library_suite)?;
        self.secrets.server.keys(self.library_suite, self.suite)
    }

    /// The keys that follow what the peer has sent with so far.
    pub fn next_to_receive(&mut self) -> Option<TrafficKeys> {
        self.secrets.client.advance(self.library_suite)?;
        self.secrets.client.keys(self.library_suite, self.suite)
    }
}

/// The same for another process that goes on with the connection. Wiped when dropped.
#[cfg(feature = "handover")]
#[derive(serde::Deserialize, serde::Serialize)]
pub struct RenewalImage {
    suite: u8,
    client: Vec<u8>,
    server: Vec<u8>,
    owed: bool,
}

#[cfg(feature = "handover")]
impl Drop for RenewalImage {
    fn drop(&mut self) {
        super::wipe(&mut self.client);
        super::wipe(&mut self.server);
    }
}

#[cfg(feature = "handover")]
impl Renewal {
    /// Its image.
    pub fn image(&self) -> RenewalImage {
        let bytes = |secret: &Secret| secret.bytes[..usize::from(secret.used)].to_vec();
        RenewalImage {
            suite: self.suite.number(),
            client: bytes(&self.secrets.client),
            server: bytes(&self.secrets.server),
            owed: self.owed,
        }
    }

    /// None: there is no such suite here, or its secrets have another length.
    pub fn of_image(image: &RenewalImage) -> Option<Renewal> {
        let suite = Suite::all().find(|suite| suite.number() == image.suite)?;
        let known = rustls::crypto::aws_lc_rs::ALL_CIPHER_SUITES.iter().filter_map(|known| known.tls13());
        let mut of_suite =
            known.filter(|known| super::release::cipher((*known).into()) == Some(suite.cipher));
        let library_suite = of_suite.next()?;
        let secret = |bytes: &[u8]| {
            let mut secret = Secret::default();
            (bytes.len() == library_suite.common.hash_provider.output_len()).then(|| {
                secret.bytes[..bytes.len()].copy_from_slice(bytes);
                secret.used = narrow::to_u8(bytes.len());
                secret
            })
        };
        let secrets = Secrets { client: secret(&image.client)?, server: secret(&image.server)? };
        Some(Renewal { secrets, library_suite, suite, owed: image.owed })
    }
}

impl Secret {
    fn expander(&self, library_suite: &Tls13CipherSuite) -> Box<dyn HkdfExpander> {
        let secret = OkmBlock::new(&self.bytes[..usize::from(self.used)]);
        library_suite.hkdf_provider.expander_for_okm(&secret)
    }

    /// Becomes the next one (RFC 8446 section 7.2).
    fn advance(&mut self, library_suite: &Tls13CipherSuite) -> Option<()> {
        let expander = self.expander(library_suite);
        expand_label(&*expander, b"traffic upd", &mut self.bytes[..usize::from(self.used)])
    }

    /// Its keys (RFC 8446 section 7.3).
    fn keys(&self, library_suite: &Tls13CipherSuite, suite: Suite) -> Option<TrafficKeys> {
        let expander = self.expander(library_suite);
        let (mut key, mut nonce) = ([0; KEY_BYTES_MAX], [0; NONCE_BYTES]);
        let short = &mut key[..suite.key_bytes()];
        expand_label(&*expander, b"key", short)?;
        expand_label(&*expander, b"iv", &mut nonce)?;
        let keys = TrafficKeys::new(suite, short, nonce, 0);
        wipe(&mut key);
        wipe(&mut nonce);
        keys
    }
}

/// HKDF-Expand-Label without a context (RFC 8446 section 7.1).
fn expand_label(expander: &dyn HkdfExpander, label: &[u8], output: &mut [u8]) -> Option<()> {
    const PREFIX: &[u8] = b"tls13 ";
    let length = u16::try_from(output.len()).ok()?.to_be_bytes();
    let label_bytes = [u8::try_from(PREFIX.len() + label.len()).ok()?];
    expander.expand_slice(&[&length, &label_bytes, PREFIX, label, &[0]], output).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_small() {
        // Beside the slot, and a pointer to it, this is all that a connection takes whose TLS is the kernel's.
        assert!(size_of::<Renewal>() <= 120, "{}", size_of::<Renewal>());
    }
}
