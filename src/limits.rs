//! Every bound in one place. A number that two rooms must agree on is named here, and the relations
//! between them are asserted when the crate is compiled.

/// The least and the greatest value that an integer may be set to; both are allowed.
///
/// ```
/// use wspush::config::Bounds;
///
/// assert!(Bounds::new(1, 9).contains(9));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// The least allowed value.
    pub min: u64,
    /// The greatest allowed value.
    pub max: u64,
}

impl Bounds {
    /// `min..=max`.
    pub const fn new(min: u64, max: u64) -> Bounds {
        assert!(min <= max);
        Bounds { min, max }
    }

    /// Whether `value` is allowed.
    pub const fn contains(self, value: u64) -> bool {
        self.min <= value && value <= self.max
    }
}

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
const SECOND_MS: u64 = 1_000;
const HOUR_MS: u64 = 3_600 * SECOND_MS;

/// A server's frame header at its longest: two bytes and a 64-bit length, never a mask (RFC 6455, 5.2).
pub const FRAME_HEADER_BYTES_MAX: usize = 10;
/// The payload of a control frame (RFC 6455, 5.5).
pub const CONTROL_PAYLOAD_BYTES_MAX: usize = 125;

/// Slot numbers are 31 bits wide, so that one bit beside them is free.
pub const SLOTS_MAX: u64 = (1 << 31) - 1;

/// A channel's name in bytes.
pub const CHANNEL_NAME_BYTES_MAX: usize = 128;
/// A channel's name in bytes where it is one of an app: `pusher/ID/NAME`.
pub const APP_CHANNEL_NAME_BYTES_MAX: usize =
    PUSHER_PREFIX_BYTES + PUSHER_ID_BYTES_MAX + 1 + PUSHER_NAME_BYTES_MAX;
