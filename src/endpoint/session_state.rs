//! The facts about an open connection inside a callback, and what the host keeps there.

use std::any::Any;
use std::net::SocketAddr;
use std::time::Duration;

use super::handler::Session;
use super::hosted::Hosted;
use super::router::{At, RouteId};

/// The facts of a session beyond its id and its user.
#[doc(hidden)]
pub struct SessionState<'a> {
    /// The route that it has come by.
    pub at: Option<At<'a>>,
    /// The host's own things there.
    pub hosted: &'a mut Option<Box<Hosted>>,
    /// Where it comes from.
    pub peer: &'a dyn Fn() -> Option<SocketAddr>,
    /// In milliseconds of the reactor's clock.
    pub now_ms: u64,
}

impl SessionState<'_> {
    fn hosted_mut(&mut self) -> &mut Hosted {
        self.hosted.get_or_insert_default()
    }
}

/// The host's own things at a connection, and the route that it has come by.
///
/// ```
/// use wspush::{Message, Session};
///
/// #[derive(Default)]
/// struct Guest {
///     messages: u64,
/// }
///
/// fn count(session: &mut Session<'_>) {
///     let mut guest = session.take_attribute::<Guest>().unwrap_or_default();
///     guest.messages += 1;
///     let text = format!("{} in {}", guest.messages, session.param("room").unwrap_or("no room"));
///     session.set_attribute(guest);
///     session.reply(Message::Text(&text));
/// }
/// ```
impl Session<'_> {
    /// Whether it is open: until the host closes it in this callback.
    pub fn is_open(&self) -> bool {
        !self.closed
    }

    /// The route that it has come by; None: by a path of the server's own.
    pub fn route(&self) -> Option<RouteId> {
        Some(self.state.as_ref()?.at?.id)
    }

    /// The pattern of the route.
    pub fn pattern(&self) -> Option<&str> {
        Some(self.state.as_ref()?.at?.pattern.text())
    }

    /// The value of a name in the route's pattern: see [`Connect::param`](crate::Connect::param).
    pub fn param(&self, name: &str) -> Option<&str> {
        let state = self.state.as_ref()?;
        state.hosted.as_ref()?.parameter(state.at?.pattern.number_of(name)?)
    }

    /// Where it comes from; None where the transport has no addresses. Asks the kernel, at the cost of a system call.
    pub fn peer(&self) -> Option<SocketAddr> {
        (self.state.as_ref()?.peer)()
    }

    /// The value that the host keeps here, if there is one of this type.
    pub fn attribute<T: Any + Send>(&self) -> Option<&T> {
        self.state.as_ref()?.hosted.as_ref()?.attribute()?.downcast_ref()
    }

    /// The same, to be changed.
    pub fn attribute_mut<T: Any + Send>(&mut self) -> Option<&mut T> {
        self.state.as_mut()?.hosted.as_mut()?.attribute.as_mut()?.downcast_mut()
    }

    /// Keeps a value here, in place of the one before, until the connection is gone: behind
    /// [`on_closed`](crate::Handler::on_closed) it is dropped. A connection without one takes no memory for it.
    pub fn set_attribute<T: Any + Send>(&mut self, value: T) {
        if let Some(state) = &mut self.state {
            state.hosted_mut().attribute = Some(Box::new(value));
        }
    }

    /// Takes the value back, if there is one of this type.
    pub fn take_attribute<T: Any + Send>(&mut self) -> Option<T> {
        let hosted = self.state.as_mut()?.hosted.as_mut()?;
        hosted.take_attribute().map(|value| *value)
    }

    /// Closes it with 1001 when so much time has passed without a message from the client, and without one to it alone;
    /// pings, pongs and what is published to many don't count. None: never, as it is at the beginning. At least 100 ms
    /// and at most 7 days, and noticed up to as much later.
    pub fn set_idle_timeout(&mut self, timeout: Option<Duration>) {
        let Some(state) = &mut self.state else { return };
        let now_ms = state.now_ms;
        if timeout.is_some() || state.hosted.is_some() {
            state.hosted_mut().set_idle(timeout, now_ms);
        }
    }

    /// The time-out.
    pub fn idle_timeout(&self) -> Option<Duration> {
        let idle = self.state.as_ref()?.hosted.as_ref()?.idle?;
        Some(Duration::from_millis(idle.ms_max))
    }

    /// The largest message that it takes from here on, in place of the route's or the server's. At least 125 bytes
    /// and at most 256 MiB; whatever it is, `assembly_bytes_max` bounds what all messages under way hold.
    pub fn set_message_bytes_max(&mut self, bytes: usize) {
        if let Some(state) = &mut self.state {
            state.hosted_mut().set_message_bytes_max(bytes);
        }
    }
}
