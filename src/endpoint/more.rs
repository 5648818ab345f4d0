//! The words of the few hosts that say more when they let a client in: header fields of the answer, and a value of
//! their own.

use std::any::Any;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use super::{Accept, Decision, answer_fields};

/// It is in a box, so that whoever says nothing of the kind has one pointer for it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct More {
    /// More header fields of the answer, names and values.
    pub headers: Vec<(String, String)>,
    attribute: Option<Attribute>,
}

impl More {
    /// The bytes of its text.
    pub fn bytes(&self) -> usize {
        answer_fields::bytes(&self.headers)
    }

    /// The host's value.
    pub fn take_attribute(&self) -> Option<Box<dyn Any + Send>> {
        self.attribute.as_ref().and_then(Attribute::take)
    }
}

impl Accept {
    /// With one more header field in the answer to the handshake, or in the head of a stream. One that isn't allowed
    /// in a header, one that the server writes itself, and more than 32 of them or 4 KiB are answered 500.
    #[must_use]
    pub fn with_header(mut self, name: impl Into<String>, value: impl Into<String>) -> Accept {
        self.more.get_or_insert_default().headers.push((name.into(), value.into()));
        self
    }

    /// With a value of the host's own that the connection keeps: see [`Session::attribute`](crate::Session::attribute).
    /// Of clones of this the first one that is used brings it.
    ///
    /// ```
    /// use wspush::Accept;
    ///
    /// struct Guest {
    ///     messages: u64,
    /// }
    ///
    /// let accept = Accept::default().with_header("Set-Cookie", "guest=yes").with_attribute(Guest { messages: 0 });
    /// # let _ = accept;
    /// ```
    #[must_use]
    pub fn with_attribute<T: Any + Send>(mut self, value: T) -> Accept {
        self.more.get_or_insert_default().attribute = Some(Attribute::new(value));
        self
    }

    /// For the reactor: header fields of the host's own.
    pub(crate) fn headers(&self) -> &[(String, String)] {
        self.more.as_ref().map_or(&[], |more| &more.headers)
    }
}

impl Decision {
    /// With one more header field in the answer, whether it lets the client in or not; the rules are those of
    /// [`Accept::with_header`]. A client that is refused by a close frame (`?refusals=close`) has it in the answer to
    /// its handshake. While the host thinks about it ([`Decision::Pending`]) there is no answer.
    ///
    /// ```
    /// use wspush::Decision;
    ///
    /// let refused = Decision::refuse(401, "log in first").with_header("WWW-Authenticate", "Bearer");
    /// # let _ = refused;
    /// ```
    #[must_use]
    pub fn with_header(self, name: impl Into<String>, value: impl Into<String>) -> Decision {
        match self {
            Decision::Accept(accept) => Decision::Accept(accept.with_header(name, value)),
            Decision::Refuse { status, reason, mut headers } => {
                headers.push((name.into(), value.into()));
                Decision::Refuse { status, reason, headers }
            }
            Decision::Pending => Decision::Pending,
        }
    }
}

/// A value of the host's own at a connection, on its way there.
#[derive(Clone)]
struct Attribute(Arc<Mutex<Option<Box<dyn Any + Send>>>>);

impl Attribute {
    /// A value for one connection. Of clones the first one that arrives there brings it.
    fn new<T: Any + Send>(value: T) -> Attribute {
        Attribute(Arc::new(Mutex::new(Some(Box::new(value)))))
    }

    /// The value.
    fn take(&self) -> Option<Box<dyn Any + Send>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Whether both are the same one.
impl PartialEq for Attribute {
    fn eq(&self, other: &Attribute) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Attribute {}

impl fmt::Debug for Attribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Attribute")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attribute_arrives_once() {
        let attribute = Attribute::new(7);
        let clone = attribute.clone();
        assert_eq!(attribute, clone);
        assert_ne!(attribute, Attribute::new(7));
        assert_eq!(clone.take().and_then(|value| value.downcast().ok()), Some(Box::new(7)));
        assert!(attribute.take().is_none());
    }
}
