//! A server: made, driven, stopped.

use std::sync::Arc;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::time::Duration;

use wspush::config::Config;
use wspush::endpoint::Router;
use wspush::journal::Journal;
use wspush::server::{Handle, Server};

use super::callbacks::wspush_callbacks;
use super::config::wspush_config;
use super::error::CallError;
use super::fork;
use super::host::{Host, is_reactor, log_sink};
use super::routes::Added;
use super::running::Running;
use super::status::*;
use super::text::wspush_str;

/// A push server. Its functions may be called from any thread unless they say otherwise, until it is freed.
pub struct wspush_server {
    pub(super) handle: Handle,
    running: Running,
    /// Of each reactor.
    descriptors: Vec<i32>,
    addresses: Vec<String>,
    admin_address: Option<String>,
    port: Option<u16>,
    /// Connections that a predecessor has handed over.
    handed_over: Option<usize>,
    /// The process it was made in.
    generation: u32,
}

impl wspush_server {
    /// Refuses a server that fork has copied.
    pub(super) fn check_process(&self) -> Result<(), CallError> {
        if self.generation == fork::generation() {
            Ok(())
        } else {
            Err(CallError::new(WSPUSH_EFORK, "the server belongs to the process this one was forked from"))
        }
    }
}

/// Refuses what would wait for itself.
fn not_in_callback() -> Result<(), CallError> {
    if is_reactor() {
        Err(CallError::new(WSPUSH_EWRONGTHREAD, "this cannot be done inside a callback"))
    } else {
        Ok(())
    }
}

/// Milliseconds; a negative number is no limit.
fn time(ms: i64) -> Option<Duration> {
    u64::try_from(ms).ok().map(Duration::from_millis)
}

/// Makes a server and binds its addresses; clients wait until it is started or polled. `config` may be NULL: the
/// defaults of `wspush_config_new`. `callbacks` may be NULL: the server pushes and ignores what clients say. Both are
/// copied. Raises the process's soft limit of descriptors to the hard one.
///
/// With the setting `reactors` at more than 1 the server has as many threads, and callbacks come from all of them at
/// the same time, those of one connection always from the same one; `user_data` is the same for all.
///
/// Free the server with `wspush_server_free`. `WSPUSH_ECONFIG`, `WSPUSH_ELISTEN`, `WSPUSH_ESYSTEM`:
/// `wspush_last_error` names the setting or the address. Any thread; a process may have several servers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_server_new(
    config: *const wspush_config,
    callbacks: *const wspush_callbacks,
    server: *mut *mut wspush_server,
) -> wspush_status {
    call!(config: optional, callbacks: optional_sized, server: place => {
        let (config, routes) = match config {
            Some(config) => (config.layers.finish()?, &config.routes.added[..]),
            None => (Config::default(), &[][..]),
        };
        fork::watch();
        let callbacks = callbacks.unwrap_or(wspush_callbacks::NONE);
        let shown = Arc::new(AtomicPtr::default());
        let host = |callbacks| Host { callbacks, server: shown.clone() };
        let mut routers = Vec::new();
        for _ in 0..config.reactors.count() {
            let mut router = Router::new(host(callbacks));
            for Added { route, callbacks } in routes {
                let added = router.add(route.clone(), host(*callbacks));
                added.map_err(|error| CallError::new(WSPUSH_ECONFIG, error.to_string()))?;
            }
            routers.push(router);
        }
        let journal = log_sink(callbacks).map(|sink| Journal::new(config.log_level, sink));
        let next = |_| Box::new(routers.pop().unwrap_or_else(|| Router::new(host(callbacks)))) as _;
        let bound = Server::bind_each(config, next, journal, Vec::new())?;
        let addresses = bound.addresses();
        let made = Box::into_raw(Box::new(wspush_server {
            handle: bound.handle(),
            descriptors: bound.descriptors(),
            addresses: addresses.iter().map(ToString::to_string).collect(),
            admin_address: bound.admin_address().map(|address| address.to_string()),
            port: addresses.first().map(std::net::SocketAddr::port),
            handed_over: bound.handed_over(),
            generation: fork::generation(),
            running: Running::new(bound),
        }));
        shown.store(made, Ordering::Release);
        server.put(made);
        Ok(WSPUSH_OK)
    })
}

/// Gives the server a thread of its own, on which callbacks run and which blocks all signals; with `reactors` at more
/// than 1 as many. `WSPUSH_ESTATE`: it has one already, or is being polled. `WSPUSH_EWRONGTHREAD` inside a callback.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_server_start(server: *mut wspush_server) -> wspush_status {
    call!(server: server => {
        not_in_callback()?;
        server.running.start()?;
        Ok(WSPUSH_OK)
    })
}

