//! How clients are pushed to.

/// The way that publications go to a client.
///
/// ```
/// use wspush::{Connect, Decision, Transport};
///
/// // Those who can't publish need no account.
/// fn let_in(connect: &Connect<'_>) -> Decision {
///     match connect.transport() {
///         Transport::WebSocket => Decision::refuse(401, "log in first"),
///         _ => connect.by_config(),
///     }
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// `/ws`: WebSocket (RFC 6455).
    WebSocket,
    /// `/sse`: Server-Sent Events.
    Sse,
    /// `/stream`: envelopes of `wspush.v1`, one a line.
    Stream,
    /// `/poll`: the same envelopes, by long polling.
    Poll,
}
