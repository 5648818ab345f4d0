//! The directory as it is handed to another process.

use std::collections::HashMap;
use std::sync::Arc;

use slab::Slab;

use super::super::shares::Share;
use super::{Directory, Head};
use crate::narrow;

/// All of it but what follows from the rest, and what the configuration says.
#[derive(serde::Deserialize, serde::Serialize)]
pub(in super::super) struct DirectoryImage<H> {
    default: H,
    heads: Vec<(u32, H)>,
    oldest: u32,
    newest: u32,
    idle: usize,
    expectant: usize,
    last_epoch: u64,
}

/// The image of a directory.
pub(in super::super) type Owned = DirectoryImage<Head>;

impl Directory {
    /// Its image.
    pub(in super::super) fn image(&self) -> DirectoryImage<&Head> {
        let Directory { ref default, ref heads, oldest, newest, idle, expectant, last_epoch, .. } = *self;
        let heads = heads.iter().map(|(key, head)| (narrow::to_u32(key), head)).collect();
        DirectoryImage { default, heads, oldest, newest, idle, expectant, last_epoch }
    }

    /// A channel's name as everybody here has it.
    pub(in super::super) fn name_of(&self, channel: &str) -> Option<Arc<str>> {
        self.head(channel).map(|head| head.name.clone())
    }

    /// Goes on with an image.
    pub(in super::super) fn resume(&mut self, image: Owned) {
        let DirectoryImage { default, heads, oldest, newest, idle, expectant, last_epoch } = image;
        let mut unpublished = Share::default();
        heads.iter().filter_map(|(_, head)| head.opener).for_each(|opener| unpublished.take(opener, 1));
        self.names = heads.iter().map(|(key, head)| (head.name.clone(), *key)).collect::<HashMap<_, _>>();
        self.heads = heads.into_iter().map(|(key, head)| (key as usize, head)).collect::<Slab<_>>();
        (self.default, self.oldest, self.newest) = (default, oldest, newest);
        (self.idle, self.expectant) = (idle, expectant);
        (self.unpublished, self.last_epoch) = (unpublished, last_epoch);
    }
}
