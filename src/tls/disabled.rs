//! The types of a build without TLS: there is no value of any.

use super::{Established, Received, Records, Suite, TlsError, TrafficKeys};
use crate::config::Config;

/// Certificates and keys, of which there are none here.
#[derive(Clone, Debug)]
pub enum Acceptor {}

impl Acceptor {
    pub(super) fn load(_config: &Config, _unix_s: u64) -> Result<(Acceptor, Vec<String>), TlsError> {
        let why = "this build speaks no TLS (cargo feature tls)".to_owned();
        Err(TlsError { setting: "listen", file: String::new(), why })
    }

    /// Lets sessions be released.
    pub fn allow_release(&mut self, _renewal: bool) {
        match *self {}
    }

    /// The settings whose files have other contents than `old`'s.
    pub fn changes_since(&self, _old: &Acceptor) -> Vec<&'static str> {
        match *self {}
    }

    /// Takes over what lets clients resume sessions.
    pub fn inherit_tickets(&mut self, _old: &Acceptor) {
        match *self {}
    }
}

/// One connection's side of TLS.
#[derive(Debug)]
pub enum TlsSession {}

#[allow(missing_docs)]
impl TlsSession {
    pub fn new(acceptor: &Acceptor) -> Option<TlsSession> {
        match *acceptor {}
    }

    pub fn partial(&self) -> &[u8] {
        match *self {}
    }

    pub fn unsent(&self) -> &[u8] {
        match *self {}
    }

    pub fn keep_unsent(&mut self, _bytes: &[u8]) {
        match *self {}
    }

    pub fn mark_sent(&mut self, _bytes: usize) {
        match *self {}
    }

    pub fn held_bytes(&self) -> usize {
        match *self {}
    }

    pub fn established(&self) -> Option<Established> {
        match *self {}
    }

    pub fn record_left(&self) -> usize {
        match *self {}
    }

    pub fn is_established(&self) -> bool {
        match *self {}
    }

    pub fn has_ended(&self) -> bool {
        match *self {}
    }

    pub fn client_subject(&self) -> Option<String> {
        match *self {}
    }

    pub fn has_client_certificate(&self) -> bool {
        match *self {}
    }

    pub fn receive(&mut self, _input: &mut [u8], _plain: &mut Vec<u8>, _out: &mut Records) -> Received {
        match *self {}
    }

    pub fn encrypt(&mut self, _plain: &[u8], _out: &mut Records) -> bool {
        match *self {}
    }

    pub fn releasable(&self) -> Option<Suite> {
        match *self {}
    }

    pub fn release(self, _suite: Suite) -> Option<Released> {
        match self {}
    }

    pub fn close(&mut self, _out: &mut Records) {
        match *self {}
    }
}

/// The remains of a session.
#[derive(Debug)]
#[allow(missing_docs)]
pub struct Released {
    pub send: TrafficKeys,
    pub receive: TrafficKeys,
    pub renewal: Option<Box<Renewal>>,
}

/// The source of new keys.
#[derive(Debug)]
#[allow(missing_docs)]
pub struct Renewal {
    pub owed: bool,
    none: std::convert::Infallible,
}

#[allow(missing_docs)]
impl Renewal {
    pub fn next_to_send(&mut self) -> Option<TrafficKeys> {
        match self.none {}
    }

    pub fn next_to_receive(&mut self) -> Option<TrafficKeys> {
        match self.none {}
    }
}

/// The same for another process.
#[cfg(feature = "handover")]
#[derive(serde::Deserialize, serde::Serialize)]
pub struct RenewalImage;

#[cfg(feature = "handover")]
#[allow(missing_docs)]
impl Renewal {
    pub fn image(&self) -> RenewalImage {
        match self.none {}
    }

    pub fn of_image(_image: &RenewalImage) -> Option<Renewal> {
        None
    }
}
