//! The embedder's side: a [`Server`] to run and a [`Handle`] to push with.

mod authorizing;
#[cfg(feature = "backend")]
mod backend;
mod cpus;
mod flow;
mod joining;
#[cfg(feature = "auth")]
pub mod keys;
mod listeners;
mod memory;
#[cfg(feature = "handover")]
mod predecessor;
#[cfg(not(feature = "handover"))]
#[path = "server/no_predecessor.rs"]
mod predecessor;
mod publishing;
mod reactor_loop;
mod reads;
mod routes;
mod several;
mod start;
mod start_error;
mod tuning;
mod users;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{OwnedFd, RawFd};
use std::sync::Arc;
#[cfg(any(feature = "auth", feature = "backend"))]
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::config::{Config, ConfigError, LogLevel};
use crate::endpoint::{ConnId, Decision, Handler, Receipt, Stats, demo};
use crate::journal::Journal;
use crate::limits::DRAIN_MS;
use crate::protocol::close::CloseCode;
use crate::push::{Delivery, Message, Publication, PushError, PushOptions, Since};
use crate::reactor::REFUSALS_MAX;
use crate::reactor::event_loop::EventLoop;
use crate::reactor::ktls::KernelSupport;
use crate::reactor::reload::Renewed;
use crate::reactor::{Command, Reactor, Shared, Stream, Wake, sys};
use crate::time::{Time, micros};

use cpus::Pin;
use several::Others;

pub use cpus::check_cpus;
pub use reactor_loop::ReactorLoop;
pub use start_error::StartError;

/// Descriptors that the process needs for other things than connections, those that are only there to be refused
/// among them: strangers must not take what the admin listener needs.
const DESCRIPTORS_ASIDE: usize = 64;
const _: () = assert!(REFUSALS_MAX <= DESCRIPTORS_ASIDE / 2);

/// A push server that is bound to its addresses.
///
/// [`run`](Self::run) drives it on the calling thread until it has drained; or the host calls
/// [`poll_once`](Self::poll_once) from a loop of its own. Everything else goes through [`handle`](Self::handle).
///
/// ```no_run
/// use wspush::{Config, Message, Server};
///
/// let server = Server::bind(Config { listen: vec!["0.0.0.0:8080".parse()?], ..Config::default() })?;
/// let handle = server.handle();
/// std::thread::spawn(move || handle.broadcast(Message::Text("hello")));
/// server.run()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Server {
    event_loop: EventLoop,
    shared: Arc<Shared>,
    others: Others,
    pin: Pin,
    /// Connections that a predecessor has handed over.
    taken_over: Option<usize>,
}

impl Server {
    /// Binds a server without callbacks: it pushes, and ignores what clients say.
    pub fn bind(config: Config) -> Result<Server, StartError> {
        Server::bind_with(config, |_| Box::new(()), None)
    }

    /// Binds a server whose handler is made by `handler`, which gets the handle to push with. `journal` takes the
    /// operator's log; None: standard error.
    pub fn bind_with(
        config: Config,
        handler: impl FnOnce(Handle) -> Box<dyn Handler>,
        journal: Option<Journal>,
    ) -> Result<Server, StartError> {
        Server::bind_inheriting(config, handler, journal, Vec::new())
    }

    /// As [`bind_with`](Self::bind_with), but an address for which there is a listening socket among `sockets` isn't
    /// bound; that socket is used. A socket for which there is no address is an error.
    pub fn bind_inheriting(
        config: Config,
        handler: impl FnOnce(Handle) -> Box<dyn Handler>,
        journal: Option<Journal>,
        sockets: Vec<OwnedFd>,
    ) -> Result<Server, StartError> {
        let mut handler = Some(handler);
        let once = |handle| handler.take().map(|handler| handler(handle));
        Server::bind_parts(config, once, journal, sockets)
    }

