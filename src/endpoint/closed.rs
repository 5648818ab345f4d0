//! A connection that is gone, as a host hears of it.

use std::any::Any;

use crate::protocol::close::CloseCode;

use super::ConnId;
use super::hosted::Hosted;
use super::router::{At, RouteId};

/// A connection that is gone, with what the host has kept there.
///
/// ```
/// use wspush::{Closed, Handler};
///
/// struct Chat;
///
/// impl Handler for Chat {
///     fn on_closed(&mut self, closed: &mut Closed<'_>) {
///         let name = closed.take_attribute::<String>();
///         println!("{name:?} has left {:?}: {}", closed.param("room"), closed.code());
///     }
/// }
/// ```
pub struct Closed<'a> {
    id: ConnId,
    user: Option<&'a str>,
    code: CloseCode,
    reason: &'a str,
    at: Option<At<'a>>,
    hosted: Option<Box<Hosted>>,
}

impl<'a> Closed<'a> {
    /// For the reactor.
    #[doc(hidden)]
    pub fn new(id: ConnId, user: Option<&'a str>, (code, reason): (CloseCode, &'a str)) -> Closed<'a> {
        Closed { id, user, code, reason, at: None, hosted: None }
    }

    /// For the reactor: its route, and what the host has kept there.
    #[doc(hidden)]
    pub fn with(self, at: Option<At<'a>>, hosted: Option<Box<Hosted>>) -> Closed<'a> {
        Closed { at, hosted, ..self }
    }

    /// The id that it had.
    pub fn id(&self) -> ConnId {
        self.id
    }

    /// Who it was.
    pub fn user(&self) -> Option<&'a str> {
        self.user
    }

    /// The close code; 1006 (RFC 6455 section 7.4.1): without a close frame.
    pub fn code(&self) -> CloseCode {
        self.code
    }

    /// The reason with it.
    pub fn reason(&self) -> &'a str {
        self.reason
    }

    /// The route that it had come by.
    pub fn route(&self) -> Option<RouteId> {
        self.at.map(|at| at.id)
    }

    /// The value of a name in the route's pattern.
    pub fn param(&self, name: &str) -> Option<&str> {
        self.hosted.as_ref()?.parameter(self.at?.pattern.number_of(name)?)
    }

    /// The value that the host has kept here, if there is one of this type.
    pub fn attribute<T: Any + Send>(&self) -> Option<&T> {
        self.hosted.as_ref()?.attribute()?.downcast_ref()
    }

    /// Takes it, if it is of this type; what stays is dropped.
    pub fn take_attribute<T: Any + Send>(&mut self) -> Option<T> {
        self.hosted.as_mut()?.take_attribute().map(|value| *value)
    }
}
