//! A client of an app (Pusher Channels) that asks for a private channel, or signs in, as a host's `on_authorize` sees
//! it.

use super::ConnId;

/// A subscription to a private or presence channel of an app (`[[pusher_app]]`), or the sign-in of a user, on which the
/// host may decide.
///
/// ```
/// use wspush::{Authorization, Authorized, Handler};
///
/// struct Rooms;
///
/// impl Handler for Rooms {
///     fn on_authorize(&mut self, asked: &Authorization<'_>) -> Authorized {
///         match asked.channel() {
///             // `auth` is what the page's own authorizer has put there: a token of ours, for example.
///             Some("private-lobby") if asked.auth() == "open sesame" => Authorized::yes(),
///             Some("private-lobby") => Authorized::no("not with that"),
///             _ => Authorized::BySignature,
///         }
///     }
/// }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Authorization<'a> {
    pub(crate) conn: ConnId,
    pub(crate) number: u32,
    pub(crate) app: &'a str,
    pub(crate) socket_id: &'a str,
    pub(crate) user: Option<&'a str>,
    pub(crate) channel: Option<&'a str>,
    pub(crate) auth: &'a str,
    pub(crate) data: Option<&'a str>,
    pub(crate) is_signed: bool,
}

impl<'a> Authorization<'a> {
    /// The connection's id.
    pub fn conn(&self) -> ConnId {
        self.conn
    }

    /// Which question of this connection it is, for [`Handle::authorize`](crate::Handle::authorize).
    pub fn number(&self) -> u32 {
        self.number
    }

    /// The app's id.
    pub fn app(&self) -> &'a str {
        self.app
    }

    /// The connection's id in the words of the protocol.
    pub fn socket_id(&self) -> &'a str {
        self.socket_id
    }

    /// The id of the user that the connection has signed in as.
    pub fn user(&self) -> Option<&'a str> {
        self.user
    }

    /// The channel, by the app's name for it; None: a user signs in.
    pub fn channel(&self) -> Option<&'a str> {
        self.channel
    }

    /// The client's `auth`, whatever it is: the signature of a backend, or something of the host's own.
    pub fn auth(&self) -> &'a str {
        self.auth
    }

    /// The client's `channel_data`, or `user_data` of one that signs in. Nobody vouches for it unless it
    /// [is signed](Self::is_signed).
    pub fn data(&self) -> Option<&'a str> {
        self.data
    }

    /// Whether the app's secret has signed it, [`data`](Self::data) included.
    pub fn is_signed(&self) -> bool {
        self.is_signed
    }
}

/// The answer to an [`Authorization`].
///
/// ```
/// use wspush::Authorized;
///
/// let ann = Authorized::as_user(r#"{"user_id":"7","user_info":{"name":"Ann"}}"#);
/// assert_ne!(ann, Authorized::yes(), "who she is the host says");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Authorized {
    /// The signature decides, as without a host.
    BySignature,
    /// It may.
    Yes {
        /// Who it is, as JSON: `{"user_id":"7","user_info":{..}}` in a presence channel, and `{"id":"7",..}` for a
        /// sign-in. None: whom a backend has signed, and in a presence channel else the user that it has signed in as.
        /// Without any of them a client is nobody, and gets neither.
        data: Option<String>,
    },
    /// It may not. The reason is for the client; a sign-in that is refused closes the connection (4009).
    No(String),
    /// The host asks somebody else first, and says later with [`Handle::authorize`](crate::Handle::authorize). The
    /// connection goes on meanwhile. After `handshake_ms` it counts as no.
    Pending,
}

impl Authorized {
    /// It may, as the one that it is by signature or sign-in.
    pub fn yes() -> Authorized {
        Authorized::Yes { data: None }
    }

    /// It may, as the one of whom this says who it is.
    pub fn as_user(data: impl Into<String>) -> Authorized {
        Authorized::Yes { data: Some(data.into()) }
    }

    /// It may not, for this reason.
    pub fn no(reason: impl Into<String>) -> Authorized {
        Authorized::No(reason.into())
    }

    /// The bytes that it takes on its way to the reactor.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Authorized::Yes { data: Some(text) } | Authorized::No(text) => text.len(),
            _ => 0,
        }
    }
}
