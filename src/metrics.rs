//! stand-in
use crate::protocol::close::CloseCode;
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefuseReason {
    BadRequest,
    NotFound,
    Method,
    TooLarge,
    Version,
    Origin,
    ForbiddenChannel,
    Handler,
    Full,
    PerAddress,
    Timeout,
}
impl RefuseReason {
    pub fn name(self) -> &'static str {
        "x"
    }
}
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseReason {
    Client,
    GoingAway,
    ProtocolError,
    Unsupported,
    InvalidPayload,
    Policy,
    TooBig,
    Internal,
    SlowConsumer,
    Heartbeat,
    Reset,
    Admin,
    Drain,
    Handler,
}
impl CloseReason {
    pub fn name(self) -> &'static str {
        "x"
    }
    pub fn of(_: CloseCode) -> Self {
        Self::ProtocolError
    }
}
#[derive(Clone, Debug, Default, serde::Serialize)]
pub struct Metrics {
    pub accepted: u64,
    pub handshakes_ok: u64,
    pub publications: u64,
    pub publication_bytes: u64,
    pub deliveries: u64,
    pub sends: u64,
    pub send_bytes: u64,
    pub recvs: u64,
    pub recv_bytes: u64,
    pub messages_in: u64,
    pub pings_sent: u64,
    pub slow_skipped: u64,
    pub outbox_overflow: u64,
    pub inbox_full: u64,
    pub accept_paused: u64,
    pub accept_errors: u64,
    pub admin_requests: u64,
}
impl Metrics {
    pub fn closed(&mut self, _: CloseReason) {}
    pub fn refused(&mut self, _: RefuseReason) {}
    pub fn write_prometheus(&self, _: &Gauges, _: &mut String) {}
}
pub struct Gauges {
    pub connections: u64,
    pub handshaking: u64,
    pub closing: u64,
    pub admin_connections: u64,
    pub blocked: u64,
    pub channels: u64,
    pub inbox_commands: u64,
    pub log_bytes: u64,
    pub assembly_bytes: u64,
    pub rss_bytes: u64,
    pub uptime_ms: u64,
}
