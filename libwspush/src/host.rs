//! The host's callbacks as the reactor's `Handler`, and where a thread stands: inside of them or not.

use std::cell::Cell;
use std::ffi::c_void;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicPtr, Ordering};

use wspush::config::LogLevel;
use wspush::endpoint::{
    Authorization, Authorized, Closed, ConnId, Connect, Decision, Fragment, Handler, Session,
};
use wspush::journal::Sink;
use wspush::protocol::close::CloseCode;
use wspush::push::Message;
use wspush::reactor::own;

use super::attributes::wspush_closed;
use super::authorization::wspush_authorization;
use super::callbacks::{
    WSPUSH_BINARY, WSPUSH_LOG_DEBUG, WSPUSH_LOG_ERROR, WSPUSH_LOG_INFO, WSPUSH_LOG_WARN, WSPUSH_TEXT,
    wspush_callbacks,
};
use super::connect::wspush_connect;
use super::server::wspush_server;
use super::session::wspush_session;

thread_local! {
    /// Whether this thread is a server's, now.
    static IS_REACTOR: Cell<bool> = const { Cell::new(false) };
    /// The connect or the session that this thread's callback was given.
    static CURRENT: Cell<*const c_void> = const { Cell::new(ptr::null()) };
}

/// While it lives this thread is a server's.
pub(super) struct OnReactor(bool);

impl OnReactor {
    pub(super) fn enter() -> OnReactor {
        OnReactor(IS_REACTOR.replace(true))
    }
}

impl Drop for OnReactor {
    fn drop(&mut self) {
        IS_REACTOR.set(self.0);
    }
}

/// Whether this thread is a server's: then the host is inside a callback.
pub(super) fn is_reactor() -> bool {
    IS_REACTOR.get() || own::is_reactor_thread()
}

/// Whether this is what the running callback of this thread was given. The pointer is compared, not followed, so a
/// stale one does no harm.
pub(super) fn is_current(pointer: *const c_void) -> bool {
    CURRENT.get() == pointer
}

/// While it lives `pointer` is current.
pub(super) struct Current;

impl Current {
    pub(super) fn enter<T>(pointer: *mut T) -> Current {
        CURRENT.set(pointer.cast_const().cast());
        Current
    }
}

impl Drop for Current {
    fn drop(&mut self) {
        CURRENT.set(ptr::null());
    }
}

/// The host, as the reactor sees it.
pub(super) struct Host {
    pub(super) callbacks: wspush_callbacks,
    /// The server that callbacks are given, known once it is made.
    pub(super) server: Arc<AtomicPtr<wspush_server>>,
}

impl Host {
    fn server(&self) -> *mut wspush_server {
        self.server.load(Ordering::Acquire)
    }
}

impl Handler for Host {
    fn is_host(&self) -> bool {
        self.callbacks.hears_clients()
    }

    fn on_connect(&mut self, connect: &Connect<'_>) -> Decision {
        let Some(on_connect) = self.callbacks.on_connect else { return connect.by_config() };
        let mut asked = wspush_connect::new(connect);
        let pointer = &raw mut asked;
        let current = Current::enter(pointer);
        // SAFETY: the host's function of this type; `asked` lives until it returns and is not used meanwhile.
        unsafe { on_connect(self.callbacks.user_data, self.server(), pointer) };
        drop(current);
        asked.decide()
    }

    fn on_open(&mut self, session: &mut Session<'_>) {
        let Some(on_open) = self.callbacks.on_open else { return };
        let mut shown = wspush_session::new(session);
        let pointer = &raw mut shown;
        let _current = Current::enter(pointer);
        // SAFETY: as in `on_connect`.
        unsafe { on_open(self.callbacks.user_data, self.server(), pointer) };
    }

    fn on_taken_over(&mut self, session: &mut Session<'_>) {
        let Some(on_taken_over) = self.callbacks.on_taken_over else { return };
        let mut shown = wspush_session::new(session);
        let pointer = &raw mut shown;
        let _current = Current::enter(pointer);
        // SAFETY: as in `on_connect`.
        unsafe { on_taken_over(self.callbacks.user_data, self.server(), pointer) };
    }

    fn on_message(&mut self, session: &mut Session<'_>, message: Message<'_>) {
        let Some(on_message) = self.callbacks.on_message else { return };
        let (kind, bytes) = (kind_of(message), message.bytes());
        let mut shown = wspush_session::new(session);
        let pointer = &raw mut shown;
        let _current = Current::enter(pointer);
        // SAFETY: as in `on_connect`; `bytes` outlives the call.
        unsafe {
            on_message(
                self.callbacks.user_data,
                self.server(),
                pointer,
                kind,
                bytes.as_ptr().cast(),
                bytes.len(),
            );
        }
    }

