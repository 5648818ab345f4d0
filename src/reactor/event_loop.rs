//! The reactor on Linux: mio's poll, the listeners, the clock.

use std::fmt::Display;
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::time::{Duration, Instant};

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};

use crate::config::LogLevel;
use crate::metrics::{CpuPurpose, PauseReason};
use crate::narrow;
use crate::time::{Time, earliest, micros};

use super::anteroom::{self, Anteroom, Seen};
use super::doors::{Doors, Newcomer};
use super::events::Readiness;
use super::listener::{Listener, Origin};
use super::reactor::{ListenerRole, Reactor, Turn};
use super::socket::Stream;
use super::sys;

/// Events taken from the kernel at once.
const EVENTS: usize = 1_024;

/// The waker's token; listeners count down from below it, connections have their slots' numbers.
pub const WAKER: Token = Token(usize::MAX);

/// Tokens from here on are no connections'.
const FIRST_OTHER: usize = usize::MAX / 2 + 1;

/// When there are no descriptors left, accepting is tried again after so long, and whenever a connection of ours
/// has ended: others in the process may have given some back.
const RETRY_MS: u64 = 250;

/// Where the time comes from.
#[derive(Clone, Copy, Debug)]
pub struct Clock(pub(super) Instant);

impl Clock {
    /// A clock that starts at zero.
    pub fn start() -> Clock {
        Clock(Instant::now())
    }

    /// The time.
    pub fn now(&self) -> Time {
        Time { mono_us: micros(self.0.elapsed()), unix_us: micros(sys::calendar()) }
    }
}

/// A reactor with its sockets.
pub struct EventLoop {
    pub(super) poll: Poll,
    events: Events,
    pub(super) listeners: Vec<Listener>,
    /// Several thousand bytes, which a small machine has no room for on its stack.
    pub(super) reactor: Box<Reactor<Stream>>,
    pub(super) clock: Clock,
    last: Turn,
    removed: u64,
    handed_over: bool,
    /// How many of the events are handled already.
    handled: usize,
    /// Proxies that have not said yet for whom they speak.
    pub(super) anteroom: Anteroom,
    /// The outcomes of this turn's looks at them.
    seen: Vec<Seen>,
    /// By which newcomers come to the others, or from the first one.
    pub(super) doors: Option<Doors>,
    /// How many of those that have come are gone, as the doors know it.
    gone: u64,
    /// Its part in a hand-over.
    #[cfg(feature = "handover")]
    pub(super) handing: super::handover::Handing,
}

impl EventLoop {
    /// Puts listeners and reactor under one poll.
    pub fn new(
        poll: Poll,
        listeners: Vec<Listener>,
        mut reactor: Box<Reactor<Stream>>,
        clock: Clock,
    ) -> io::Result<EventLoop> {
        reactor.set_cpu_clock(sys::thread_cpu_ns);
        for (n, listener) in listeners.iter().enumerate() {
            let fd = listener.socket.as_raw_fd();
            poll.registry().register(&mut SourceFd(&fd), listener_token(n), Interest::READABLE)?;
        }
        let last = Turn { busy: true, due_ms: None, finished: false };
        Ok(EventLoop {
            poll,
            events: Events::with_capacity(EVENTS),
            listeners,
            reactor,
            clock,
            last,
            removed: 0,
            handed_over: false,
            handled: 0,
            anteroom: Anteroom::default(),
            seen: Vec::new(),
            doors: None,
            gone: 0,
            #[cfg(feature = "handover")]
            handing: super::handover::Handing::default(),
        })
    }

    /// The same among several reactors.
    pub fn with_doors(self, doors: Doors) -> EventLoop {
        EventLoop { doors: Some(doors), ..self }
    }

    /// Where the listeners listen.
    pub fn listeners(&self) -> &[Listener] {
        &self.listeners
    }

    /// The reactor.
    pub fn reactor(&mut self) -> &mut Reactor<Stream> {
        &mut self.reactor
    }

    /// The poll's own descriptor: readable when there is something to do, for a host with its own loop.
    pub fn descriptor(&self) -> RawFd {
        self.poll.as_raw_fd()
    }

