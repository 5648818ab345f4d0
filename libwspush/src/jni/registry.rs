//! The servers that Java holds, by id.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use wspush::server::{Handle, ReactorLoop, Server};

use super::handler::Callbacks;
use super::native_error::NativeError;

/// A server that Java has started and not yet closed.
pub(super) struct Entry {
    /// To push with.
    pub(super) handle: Handle,
    /// Its listeners, packed, the admin one last and perhaps empty.
    pub(super) addresses: Vec<u8>,
    /// Its callbacks; None only in tests.
    pub(super) callbacks: Option<Arc<Callbacks>>,
    /// How many threads drive it.
    pub(super) reactors: usize,
    /// Connections that a running server has handed to it.
    pub(super) handed_over: Option<usize>,
    loops: Mutex<Vec<Option<Loop>>>,
}

/// One of a server's reactors, for the thread that is to drive it.
pub(super) enum Loop {
    /// The first one.
    Server(Box<Server>),
    /// One beside it.
    Further(ReactorLoop),
}

impl Loop {
    /// Drives it to its end.
    pub(super) fn run(self) -> io::Result<()> {
        match self {
            Loop::Server(server) => server.run(),
            Loop::Further(reactor) => reactor.run(),
        }
    }
}

impl Entry {
    /// A server that waits for the threads that will run it.
    pub(super) fn new(mut server: Server, addresses: Vec<u8>, callbacks: Option<Arc<Callbacks>>) -> Entry {
        let (handle, further) = (server.handle(), server.take_reactors());
        let handed_over = server.handed_over();
        let first = Some(Loop::Server(Box::new(server)));
        let loops: Vec<_> = [first]
            .into_iter()
            .chain(further.into_iter().map(|further| Some(Loop::Further(further))))
            .collect();
        Entry { handle, addresses, callbacks, reactors: loops.len(), handed_over, loops: Mutex::new(loops) }
    }

    /// The reactor with this number, for the thread that runs it; None for a second one.
    pub(super) fn take(&self, number: usize) -> Option<Loop> {
        let mut loops: MutexGuard<'_, _> = self.loops.lock().unwrap_or_else(PoisonError::into_inner);
        loops.get_mut(number)?.take()
    }
}

/// A place for an entry; its generation changes when the entry goes.
struct Place {
    generation: u32,
    entry: Option<Entry>,
}

/// An id is a place's generation and index. 0 is none.
struct Registry {
    places: RwLock<Vec<Place>>,
}

static REGISTRY: Registry = Registry::new();

impl Registry {
    const fn new() -> Registry {
        Registry { places: RwLock::new(Vec::new()) }
    }

    fn read(&self) -> RwLockReadGuard<'_, Vec<Place>> {
        self.places.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Vec<Place>> {
        self.places.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn insert(&self, entry: Entry) -> u64 {
        let mut places = self.write();
        let is_free = |place: &Place| place.entry.is_none() && place.generation < u32::MAX;
        let index = match places.iter().position(is_free) {
            Some(index) => index,
            None => {
                places.push(Place { generation: 0, entry: None });
                places.len() - 1
            }
        };
        let place = &mut places[index];
        place.generation += 1;
        place.entry = Some(entry);
        u64::from(place.generation) << 32 | index as u64
    }

    fn with<T>(
        &self,
        id: u64,
        use_it: impl FnOnce(&Entry) -> Result<T, NativeError>,
    ) -> Result<T, NativeError> {
        let places = self.read();
        let place = places.get(index(id)).filter(|place| place.generation == generation(id));
        use_it(place.and_then(|place| place.entry.as_ref()).ok_or(NativeError::Closed)?)
    }

    fn remove(&self, id: u64) -> Option<Entry> {
        let mut places = self.write();
        let place = places.get_mut(index(id)).filter(|place| place.generation == generation(id));
        place?.entry.take()
    }
}

fn index(id: u64) -> usize {
    (id & 0xffff_ffff) as usize
}

fn generation(id: u64) -> u32 {
    (id >> 32) as u32
}

/// Registers a server.
pub(super) fn insert(entry: Entry) -> i64 {
    REGISTRY.insert(entry).cast_signed()
}

/// Uses a server, if the id still names one. `use_it` must not come back here: closing waits for it.
pub(super) fn with<T>(
    id: i64,
    use_it: impl FnOnce(&Entry) -> Result<T, NativeError>,
) -> Result<T, NativeError> {
    REGISTRY.with(id.cast_unsigned(), use_it)
}

/// Forgets a server; its entry is dropped by the caller, outside the lock.
pub(super) fn remove(id: i64) -> Option<Entry> {
    REGISTRY.remove(id.cast_unsigned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use wspush::config::{Config, LogLevel};

    fn entry() -> Entry {
        let config = Config {
            listen: vec!["127.0.0.1:0".parse().unwrap()],
            log_level: LogLevel::Off,
            ..Config::default()
        };
        Entry::new(Server::bind(config).unwrap(), Vec::new(), None)
    }

    #[test]
    #[cfg_attr(miri, ignore = "a server asks for the limit of descriptors, which Miri doesn't know")]
    fn an_old_id_never_names_a_new_server() {
        let registry = Registry::new();
        let first = registry.insert(entry());
        assert!(registry.with(first, |entry| Ok(entry.take(0).is_some())).unwrap());
        assert!(!registry.with(first, |entry| Ok(entry.take(0).is_some())).unwrap());
        assert!(registry.remove(first).is_some());
        assert!(registry.remove(first).is_none());
        let second = registry.insert(entry());
        assert_eq!(index(first), index(second));
        for wrong in [0, first, second + 1, second ^ 1 << 63, u64::MAX] {
            assert!(matches!(registry.with(wrong, |_| Ok(())), Err(NativeError::Closed)), "{wrong:x}");
            assert!(registry.remove(wrong).is_none());
        }
        assert!(registry.with(second, |_| Ok(())).is_ok());
    }
}