/// Instead of starting it: does one turn of the server on this thread, and waits at most `timeout_ms` for something to
/// do (0: not at all; negative: as long as it takes). Callbacks run inside; with `reactors` at more than 1 the others
/// have threads of their own from the first call on, on which theirs run. `WSPUSH_DONE`: the server has drained, and
/// need not be polled again. `WSPUSH_ESTATE`: it was started, or another thread is polling it.
/// `WSPUSH_EWRONGTHREAD` inside a callback.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_server_poll(server: *mut wspush_server, timeout_ms: i32) -> wspush_status {
    call!(server: server => {
        not_in_callback()?;
        let goes_on = server.running.poll(time(timeout_ms.into()))?;
        Ok(if goes_on { WSPUSH_OK } else { WSPUSH_DONE })
    })
}

/// A descriptor that is readable when `wspush_server_poll` has something to do, for a host that waits in its own epoll
/// or poll. It stays the server's: don't read, don't close it. It is the same for the server's whole life.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_server_fd(server: *const wspush_server, fd: *mut i32) -> wspush_status {
    call!(server: server, fd: place => {
        fd.put(server.descriptors[0]);
        Ok(WSPUSH_OK)
    })
}

/// After how many milliseconds the server must be polled even if its descriptor is not readable; -1: it need not. Ask
/// again after every poll. `WSPUSH_ESTATE` and `WSPUSH_ESTOPPED` as for `wspush_server_poll`; inside a callback 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_server_timeout(
    server: *const wspush_server,
    timeout_ms: *mut i32,
) -> wspush_status {
    call!(server: server, timeout_ms: place => {
        let time = if is_reactor() { Some(Duration::ZERO) } else { server.running.timeout()? };
        timeout_ms.put(rounded_up(time));
        Ok(WSPUSH_OK)
    })
}

/// In milliseconds, since who comes too early has to come again; -1: none.
fn rounded_up(time: Option<Duration>) -> i32 {
    time.map_or(-1, |time| i32::try_from(time.as_micros().div_ceil(1_000)).unwrap_or(i32::MAX))
}

/// How many reactors the server has, as the setting `reactors` says, `auto` for this machine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_server_reactors(
    server: *const wspush_server,
    count: *mut u32,
) -> wspush_status {
    call!(server: server, count: place => {
        count.put(u32::try_from(server.running.reactors()).unwrap_or(u32::MAX));
        Ok(WSPUSH_OK)
    })
}

/// Instead of `wspush_server_poll`, for a host with a loop for each reactor: does one turn of the one with this number,
/// from 0, on this thread, as that does. From the first call on the host has to poll all of them, on one thread in
/// turns or on several; only the first one has listeners, and hands clients to the others. `WSPUSH_DONE`: this one has
/// drained. `WSPUSH_ESTATE`: the server was started or polled, or another thread is polling this reactor.
/// `WSPUSH_ENOTFOUND`: there is none with this number. `WSPUSH_EWRONGTHREAD` inside a callback.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_server_reactor_poll(
    server: *mut wspush_server,
    reactor: u32,
    timeout_ms: i32,
) -> wspush_status {
    call!(server: server => {
        not_in_callback()?;
        let goes_on = server.running.poll_reactor(index(reactor), time(timeout_ms.into()))?;
        Ok(if goes_on { WSPUSH_OK } else { WSPUSH_DONE })
    })
}

/// As `wspush_server_fd`, for `wspush_server_reactor_poll`: until the reactor has drained. `WSPUSH_ENOTFOUND`: there is
/// none with this number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_server_reactor_fd(
    server: *const wspush_server,
    reactor: u32,
    fd: *mut i32,
) -> wspush_status {
    call!(server: server, fd: place => {
        let none = || CallError::new(WSPUSH_ENOTFOUND, format!("there is no reactor {reactor}"));
        fd.put(*server.descriptors.get(index(reactor)).ok_or_else(none)?);
        Ok(WSPUSH_OK)
    })
}

/// As `wspush_server_timeout`, for `wspush_server_reactor_poll`. `WSPUSH_ENOTFOUND`: there is no reactor with this
/// number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_server_reactor_timeout(
    server: *const wspush_server,
    reactor: u32,
    timeout_ms: *mut i32,
) -> wspush_status {
    call!(server: server, timeout_ms: place => {
        let time = match is_reactor() {
            true => Some(Duration::ZERO),
            false => server.running.reactor_timeout(index(reactor))?,
        };
        timeout_ms.put(rounded_up(time));
        Ok(WSPUSH_OK)
    })
}

fn index(reactor: u32) -> usize {
    usize::try_from(reactor).unwrap_or(usize::MAX)
}

/// The address of a public listener, by index from 0, with the port that port 0 has become: "127.0.0.1:8080".
/// `WSPUSH_ENOTFOUND`: there are no more. The text lives as long as the server.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_server_address(
    server: *const wspush_server,
    index: usize,
    address: *mut wspush_str,
) -> wspush_status {
    call!(server: server, address: place => {
        let none = || CallError::new(WSPUSH_ENOTFOUND, format!("there is no listener {index}"));
        address.put(server.addresses.get(index).ok_or_else(none)?.as_str().into());
        Ok(WSPUSH_OK)
    })
}