    /// As [`bind_inheriting`](Self::bind_inheriting), for a server of one or several [reactors](Config::reactors):
    /// `handler` is called once for each of them. Each handler is called by one thread at a time, but they are by as
    /// many threads as there are reactors; what they share they have to guard.
    ///
    /// ```no_run
    /// use std::sync::Arc;
    /// use std::sync::atomic::{AtomicU64, Ordering};
    /// use wspush::config::Reactors;
    /// use wspush::{Config, Handler, Message, Server, Session};
    ///
    /// struct Counter(Arc<AtomicU64>);
    ///
    /// impl Handler for Counter {
    ///     fn on_message(&mut self, _session: &mut Session<'_>, _message: Message<'_>) {
    ///         self.0.fetch_add(1, Ordering::Relaxed);
    ///     }
    /// }
    ///
    /// let count = Arc::new(AtomicU64::new(0));
    /// let config = Config { reactors: Reactors::Auto, ..Config::default() };
    /// let server = Server::bind_each(config, |_handle| Box::new(Counter(count.clone())), None, Vec::new())?;
    /// # drop(server);
    /// # Ok::<(), wspush::StartError>(())
    /// ```
    pub fn bind_each(
        config: Config,
        mut handler: impl FnMut(Handle) -> Box<dyn Handler>,
        journal: Option<Journal>,
        sockets: Vec<OwnedFd>,
    ) -> Result<Server, StartError> {
        Server::bind_parts(config, |handle| Some(handler(handle)), journal, sockets)
    }

    /// A handle; any number of them, on any threads.
    pub fn handle(&self) -> Handle {
        Handle { shared: self.shared.clone() }
    }

    /// Addresses of the public listeners, with the ports that port 0 has become.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        let public = self.event_loop.listeners().iter().filter(|listener| !listener.is_admin());
        public.filter_map(|listener| listener.tcp_address()).collect()
    }

    /// Address of the admin listener, if it is a TCP one.
    pub fn admin_address(&self) -> Option<SocketAddr> {
        let mut admin = self.event_loop.listeners().iter().filter(|listener| listener.is_admin());
        admin.find_map(|listener| listener.tcp_address().filter(|_| listener.has_all()))
    }

    /// Runs until the server has drained: the first reactor on this thread, each further one on a thread of its own.
    pub fn run(mut self) -> io::Result<()> {
        while self.poll_once(None)? {}
        Ok(())
    }

    /// Waits at most `timeout` for something to happen and does one turn of the first reactor. False: the server has
    /// drained. The other [`reactors`](Config::reactors) run on threads of their own from the first call on, unless the
    /// host has [taken](Self::take_reactors) them.
    ///
    /// # Errors
    /// The system's; or that another reactor has panicked.
    pub fn poll_once(&mut self, timeout: Option<Duration>) -> io::Result<bool> {
        self.others.start()?;
        self.pin.take()?;
        let goes_on = self.event_loop.poll_once(timeout)?;
        self.others.check(&self.shared)?;
        if !goes_on {
            self.others.join();
        }
        Ok(goes_on)
    }

    /// A descriptor that becomes readable when [`poll_once`](Self::poll_once) has something to do, for a host
    /// that waits in its own epoll. It must also be polled when [`time_to_next`](Self::time_to_next) is over.
    pub fn descriptor(&self) -> RawFd {
        self.event_loop.descriptor()
    }

    /// Takes the reactors beside the first one, for the host to drive each by a loop of its own: one after the other on
    /// one thread, or on several. There are none with one reactor, when they have been taken already, and once the
    /// server was polled.
    pub fn take_reactors(&mut self) -> Vec<ReactorLoop> {
        self.others.take()
    }

    /// [`descriptor`](Self::descriptor), and behind it those of the reactors that can still be
    /// [taken](Self::take_reactors).
    pub fn descriptors(&self) -> Vec<RawFd> {
        std::iter::once(self.descriptor()).chain(self.others.descriptors()).collect()
    }

    /// How long the server can do without being polled, if nothing happens.
    pub fn time_to_next(&self) -> Option<Duration> {
        self.event_loop.time_to_next()
    }
}

/// Handles that are still held answer that the server has stopped, also when the reactor has panicked.
impl Drop for Server {
    fn drop(&mut self) {
        // Questions among them are answered with that.
        drop(self.shared.end());
        self.others.stop(&self.shared);
    }
}

/// Gives reactors the thread that reads published keys, which is one for all of them.
#[cfg(feature = "auth")]
fn key_reader(shared: &Arc<Shared>) -> impl Fn(&mut Reactor<Stream>) + use<> {
    let reader = Arc::new(Mutex::new(keys::reader(shared.clone())));
    move |reactor| {
        let reader = reader.clone();
        let read = move |source: &str| (reader.lock().unwrap_or_else(PoisonError::into_inner))(source);
        reactor.set_key_reader(Box::new(read));
    }
}

#[cfg(not(feature = "auth"))]
fn key_reader(_shared: &Arc<Shared>) -> impl Fn(&mut Reactor<Stream>) + use<> {
    |_reactor| {}
}

