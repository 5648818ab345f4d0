//! The end of a session whose connection the kernel goes on to encrypt.

use std::sync::Arc;

use rustls::{ConnectionTrafficSecrets, ProtocolVersion, SupportedCipherSuite};

use super::renewal::{KeyObserver, Renewal};
use super::traffic::{Cipher, NONCE_BYTES, Suite, TrafficKeys, Version};
use super::{Acceptor, TlsSession};

/// The remains of a session.
#[derive(Debug)]
pub struct Released {
    /// The keys of what we send.
    pub send: TrafficKeys,
    /// The keys of what the peer sends.
    pub receive: TrafficKeys,
    /// The source of new ones, if that was asked for and the version knows it.
    pub renewal: Option<Box<Renewal>>,
}

impl Acceptor {
    /// Lets sessions begun from now on be released; with `renewal`, with what makes new keys.
    pub fn allow_release(&mut self, renewal: bool) {
        let config = Arc::make_mut(&mut self.config);
        config.enable_secret_extraction = true;
        if renewal {
            config.key_log = Arc::new(KeyObserver);
        }
    }
}

impl TlsSession {
    /// The keys that protect the records, if the session can be released now: the handshake is over, nothing has come
    /// in part, nothing waits to be sent, the library's own notices among it.
    pub fn releasable(&self) -> Option<Suite> {
        let held = !self.partial().is_empty() || !self.unsent().is_empty() || self.may_owe_notice();
        if held || self.has_ended() || self.has_failed() || self.established().is_none() {
            return None;
        }
        let version = match self.connection.protocol_version()? {
            ProtocolVersion::TLSv1_2 => Version::Tls12,
            ProtocolVersion::TLSv1_3 => Version::Tls13,
            _ => return None,
        };
        Some(Suite { version, cipher: cipher(self.connection.negotiated_cipher_suite()?)? })
    }

    /// Hands out the keys of a session that is [`releasable`](Self::releasable); it is over then. None: the library
    /// does not give them, and the connection can't go on.
    pub fn release(self, suite: Suite) -> Option<Released> {
        let (connection, secrets) = self.into_parts();
        let library_suite = connection.negotiated_cipher_suite()?;
        // It keeps much beside the keys that is of no use here: see `renewal`.
        let (keys, _) = connection.dangerous_into_kernel_connection().ok()?;
        let (send, receive) = (traffic_keys(suite, keys.tx)?, traffic_keys(suite, keys.rx)?);
        let renewal = secrets.and_then(|secrets| Renewal::new(*secrets, library_suite, &send, &receive));
        Some(Released { send, receive, renewal: renewal.map(Box::new) })
    }
}

pub(super) fn cipher(suite: SupportedCipherSuite) -> Option<Cipher> {
    use rustls::CipherSuite as Id;
    match suite.suite() {
        Id::TLS13_AES_128_GCM_SHA256
        | Id::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
        | Id::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 => Some(Cipher::Aes128Gcm),
        Id::TLS13_AES_256_GCM_SHA384
        | Id::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384
        | Id::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384 => Some(Cipher::Aes256Gcm),
        Id::TLS13_CHACHA20_POLY1305_SHA256
        | Id::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256
        | Id::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256 => Some(Cipher::Chacha20Poly1305),
        _ => None,
    }
}

