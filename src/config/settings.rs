//! The table of everything that can be set, one row for each field of [`Config`](super::Config). The order
//! here is the order in `--help`, in what `--check` prints and in the documents.

use super::field::{
    boolean, entries, entry, file, number, optional_file, parsed, shown_boolean, shown_entries, shown_number,
    shown_optional, shown_text, token,
};
use super::setting::{Group, Kind, Setting};
use super::validate::{check_origin, check_pattern, check_subprotocol};
use super::{ClientAuth, KernelTls, LogLevel, SlowConsumer};
use crate::limits;

/// `restart` and `reload` in the table.
macro_rules! reloadable {
    (restart) => {
        false
    };
    (reload) => {
        true
    };
}

macro_rules! row {
    ($field:ident, $group:ident, $kind:expr, $reload:ident, $secret:literal, $help:literal, $set:expr,
     $get:expr) => {
        Setting {
            name: stringify!($field),
            help: $help,
            group: Group::$group,
            kind: $kind,
            reloadable: reloadable!($reload),
            secret: $secret,
            set: |config, value| {
                config.$field = $set(value)?;
                Ok(())
            },
            get: |config| $get(&config.$field),
        }
    };
}

macro_rules! integer {
    ($field:ident, $group:ident, $bounds:ident, $unit:literal, $reload:ident, $help:literal) => {
        row!(
            $field,
            $group,
            Kind::Integer { bounds: limits::$bounds, unit: $unit },
            $reload,
            false,
            $help,
            number,
            shown_number
        )
    };
}

macro_rules! boolean {
    ($field:ident, $group:ident, $reload:ident, $help:literal) => {
        row!($field, $group, Kind::Boolean, $reload, false, $help, boolean, shown_boolean)
    };
}

macro_rules! list {
    ($field:ident, $group:ident, $max:ident, $of:literal, $reload:ident, $help:literal, $entry:expr) => {
        row!(
            $field,
            $group,
            Kind::List { max: limits::$max, of: $of },
            $reload,
            false,
            $help,
            |value| entries(value, $entry),
            shown_entries
        )
    };
}

macro_rules! text {
    ($field:ident, $group:ident, $kind:expr, $reload:ident, $help:literal) => {
        row!($field, $group, $kind, $reload, false, $help, parsed, shown_text)
    };
}