/// Gives reactors the threads that ask and tell the backend, which are the same for all of them.
#[cfg(feature = "backend")]
fn backend_of(shared: &Arc<Shared>) -> impl Fn(&mut Reactor<Stream>) + use<> {
    let threads = Arc::new(Mutex::new(backend::Threads::new(shared.clone())));
    move |reactor| reactor.set_backend(Box::new(threads.clone()))
}

#[cfg(not(feature = "backend"))]
fn backend_of(_shared: &Arc<Shared>) -> impl Fn(&mut Reactor<Stream>) + use<> {
    |_reactor| {}
}

/// The kernel's support for TLS connections. Most don't have the module loaded, and all works without.
fn kernel_tls(journal: &mut Journal, now: Time) -> KernelSupport {
    match KernelSupport::probe() {
        Ok(offer) => {
            let fields: [(&str, &dyn fmt::Display); 2] = [("suites", &offer), ("new_keys", &offer.new_keys)];
            journal.event(now, LogLevel::Debug, "kernel_tls", &fields);
            offer
        }
        Err(e) => {
            journal.event(now, LogLevel::Debug, "no_kernel_tls", &[("problem", &e)]);
            KernelSupport::NONE
        }
    }
}

/// Pushes into a server, from any thread. Never waits for the network.
///
/// One thread's requests happen in their order: a publication reaches a connection before a message to it, the end
/// of a subscription or a close that the thread asks for behind it, and one before a [`subscribe`](Self::subscribe)
/// doesn't reach it.
///
/// Once the server has drained or was dropped, everything answers [`PushError::Stopped`].
///
/// ```no_run
/// use wspush::{Handle, Message, PushError};
///
/// fn order_shipped(handle: &Handle, user: &str) -> Result<(), PushError> {
///     handle.broadcast(Message::Text("one more parcel is on its way"))?;
///     let receipt = handle.publish(&format!("user.{user}"), Message::Text("yours"))?;
///     println!("publication {} of {}", receipt.offset, receipt.channel);
///     Ok(())
/// }
/// ```
#[derive(Clone)]
pub struct Handle {
    shared: Arc<Shared>,
}

impl Handle {
    /// Publishes to the default channel, which everybody on `/ws` receives. Where several servers are one
    /// ([`Config::cluster`](crate::Config::cluster)) the receipt of this and of all that publishes has its id, and no
    /// place yet: epoch and offset are 0, and [`delivery`](Self::delivery) has the offset when it has come back.
    pub fn broadcast(&self, message: Message<'_>) -> Result<Receipt, PushError> {
        self.publish_with(None, message, PushOptions::default())
    }

    /// Publishes to a named channel.
    pub fn publish(&self, channel: &str, message: Message<'_>) -> Result<Receipt, PushError> {
        self.publish_with(Some(channel), message, PushOptions::default())
    }

    /// As [`publish`](Self::publish), with options; without a channel to the default one.
    pub fn publish_with(
        &self,
        channel: Option<&str>,
        message: Message<'_>,
        options: PushOptions,
    ) -> Result<Receipt, PushError> {
        // Copied and encoded here, outside the lock and on the caller's time.
        self.shared.publish(channel, Publication::new(message, options)?, unix_us(), Wake::Yes)
    }

    /// Sends to one connection. That it exists is seen by the server's thread only: a message to one that has gone
    /// is dropped, and one to a client that doesn't read closes it (1013). The id 0, which is no connection's, is an
    /// error at once, here and in the methods below.
    pub fn send(&self, conn: ConnId, message: Message<'_>) -> Result<(), PushError> {
        self.send_with(conn, message, PushOptions::default())
    }

    /// As [`send`](Self::send), with options.
    pub fn send_with(
        &self,
        conn: ConnId,
        message: Message<'_>,
        options: PushOptions,
    ) -> Result<(), PushError> {
        let publication = Publication::to_one(message, options)?;
        check_conn(conn)?;
        self.shared.command(Command::Send { conn, publication })
    }

    /// Closes a connection; nothing happens if it has gone already.
    pub fn close(&self, conn: ConnId, code: CloseCode, reason: &str) -> Result<(), PushError> {
        check_conn(conn)?;
        self.shared.command(Command::Close { conn, code, reason: reason.to_owned() })
    }