/// `pusher/`.
pub const PUSHER_PREFIX_BYTES: usize = 7;
/// The id of an app of the Pusher Channels protocol.
pub const PUSHER_ID_BYTES_MAX: usize = 32;
/// The key and the secret of such an app.
pub const PUSHER_KEY_BYTES_MAX: usize = 128;
/// A channel's name, and an event's, in that protocol; its libraries refuse longer ones.
pub const PUSHER_NAME_BYTES_MAX: usize = 200;
/// A user's id in that protocol.
pub const PUSHER_USER_BYTES_MAX: usize = 128;
/// Subscriptions and sign-ins of one connection of that protocol on which the host has not decided yet.
pub const PUSHER_QUESTIONS_MAX: usize = 100;
/// Users that one connection of that protocol watches.
pub const PUSHER_WATCHLIST_MAX: usize = 100;
/// An idempotency key in bytes.
pub const IDEMPOTENCY_KEY_BYTES_MAX: usize = 128;
/// For how long a repetition of a key is known.
pub const IDEMPOTENCY_MS: u64 = 300 * SECOND_MS;
/// Keys that are known at once.
pub const IDEMPOTENCY_KEYS_MAX: usize = 100_000;
/// Memory that they take with their receipts.
pub const IDEMPOTENCY_BYTES_MAX: usize = 32 << 20;
/// Bounds of a paced publication's writes a second.
pub const PACE_RATE: Bounds = Bounds::new(1, 1_000_000);
/// Bounds of the milliseconds within which a paced publication is written.
pub const PACE_DEADLINE_MS: Bounds = Bounds::new(1, HOUR_MS);
/// Channels without a log here of which a node of a cluster knows where they stand.
pub const CLUSTER_HEADS_MAX: usize = 1_000_000;
/// Days after which a cluster forgets a channel to which nothing is published.
pub const CLUSTER_IDLE_DAYS: u64 = 7;
/// Publications of each part of a cluster that a node begins with at the most.
pub const CLUSTER_WARM_ENTRIES: usize = 16_384;
/// Bounds of the parts of a cluster.
pub const CLUSTER_PARTITIONS: Bounds = Bounds::new(1, 1_024);
/// Bounds of the publications that the engine keeps of each part.
pub const CLUSTER_ENTRIES: Bounds = Bounds::new(100, 100_000_000);
/// The beginning of the engine's keys, and a node's name, in bytes.
pub const CLUSTER_NAME_BYTES_MAX: usize = 64;
/// Channels that one publication goes to.
pub const PUBLISH_CHANNELS_MAX: usize = 256;
/// The path of a Unix-domain socket: `sun_path` in `sockaddr_un` less its NUL.
pub const UNIX_PATH_BYTES_MAX: usize = 107;
/// A file's name: PATH_MAX less its NUL.
pub const FILE_NAME_BYTES_MAX: usize = 4_095;
/// Certificates that may be chosen from by the name that a client asks for.
pub const CERTIFICATES_MAX: usize = 64;
/// A file of certificates, a key or an OCSP response.
pub const PEM_BYTES_MAX: u64 = 1 << 20;
/// The admin token in bytes.
pub const ADMIN_TOKEN_BYTES_MAX: usize = 256;
/// A secret that tokens are signed with, in bytes: at least as many as HS256 gives (RFC 7518 section 3.2).
pub const AUTH_SECRET_BYTES_MIN: usize = 32;
/// The same at the most.
pub const AUTH_SECRET_BYTES_MAX: usize = 256;
/// Secrets, and files of public keys, for tokens.
pub const AUTH_KEYS_MAX: usize = 8;
/// A program's name in `api_key`.
pub const API_KEY_NAME_BYTES_MAX: usize = 64;
/// Pushes in a second that an `api_key` may be bounded to.
pub const PUSHES_PER_SECOND_MAX: u32 = 1_000_000;
/// A name in `auth_audience` or `auth_issuer`, or a cookie's, in bytes.
pub const AUTH_NAME_BYTES_MAX: usize = 256;
/// Keys that a token is tried with, where it names none.
pub const TOKEN_TRIES_MAX: usize = 16;
/// A token in bytes.
pub const TOKEN_BYTES_MAX: usize = 8 << 10;
/// Channels that a token joins.
pub const TOKEN_CHANNELS_MAX: usize = 256;
/// Patterns of channels in each of a token's lists: each is compared when a client subscribes or publishes.
pub const TOKEN_PATTERNS_MAX: usize = 64;
/// A token's information about its user, as JSON.
pub const TOKEN_INFO_BYTES_MAX: usize = 1_024;
/// Clocks of those who sign tokens may differ by so much from ours.
pub const TOKEN_LEEWAY_S: u64 = 5;
/// Clocks of those who sign requests of the Pusher protocol may differ by so much from ours.
pub const PUSHER_CLOCKS_S: u64 = 600;
/// The text with which a backend refuses a client.
pub const ANSWER_REASON_BYTES_MAX: usize = 512;
/// A backend's answer about a client.
pub const ANSWER_BYTES_MAX: u64 = 64 << 10;
/// Users whose tokens are revoked.
pub const REVOKED_USERS_MAX: usize = 100_000;
/// A user's name in bytes.
pub const USER_BYTES_MAX: usize = 256;
/// A document of public keys.
pub const JWKS_BYTES_MAX: usize = 64 << 10;
/// Keys in such a document.
pub const JWKS_KEYS_MAX: usize = 64;
/// One `Origin` value or subprotocol in bytes.
pub const ORIGIN_BYTES_MAX: usize = 256;
/// A path at which a server has something, in bytes.
pub const PATH_BYTES_MAX: usize = 256;
/// Other names for `/ws`.
pub const WS_PATHS_MAX: usize = 64;
/// Addresses to listen on.
pub const LISTEN_MAX: usize = 64;
/// Entries in a list of origins, channel patterns or subprotocols: each is compared at a handshake.
pub const LIST_MAX: usize = 256;
/// The last millisecond that RFC 3339 can write, since 1970: a larger number is a time in another unit.
pub const UNIX_MS_MAX: u64 = 253_402_300_799_999;
/// The longest that a poll waits, in seconds: proxies give up silent requests after a minute or two.
pub const POLL_S_MAX: u64 = 120;
/// Between two pieces of the sweep: no silence is measured finer than that, so none that is waited for is shorter.
pub const SWEEP_MS: u64 = 100;

