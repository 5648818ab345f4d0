//! The embedder's side: a [`Server`] to run and a [`Handle`] to push with.

#[cfg(feature = "backend")]
mod backend;
mod flow;
#[cfg(feature = "auth")]
#[cfg(feature = "auth")]
pub mod keys;
mod listeners;
mod publishing;
mod reads;
mod routes;
mod start;
mod tuning;
mod users;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{OwnedFd, RawFd};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use mio::{Poll, Waker};

use crate::auth;
use crate::config::{Config, ConfigError, KernelTls, LogLevel};
use crate::endpoint::{ConnId, Decision, Handler, Receipt, RouteError, Stats, demo};
use crate::journal::Journal;
use crate::limits::DRAIN_MS;
use crate::protocol::close::CloseCode;
use crate::push::{Delivery, Message, Publication, PushError, PushOptions, Since};
use crate::reactor::REFUSALS_MAX;
use crate::reactor::event_loop::{Clock, EventLoop, WAKER};
use crate::reactor::ktls::KernelSupport;
use crate::reactor::reload::Renewed;
use crate::reactor::{Command, Host, Reactor, Shared, Wake, sys};
use crate::time::{Time, micros};
use crate::tls::{self, TlsError};

use start::Room;

/// Descriptors that the process needs for other things than connections, those that are only there to be refused
/// among them: strangers must not take what the admin listener needs.
const DESCRIPTORS_ASIDE: usize = 64;
const _: () = assert!(REFUSALS_MAX <= DESCRIPTORS_ASIDE / 2);

/// Why a server could not be started.
///
/// ```
/// use wspush::{Config, Server, StartError};
///
/// let config = Config { max_connections: 0, ..Config::default() };
/// match Server::bind(config) {
///     Err(StartError::Config(error)) => assert_eq!(error.key, "max_connections"),
///     Err(other) => panic!("{other}"),
///     Ok(_) => panic!("there are no servers for nobody"),
/// }
/// ```
#[derive(Debug)]
pub enum StartError {
    /// A setting is out of range, or doesn't go with another.
    Config(ConfigError),
    /// A certificate or a key is not what it should be.
    Tls(TlsError),
    /// A route of the host's is at odds with the settings.
    Route(RouteError),
    /// An address could not be listened on.
    Listen {
        /// The address.
        address: String,
        /// The system's error.
        error: io::Error,
    },
    /// The system refused something else.
    System(io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::Config(error) => error.fmt(f),
            StartError::Tls(error) => error.fmt(f),
            StartError::Route(error) => error.fmt(f),
            StartError::Listen { address, error } => write!(f, "cannot listen on {address}: {error}"),
            StartError::System(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for StartError {}

impl From<io::Error> for StartError {
    fn from(error: io::Error) -> StartError {
        StartError::System(error)
    }
}

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
        config.validate().map_err(StartError::Config)?;
        let config = demo::with_rules(config);
        let stderr = || Journal::writer(config.log_level, Box::new(sys::Stderr));
        let mut journal = journal.unwrap_or_else(stderr);
        journal.set_format(config.log_format);
        let limit = sys::raise_descriptor_limit()?;
        let clock = Clock::start();
        let now = clock.now();
        let poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), WAKER)?;
        // A reactor that can't be woken is gone, and its commands with it.
        let wake = move || drop(waker.wake());
        let shared = Arc::new(Shared::new(&config, now.unix_us, Box::new(wake)));
        let tls = tls::load(&config, now.unix_us / 1_000_000).map_err(StartError::Tls)?;
        let verifier = auth::load(&config).map_err(StartError::Config)?;
        let (listeners, warnings) = listeners::open(&config, sockets)?;

        let aside = DESCRIPTORS_ASIDE + config.admin_connections_max;
        let descriptors = usize::try_from(limit).unwrap_or(usize::MAX).saturating_sub(aside).max(1);
        let room = Room { descriptors: limit, aside, connections: descriptors };
        start::announce(&mut journal, now, &config, &listeners, &room);
        for warning in &warnings {
            warning.log(&mut journal, now);
        }
        for warning in &tls.warnings {
            journal.event(now, LogLevel::Warn, "certificate", &[("problem", warning)]);
        }
        start::announce_url(&mut journal, now, &config, &listeners);
        let offer = match config.kernel_tls {
            KernelTls::Auto if tls.acceptor.is_some() => kernel_tls(&mut journal, now),
            KernelTls::Auto | KernelTls::Off => KernelSupport::NONE,
        };
        let handler = handler(Handle { shared: shared.clone() });
        let mut reactor = Reactor::new(config, shared.clone(), Host { handler, journal, descriptors }, now);
        reactor.check_routes().map_err(StartError::Route)?;
        reactor.load_state();
        reactor.set_kernel_tls(offer);
        reactor.set_acceptor(tls.acceptor);
        reactor.set_verifier(verifier);
        #[cfg(feature = "auth")]
        reactor.set_key_reader(keys::reader(shared.clone()));
        #[cfg(feature = "backend")]
        reactor.set_backend(Box::new(backend::Threads::new(shared.clone())));
        reactor.set_admin_url(start::admin_url(&listeners));
        let event_loop = EventLoop::new(poll, listeners, reactor, clock)?;
        Ok(Server { event_loop, shared })
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
        self.event_loop.listeners().iter().find(|listener| listener.is_admin())?.tcp_address()
    }

    /// Runs until the server has drained.
    pub fn run(mut self) -> io::Result<()> {
        while self.event_loop.poll_once(None)? {}
        Ok(())
    }

    /// Waits at most `timeout` for something to happen and does one turn. False: the server has drained.
    pub fn poll_once(&mut self, timeout: Option<Duration>) -> io::Result<bool> {
        self.event_loop.poll_once(timeout)
    }

    /// A descriptor that becomes readable when [`poll_once`](Self::poll_once) has something to do, for a host
    /// that waits in its own epoll. It must also be polled when [`time_to_next`](Self::time_to_next) is over.
    pub fn descriptor(&self) -> RawFd {
        self.event_loop.descriptor()
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
    }
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
    /// Publishes to the default channel, which everybody on `/ws` receives.
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
    pub fn subscribe(&self, conn: ConnId, channel: &str) -> Result<(), PushError> {
        self.subscribe_since(conn, channel, Since::Head)
    }

    /// Lets a connection receive a channel from there on. Nothing happens if it does already.
    pub fn subscribe_since(&self, conn: ConnId, channel: &str, since: Since) -> Result<(), PushError> {
        check_conn(conn)?;
        check_channel(channel)?;
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
    micros(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}