/// The library's keys as ours. None: they are not of this suite.
fn traffic_keys(suite: Suite, (number, secrets): (u64, ConnectionTrafficSecrets)) -> Option<TrafficKeys> {
    let (cipher, key, nonce) = match &secrets {
        ConnectionTrafficSecrets::Aes128Gcm { key, iv } => (Cipher::Aes128Gcm, key, iv),
        ConnectionTrafficSecrets::Aes256Gcm { key, iv } => (Cipher::Aes256Gcm, key, iv),
        ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv } => (Cipher::Chacha20Poly1305, key, iv),
        _ => return None,
    };
    let nonce: [u8; NONCE_BYTES] = nonce.as_ref().try_into().ok()?;
    (cipher == suite.cipher).then(|| TrafficKeys::new(suite, key.as_ref(), nonce, number)).flatten()
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use rustls::ClientConnection;

    use super::*;
    use crate::tls::{Records, test_pair};

    /// A session and its client behind the handshake.
    struct Pair {
        session: TlsSession,
        client: ClientConnection,
        suite: Suite,
    }

    impl Pair {
        fn new(suite: Suite) -> Pair {
            let (mut acceptor, client) = test_pair::pair(suite);
            acceptor.allow_release(true);
            let mut pair = Pair { session: TlsSession::new(&acceptor).unwrap(), client, suite };
            while pair.client.is_handshaking() {
                pair.exchange();
            }
            pair.exchange();
            pair
        }

        /// Each side gets what the other one has to say.
        fn exchange(&mut self) {
            let (mut input, mut out) = (self.session.partial().to_vec(), Records::default());
            while self.client.wants_write() {
                self.client.write_tls(&mut input).unwrap();
            }
            let received = self.session.receive(&mut input, &mut Vec::new(), &mut out);
            assert_eq!(received.failed, None);
            self.answer(&out);
        }

        /// The server says something.
        fn write(&mut self) {
            let mut out = Records::default();
            assert!(self.session.encrypt(b"something", &mut out));
            self.answer(&out);
            let mut said = [0; 9];
            self.client.reader().read_exact(&mut said).unwrap();
            assert_eq!(&said, b"something");
        }

        fn answer(&mut self, out: &Records) {
            let mut bytes = out.bytes();
            while !bytes.is_empty() {
                self.client.read_tls(&mut bytes).unwrap();
                self.client.process_new_packets().unwrap();
            }
        }
    }

    fn same(keys: &TrafficKeys, other: &TrafficKeys) -> bool {
        (keys.key(), keys.nonce(), keys.number) == (other.key(), other.nonce(), other.number)
    }

    #[test]
    fn a_session_is_released_in_every_suite() {
        for suite in Suite::all() {
            let mut pair = Pair::new(suite);
            pair.write();
            assert_eq!(pair.session.releasable(), Some(suite));
            let released = pair.session.release(suite).unwrap();
            // The text was written behind a Finished in 1.2, behind a ticket in 1.3.
            assert_eq!(released.send.number, 2, "{suite}");
            assert_eq!(released.receive.number, u64::from(suite.version == Version::Tls12));
            assert_eq!(released.renewal.is_some(), suite.version == Version::Tls13);
        }
    }

    #[test]
    fn new_keys_are_those_of_the_library() {
        for suite in Suite::all().filter(|suite| suite.version == Version::Tls13) {
            let pair = Pair::new(suite);
            let (connection, secrets) = pair.session.into_parts();
            let library_suite = connection.negotiated_cipher_suite().unwrap();
            let (keys, mut library) = connection.dangerous_into_kernel_connection().unwrap();
            let (send, receive) =
                (traffic_keys(suite, keys.tx).unwrap(), traffic_keys(suite, keys.rx).unwrap());
            let mut renewal = Renewal::new(*secrets.unwrap(), library_suite, &send, &receive).unwrap();
            for _ in 0..3 {
                // Another process goes on with the connection.
                #[cfg(feature = "handover")]
                {
                    renewal.owed = !renewal.owed;
                    let (image, owed) = (renewal.image(), renewal.owed);
                    renewal = Renewal::of_image(&image).unwrap();
                    assert_eq!(renewal.owed, owed);
                }
                let theirs = traffic_keys(suite, library.update_tx_secret().unwrap()).unwrap();
                assert!(same(&renewal.next_to_send().unwrap(), &theirs));
                let theirs = traffic_keys(suite, library.update_rx_secret().unwrap()).unwrap();
                assert!(same(&renewal.next_to_receive().unwrap(), &theirs));
            }
            assert!(!same(&renewal.next_to_send().unwrap(), &renewal.next_to_receive().unwrap()));
        }
    }

    #[test]
    fn keys_that_changed_before_are_followed() {
        let mut pair = Pair::new(Suite { version: Version::Tls13, cipher: Cipher::Aes256Gcm });
        pair.client.refresh_traffic_keys().unwrap();
        pair.exchange();
        assert_eq!(pair.session.releasable(), None, "the library has put its own notice off until it writes");
        pair.write();
        assert_eq!(pair.session.releasable(), Some(pair.suite));
        let released = pair.session.release(pair.suite).unwrap();
        assert_eq!((released.send.number, released.receive.number), (1, 0), "new keys count anew");
        assert!(released.renewal.is_some(), "they are from the secrets that were told, one step on");
    }

    #[test]
    fn what_is_not_whole_is_not_released() {
        let suite = Suite { version: Version::Tls13, cipher: Cipher::Aes128Gcm };
        let fresh = || {
            let mut pair = Pair::new(suite);
            pair.write();
            assert_eq!(pair.session.releasable(), Some(suite));
            pair
        };
        let mut pair = fresh();
        let part = &mut [23, 3, 3, 0, 99, 1];
        let received = pair.session.receive(part, &mut Vec::new(), &mut Records::default());
        assert_eq!((received.failed, pair.session.releasable()), (None, None));
        let mut pair = fresh();
        pair.session.keep_unsent(b"a record");
        assert_eq!(pair.session.releasable(), None);
        let mut pair = fresh();
        pair.client.send_close_notify();
        pair.exchange();
        assert_eq!(pair.session.releasable(), None);
    }

    #[test]
    fn what_a_client_says_makes_no_difference() {
        let mut pair = Pair::new(Suite { version: Version::Tls13, cipher: Cipher::Aes128Gcm });
        pair.write();
        for _ in 0..3 {
            pair.client.writer().write_all(b"a question").unwrap();
            pair.client.writer().write_all(b"another one").unwrap();
            pair.exchange();
            assert_eq!(pair.session.releasable(), Some(pair.suite));
        }
    }
}