    /// Says whether a client may come in whose handshake waits ([`Decision::Pending`]). It
    /// changes nothing about one that has gone, or was refused because `handshake_ms` was over.
    ///
    /// ```no_run
    /// # fn decide(handle: wspush::Handle, conn: wspush::ConnId) -> Result<(), wspush::PushError> {
    /// use wspush::{Accept, Decision};
    ///
    /// std::thread::spawn(move || {
    ///     // Here the database is asked.
    ///     handle.decide(conn, Decision::Accept(Accept { user: Some("ada".into()), ..Accept::default() }))
    /// });
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`PushError::NoSuchConnection`] for 0, [`PushError::InboxFull`], [`PushError::Stopped`].
    pub fn decide(&self, conn: ConnId, decision: Decision) -> Result<(), PushError> {
        check_conn(conn)?;
        self.shared.command(Command::Decide { conn, decision: Box::new(decision) })
    }

    /// Lets a connection receive a channel from now on.
    ///
    /// # Errors
    /// [`PushError::InboxFull`], also if the channel is new and another reactor has no room to hear of it;
    /// [`PushError::TooManyChannels`]: it is new, and somebody needs each of those that there are. If another thread
    /// takes the last place before this call is carried out, the log says `not_subscribed`.
    pub fn subscribe(&self, conn: ConnId, channel: &str) -> Result<(), PushError> {
        self.subscribe_since(conn, channel, Since::Head)
    }

    /// Lets a connection receive a channel from there on. Nothing happens if it does already.
    pub fn subscribe_since(&self, conn: ConnId, channel: &str, since: Since) -> Result<(), PushError> {
        check_conn(conn)?;
        check_channel(channel)?;
        self.shared.check_channel_room(channel)?;
        self.shared.command(Command::Subscribe { conn, channel: channel.to_owned(), since })
    }

    /// Lets it receive the channel no more.
    pub fn unsubscribe(&self, conn: ConnId, channel: &str) -> Result<(), PushError> {
        check_conn(conn)?;
        check_channel(channel)?;
        self.shared.command(Command::Unsubscribe { conn, channel: channel.to_owned() })
    }

    /// The server's numbers as of its last turn.
    pub fn stats(&self) -> Stats {
        self.shared.stats()
    }

    /// How far a publication has come, as of the server's last turn; None if it wasn't logged yet or is not among
    /// the newest 4,096.
    pub fn delivery(&self, receipt: &Receipt) -> Option<Delivery> {
        self.delivery_of(receipt.id)
    }

    /// As [`delivery`](Self::delivery), for those who kept only the receipt's id.
    pub fn delivery_of(&self, receipt_id: u64) -> Option<Delivery> {
        self.shared.delivery(receipt_id)
    }

    /// Begins the end: no more connections and pushes; what was pushed still goes out, then everybody gets a close
    /// frame with 1001, and after `drain_ms` whoever is left is cut off.
    pub fn drain(&self) {
        self.shared.drain(None);
    }

    /// As [`drain`](Self::drain), with another drain time. A drain under way can be shortened so.
    pub fn drain_within(&self, time: Duration) {
        let time_ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX).min(DRAIN_MS.max);
        self.shared.drain(Some(time_ms));
    }

    /// Takes over those settings of `config` that can change while running; the log says which could not. Certificates
    /// and keys are read again, on the caller's time; with one that is not what it should be nothing changes at all,
    /// and the log says why.
    pub fn reload(&self, config: Config) -> Result<(), PushError> {
        self.shared.command(Command::Reload(Box::new(Renewed::read(demo::with_rules(config), unix_us()))))
    }

    /// Writes the logs into `state_file` while the server goes on, for a successor if this server dies. The log says
    /// when it is done (`state_saved`), or why not. The successor has what was published until then, under new epochs:
    /// it can't know whether more was published, so nobody's position counts as recovered. A server that drains writes
    /// its final state in any case, whose epochs go on. Asked again meanwhile, it is written once more.
    pub fn save_state(&self) -> Result<(), PushError> {
        self.shared.command(Command::SaveState)
    }

    /// Has the log say that there was no [`reload`](Self::reload), because the settings could not be read.
    pub fn not_reloaded(&self, problem: &ConfigError) -> Result<(), PushError> {
        self.shared.command(Command::Reload(Box::new(Err(problem.to_string()))))
    }
}

/// A variable that was never set must not pass for a connection that has gone.
fn check_conn(conn: ConnId) -> Result<(), PushError> {
    if conn == ConnId(0) { Err(PushError::NoSuchConnection) } else { Ok(()) }
}

fn check_channel(name: &str) -> Result<(), PushError> {
    if crate::config::channel_name_ok(name) { Ok(()) } else { Err(PushError::BadChannel) }
}

fn unix_us() -> u64 {
    micros(sys::calendar())
}