    fn on_fragment(&mut self, session: &mut Session<'_>, fragment: Fragment<'_>) {
        let Some(on_fragment) = self.callbacks.on_fragment else { return };
        let (kind, bytes) = (kind_of(fragment.data), fragment.data.bytes());
        let mut shown = wspush_session::new(session);
        let pointer = &raw mut shown;
        let _current = Current::enter(pointer);
        // SAFETY: as in `on_message`.
        unsafe {
            on_fragment(
                self.callbacks.user_data,
                self.server(),
                pointer,
                kind,
                i32::from(fragment.more),
                bytes.as_ptr().cast(),
                bytes.len(),
            );
        }
    }

    fn on_authorize(&mut self, asked: &Authorization<'_>) -> Authorized {
        let Some(on_authorize) = self.callbacks.on_authorize else { return Authorized::BySignature };
        let mut shown = wspush_authorization::new(asked);
        let pointer = &raw mut shown;
        let current = Current::enter(pointer);
        // SAFETY: as in `on_connect`.
        unsafe { on_authorize(self.callbacks.user_data, self.server(), pointer) };
        drop(current);
        shown.answer()
    }

    fn on_drained(&mut self, session: &mut Session<'_>) {
        let Some(on_drained) = self.callbacks.on_drained else { return };
        let mut shown = wspush_session::new(session);
        let pointer = &raw mut shown;
        let _current = Current::enter(pointer);
        // SAFETY: as in `on_connect`.
        unsafe { on_drained(self.callbacks.user_data, self.server(), pointer) };
    }

    fn on_pong(&mut self, session: &mut Session<'_>, payload: &[u8]) {
        let Some(on_pong) = self.callbacks.on_pong else { return };
        let mut shown = wspush_session::new(session);
        let pointer = &raw mut shown;
        let _current = Current::enter(pointer);
        let (data, length) = (payload.as_ptr().cast(), payload.len());
        // SAFETY: as in `on_message`.
        unsafe { on_pong(self.callbacks.user_data, self.server(), pointer, data, length) };
    }

    fn on_closed(&mut self, closed: &mut Closed<'_>) {
        if let Some(on_closed) = self.callbacks.on_closed {
            let mut shown = wspush_closed::new(closed);
            let pointer = &raw mut shown;
            let _current = Current::enter(pointer);
            // SAFETY: as in `on_connect`.
            unsafe { on_closed(self.callbacks.user_data, self.server(), pointer) };
        }
        self.on_close(closed.id(), closed.user(), closed.code(), closed.reason());
    }

    fn on_close(&mut self, conn: ConnId, user: Option<&str>, code: CloseCode, reason: &str) {
        let Some(on_close) = self.callbacks.on_close else { return };
        let (user, user_length) = user.map_or((ptr::null(), 0), |user| (user.as_ptr(), user.len()));
        // SAFETY: the host's function of this type; both texts outlive the call.
        unsafe {
            on_close(
                self.callbacks.user_data,
                self.server(),
                conn.0,
                user.cast(),
                user_length,
                code.0,
                reason.as_ptr().cast(),
                reason.len(),
            );
        }
    }
}

fn kind_of(message: Message<'_>) -> i32 {
    match message {
        Message::Text(_) => WSPUSH_TEXT,
        Message::Binary(_) => WSPUSH_BINARY,
    }
}

/// The operator's log, if the host wants it.
pub(super) fn log_sink(callbacks: wspush_callbacks) -> Option<Sink> {
    let on_log = callbacks.on_log?;
    Some(Box::new(move |level, line| {
        // The whole struct is captured, since that is what may go to another thread.
        let wspush_callbacks { user_data, .. } = { callbacks };
        let level = match level {
            LogLevel::Off | LogLevel::Error => WSPUSH_LOG_ERROR,
            LogLevel::Warn => WSPUSH_LOG_WARN,
            LogLevel::Info => WSPUSH_LOG_INFO,
            LogLevel::Debug => WSPUSH_LOG_DEBUG,
        };
        // SAFETY: the host's function of this type; `line` outlives the call.
        unsafe { on_log(user_data, level, line.as_ptr().cast(), line.len()) };
    }))
}

#[cfg(test)]
mod tests;
