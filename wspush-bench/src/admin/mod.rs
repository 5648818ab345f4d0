//! The other side of the server: where publications are posted.

pub(crate) mod pusher;