/// Reactors at the most: an id has so many bits for them.
pub const REACTORS_MAX: usize = 64;
/// The highest number of a CPU that the system calls know (CPU_SETSIZE).
pub const CPU_MAX: usize = 1_023;

/// Bounds of `max_connections`.
pub const MAX_CONNECTIONS: Bounds = Bounds::new(1, 50_000_000);
/// Bounds of `admin_connections_max`.
pub const ADMIN_CONNECTIONS_MAX: Bounds = Bounds::new(1, 65_536);
/// Bounds of `auth_lifetime_max_s`; 0: there is no bound.
pub const AUTH_LIFETIME_MAX_S: Bounds = Bounds::new(0, 10 * 366 * 86_400);
/// Bounds of `auth_webhook_timeout_ms`.
pub const AUTH_WEBHOOK_TIMEOUT_MS: Bounds = Bounds::new(10, 60_000);
/// Bounds of `auth_webhook_in_flight_max`: each is a thread.
pub const AUTH_WEBHOOK_IN_FLIGHT_MAX: Bounds = Bounds::new(1, 256);
/// Bounds of `auth_webhook_waiting_max`.
pub const AUTH_WEBHOOK_WAITING_MAX: Bounds = Bounds::new(0, 65_536);
/// Bounds of `webhook_timeout_ms`.
pub const WEBHOOK_TIMEOUT_MS: Bounds = Bounds::new(10, 60_000);
/// Bounds of `webhook_queue_max`.
pub const WEBHOOK_QUEUE_MAX: Bounds = Bounds::new(1, 1_000_000);
/// Bounds of `webhook_batch_max`.
pub const WEBHOOK_BATCH_MAX: Bounds = Bounds::new(1, 1_000);
/// Bounds of `webhook_batch_ms`.
pub const WEBHOOK_BATCH_MS: Bounds = Bounds::new(0, 60_000);
/// Bounds of `webhook_retry_s`.
pub const WEBHOOK_RETRY_S: Bounds = Bounds::new(0, 7 * 86_400);
/// Bounds of `connections_per_address_max`; 0 is no cap.
pub const CONNECTIONS_PER_ADDRESS_MAX: Bounds = Bounds::new(0, MAX_CONNECTIONS.max);
/// Bounds of `connects_per_second_max`; 0 is no cap.
pub const CONNECTS_PER_SECOND_MAX: Bounds = Bounds::new(0, 1_000_000);
/// Bounds of `messages_per_second_max`; 0 is no cap.
pub const MESSAGES_PER_SECOND_MAX: Bounds = Bounds::new(0, 1_000_000);
/// Bounds of `channels_max`.
pub const CHANNELS_MAX: Bounds = Bounds::new(1, 16 << 20);
/// Bounds of `channels_per_connection_max`.
pub const CHANNELS_PER_CONNECTION_MAX: Bounds = Bounds::new(0, 4_096);
/// Bounds of `commands_per_second_max`.
pub const COMMANDS_PER_SECOND_MAX: Bounds = Bounds::new(1, 1_000_000);
/// Bounds of `channel_idle_ms`.
pub const CHANNEL_IDLE_MS: Bounds = Bounds::new(1, 7 * 24 * HOUR_MS);
/// The kernel's memory for an idle connection on TCP: its socket, inode, directory entry, open file and epoll entry.
/// Measured, in slabs as they are on 64 bits; docs/small-machines.md has the figures.
pub const KERNEL_CONNECTION_BYTES: u64 = 4 * KIB;
/// An idle connection, with ours.
pub const CONNECTION_BYTES: u64 = KERNEL_CONNECTION_BYTES + 48;
/// The least that one takes on any kernel: more slots than this allows would never be used.
pub const CONNECTION_BYTES_MIN: u64 = 3 * KIB;
/// Bounds of `memory_max` in bytes. The least is what an appliance can still begin with.
pub const MEMORY_MAX: Bounds = Bounds::new(4 * MIB, addressable(1024 * GIB));
/// Bounds of `handshake_ms`.
pub const HANDSHAKE_MS: Bounds = Bounds::new(10, 600 * SECOND_MS);
/// Bounds of `handshake_bytes_max`.
pub const HANDSHAKE_BYTES_MAX: Bounds = Bounds::new(512, 64 * KIB);
/// Bounds of `message_bytes_max`.
pub const MESSAGE_BYTES_MAX: Bounds = Bounds::new(CONTROL_PAYLOAD_BYTES_MAX as u64, 256 * MIB);
/// Bounds of `assembly_bytes_max`.
pub const ASSEMBLY_BYTES_MAX: Bounds = Bounds::new(4 * KIB, addressable(64 * GIB));
/// Bounds of `backlog_bytes_max`.
pub const BACKLOG_BYTES_MAX: Bounds = Bounds::new(4 * KIB, addressable(64 * GIB));
/// Bounds of `heartbeat_ms`; 0 is never, and nothing else is below [`SWEEP_MS`].
pub const HEARTBEAT_MS: Bounds = Bounds::new(0, 4 * HOUR_MS);
/// Bounds of `heartbeat_max_ms`; 0 is none, and nothing else is below `heartbeat_ms`.
pub const HEARTBEAT_MAX_MS: Bounds = Bounds::new(0, HEARTBEAT_MS.max);
/// Bounds of a session's own idle time-out.
pub const IDLE_TIMEOUT_MS: Bounds = Bounds::new(SWEEP_MS, 7 * 24 * HOUR_MS);
/// Bounds of `pong_wait_ms`.
pub const PONG_WAIT_MS: Bounds = Bounds::new(SWEEP_MS, HOUR_MS);
/// Bounds of `message_ms`.
pub const MESSAGE_MS: Bounds = Bounds::new(100, HOUR_MS);
/// Bounds of `close_wait_ms`.
pub const CLOSE_WAIT_MS: Bounds = Bounds::new(1, 600 * SECOND_MS);
/// Bounds of `keep_alive_ms`.
pub const KEEP_ALIVE_MS: Bounds = Bounds::new(SWEEP_MS, HOUR_MS);
/// Bounds of `log_publications`.
pub const LOG_PUBLICATIONS: Bounds = Bounds::new(2, 1 << 20);
/// Bounds of a channel rule's `ttl_ms`; 0 is for ever, and the most is 366 days.
pub const CHANNEL_TTL_MS: Bounds = Bounds::new(0, 366 * 24 * HOUR_MS);
/// Bytes that a log of notices keeps at the most, in each form.
pub const NOTICES_BYTES: usize = 256 << 10;
/// Notices are told so often at the most in a channel within [`SWEEP_MS`]: one notice to so many subscribers, or
/// as many to fewer.
pub const NOTICES_TOLD_MAX: u64 = 100_000;
/// Bounds of `presence_members_max`: a snapshot of so many stays within some megabytes.
pub const PRESENCE_MEMBERS_MAX: Bounds = Bounds::new(0, 10_000);
/// Bounds of `presence_grace_ms`.
pub const PRESENCE_GRACE_MS: Bounds = Bounds::new(0, 60 * SECOND_MS);
/// Bounds of `log_bytes`: a position within a ring fits 30 bits.
pub const LOG_BYTES: Bounds = Bounds::new(4 * KIB, GIB - 1);
/// Forms in which a channel may hold what was published, each in at most `log_bytes`: plain and in envelopes, both
/// deflated, and five for plain HTTP.
pub const LOG_FORMS: usize = 9;
/// Bytes beside a publication's frames, at the most: its places in the indexes, also of those that have gone of late,
/// and the counts of its delivery.
pub const LOG_INDEX_BYTES: usize = 368;
/// A log's ring before it has to grow; most channels never need more.
pub const LOG_RING_BYTES_MIN: usize = 1 << 10;

