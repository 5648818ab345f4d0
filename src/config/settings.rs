//! Everything that can be set: the fields of [`Config`] with their defaults, and the table. The order here is the order
//! in `--help`, in what `--check` prints and in the documents.

use super::backend::{EVENTS, event, header, url, webhook_secret};
use super::cluster;
use super::field::{
    admin, boolean, cpu, entries, entry, file, group, memory, number, optional_file, parsed, reactors,
    shown_admin, shown_boolean, shown_entries, shown_memory, shown_number, shown_optional, shown_reactors,
    shown_text, token,
};
use super::handover::handover;
use super::paths::{check_path, optional_path};
use super::setting::{Group, Kind, Setting};
use super::tokens::{auth_secret, cookie, jwks, name};
use super::validate::{OWN_ORIGIN, check_origin, check_pattern, check_subprotocol};
use super::{
    AddressBlock, AdminListen, ApiKey, Audit, ChannelRule, ClientAuth, ClusterDown, Heartbeat, KernelTls,
    Listen, LogFormat, LogLevel, MemoryMax, PusherApp, Reactors, SlowConsumer, SocketMode, TokenAuth,
    Transport,
};
use crate::limits;

use std::net::{Ipv4Addr, SocketAddr};

/// A setting's field with its default, its row in the table, and the text that describes it in both.
macro_rules! settings {
    ($(
        $(#[$doc:meta])* $field:ident: $type:ty = $default:expr, $row:ident($($arg:tt)*), $help:literal;
    )*) => {
        /// Everything that can be set. [`Config::default`] is a server on loopback port 8080, whose host pushes through
        /// a [`Handle`](crate::Handle): a library opens no port that nobody asked for.
        ///
        /// ```
        /// use wspush::Config;
        ///
        /// let config = Config { max_connections: 100_000, demo: true, ..Config::default() };
        /// assert!(config.validate().is_ok());
        /// ```
        #[derive(Clone, PartialEq)]
        pub struct Config {
            $(#[doc = concat!($help, ".")] $(#[$doc])* pub $field: $type,)*
        }

        impl Default for Config {
            fn default() -> Config {
                Config { $($field: $default,)* }
            }
        }

        /// The table of all settings.
        pub static SETTINGS: &[Setting] = &[$($row!($field, $help, $($arg)*),)*];
    };
}

settings! {
    listen: Vec<Listen> = vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)).into()],
        list(
            Network,
            LISTEN_MAX,
            "an address with its port like 127.0.0.1:8080, [::]:8080, tls://0.0.0.0:8443, proxy://10.0.0.1:8080 or \
             proxy+tls://10.0.0.1:8443",
            restart,
            entry
        ),
        "Addresses of the public listeners; with tls:// it speaks TLS, with proxy:// the PROXY protocol of \
         trusted_proxies";
    trusted_proxies: Vec<AddressBlock> = Vec::new(),
        list(Network, LIST_MAX, "an address or a network like 10.0.0.0/8", reload, entry),
        "Proxies that say for whom they speak, by the PROXY protocol or in X-Forwarded-For";
    admin: Vec<AdminListen> = Vec::new(),
        row(
            Network,
            Kind::List {
                max: limits::LISTEN_MAX,
                of: "off, an address with its port (tls:// before it for TLS, metrics:// for numbers only), or \
                     unix:/path"
            },
            restart,
            false,
            admin,
            shown_admin
        ),
        "Where the admin API listens; with metrics:// there are only /metrics, /healthz and /readyz, for anybody";
    admin_socket_mode: SocketMode = SocketMode::OWNER,
        text(Network, Kind::Text("a mode like 0660, in octal digits"), restart),
        "Mode of the admin API's Unix-domain sockets: whoever may write may connect";
    admin_socket_group: Option<String> = None,
        row(Network, Kind::Text("a group's name or number"), restart, false, group, shown_optional),
        "Group of the admin API's Unix-domain sockets";
    admin_token: Option<String> = None,
        row(
            Network,
            Kind::Text("1 to 256 characters: letters, digits and -._~+/="),
            reload,
            true,
            token,
            shown_optional
        ),
        "Bearer token of the admin API; needed unless it is on loopback or a Unix socket";
    api_key: Vec<ApiKey> = Vec::new(),
        row(
            Network,
            Kind::List {
                max: limits::LIST_MAX,
                of: "a name, then sha256=HEX allow=push+read+disconnect and any of channels=PATTERN;.. \
                     pushes_per_second=N"
            },
            reload,
            true,
            |value| entries(value, entry),
            shown_entries
        ),
        "Keys of programs that use the admin API, and what each may do; in the file also as tables named api_key";
    audit: Audit = Audit::Auto, text(Network, Kind::Choice(Audit::NAMES), reload),
        "Whether each admin request that changes something is a line of the log; auto: if there is a token or a key";
    /// The first one is for clients that ask for none of the names in any.
    tls_cert: Vec<String> = Vec::new(), list(Network, CERTIFICATES_MAX, "a PEM file's name", reload, file),
        "Certificates for TLS, each with its chain; chosen by the name asked for, else the first one";
    tls_key: Vec<String> = Vec::new(), list(Network, CERTIFICATES_MAX, "a PEM file's name", reload, file),
        "Private keys of the certificates, in the same order";
    /// None, or one for each (`-`: it has none).
    tls_ocsp: Vec<String> = Vec::new(),
        list(Network, CERTIFICATES_MAX, "a DER file's name, or - for none", reload, file),
        "OCSP responses for the certificates, in the same order";
    tls_client_ca: Option<String> = None,
        row(Network, Kind::Text("a PEM file's name"), reload, false, optional_file, shown_optional),
        "Certificates by which clients' certificates are checked";
    tls_client_auth: ClientAuth = ClientAuth::Off, text(Network, Kind::Choice(ClientAuth::NAMES), reload),
        "Whether TLS clients are asked for a certificate, and let in without one";
    kernel_tls: KernelTls = KernelTls::Auto, text(Network, Kind::Choice(KernelTls::NAMES), restart),
        "Whether Linux encrypts open wss connections, where it has the module tls";
    demo: bool = false, boolean(Network, restart),
        "Serve the demo page, /echo and /chat";
    ws_only: bool = false, boolean(Network, restart),
        "Serve nothing but /ws on the public listeners";
    /// Those that are not among them are answered 404, in a way that a page of another origin can read.
    transports: Vec<Transport> = Transport::ALL.to_vec(),
        list(Network, LIST_MAX, "one of ws, sse, stream, poll", reload, entry),
        "Ways that clients may be pushed to: /ws, /sse, /stream, /poll; those who are there may stay";
    /// A host that has them off serves clients at [`ws_paths`](Self::ws_paths), or at routes of its own
    /// ([`Router`](crate::Router)).
    endpoints: bool = true, boolean(Network, restart),
        "Serve /ws, /sse, /stream and /poll on the public listeners";
    ws_paths: Vec<String> = Vec::new(),
        list(
            Network,
            WS_PATHS_MAX,
            "a path like /socket, as clients send it",
            reload,
            check_path
        ),
        "Other paths that are /ws as well, as clients of another server have them";
    /// The successor has to be of the same user.
    reuseport: bool = false, boolean(Network, restart),
        "Let a successor listen on the same addresses while this server still runs (SO_REUSEPORT)";
    /// `auto` is [`OWN_ORIGIN`].
    origins: Vec<String> = vec![OWN_ORIGIN.to_owned()],
        list(
            Network,
            LIST_MAX,
            "auto, *, null or an origin like https://example.com:8443",
            reload,
            check_origin
        ),
        "Pages that may connect, by their Origin; a request without one always passes; * is any; auto is any, but \
         with a cookie or to a host's handler only those of the Host asked for";
    subprotocols: Vec<String> = Vec::new(),
        list(Network, LIST_MAX, "a token as in RFC 6455", reload, check_subprotocol),
        "Subprotocols offered; the client's first match is chosen";
    auth: TokenAuth = TokenAuth::None, text(Auth, Kind::Choice(TokenAuth::NAMES), reload),
        "Tokens (JWT) of clients at /ws: not looked at; checked where there is one; or nobody comes in without";
    /// The first one signs; all of them are taken, so that one can be replaced while tokens by the other are around.
    auth_secret: Vec<String> = Vec::new(),
        row(
            Auth,
            Kind::List { max: limits::AUTH_KEYS_MAX, of: "32 to 256 visible characters of ASCII without a comma" },
            reload,
            true,
            |value| entries(value, auth_secret),
            shown_entries
        ),
        "Secrets shared with whoever signs tokens by HS256";
    auth_public_keys: Vec<String> = Vec::new(),
        list(Auth, AUTH_KEYS_MAX, "a PEM file's name", reload, file),
        "Public keys or certificates of whoever signs tokens: RSA, P-256, P-384, Ed25519";
    auth_jwks: Option<String> = None,
        row(Auth, Kind::Text("a file's name or an https URL"), reload, false, jwks, shown_optional),
        "An identity provider's document of public keys (JWKS)";
    auth_audience: Vec<String> = Vec::new(), list(Auth, AUTH_KEYS_MAX, "a name", reload, name),
        "Names of this server, of which a token's aud has to have one; with none, aud is not looked at";
    auth_issuer: Vec<String> = Vec::new(), list(Auth, AUTH_KEYS_MAX, "a name", reload, name),
        "Names of which a token's iss has to be one; with none, iss is not looked at";
    auth_lifetime_max_s: u64 = 0, integer(Auth, AUTH_LIFETIME_MAX_S, "s", reload),
        "From a token's iat to its exp at most, and both have to be there; 0: that is not looked at";
    auth_cookie: Option<String> = None,
        row(Auth, Kind::Text("a cookie's name"), reload, false, cookie, shown_optional),
        "The cookie that has the token, where no header and no subprotocol has";
    /// Not shown, as there may be a key in it.
    auth_webhook: Option<String> = None,
        row(Backend, Kind::Text("an http or https URL"), reload, true, url, shown_optional),
        "A backend that is asked who a client is that has shown no token; without its answer nobody comes in";
    auth_webhook_timeout_ms: u64 = 1_000, integer(Backend, AUTH_WEBHOOK_TIMEOUT_MS, "ms", reload),
        "From such a question to its answer";
    /// In small letters.
    auth_webhook_headers: Vec<String> = vec!["authorization".to_owned(), "cookie".to_owned()],
        list(Backend, LIST_MAX, "a header's name", reload, header),
        "Headers of the client that such a question has";
    auth_webhook_in_flight_max: usize = 16,
        integer(Backend, AUTH_WEBHOOK_IN_FLIGHT_MAX, "questions", reload),
        "Such questions that are asked at once";
    auth_webhook_waiting_max: usize = 1_024,
        integer(Backend, AUTH_WEBHOOK_WAITING_MAX, "questions", reload),
        "Such questions that wait for their turn; the client of one more is answered 503";
    /// Not shown, as there may be a key in it.
    webhook_url: Option<String> = None,
        row(Backend, Kind::Text("an http or https URL"), reload, true, url, shown_optional),
        "A backend that is told what happens to channels";
    /// The backend may have any of them; each signs.
    webhook_secret: Vec<String> = Vec::new(),
        row(
            Backend,
            Kind::List {
                max: limits::AUTH_KEYS_MAX,
                of: "32 to 256 visible characters of ASCII without a comma, base64 behind whsec_"
            },
            reload,
            true,
            |value| entries(value, webhook_secret),
            shown_entries
        ),
        "Secrets by which a backend sees that it is this server which asks and tells";
    webhook_events: Vec<String> = EVENTS.iter().map(|&name| name.to_owned()).collect(),
        list(
            Backend,
            LIST_MAX,
            "one of channel_occupied, channel_vacated, member_added, member_removed",
            reload,
            event
        ),
        "The events that the backend is told of";
    webhook_channels: Vec<String> = vec!["*".to_owned()],
        list(Backend, LIST_MAX, "a channel's name, or the beginning of one and *", reload, check_pattern),
        "The channels about which the backend is told";
    webhook_timeout_ms: u64 = 5_000, integer(Backend, WEBHOOK_TIMEOUT_MS, "ms", reload),
        "From such a request to its answer";
    webhook_batch_max: usize = 100, integer(Backend, WEBHOOK_BATCH_MAX, "events", reload),
        "Events in one such request";
    webhook_batch_ms: u64 = 100, integer(Backend, WEBHOOK_BATCH_MS, "ms", reload),
        "How long an event may wait for more";
    webhook_queue_max: usize = 10_000, integer(Backend, WEBHOOK_QUEUE_MAX, "events", reload),
        "Events that wait while the backend doesn't take them; beyond it the oldest go";
    webhook_retry_s: u64 = 3_600, integer(Backend, WEBHOOK_RETRY_S, "s", reload),
        "How long such a request is made again and again before its events are given up";
    /// The whole process's, so a host says here what it leaves to clients beside its own.
    memory_max: MemoryMax = MemoryMax::Off,
        row(
            Limits,
            Kind::Count(
                "bytes, also as 64 MiB or 2 GiB; 1% to 100% of the machine's memory or its cgroup's; auto for seven \
                 eighths of it; off"
            ),
            restart,
            false,
            memory,
            shown_memory
        ),
        "Memory of the process and of the kernel's sockets; limits that are not set are made to fit, and clients for \
         whom there is no room are answered 503";
    max_connections: usize = 1_000_000, integer(Limits, MAX_CONNECTIONS, "connections", restart),
        "Open connections on the public listeners; one more is answered 503";
    admin_connections_max: usize = 64, integer(Limits, ADMIN_CONNECTIONS_MAX, "connections", restart),
        "Open connections on the admin listener; beyond it the oldest without the token goes";
    connections_per_address_max: u32 = 0, integer(Limits, CONNECTIONS_PER_ADDRESS_MAX, "connections", reload),
        "Open connections from one address (IPv4 /32, IPv6 /64) on the public listeners, and as many on the admin \
         listener; 0: no cap";
    connects_per_second_max: u32 = 0, integer(Limits, CONNECTS_PER_SECOND_MAX, "connections", reload),
        "Connections that may come from one address (IPv4 /32, IPv6 /64) within a second on the public listeners; one \
         more is answered 429; 0: no cap";
    messages_per_second_max: u32 = 0, integer(Limits, MESSAGES_PER_SECOND_MAX, "messages", reload),
        "Messages that a client may send within a second, where it doesn't speak wspush.v1; one more ends it with \
         1008; 0: no cap";
    commands_per_second_max: u32 = 100, integer(Limits, COMMANDS_PER_SECOND_MAX, "commands", reload),
        "Commands that a client of wspush.v1 may give within a second";
    handshake_bytes_max: usize = 8 << 10, integer(Limits, HANDSHAKE_BYTES_MAX, "bytes", restart),
        "Size of a request head";
    message_bytes_max: usize = 64 << 10, integer(Limits, MESSAGE_BYTES_MAX, "bytes", reload),
        "A message from a client, all fragments together";
    assembly_bytes_max: usize = 64 << 20, integer(Limits, ASSEMBLY_BYTES_MAX, "bytes", restart),
        "Memory for all incomplete messages and request heads together";
    backlog_bytes_max: usize = 64 << 20, integer(Limits, BACKLOG_BYTES_MAX, "bytes", reload),
        "Memory for outboxes, rests of frames for slow consumers, input that waits and the demo's request bodies";
    outbox_bytes_max: usize = 64 << 10, integer(Limits, OUTBOX_BYTES_MAX, "bytes", reload),
        "Bytes waiting for one connection outside the logs";
    admin_body_bytes_max: usize = 1 << 20, integer(Limits, ADMIN_BODY_BYTES_MAX, "bytes", reload),
        "Body of an admin request; as one publication it must fit the log";
    inbox_commands_max: usize = 65_536, integer(Limits, INBOX_COMMANDS_MAX, "commands", restart),
        "Commands from other threads waiting for the reactor";
    inbox_bytes_max: usize = 64 << 20, integer(Limits, INBOX_BYTES_MAX, "bytes", restart),
        "Bytes of those commands";
    /// Also from a later request's first byte to its end.
    handshake_ms: u64 = 5_000, integer(Timeouts, HANDSHAKE_MS, "ms", reload),
        "From accept to the end of the request head";
    heartbeat_ms: u64 = 30_000, integer(Timeouts, HEARTBEAT_MS, "ms", reload),
        "A connection silent for this long is pinged; 0: never";
    heartbeat: Heartbeat = Heartbeat::Ping, text(Timeouts, Kind::Choice(Heartbeat::NAMES), reload),
        "A silent WebSocket gets a ping, which it has to answer, or a pong, which it need not";
    /// The time doubles with each answer in good time, up to this. An answer that takes more than half of
    /// `pong_wait_ms` brings it back to `heartbeat_ms`.
    heartbeat_max_ms: u64 = 0, integer(Timeouts, HEARTBEAT_MAX_MS, "ms", reload),
        "A WebSocket that answers its pings is asked less often, down to once in this time; 0: always as often";
    pong_wait_ms: u64 = 10_000, integer(Timeouts, PONG_WAIT_MS, "ms", reload),
        "A connection that is silent for this long after a ping, or takes nothing before its close frame, is dropped";
    message_ms: u64 = 60_000, integer(Timeouts, MESSAGE_MS, "ms", reload),
        "From a client's message's first byte to its last";
    close_wait_ms: u64 = 2_000, integer(Timeouts, CLOSE_WAIT_MS, "ms", reload),
        "How long a peer may take to close its side after a close frame or a last response";
    keep_alive_ms: u64 = 75_000, integer(Timeouts, KEEP_ALIVE_MS, "ms", reload),
        "An HTTP connection without a request for this long is closed";
    drain_ms: u64 = 5_000, integer(Timeouts, DRAIN_MS, "ms", reload),
        "From the first TERM or INT to the end";
    pusher_app: Vec<PusherApp> = Vec::new(),
        row(
            Channels,
            Kind::List {
                max: limits::LIST_MAX,
                of: "an id, then key=KEY secret=SECRET and any of enabled=true/false client_events=true/false, limits"
            },
            reload,
            true,
            |value| entries(value, entry),
            shown_entries
        ),
        "Apps of the Pusher Channels protocol, whose clients ask for /app/KEY; in the file also as tables of that name";
    pusher_path: Option<String> = None,
        row(Channels, Kind::Text("a path like /socket"), restart, false, optional_path, shown_optional),
        "The path before /app and /apps, as clients have it set (wsPath)";
    pusher_http_public: bool = false, boolean(Channels, reload),
        "Answer signed HTTP requests of Pusher's libraries on the public listeners, not on the admin listener alone";
    channels: Vec<String> = vec!["public.*".to_owned()],
        list(Channels, LIST_MAX, "a channel's name, or the beginning of one and *", reload, check_pattern),
        "Channels that a client may choose with ?channel=";
    channels_max: usize = 10_000, integer(Channels, CHANNELS_MAX, "channels", restart),
        "Channels at once";
    channels_per_connection_max: usize = 16, integer(Channels, CHANNELS_PER_CONNECTION_MAX, "channels", reload),
        "Channels that one connection may join beyond the default one";
    channel_idle_ms: u64 = 300_000, integer(Channels, CHANNEL_IDLE_MS, "ms", reload),
        "A channel without subscribers and publications for this long is forgotten, sooner where room is needed";
    state_file: Option<String> = None,
        row(Channels, Kind::Text("a file's name"), restart, false, optional_file, shown_optional),
        "Where the logs and their epochs, and whose tokens are revoked, are kept from a drain to the next start";
    log_publications: usize = 1_024, integer(Channels, LOG_PUBLICATIONS, "publications", restart),
        "Publications that a channel's log keeps";
    log_bytes: usize = 4 << 20, integer(Channels, LOG_BYTES, "bytes", restart),
        "Bytes that a channel's log keeps, in each form";
    logs_bytes_max: usize = 1 << 30, integer(Channels, LOGS_BYTES_MAX, "bytes", restart),
        "Memory for all logs together; beyond it the largest gives up its older half";
    channel_rule: Vec<ChannelRule> = Vec::new(),
        list(
            Channels,
            LIST_MAX,
            "a channel's name, or the beginning of one and *, then any of publications=N bytes=N ttl_ms=N \
             keep=all/latest missed=report/tail/latest presence=true/false clients=subscribe+publish+history+presence",
            reload,
            entry
        ),
        "How some channels are kept, the first match counts; in the file also as tables named channel";
    /// 0: they are only counted.
    presence_members_max: usize = 1_000, integer(Channels, PRESENCE_MEMBERS_MAX, "users", reload),
        "Users who are listed in a channel with presence; if there are more they are only counted";
    presence_grace_ms: u64 = 3_000, integer(Channels, PRESENCE_GRACE_MS, "ms", reload),
        "How long a user whose last connection to a channel was lost still counts as present";
    slow_consumer: SlowConsumer = SlowConsumer::Close,
        text(Channels, Kind::Choice(SlowConsumer::NAMES), reload),
        "A subscriber that falls off the log: close it with 1013, or let it skip to the newest publication";
    deflate: bool = cfg!(feature = "deflate"), boolean(Compression, reload),
        "Offer permessage-deflate (RFC 7692) to clients that ask for it";
    deflate_bytes_min: usize = 128, integer(Compression, DEFLATE_BYTES_MIN, "bytes", reload),
        "Messages below this size are not compressed";
    deflate_level: u8 = 3, integer(Compression, DEFLATE_LEVEL, "level", reload),
        "How hard the compressor tries: 1 is the fastest, 9 the smallest";
    /// A host needs a handler for each: [`Server::bind_each`](crate::Server::bind_each).
    reactors: Reactors = Reactors::ONE,
        row(Running, Kind::Count("1 to 64, or auto for as many as there are cores"), restart, false, reactors,
            shown_reactors),
        "Threads that serve connections, each its own, with the same order of publications for all";
    /// As many as there are [`reactors`](Self::reactors).
    reactor_cpus: Vec<usize> = Vec::new(),
        list(Running, REACTORS_MAX, "a CPU's number", restart, cpu),
        "CPUs that the reactors stay on, one for each";
    reactor_incoming_cpu: bool = false, boolean(Running, restart),
        "Give a newcomer to the reactor on whose CPU its packets come in (SO_INCOMING_CPU), unless that one has 1/16 \
         more connections than another";
    handover: Option<String> = None,
        row(Running, Kind::Text("unix:/path"), restart, false, handover, shown_optional),
        "Where a successor asks for all connections, channels and listeners; nobody has to reconnect";
    flush_slice: usize = 4_096, integer(Running, FLUSH_SLICE, "subscribers", reload),
        "Subscribers visited by the flush between two looks at the poll";
    accept_budget: usize = 64, integer(Running, ACCEPT_BUDGET, "connections", reload),
        "Connections accepted per listener between two looks at the poll";
    log_format: LogFormat = LogFormat::Logfmt, text(Running, Kind::Choice(LogFormat::NAMES), reload),
        "How a line of the log is written";
    log_level: LogLevel = LogLevel::Info, text(Running, Kind::Choice(LogLevel::NAMES), reload),
        "How much is logged";
    /// Not shown, as there may be a password in it.
    cluster: Option<String> = None,
        row(Cluster, Kind::Text("a URL like redis://:password@host:6379/0, redis+sentinel://:password@h1,h2/name or redis-cluster://h1,h2, or rediss..:// for TLS"), restart, true, cluster::url,
            shown_optional),
        "The Redis server by which several servers are one service: one order of publications, resumed anywhere";
    cluster_prefix: String = "wspush".to_owned(),
        row(Cluster, Kind::Text("1 to 64 letters, digits and -._:"), restart, false, cluster::prefix,
            cluster::shown),
        "How its keys begin, the same at all servers of the service";
    cluster_partitions: usize = 16, integer(Cluster, CLUSTER_PARTITIONS, "streams", restart),
        "Streams among which the channels are divided, the same at all servers of the service";
    cluster_entries: usize = 100_000, integer(Cluster, CLUSTER_ENTRIES, "publications", restart),
        "Publications that each of the streams keeps, about";
    cluster_down: ClusterDown = ClusterDown::Refuse, text(Cluster, Kind::Choice(ClusterDown::NAMES), restart),
        "What is pushed while Redis is away: refused with 503, or only for this server's own clients, in a life of the \
         channel of its own";
    cluster_ca: Option<String> = None,
        row(Cluster, Kind::Text("a PEM file's name"), restart, false, optional_file, shown_optional),
        "Certificates by which those of the Redis servers are checked (rediss://); unset: the system's";
    cluster_cert: Option<String> = None,
        row(Cluster, Kind::Text("a PEM file's name"), restart, false, optional_file, shown_optional),
        "This server's own certificate with its chain, if Redis asks for one";
    cluster_key: Option<String> = None,
        row(Cluster, Kind::Text("a PEM file's name"), restart, false, optional_file, shown_optional),
        "Its private key";
    node: Option<String> = None,
        row(Cluster, Kind::Text("1 to 64 letters, digits and -._:"), restart, false, cluster::node,
            shown_optional),
        "This server's name among those of the service; unset: the machine's";
}