/// Everything that can be set.
pub static SETTINGS: &[Setting] = &[
    list!(
        listen,
        Network,
        LISTEN_MAX,
        "an address with its port like 127.0.0.1:8080, [::]:8080 or tls://0.0.0.0:8443",
        restart,
        "Addresses of the public listeners; with tls:// it speaks TLS",
        entry
    ),
    text!(
        admin,
        Network,
        Kind::Text("off, an address with its port (tls:// before it for TLS), or unix:/path"),
        restart,
        "Where the admin API listens"
    ),
    row!(
        admin_token,
        Network,
        Kind::Text("1 to 256 characters: letters, digits and -._~+/="),
        reload,
        true,
        "Bearer token of the admin API; needed unless it is on loopback or a Unix socket",
        token,
        shown_optional
    ),
    list!(
        tls_cert,
        Network,
        CERTIFICATES_MAX,
        "a PEM file's name",
        reload,
        "Certificates for TLS, each with its chain; chosen by the name asked for, else the first one",
        file
    ),
    list!(
        tls_key,
        Network,
        CERTIFICATES_MAX,
        "a PEM file's name",
        reload,
        "Private keys of the certificates, in the same order",
        file
    ),
    list!(
        tls_ocsp,
        Network,
        CERTIFICATES_MAX,
        "a DER file's name, or - for none",
        reload,
        "OCSP responses for the certificates, in the same order",
        file
    ),
    row!(
        tls_client_ca,
        Network,
        Kind::Text("a PEM file's name"),
        reload,
        false,
        "Certificates by which clients' certificates are checked",
        optional_file,
        shown_optional
    ),
    text!(
        tls_client_auth,
        Network,
        Kind::Choice(ClientAuth::NAMES),
        reload,
        "Whether TLS clients are asked for a certificate, and let in without one"
    ),
    text!(
        kernel_tls,
        Network,
        Kind::Choice(KernelTls::NAMES),
        restart,
        "Whether Linux encrypts open wss connections, where it has the module tls"
    ),
    boolean!(demo, Network, restart, "Serve the demo page, /echo and /chat"),
    boolean!(ws_only, Network, restart, "Serve nothing but /ws on the public listeners"),
    boolean!(
        reuseport,
        Network,
        restart,
        "Let a successor listen on the same addresses while this server still runs (SO_REUSEPORT)"
    ),
    list!(
        origins,
        Network,
        LIST_MAX,
        "auto, *, null or an origin like https://example.com:8443",
        reload,
        "Pages that may connect, by their Origin; a request without one always passes; * is any; auto is any, but \
         with a cookie or to a host's handler only those of the Host asked for",
        check_origin
    ),
    list!(
        subprotocols,
        Network,
        LIST_MAX,
        "a token as in RFC 6455",
        reload,
        "Subprotocols offered; the client's first match is chosen",
        check_subprotocol
    ),
    integer!(
        max_connections,
        Limits,
        MAX_CONNECTIONS,
        "connections",
        restart,
        "Open connections on the public listeners; one more is answered 503"
    ),
    integer!(
        admin_connections_max,
        Limits,
        ADMIN_CONNECTIONS_MAX,
        "connections",
        restart,
        "Open connections on the admin listener; beyond it the oldest without the token goes"
    ),
    integer!(
        connections_per_address_max,
        Limits,
        CONNECTIONS_PER_ADDRESS_MAX,
        "connections",
        reload,
        "Open connections from one address (IPv4 /32, IPv6 /64) on the public listeners, and as many on the admin \
         listener; 0: no cap"
    ),
    integer!(handshake_bytes_max, Limits, HANDSHAKE_BYTES_MAX, "bytes", restart, "Size of a request head"),
    integer!(
        message_bytes_max,
        Limits,
        MESSAGE_BYTES_MAX,
        "bytes",
        reload,
        "A message from a client, all fragments together"
    ),
    integer!(
        assembly_bytes_max,
        Limits,
        ASSEMBLY_BYTES_MAX,
        "bytes",
        restart,
        "Memory for all incomplete messages and request heads together"
    ),
    integer!(
        backlog_bytes_max,
        Limits,
        BACKLOG_BYTES_MAX,
        "bytes",
        reload,
        "Memory for outboxes, rests of frames for slow consumers, input that waits and the demo's request bodies"
    ),
    integer!(
        outbox_bytes_max,
        Limits,
        OUTBOX_BYTES_MAX,
        "bytes",
        reload,
        "Bytes waiting for one connection outside the logs"
    ),
    integer!(
        admin_body_bytes_max,
        Limits,
        ADMIN_BODY_BYTES_MAX,
        "bytes",
        reload,
        "Body of an admin request; as one publication it must fit the log"
    ),
    integer!(
        inbox_commands_max,
        Limits,
        INBOX_COMMANDS_MAX,
        "commands",
        restart,
        "Commands from other threads waiting for the reactor"
    ),
    integer!(inbox_bytes_max, Limits, INBOX_BYTES_MAX, "bytes", restart, "Bytes of those commands"),
    integer!(
        handshake_ms,
        Timeouts,
        HANDSHAKE_MS,
        "ms",
        reload,
        "From accept to the end of the request head"
    ),
    integer!(
        heartbeat_ms,
        Timeouts,
        HEARTBEAT_MS,
        "ms",
        reload,
        "A connection silent for this long is pinged; 0: never"
    ),
    integer!(
        pong_wait_ms,
        Timeouts,
        PONG_WAIT_MS,
        "ms",
        reload,
        "A connection that is silent for this long after a ping, or takes nothing before its close frame, is dropped"
    ),
    integer!(
        message_ms,
        Timeouts,
        MESSAGE_MS,
        "ms",
        reload,
        "From a client's message's first byte to its last"
    ),
    integer!(
        close_wait_ms,
        Timeouts,
        CLOSE_WAIT_MS,
        "ms",
        reload,
        "How long a peer may take to close its side after a close frame or a last response"
    ),
    integer!(
        keep_alive_ms,
        Timeouts,
        KEEP_ALIVE_MS,
        "ms",
        reload,
        "An HTTP connection without a request for this long is closed"
    ),
    integer!(drain_ms, Timeouts, DRAIN_MS, "ms", reload, "From the first TERM or INT to the end"),
    list!(
        channels,
        Channels,
        LIST_MAX,
        "a channel's name, or the beginning of one and *",
        reload,
        "Channels that a client may choose with ?channel=",
        check_pattern
    ),
    integer!(channels_max, Channels, CHANNELS_MAX, "channels", restart, "Channels at once"),
    integer!(
        channels_per_connection_max,
        Channels,
        CHANNELS_PER_CONNECTION_MAX,
        "channels",
        reload,
        "Channels that one connection may join beyond the default one"
    ),
    integer!(
        channel_idle_ms,
        Channels,
        CHANNEL_IDLE_MS,
        "ms",
        reload,
        "A channel without subscribers and publications for this long is forgotten, sooner where room is needed"
    ),
    integer!(
        log_publications,
        Channels,
        LOG_PUBLICATIONS,
        "publications",
        restart,
        "Publications that a channel's log keeps"
    ),
    integer!(log_bytes, Channels, LOG_BYTES, "bytes", restart, "Bytes that a channel's log keeps"),
    integer!(
        logs_bytes_max,
        Channels,
        LOGS_BYTES_MAX,
        "bytes",
        restart,
        "Memory for all logs together; beyond it the largest gives up its older half"
    ),
    text!(
        slow_consumer,
        Channels,
        Kind::Choice(SlowConsumer::NAMES),
        reload,
        "A subscriber that falls off the log: close it with 1013, or let it skip to the newest publication"
    ),
    boolean!(deflate, Compression, reload, "Offer permessage-deflate (RFC 7692) to clients that ask for it"),
    integer!(
        deflate_bytes_min,
        Compression,
        DEFLATE_BYTES_MIN,
        "bytes",
        reload,
        "Messages below this size are not compressed"
    ),
    integer!(
        deflate_level,
        Compression,
        DEFLATE_LEVEL,
        "level",
        reload,
        "How hard the compressor tries: 1 is the fastest, 9 the smallest"
    ),
    integer!(
        flush_slice,
        Running,
        FLUSH_SLICE,
        "subscribers",
        reload,
        "Subscribers visited by the flush between two looks at the poll"
    ),
    integer!(
        accept_budget,
        Running,
        ACCEPT_BUDGET,
        "connections",
        reload,
        "Connections accepted per listener between two looks at the poll"
    ),
    text!(log_level, Running, Kind::Choice(LogLevel::NAMES), reload, "How much is logged"),
];