    /// How long the reactor can wait before it must be polled again even if nothing happens.
    pub fn time_to_next(&self) -> Option<Duration> {
        if self.last.busy
            || self.has_events()
            || self.listeners.iter().any(|l| l.waiting && l.retry_ms.is_none())
        {
            return Some(Duration::ZERO);
        }
        let retries = self.listeners.iter().map(|listener| listener.retry_ms);
        let proxies = self.anteroom.due_ms(self.reactor.config().handshake_ms);
        let due_ms = earliest(retries.chain([self.last.due_ms, proxies, self.succession_due_ms()]))?;
        let now_us = self.clock.now().mono_us;
        Some(Duration::from_micros((due_ms * 1000).saturating_sub(now_us)))
    }

    /// Waits for something to happen, at most `timeout` (None: as long as it takes), and does one turn.
    /// False: the server has drained.
    pub fn poll_once(&mut self, timeout: Option<Duration>) -> io::Result<bool> {
        self.reactor.begin_cpu();
        if self.stands_still(timeout) {
            return Ok(true);
        }
        if !self.has_events() {
            let timeout = match (self.time_to_next(), timeout) {
                (Some(own), Some(timeout)) => Some(own.min(timeout)),
                (own, timeout) => own.or(timeout),
            };
            self.handled = 0;
            self.reactor.metrics().wakeups += u64::from(!self.last.busy);
            match self.poll.poll(&mut self.events, timeout) {
                Err(e) if e.kind() != io::ErrorKind::Interrupted => return Err(e),
                _ => {}
            }
        }
        let now = self.clock.now();
        self.reactor.set_now(now);
        if self.doors.is_some() {
            self.reactor.carry_out_before_events();
        }
        self.reactor.introduce_taken_over();
        self.reactor.spent_cpu(CpuPurpose::Other);
        self.take_events();
        self.reactor.spent_cpu(CpuPurpose::Read);
        self.accept(now.mono_ms());
        self.admit_newcomers();
        self.admit_proxied(now.mono_ms());
        self.reactor.spent_cpu(CpuPurpose::Accept);
        self.last = self.reactor.turn(now);
        self.reactor.show(self.clock.now());
        self.reactor.spent_cpu(CpuPurpose::Other);
        self.look_after_succession();
        if self.reactor.is_handing_over() && !self.handed_over {
            self.hand_over();
        }
        if self.reactor.is_draining() {
            self.shut_listeners();
        }
        if self.last.finished {
            self.reactor.end();
        }
        Ok(!self.last.finished)
    }

    /// Whether events are left from the turn before.
    fn has_events(&self) -> bool {
        self.events.iter().nth(self.handled).is_some()
    }

    /// Handles events as far as the turn goes; the others come first in the next one. That they are about somebody who
    /// is gone by then does no harm.
    fn take_events(&mut self) {
        for event in self.events.iter().skip(self.handled) {
            if !self.reactor.has_time() {
                self.reactor.leave_events();
                return;
            }
            self.handled += 1;
            let Token(token) = event.token();
            let ended = event.is_read_closed() || event.is_error();
            if token >= FIRST_OTHER {
                #[cfg(feature = "handover")]
                super::handover::Succession::note_call(&mut self.handing.succession, event.token());
                if let Some(key) = anteroom::key_of(token) {
                    let seen = self.anteroom.take_event(self.poll.registry(), key, ended);
                    self.seen.push(seen);
                } else if let Some(listener) = self.listeners.get_mut((WAKER.0 - 1).wrapping_sub(token)) {
                    listener.waiting = true;
                }
                continue;
            }
            let (readable, writable) = (event.is_readable(), event.is_writable());
            self.reactor.take_event(token, Readiness { readable, writable, ended });
        }
    }

    /// From now on newcomers go to the successor. What is on its way to us is still taken in.
    fn hand_over(&mut self) {
        self.handed_over = true;
        for listener in &self.listeners {
            if let Err(e) = listener.hand_over() {
                let now = self.reactor.now();
                let fields: [(&str, &dyn Display); 2] = [("listener", listener.address()), ("problem", &e)];
                self.reactor.journal().event(now, LogLevel::Warn, "not_handed_over", &fields);
            }
        }
    }

