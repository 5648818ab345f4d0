//! A server's reactors: the first one, which is driven by whoever runs the server, and the others, each on a thread of
//! its own.

use std::io;
use std::os::fd::{OwnedFd, RawFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use mio::{Poll, Waker};

use super::cpus::{Pin, check_cpus, keep_cpus};
use super::joining::Joining;
use super::listeners::Warning;
use super::memory::Plan;
use super::predecessor::Predecessor;
use super::reactor_loop::ReactorLoop;
use super::start::Room;
use super::{
    DESCRIPTORS_ASIDE, Handle, Server, StartError, backend_of, kernel_tls, key_reader, listeners, start,
};
use crate::auth;
use crate::config::{Config, KernelTls, LogLevel};
use crate::endpoint::{Handler, demo};
use crate::journal::Journal;
use crate::reactor::doors::Doors;
use crate::reactor::event_loop::{Clock, EventLoop, WAKER};
use crate::reactor::ktls::KernelSupport;
use crate::reactor::listener::Listener;
use crate::reactor::shared::WakeUp;
use crate::reactor::{Host, Reactor, Shared, Stream, sys};
use crate::time::Time;
use crate::tls;

/// The reactors beside the first one.
pub(super) struct Others {
    /// Those that have no thread yet.
    loops: Vec<ReactorLoop>,
    threads: Vec<JoinHandle<()>>,
}

impl Others {
    /// Gives each of them a thread, if nobody drives it.
    pub(super) fn start(&mut self) -> io::Result<()> {
        for event_loop in self.loops.drain(..) {
            let name = format!("reactor-{}", event_loop.number());
            self.threads.push(thread::Builder::new().name(name).spawn(move || drive(event_loop))?);
        }
        Ok(())
    }

    /// Those that nobody drives.
    pub(super) fn take(&mut self) -> Vec<ReactorLoop> {
        std::mem::take(&mut self.loops)
    }

    /// The descriptors of those.
    pub(super) fn descriptors(&self) -> impl Iterator<Item = RawFd> {
        self.loops.iter().filter_map(ReactorLoop::descriptor)
    }

    /// Whether all of them are well.
    pub(super) fn check(&self, shared: &Shared) -> io::Result<()> {
        match shared.failure() {
            Some(problem) => Err(io::Error::other(problem)),
            None => Ok(()),
        }
    }

    /// Waits for them to come to their end, which has begun.
    pub(super) fn join(&mut self) {
        for thread in self.threads.drain(..) {
            // A panic has been caught.
            let _ = thread.join();
        }
    }

    /// Ends them at once.
    pub(super) fn stop(&mut self, shared: &Shared) {
        shared.abandon();
        self.loops.clear();
        self.join();
    }
}

/// Drives one of them to its end. The first reactor is told of what goes wrong.
fn drive(event_loop: ReactorLoop) {
    sys::block_signals();
    let _ = catch_unwind(AssertUnwindSafe(|| event_loop.run()));
}

impl Server {
    /// The process that has taken over from this server, which comes to its end then ([`run`](Self::run) returns): its
    /// supervisor wants to know.
    pub fn successor(&self) -> Option<u32> {
        self.event_loop.successor()
    }

    /// How many connections a running server has handed to this one as it started, by the setting
    /// [`handover`](crate::Config); None: there was none to take over from. The [`Handler`] hears of each of them
    /// ([`on_taken_over`](Handler::on_taken_over)) in the first turn.
    ///
    /// ```no_run
    /// use wspush::{Config, Server};
    ///
    /// let config = Config { handover: Some("unix:/run/chat/handover.sock".into()), ..Config::default() };
    /// let server = Server::bind(config)?;
    /// match server.handed_over() {
    ///     Some(connections) => println!("{connections} clients have noticed nothing"),
    ///     None => println!("nobody was there yet"),
    /// }
    /// # Ok::<(), wspush::StartError>(())
    /// ```
    pub fn handed_over(&self) -> Option<usize> {
        self.taken_over
    }

    /// Binds a server. `handler` makes one for each reactor; None: there is no further one.
    pub(super) fn bind_parts(
        config: Config,
        mut handler: impl FnMut(Handle) -> Option<Box<dyn Handler>>,
        journal: Option<Journal>,
        sockets: Vec<OwnedFd>,
    ) -> Result<Server, StartError> {
        config.validate().and_then(|()| check_cpus(&config)).map_err(StartError::Config)?;
        let (memory, config) = Plan::make(demo::with_rules(config)).map_err(StartError::Config)?;
        let stderr = || Journal::writer(config.log_level, Box::new(sys::Stderr));
        let mut journal = journal.unwrap_or_else(stderr);
        journal.set_format(config.log_format);
        let limit = sys::raise_descriptor_limit()?;
        let clock = Clock::start();
        let now = clock.now();
        let Polls { polls, wakes, doors } = Polls::new(&config)?;
        let mut joining = Joining::begin(&config, now.unix_us)?;
        let shared = Arc::new(Shared::of_several(&config, joining.default_epoch(now.unix_us), wakes));
        keep_cpus(&config, &shared)?;
        let tls = tls::load(&config, now.unix_us / 1_000_000).map_err(StartError::Tls)?;
        let verifier = auth::load(&config).map_err(StartError::Config)?;
        let mut predecessor = Predecessor::ask(&config)?;
        let clock = predecessor.clock().unwrap_or(clock);
        let now = clock.now();
        let (listeners, warnings) = listeners::open(&config, sockets, predecessor.take_listeners())?;

        let aside = DESCRIPTORS_ASIDE + config.admin_connections_max + 3 * (polls.len() - 1);
        let descriptors = usize::try_from(limit).unwrap_or(usize::MAX).saturating_sub(aside).max(1);
        let room =
            Room { descriptors: limit, aside, connections: descriptors, was_set: memory.has_connections_set };
        start::announce(&mut journal, now, &config, &listeners, &room);
        memory.announce(&mut journal, now, &config);
        warn(&mut journal, now, &warnings, &tls.warnings);
        start::announce_url(&mut journal, now, &config, &listeners);
        let offer = match config.kernel_tls {
            KernelTls::Auto if tls.acceptor.is_some() => kernel_tls(&mut journal, now),
            KernelTls::Auto | KernelTls::Off => KernelSupport::NONE,
        };
        let admin_url = start::admin_url(&listeners);
        let journals = journal.divide(polls.len());
        joining.follow(&shared);
        let mut reactors: Vec<Box<Reactor<Stream>>> = Vec::with_capacity(polls.len());
        for (n, journal) in journals.into_iter().enumerate() {
            let handler = match handler(Handle { shared: shared.clone() }) {
                Some(handler) => handler,
                // Without a host there is nothing that they could share.
                None if !reactors[0].is_of_host() => Box::new(()),
                None => return Err(StartError::Config(config.needs_handlers())),
            };
            let host = Host { handler, journal, descriptors };
            let mut reactor = Box::new(Reactor::nth(n, config.clone(), shared.clone(), host, now));
            begin(&mut reactor, reactors.first().map(|first| &**first), &mut predecessor)?;
            reactor.watch_memory(memory.machine.clone(), memory.bounds);
            reactor.set_kernel_tls(offer);
            reactor.set_acceptor(tls.acceptor.clone());
            reactor.set_verifier(verifier.clone());
            reactor.set_admin_url(admin_url.clone());
            reactors.push(reactor);
        }
        let (key_reader, backend) = (key_reader(&shared), backend_of(&shared));
        reactors.iter_mut().for_each(|reactor| {
            key_reader(reactor);
            backend(reactor);
        });
        let taken_over = predecessor.complete(&mut reactors)?;
        joining.warm(&shared, &mut reactors)?;
        let loops = put_together(polls, reactors, listeners, doors.as_ref(), clock)?;
        let mut loops = predecessor.take_over(loops, &config)?;
        let first = loops.remove(0);
        Ok(among(first, loops, &config, (shared, taken_over)))
    }
}

/// The first one with the server, the others beside it.
fn among(
    event_loop: EventLoop,
    others: Vec<EventLoop>,
    config: &Config,
    (shared, taken_over): (Arc<Shared>, Option<usize>),
) -> Server {
    let further = |(n, further)| ReactorLoop::new(further, n + 1, shared.clone(), Pin::of(config, n + 1));
    let loops = others.into_iter().enumerate().map(further).collect();
    let others = Others { loops, threads: Vec::new() };
    Server { event_loop, shared, others, pin: Pin::of(config, 0), taken_over }
}

/// Says what works all the same, and should not stay so.
fn warn(journal: &mut Journal, now: Time, warnings: &[Warning], certificates: &[String]) {
    for warning in warnings {
        warning.log(journal, now);
    }
    for warning in certificates {
        journal.event(now, LogLevel::Warn, "certificate", &[("problem", warning)]);
    }
}

/// Lets a reactor begin with what a predecessor has left, which the first one reads.
fn begin(
    reactor: &mut Reactor<Stream>,
    first: Option<&Reactor<Stream>>,
    predecessor: &mut Predecessor,
) -> Result<(), StartError> {
    if first.is_none() {
        reactor.check_routes().map_err(StartError::Route)?;
    }
    let is_filled = predecessor.fill(reactor)?;
    match first {
        _ if is_filled => {}
        None => reactor.load_state(),
        Some(first) => reactor.adopt_state(first),
    }
    Ok(())
}

/// Each reactor under its poll; the first one has the listeners.
fn put_together(
    polls: Vec<Poll>,
    reactors: Vec<Box<Reactor<Stream>>>,
    listeners: Vec<Listener>,
    doors: Option<&Doors>,
    clock: Clock,
) -> io::Result<Vec<EventLoop>> {
    let (mut listeners, mut loops) = (Some(listeners), Vec::with_capacity(polls.len()));
    for (n, (poll, reactor)) in polls.into_iter().zip(reactors).enumerate() {
        let event_loop = EventLoop::new(poll, listeners.take().unwrap_or_default(), reactor, clock)?;
        loops.push(match doors {
            Some(doors) => event_loop.with_doors(doors.of(n)),
            None => event_loop,
        });
    }
    Ok(loops)
}

/// The poll of each reactor, its waker, and the door by which newcomers come to it.
struct Polls {
    polls: Vec<Poll>,
    wakes: Vec<WakeUp>,
    doors: Option<Doors>,
}

impl Polls {
    fn new(config: &Config) -> io::Result<Polls> {
        let reactors = config.reactors.count();
        let (mut polls, mut wakes, mut door_wakes) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..reactors {
            let poll = Poll::new()?;
            let waker = Arc::new(Waker::new(poll.registry(), WAKER)?);
            let again = waker.clone();
            // A reactor that can't be woken is gone, and its commands with it.
            let wake: WakeUp = Box::new(move || drop(waker.wake()));
            let door_wake: WakeUp = Box::new(move || drop(again.wake()));
            polls.push(poll);
            wakes.push(wake);
            door_wakes.push(door_wake);
        }
        let doors = (reactors > 1).then(|| Doors::new(door_wakes));
        let doors = match config.reactor_incoming_cpu {
            true => doors.map(|doors| doors.on_cpus(&config.reactor_cpus)),
            false => doors,
        };
        Ok(Polls { polls, wakes, doors })
    }
}