/// Bytes of memory that the log of one channel takes at the most, in all its forms.
pub const fn log_memory_bytes(log_bytes: usize, publications: usize) -> usize {
    // A ring doubles as it fills.
    let whole = log_bytes.next_power_of_two();
    let ring = if whole < LOG_RING_BYTES_MIN { LOG_RING_BYTES_MIN } else { whole };
    ring.saturating_mul(LOG_FORMS).saturating_add(publications.saturating_mul(LOG_INDEX_BYTES))
}

/// Bounds of `logs_bytes_max`. It must hold one whole log in all its forms at the least, which only the configuration
/// knows.
pub const LOGS_BYTES_MAX: Bounds = Bounds::new(4 * KIB, addressable(1024 * GIB));
/// Bounds of `outbox_bytes_max`: at the least a pong and a close frame at their longest.
pub const OUTBOX_BYTES_MAX: Bounds = Bounds::new(256, 64 * MIB);
/// Bounds of `drain_ms`.
pub const DRAIN_MS: Bounds = Bounds::new(0, 600 * SECOND_MS);
/// Bounds of `admin_body_bytes_max`: as one frame it fits the largest log.
pub const ADMIN_BODY_BYTES_MAX: Bounds = Bounds::new(1, LOG_BYTES.max - FRAME_HEADER_BYTES_MAX as u64);
/// Bounds of `inbox_commands_max`.
pub const INBOX_COMMANDS_MAX: Bounds = Bounds::new(1, 16 << 20);
/// Bounds of `inbox_bytes_max`.
pub const INBOX_BYTES_MAX: Bounds = Bounds::new(4 * KIB, addressable(64 * GIB));
/// Bounds of `deflate_bytes_min`.
pub const DEFLATE_BYTES_MIN: Bounds = Bounds::new(1, LOG_BYTES.max);
/// Bounds of `deflate_level`.
pub const DEFLATE_LEVEL: Bounds = Bounds::new(1, 9);
/// Bounds of `flush_slice`.
pub const FLUSH_SLICE: Bounds = Bounds::new(1, 1_000_000);
/// Bounds of `accept_budget`.
pub const ACCEPT_BUDGET: Bounds = Bounds::new(1, 65_536);