    /// Closes the listeners that let nobody in any more, and those that a successor may have: that tells newcomers at
    /// once, and lets it have the addresses.
    ///
    /// An inherited socket, or one that a forked child has a copy of, lives on when ours is closed. So it is taken out
    /// of the poll, which would go on reporting it, and what is ours stops to listen whoever has a copy.
    fn shut_listeners(&mut self) {
        let (reactor, registry) = (&self.reactor, self.poll.registry());
        let is_shut =
            |listener: &mut Listener| reactor.is_shut(listener.role) || listener.origin() != Origin::Bound;
        let shut: Vec<Listener> = self.listeners.extract_if(.., is_shut).collect();
        for listener in &shut {
            listener.stop();
            let fd = listener.socket.as_raw_fd();
            // It is there; and if it weren't, there would be nothing to take out.
            let _ = registry.deregister(&mut SourceFd(&fd));
        }
        if shut.is_empty() {
            return;
        }
        // The places of the others are their tokens. One that could not be told so would hear of nobody any more, and
        // that is soon to come anyway.
        for (n, listener) in self.listeners.iter().enumerate() {
            let fd = listener.socket.as_raw_fd();
            let _ = registry.reregister(&mut SourceFd(&fd), listener_token(n), Interest::READABLE);
        }
    }

    /// Takes in those whom the first reactor has accepted for this one, and tells it of those that have gone.
    fn admit_newcomers(&mut self) {
        let Some(doors) = &self.doors else { return };
        let is_draining = self.reactor.is_draining();
        let newcomers = if is_draining { doors.close() } else { doors.take() };
        let mut gone = self.reactor.removed() - self.gone;
        self.gone = self.reactor.removed();
        for newcomer in newcomers {
            gone += u64::from(!admit(&self.poll, &mut self.reactor, newcomer, ListenerRole::Public));
        }
        doors.gone(narrow::to_usize(gone));
    }

    /// Takes in the clients for whom proxies speak.
    fn admit_proxied(&mut self, now_ms: u64) {
        if self.anteroom.is_empty() && self.seen.is_empty() {
            return;
        }
        let handshake_ms = self.reactor.config().handshake_ms;
        self.seen.extend(std::iter::from_fn(|| self.anteroom.take_due(now_ms, handshake_ms)));
        for seen in std::mem::take(&mut self.seen) {
            match seen {
                Seen::Nothing => {}
                Seen::Ready(newcomer) => {
                    let (doors, role) = (self.doors.as_ref(), ListenerRole::Public);
                    deal(&self.poll, doors, &mut self.reactor, newcomer, role);
                }
                Seen::Refused(peer, why) => self.reactor.refuse_proxy(why, peer),
            }
        }
    }

    /// Takes waiting connections, a listener's budget at most: the others want their turn as well.
    fn accept(&mut self, now_ms: u64) {
        let freed = self.reactor.removed() != self.removed;
        self.removed = self.reactor.removed();
        let budget = self.reactor.config().accept_budget;
        for listener in &mut self.listeners {
            if listener.retry_ms.is_some_and(|at_ms| freed || now_ms >= at_ms) {
                listener.retry_ms = None;
            }
            if !listener.waiting || listener.retry_ms.is_some() {
                continue;
            }
            for _ in 0..budget {
                match listener.accept() {
                    Ok((stream, peer)) => {
                        if std::mem::take(&mut listener.paused) {
                            let (now, address) = (self.reactor.now(), listener.address());
                            let fields: [(&str, &dyn Display); 1] = [("listener", address)];
                            self.reactor.journal().event(now, LogLevel::Info, "accept_resumed", &fields);
                        }
                        let newcomer =
                            Newcomer { stream, peer, tls: listener.tls, is_told: false, kind: listener.kind };
                        if listener.proxy {
                            let trusted = peer.filter(|peer| self.reactor.config().trusts(peer.ip()));
                            let registry = self.poll.registry();
                            self.seen.push(match trusted {
                                Some(_) => self.anteroom.enter(registry, newcomer, now_ms),
                                None => {
                                    Seen::Refused(peer, "a listener with proxy:// is for trusted_proxies")
                                }
                            });
                            continue;
                        }
                        let poll = &self.poll;
                        deal(poll, self.doors.as_ref(), &mut self.reactor, newcomer, listener.role);
                    }
                    Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                        listener.waiting = false;
                        break;
                    }
                    // The peer has gone, or its network is down, before we came to it: accept(2), "Error handling".
                    Err(e) if is_of_the_connection(&e) => self.reactor.metrics().accept_errors += 1,
                    Err(e) => {
                        listener.retry_ms = Some(now_ms + RETRY_MS);
                        listener.paused = true;
                        pause(&mut self.reactor, listener, &e, now_ms);
                        break;
                    }
                }
            }
        }
    }
}

