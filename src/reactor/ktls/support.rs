//! The abilities of the kernel's TLS, found out by trying it on connections to ourselves.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::time::Duration;

use super::super::sys::{self, Direction};
use super::keys::Keys;
use crate::tls::{NONCE_BYTES, Suite, TrafficKeys};

/// How long a record may take to come over the loopback: a kernel that loses it is one without TLS.
const PATIENCE: Duration = Duration::from_secs(1);

/// The kernel's abilities for TLS connections. A cipher may be missing because its own module is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KernelSupport {
    suites: u8,
    /// A TLS 1.3 connection can get new keys (Linux 6.14).
    pub new_keys: bool,
}

impl KernelSupport {
    /// Nothing.
    pub const NONE: KernelSupport = KernelSupport { suites: 0, new_keys: false };

    /// An offer of these suites.
    #[cfg(test)]
    pub(super) fn of(suites: &[Suite], new_keys: bool) -> KernelSupport {
        KernelSupport { suites: suites.iter().fold(0, |all, suite| all | 1 << suite.number()), new_keys }
    }

    /// Tries each suite in both directions on connections over the loopback. An error says why there is nothing at all.
    pub fn probe() -> io::Result<KernelSupport> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let mut offer = KernelSupport::NONE;
        let mut why = None;
        for suite in Suite::all() {
            let near = TcpStream::connect(listener.local_addr()?)?;
            let (far, _) = listener.accept()?;
            match works(suite, &near, &far) {
                Ok(new_keys) => {
                    offer.suites |= 1 << suite.number();
                    offer.new_keys |= new_keys;
                }
                Err(e) => why = Some(e),
            }
        }
        match why {
            Some(e) if offer.suites == 0 => Err(e),
            _ => Ok(offer),
        }
    }

    /// Whether the kernel can take over connections of this suite.
    pub fn has(self, suite: Suite) -> bool {
        self.suites & 1 << suite.number() != 0
    }
}

impl fmt::Display for KernelSupport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut between = "";
        for suite in Suite::all().filter(|suite| self.has(*suite)) {
            write!(f, "{between}{suite}")?;
            between = ",";
        }
        Ok(())
    }
}

/// Sends a record from one end to the other. Whether both can then get new keys.
fn works(suite: Suite, near: &TcpStream, far: &TcpStream) -> io::Result<bool> {
    let keys = |fill| {
        let keys = TrafficKeys::new(suite, &[fill; 32][..suite.key_bytes()], [fill; NONCE_BYTES], 0);
        Keys::new(&keys.expect("a key as long as it should be"))
    };
    sys::attach_tls(near)?;
    sys::attach_tls(far)?;
    keys(1).install(near, Direction::Send)?;
    keys(1).install(far, Direction::Receive)?;
    far.set_read_timeout(Some(PATIENCE))?;
    let (mut near_end, mut far_end, mut told) = (near, far, [0; 2]);
    near_end.write_all(b"ok")?;
    far_end.read_exact(&mut told)?;
    Ok(keys(2).install(near, Direction::Send).is_ok() && keys(2).install(far, Direction::Receive).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::{Cipher, Version};

    #[test]
    fn an_offer_names_what_it_has() {
        let suite = Suite { version: Version::Tls13, cipher: Cipher::Aes256Gcm };
        let first = Suite::all().next().unwrap();
        let offer = KernelSupport::of(&[first, suite], false);
        assert!(offer.has(suite));
        assert_eq!(offer.to_string(), "1.2-aes-128-gcm,1.3-aes-256-gcm");
        assert!(Suite::all().all(|suite| !KernelSupport::NONE.has(suite)));
    }

    #[test]
    fn probing_tells_or_says_why_not() {
        // Which of the two is the kernel's choice; tests/ktls/run has one that offers it.
        match KernelSupport::probe() {
            Ok(offer) => assert!(Suite::all().any(|suite| offer.has(suite))),
            Err(e) => assert!(e.raw_os_error().is_some(), "{e}"),
        }
    }
}