/// A bound in bytes of memory: on a 32-bit appliance no more than half the address space.
const fn addressable(bytes: u64) -> u64 {
    let half = (usize::MAX / 2) as u64;
    if bytes < half { bytes } else { half }
}

const _: () = {
    // A secret and a file of keys for each place in the lists can be tried.
    assert!(2 * AUTH_KEYS_MAX <= TOKEN_TRIES_MAX);
    assert!(MAX_CONNECTIONS.max + ADMIN_CONNECTIONS_MAX.max <= SLOTS_MAX);
    assert!(CONNECTIONS_PER_ADDRESS_MAX.max <= u32::MAX as u64);
    assert!(SWEEP_MS < HEARTBEAT_MS.max);
    // The largest message and the largest head can be assembled somewhere.
    assert!(MESSAGE_BYTES_MAX.max + HANDSHAKE_BYTES_MAX.max <= ASSEMBLY_BYTES_MAX.max);
    assert!(MESSAGE_BYTES_MAX.min + HANDSHAKE_BYTES_MAX.min <= ASSEMBLY_BYTES_MAX.min);
    assert!(LOG_BYTES.max < 1 << 30);
    assert!(LOGS_BYTES_MAX.min >= LOG_BYTES.min);
    // Some log holds a publication of any allowed size, and the smallest log one of a smaller size.
    assert!(ADMIN_BODY_BYTES_MAX.max + FRAME_HEADER_BYTES_MAX as u64 <= LOG_BYTES.max);
    assert!(ADMIN_BODY_BYTES_MAX.min + FRAME_HEADER_BYTES_MAX as u64 <= LOG_BYTES.min);
    assert!(OUTBOX_BYTES_MAX.min >= 2 * (CONTROL_PAYLOAD_BYTES_MAX as u64 + 2));
    // A channel's name must fit a request head beside the rest of it.
    assert!((CHANNEL_NAME_BYTES_MAX as u64) < HANDSHAKE_BYTES_MAX.min);
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ends_are_allowed() {
        let bounds = Bounds::new(2, 5);
        assert!(!bounds.contains(1) && bounds.contains(2) && bounds.contains(5) && !bounds.contains(6));
    }
}
