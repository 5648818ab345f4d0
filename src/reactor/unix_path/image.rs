//! A place as it is handed to another process. The lock goes with its descriptor: it belongs to the open file, whoever
//! has that open.

use std::fs::File;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::path::PathBuf;

use super::{Inode, Lock, Place, with_suffix};

/// A place without its lock.
#[derive(Debug, serde::Deserialize, serde::Serialize)]
pub(in super::super) struct PlaceImage {
    path: PathBuf,
    device: u64,
    number: u64,
}

impl Place {
    /// Its image, and the descriptor of the lock.
    pub(in super::super) fn image(&self) -> (PlaceImage, RawFd) {
        let Inode { device, number } = self.inode;
        (PlaceImage { path: self.path.clone(), device, number }, self.lock.file.as_raw_fd())
    }

    /// The place of an image, which is another's until it is [taken](Self::take_over_from_other).
    pub(in super::super) fn of_image(image: PlaceImage, lock: OwnedFd) -> Place {
        let PlaceImage { path, device, number } = image;
        let lock = Lock { path: with_suffix(&path, "lock"), file: File::from(lock) };
        Place { path, inode: Inode { device, number }, lock, is_ours: false }
    }

    /// From now on it goes with this.
    pub(in super::super) fn make_ours(&mut self) {
        self.is_ours = true;
    }

    /// Another process has it.
    pub(in super::super) fn give_up(&mut self) {
        self.is_ours = false;
    }
}
