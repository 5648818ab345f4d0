//! A listener as it is handed to another process.

use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use super::super::unix_path::{Place, PlaceImage};
use super::{ListenAddr, Listener, ListenerRole, Origin};

/// A listener without its descriptors.
#[derive(Debug, serde::Deserialize, serde::Serialize)]
pub struct ListenerImage {
    address: ListenAddr,
    role: ListenerRole,
    tls: bool,
    proxy: bool,
    origin: Origin,
    place: Option<PlaceImage>,
}

impl Listener {
    /// Its image, and its descriptors.
    pub(in super::super) fn image(&self) -> (ListenerImage, Vec<RawFd>) {
        let Listener { ref address, role, tls, proxy, origin, .. } = *self;
        let mut fds = vec![self.socket.as_raw_fd()];
        let place = self.place.as_ref().map(|place| {
            let (place, lock) = place.image();
            fds.push(lock);
            place
        });
        (ListenerImage { address: address.clone(), role, tls, proxy, origin, place }, fds)
    }

    /// The listener of an image, which takes its descriptors from `fds`. None: one is missing. Its path is another's
    /// until it [is ours](Self::make_ours).
    pub(in super::super) fn of_image(
        image: ListenerImage,
        fds: &mut impl Iterator<Item = OwnedFd>,
    ) -> Option<Listener> {
        let ListenerImage { address, role, tls, proxy, origin, place } = image;
        let socket = fds.next()?.into();
        let place = match place {
            Some(place) => Some(Place::of_image(place, fds.next()?)),
            None => None,
        };
        Some(Listener::new(socket, address, role, origin, place).with_tls(tls).with_proxy(proxy))
    }

    /// From now on its path goes with it.
    pub(in super::super) fn make_ours(&mut self) {
        self.place.iter_mut().for_each(Place::make_ours);
    }

    /// Another process has it, and listens on.
    pub(in super::super) fn give_up(mut self) {
        self.place.iter_mut().for_each(Place::give_up);
    }
}
