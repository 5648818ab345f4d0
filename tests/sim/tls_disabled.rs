//! In place of TLS where it is not built in: no client has any.

#[derive(Debug)]
pub enum TlsClient {}

impl TlsClient {
    pub fn is_open(&self) -> bool {
        match *self {}
    }

    pub fn has_ended(&self) -> bool {
        match *self {}
    }

    pub fn seal(&mut self, _plain: &[u8]) -> Vec<u8> {
        match *self {}
    }

    pub fn change_keys(&mut self) {
        match *self {}
    }

    pub fn unseal(&mut self, _bytes: &[u8]) -> Option<Vec<u8>> {
        match *self {}
    }
}