/// The address of the admin listener. `WSPUSH_ENOTFOUND`: it has none, or a Unix-domain socket. The text lives as long
/// as the server.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_server_admin_address(
    server: *const wspush_server,
    address: *mut wspush_str,
) -> wspush_status {
    call!(server: server, address: place => {
        let none = || CallError::new(WSPUSH_ENOTFOUND, "there is no admin listener with an address");
        address.put(server.admin_address.as_deref().ok_or_else(none)?.into());
        Ok(WSPUSH_OK)
    })
}

/// How many connections a running server has handed to this one in `wspush_server_new`, which asks it at the path of
/// the setting `handover`. `on_taken_over` hears of each of them when this one is started or polled.
/// `WSPUSH_ENOTFOUND`: there was none to take over from. Any thread; never blocks.
///
/// The other way round nothing is to be called: a server with that setting hands everything over to the program that
/// starts next with it. Then it ends as after `wspush_server_drain`, and pushes answer `WSPUSH_ESTOPPED`; while it is
/// under way, they answer `WSPUSH_EAGAIN`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_server_handover(
    server: *const wspush_server,
    connections: *mut u64,
) -> wspush_status {
    call!(server: server, connections: place => {
        let none = || CallError::new(WSPUSH_ENOTFOUND, "there was no server to take over from");
        connections.put(server.handed_over.ok_or_else(none)? as u64);
        Ok(WSPUSH_OK)
    })
}

/// The port of the first public listener.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_server_port(server: *const wspush_server, port: *mut u16) -> wspush_status {
    call!(server: server, port: place => {
        port.put(server.port.ok_or_else(|| CallError::new(WSPUSH_ENOTFOUND, "there is no public listener"))?);
        Ok(WSPUSH_OK)
    })
}

/// Takes over those settings that can change while the server runs; the log says which could not. Never blocks;
/// `WSPUSH_EAGAIN` as for `wspush_broadcast`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_server_reload(
    server: *const wspush_server,
    config: *const wspush_config,
) -> wspush_status {
    call!(server: server, config: given => {
        server.handle.reload(config.layers.finish()?)?;
        Ok(WSPUSH_OK)
    })
}

/// Writes the logs into the file of the setting `state_file` while the server goes on, for the successor of one that
/// dies: that has what was published until then, under new epochs, and nobody's position counts as recovered. The log
/// says when it is done, or why not. The end of a drain writes the final state in any case. Never blocks;
/// `WSPUSH_EAGAIN` as for `wspush_broadcast`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_server_save_state(server: *const wspush_server) -> wspush_status {
    call!(server: server => {
        server.handle.save_state()?;
        Ok(WSPUSH_OK)
    })
}

/// Begins the end and returns at once: no more connections and pushes; what was pushed still goes out, then everybody
/// gets a close frame with 1001, and after `drain_ms` (negative: the setting of that name) whoever is left is cut
/// off. Said again it can only shorten the time. Allowed in callbacks; a polled server must be polled on.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_server_drain(server: *const wspush_server, drain_ms: i64) -> wspush_status {
    call!(server: server => {
        if server.running.has_ended() {
            return Ok(WSPUSH_OK);
        }
        match time(drain_ms) {
            Some(time) => server.handle.drain_within(time),
            None => server.handle.drain(),
        }
        Ok(WSPUSH_OK)
    })
}

/// Drains the server and **blocks** until that is done, `drain_ms` at most (negative: the setting of that name).
/// Callbacks are still called meanwhile: on this thread, if the server was not started. Afterwards everything
/// answers `WSPUSH_ESTOPPED`; a second stop is no error. Other errors tell how the server's thread came to its end.
/// `WSPUSH_EWRONGTHREAD` inside a callback, of whichever server.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_server_stop(server: *mut wspush_server, drain_ms: i64) -> wspush_status {
    call!(server: server => {
        not_in_callback()?;
        server.running.stop(&server.handle, time(drain_ms))?;
        Ok(WSPUSH_OK)
    })
}

/// Frees a server. One that has not been stopped is stopped first, and everybody is cut off at once. No other thread
/// may be using it: a server that was freed is the one thing that must never be used again. NULL is allowed.
/// `WSPUSH_EWRONGTHREAD` inside a callback; `WSPUSH_EFORK` in a child process. It is not freed then.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_server_free(server: *mut wspush_server) -> wspush_status {
    if server.is_null() {
        return WSPUSH_OK;
    }
    let made = server;
    call!(server: server => {
        not_in_callback()?;
        let stopped = server.running.stop(&server.handle, Some(Duration::ZERO));
        // SAFETY: it came from `wspush_server_new`, and by the contract of the room it is freed once, when nobody else
        // uses it. The reference is not used any more.
        drop(unsafe { Box::from_raw(made) });
        stopped.map(|()| WSPUSH_OK)
    })
}