#[cfg(test)]
mod tests {
    use super::super::Config;
    use super::*;

    #[test]
    fn every_field_has_its_row_once() {
        let fields: Vec<String> = format!("{:#?}", Config::default())
            .lines()
            .filter(|line| line.starts_with("    ") && !line.starts_with("     "))
            .filter_map(|line| line.split_once(':').map(|(name, _)| name.trim().to_owned()))
            .collect();
        let mut rows: Vec<&str> = SETTINGS.iter().map(|setting| setting.name).collect();
        assert_eq!(fields.len(), rows.len());
        rows.sort_unstable();
        rows.dedup();
        for field in &fields {
            assert!(rows.binary_search(&field.as_str()).is_ok(), "{field} has no row");
        }
        assert_eq!(fields.len(), rows.len());
    }

    #[test]
    fn every_default_is_allowed_and_comes_back() {
        let default = Config::default();
        for setting in SETTINGS {
            let mut config = default.clone();
            setting.set(&mut config, setting.get(&default)).unwrap();
            assert_eq!(config, default, "{}", setting.name);
        }
    }

    #[test]
    fn groups_are_contiguous_and_help_is_a_phrase() {
        assert!(SETTINGS.is_sorted_by_key(|setting| setting.group));
        for Setting { name, help, .. } in SETTINGS {
            assert!(!help.is_empty() && !help.ends_with('.') && !help.contains('|'), "{name}");
        }
    }
}