fn listener_token(n: usize) -> Token {
    Token(usize::MAX - 1 - n)
}

/// Takes in a newcomer, or gives it to another reactor.
fn deal(
    poll: &Poll,
    doors: Option<&Doors>,
    reactor: &mut Reactor<Stream>,
    newcomer: Newcomer,
    role: ListenerRole,
) {
    let Some(doors) = doors else {
        admit(poll, reactor, newcomer, role);
        return;
    };
    if let Some(newcomer) = doors.deal(newcomer, role)
        && !admit(poll, reactor, newcomer, role)
    {
        doors.gone(1);
    }
}

/// Takes in a newcomer. False: there is no place for it.
fn admit(poll: &Poll, reactor: &mut Reactor<Stream>, newcomer: Newcomer, role: ListenerRole) -> bool {
    let Newcomer { stream, peer, tls, is_told, kind } = newcomer;
    let admitted = match tls {
        true => reactor.admit_tls(stream, role, peer),
        false => reactor.admit(stream, role, peer),
    };
    if let Some(index) = admitted {
        if let Some(peer) = peer.filter(|_| is_told) {
            reactor.told_peer(index, peer);
        }
        if role == ListenerRole::Admin {
            reactor.set_door(index, kind);
        }
        register(poll, reactor, index);
    }
    admitted.is_some()
}

/// Registers a new connection, once for all: edge-triggered, for reading and writing. Then looks for the request,
/// which with TCP_DEFER_ACCEPT is mostly there already.
fn register(poll: &Poll, reactor: &mut Reactor<Stream>, index: usize) {
    let Some(fd) = reactor.socket(index).map(|stream| stream.0.as_raw_fd()) else { return };
    let interest = Interest::READABLE | Interest::WRITABLE;
    match poll.registry().register(&mut SourceFd(&fd), Token(index), interest) {
        Ok(()) => reactor.take_event(index, Readiness::NEW),
        Err(e) => {
            let now = reactor.now();
            let fields: [(&str, &dyn Display); 1] = [("problem", &e)];
            reactor.journal().event(now, LogLevel::Error, "register_failed", &fields);
            reactor.metrics().accept_errors += 1;
            reactor.discard(index);
        }
    }
}

/// No descriptors or no memory: the connections there are go on, new ones wait in the kernel.
fn pause(reactor: &mut Reactor<Stream>, listener: &Listener, e: &io::Error, now_ms: u64) {
    let now = reactor.now();
    let connections = reactor.connections();
    let (reason, fix) = match e.raw_os_error() {
        Some(libc::EMFILE) => {
            (PauseReason::ProcessDescriptors, "raise the process's limit: ulimit -n, LimitNOFILE=")
        }
        Some(libc::ENFILE) => {
            (PauseReason::SystemDescriptors, "raise the system's limit: sysctl fs.file-max")
        }
        _ => (PauseReason::KernelMemory, "free memory for the kernel: sysctl net.ipv4.tcp_mem"),
    };
    debug_assert!(listener.retry_ms.is_some_and(|at_ms| at_ms > now_ms));
    let fields: [(&str, &dyn Display); 4] =
        [("listener", listener.address()), ("problem", e), ("connections", &connections), ("fix", &fix)];
    reactor.journal().event(now, LogLevel::Error, "accept_paused", &fields);
    reactor.metrics().accept_paused.bump(reason);
}

/// Whether a failed accept says something about that one connection only.
fn is_of_the_connection(e: &io::Error) -> bool {
    let passing = [
        libc::ECONNABORTED,
        libc::EPROTO,
        libc::EPERM,
        libc::EINTR,
        libc::ENETDOWN,
        libc::ENETUNREACH,
        libc::EHOSTDOWN,
        libc::EHOSTUNREACH,
        libc::ENONET,
        libc::ENOPROTOOPT,
        libc::EOPNOTSUPP,
    ];
    e.raw_os_error().is_some_and(|code| passing.contains(&code))
}
