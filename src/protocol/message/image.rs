//! A message that is not whole yet, as it is handed to another process.

use super::super::pool::{Chain, Pool};
use super::super::utf8::Utf8;
use super::Assembly;

/// An [`Assembly`] with its bytes.
#[derive(Debug, serde::Deserialize, serde::Serialize)]
pub struct AssemblyImage {
    since_ms: Option<u64>,
    bytes: Vec<u8>,
    left: u64,
    mask: [u8; 4],
    utf8: Utf8,
    phase: u8,
    text: bool,
    deflated: bool,
    fin: bool,
}

impl Assembly {
    /// Its image.
    pub fn image(&self, pool: &Pool) -> AssemblyImage {
        let Assembly { since_ms, ref chain, left, mask, ref utf8, phase, text, deflated, fin } = *self;
        let mut bytes = Vec::new();
        pool.gather(chain, &mut bytes);
        AssemblyImage { since_ms, bytes, left, mask, utf8: utf8.clone(), phase, text, deflated, fin }
    }

    /// Goes on with an image; None: the pool has no room for it.
    pub fn of_image(image: AssemblyImage, pool: &mut Pool) -> Option<Assembly> {
        let AssemblyImage { since_ms, bytes, left, mask, utf8, phase, text, deflated, fin } = image;
        let mut chain = Chain::default();
        let has_room = pool.append(&mut chain, &bytes, 0);
        has_room.then_some(Assembly { since_ms, chain, left, mask, utf8, phase, text, deflated, fin })
    }
}
