//! The list of everything that is counted: each line is a field, a metric's name, its help and its type.

use serde::Serialize;

use super::exposition::{Exposition, MetricType};
use super::histogram::Histogram;
use super::label::{Counts, Label};

/// An enum of label values. Its length is the `N` of [`Counts`].
macro_rules! label {
    ($(#[$doc:meta])* $label:ident = $name:literal {
        $($variant:ident = $value:literal: $help:literal,)+
    }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
        pub enum $label { $(#[doc = $help] $variant),+ }

        impl $label {
            /// Every one of them.
            pub const ALL: &[$label] = &[$($label::$variant),+];
            /// How many there are.
            pub const COUNT: usize = $label::ALL.len();

            /// Its name in `/metrics`, in `/stats` and in the log.
            pub const fn name(self) -> &'static str {
                match self { $($label::$variant => $value),+ }
            }
        }

        impl Label for $label {
            const NAME: &'static str = $name;
            const VALUES: &'static [&'static str] = &[$($value),+];

            fn index(self) -> usize {
                self as usize
            }
        }
    };
}

/// A struct of numbers and how it is written. A number's name is `wspush_<field><suffix>`; time that is spent is
/// counted in microseconds and written in seconds, under its own name.
macro_rules! numbers {
    ($(#[$doc:meta])* $name:ident, $type:ident, $suffix:literal {
        $($field:ident: $help:literal,)+
    } by {
        $($by_field:ident[$label:ident]: $by_help:literal,)+
    } lasting {
        $($lasting:ident: $lasting_help:literal,)*
    } spending {
        $($spent:ident[$spent_label:ident] as $spent_name:literal: $spent_help:literal,)*
    }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
        pub struct $name {
            $(#[doc = $help] pub $field: u64,)+
            $(#[doc = $by_help] pub $by_field: Counts<$label, { $label::COUNT }>,)+
            $(#[doc = $lasting_help] pub $lasting: Histogram,)*
            $(#[doc = $spent_help] pub $spent: Counts<$spent_label, { $spent_label::COUNT }>,)*
        }

        impl $name {
            /// Adds those of another reactor of the same server.
            pub(crate) fn add(&mut self, other: &$name) {
                $(self.$field += other.$field;)+
                $(self.$by_field.add_all(&other.$by_field);)+
                $(self.$lasting.add(&other.$lasting);)*
                $(self.$spent.add_all(&other.$spent);)*
            }

            pub(super) fn write(&self, out: &mut Exposition) {
                $(
                    let name = concat!("wspush_", stringify!($field), $suffix);
                    out.family(name, $help, MetricType::$type);
                    out.sample(self.$field);
                )+
                $(
                    let name = concat!("wspush_", stringify!($by_field), $suffix);
                    out.family(name, $by_help, MetricType::$type);
                    self.$by_field.iter().for_each(|(value, n)| out.sample_with($label::NAME, value, n));
                )+
                $(out.histogram(concat!("wspush_", stringify!($lasting)), $lasting_help, &self.$lasting);)*
                $(
                    out.family($spent_name, $spent_help, MetricType::$type);
                    self.$spent.iter().for_each(|(value, us)| out.seconds_with($spent_label::NAME, value, us));
                )*
            }
        }
    };
}

label! {
    /// Why a request did not become a connection that is pushed to.
    RefuseReason = "reason" {
        BadRequest = "bad_request": "Not HTTP, not a proper upgrade, or a parameter that there is not (400).",
        NotFound = "not_found": "No such path (404).",
        Method = "method": "Another method than GET (405).",
        TooLarge = "too_large": "A request head larger than handshake_bytes_max (431).",
        Version = "version": "Another WebSocket version than 13 (426).",
        Origin = "origin": "An origin that is not allowed (403).",
        Token = "token": "No valid token, and auth asks for one (401).",
        ForbiddenChannel = "forbidden_channel": "A channel that a client may not choose, or too many of them.",
        Webhook = "webhook": "auth_webhook said no (its status), or could not be asked (503).",
        Handler = "handler": "The host's connect callback said no (its status).",
        Full = "full": "max_connections are open (503).",
        Memory = "memory": "There is no memory for one more (memory_max) (503).",
        PerAddress = "per_address": "connections_per_address_max are open from there (503).",
        ConnectRate = "connect_rate": "connects_per_second_max have come from there within a second (429).",
        Overload = "overload": "No memory for it (assembly_bytes_max) or its answer (backlog_bytes_max) (503).",
        Channels = "channels": "No more channels may be made for it (channels_max) (503).",
        Behind = "behind": "Its position is one that this node of a cluster has not read yet (503).",
        Timeout = "timeout": "No complete request head within handshake_ms.",
        Proxy = "proxy": "No right header of the PROXY protocol, or from nobody in trusted_proxies (closed).",
        TlsHandshake = "tls_handshake": "No TLS, or none that both sides speak.",
    }
}

label! {
    /// Why a connection ended.
    CloseReason = "reason" {
        Client = "client": "The client closed it.",
        GoingAway = "going_away": "We are going away (1001).",
        ProtocolError = "protocol_error": "The client broke the protocol (1002).",
        Unsupported = "unsupported": "Data of a kind that the endpoint does not take (1003).",
        InvalidPayload = "invalid_payload": "Text that is not UTF-8 (1007).",
        Expired = "expired": "Its token has expired (1008).",
        Policy = "policy": "Not allowed (1008).",
        TooBig = "too_big": "A message larger than message_bytes_max (1009).",
        Unfinished = "unfinished": "A message that was not whole after message_ms (1008).",
        Internal = "internal": "Our fault (1011).",
        SlowConsumer = "slow_consumer": "It fell off a log's tail or filled its outbox (1013).",
        Overload = "overload": "No memory for its messages (assembly_bytes_max, backlog_bytes_max) (1013).",
        TlsKeys = "tls_keys": "New TLS keys were due, and the kernel takes none (kernel_tls) (1012).",
        Heartbeat = "heartbeat": "No sign of life within pong_wait_ms.",
        Reset = "reset": "The network or the client broke it off.",
        Admin = "admin": "The admin API or the host closed it.",
        Idle = "idle": "An HTTP connection without a request for keep_alive_ms.",
        Unread = "unread": "An HTTP connection whose last answer was not read for close_wait_ms.",
        ShownOut = "shown_out": "An admin connection that had not passed the fence, in a newcomer's favour.",
        Drain = "drain": "It was still there when the drain time was over.",
    }
}

label! {
    /// Who was refused a channel that doesn't exist yet.
    ChannelRefusal = "reason" {
        Full = "full": "There are channels_max, and each has subscribers.",
        Clients = "clients": "Clients have their share of channels_max open, and nobody has published to those.",
        Address = "address": "Clients from this address have their share of that open.",
    }
}

label! {
    /// Why a channel was forgotten.
    ChannelEnd = "reason" {
        Unpublished = "unpublished": "Its last subscriber has left, and nobody has ever published to it.",
        Idle = "idle": "Nobody has published to it or subscribed to it for channel_idle_ms.",
        Room = "room": "It had no subscribers, was idle longest, and another one needed its place (channels_max).",
    }
}

label! {
    /// Something that has happened to a channel.
    ChannelEvent = "event" {
        Occupied = "channel_occupied": "It has a subscriber, and had none before.",
        Vacated = "channel_vacated": "Its last subscriber has left.",
        MemberAdded = "member_added": "A user has come to a channel with presence.",
        MemberRemoved = "member_removed": "A user has gone from there, or there are too many to be listed.",
    }
}

label! {
    /// A TLS handshake that has come to its end.
    TlsHandshake = "kind" {
        Full13 = "full_tls13": "TLS 1.3 from the beginning.",
        Resumed13 = "resumed_tls13": "TLS 1.3 with a ticket.",
        Full12 = "full_tls12": "TLS 1.2 from the beginning.",
        Resumed12 = "resumed_tls12": "TLS 1.2 with a ticket.",
    }
}

label! {
    /// Something about a connection whose TLS is the kernel's.
    KernelTls = "event" {
        HandedOver = "handed_over": "The kernel has taken over a connection.",
        NewKeys = "new_keys": "The kernel was given new keys because the peer has some.",
        Failed = "failed": "The kernel did not take the keys, and the connection is lost.",
    }
}

label! {
    /// Why accepting stopped for a while.
    PauseReason = "reason" {
        ProcessDescriptors = "process_descriptors": "The process has no descriptor left (EMFILE).",
        SystemDescriptors = "system_descriptors": "The system has no descriptor left (ENFILE).",
        KernelMemory = "kernel_memory": "The kernel has no memory left (ENOBUFS, ENOMEM), or something else is wrong.",
    }
}

label! {
    /// A system call that the kernel had no memory for.
    Shortage = "call" {
        Recv = "recv": "Reading from a socket.",
        Send = "send": "Writing to a socket.",
    }
}

label! {
    /// The outcome of asking the backend about a client.
    AuthWebhook = "outcome" {
        Allowed = "allowed": "It may come in.",
        Refused = "refused": "It may not.",
        Failed = "failed": "There was no answer in time, or none that makes sense.",
        Busy = "busy": "It was not asked: auth_webhook_waiting_max wait already.",
    }
}

label! {
    /// The purpose of CPU time.
    CpuPurpose = "purpose" {
        Accept = "accept": "Accepting connections, and the requests that they come with.",
        Read = "read": "Reading what clients and publishers say, and writing to sockets that take more again.",
        Flush = "flush": "Writing publications.",
        Heartbeat = "heartbeat": "Looking after silent connections; reading their answers is not in it.",
        Other = "other": "Waiting for events, commands of other threads, and the rest.",
    }
}

label! {
    /// A kind of work of which a turn leaves the rest for the next one.
    WorkKind = "work" {
        Events = "events": "Events of the poll.",
        Read = "read": "Bytes read.",
        Inflate = "inflate": "Messages inflated.",
        Frames = "frames": "Frames from clients.",
        Heads = "heads": "Requests.",
        Names = "names": "Names of channels compared, and channels looked after.",
        Tokens = "tokens": "Tokens checked.",
        Records = "records": "Records of TLS opened.",
        Handshakes = "handshakes": "Handshakes of TLS.",
        Send = "send": "Bytes written to single connections.",
        Compress = "compress": "Messages compressed.",
        Commands = "commands": "Commands from other threads, and publications.",
        Flush = "flush": "Subscribers to write publications to (flush_slice).",
        Receipts = "receipts": "Publications looked at for their receipts.",
        Deadlines = "deadlines": "Deadlines that have passed.",
        Sweep = "sweep": "Connections looked at for their heartbeat.",
        Listing = "listing": "Connections looked at for a list.",
    }
}

label! {
    /// The purpose of an open connection.
    ConnectionKind = "kind" {
        Push = "ws": "On /ws, or another way to be pushed to.",
        Echo = "echo": "On /echo.",
        Chat = "chat": "On /chat.",
    }
}

label! {
    /// The way that publications go to a client.
    ConnectionTransport = "transport" {
        WebSocket = "ws": "By WebSocket.",
        Sse = "sse": "By Server-Sent Events.",
        Stream = "stream": "On lines of a response that does not end.",
        Poll = "poll": "By the answers to polls.",
    }
}

numbers! {
    /// Numbers that only grow. The reactor bumps the fields.
    ///
    /// ```
    /// use wspush::{Metrics, Stats};
    ///
    /// fn lost(counters: &Metrics) -> u64 {
    ///     counters.slow_skipped + counters.slow_cut
    /// }
    /// assert_eq!(lost(&Stats::default().counters), 0);
    /// ```
    Metrics, Counter, "_total" {
        accepted: "Connections accepted, on the public listeners and the admin listener.",
        accept_errors: "Connections that broke while they were accepted.",
        handshakes_ok: "WebSocket upgrades answered 101.",
        publications: "Publications appended to logs.",
        publications_paced: "Of those the ones with a rate or a deadline.",
        publications_bytes: "Bytes of publications as they are logged, frame headers included.",
        publications_deflated: "Publications compressed, each once for all its subscribers.",
        deflate_in_bytes: "Bytes of those publications before, frame headers included.",
        deflate_out_bytes: "Bytes of those publications after it.",
        deliveries: "Publications written completely to a subscriber, one for each subscriber.",
        sends: "Calls that write to a socket.",
        send_bytes: "Bytes written to sockets.",
        recvs: "Calls that read from a socket.",
        recv_bytes: "Bytes read from sockets.",
        messages_in: "Messages from clients.",
        pings_sent: "Pings, and whatever else keeps them awake, sent to silent connections.",
        wakeups: "Times that the server has woken up, because something came or a time was over.",
        notices: "Notices of who has come and gone, each once for all subscribers of its channel.",
        slow_skipped: "Times that a slow consumer was moved on to the newest publication.",
        slow_cut: "Slow consumers cut off in the middle of a frame: no memory for its rest (backlog_bytes_max).",
        rests_saved: "Times that a slow consumer kept the rest of a frame when the log moved on over it.",
        goodbyes_unread: "Connections that did not take what was in front of their close frame, and were cut off.",
        logs_halved: "Times that the largest log gave up its older half, as logs_bytes_max was reached.",
        gave_way: "Connections ended as their address held most of the memory that others needed.",
        outbox_overflow: "Messages to one connection that found its outbox full.",
        inbox_full: "Commands from other threads that found the inbox full.",
        admin_requests: "Requests to the admin API.",
        admin_refused: "Requests to the admin listener that were answered with an error.",
        webhook_events: "Events that the backend was told of and has taken.",
        webhook_events_dropped: "Events that were given up: the backend has taken none for too long.",
        webhook_failures: "Requests with events that the backend has not taken; they are made again.",
        log_lines_lost: "Lines of the log that standard error did not take: a full disk, a pipe that nobody reads.",
    } by {
        handshakes_refused[RefuseReason]: "Requests that were refused, by reason.",
        clients_admitted[ConnectionTransport]: "Clients let in, by transport; each poll is one.",
        clients_refused[ConnectionTransport]: "Of the requests that were refused those for a transport, by that.",
        auth_webhook[AuthWebhook]: "Clients on whom the backend was to be asked, by what came of that.",
        closed[CloseReason]: "Connections that ended, by reason.",
        channels_forgotten[ChannelEnd]: "Channels forgotten, with what they have logged, by reason.",
        channels_refused[ChannelRefusal]: "New channels refused, by reason.",
        channel_events[ChannelEvent]: "What has happened to channels and their members, by event.",
        tls_handshakes[TlsHandshake]: "TLS handshakes completed, by kind.",
        kernel_tls[KernelTls]: "What came of handing TLS connections over to the kernel, by event.",
        accept_paused[PauseReason]: "Times that accepting stopped for a while, by reason.",
        kernel_shortages[Shortage]: "System calls that found the kernel out of memory; they are tried again.",
        turns_cut[WorkKind]: "Turns that left work for the next one, by the kind that was left or took most of it.",
    } lasting {
        turn_seconds: "Time that each turn took, without waiting.",
        delivery_seconds: "Time from a publication to its write to a subscriber that was there; each delivery is one.",
        handshake_seconds: "Time from accept, or a later request, until a client was let in; without polls.",
        webhook_seconds: "Time that each request with events for the backend took, also one that has failed.",
        auth_webhook_seconds: "Time until the backend has answered about a client, also if it has not.",
    } spending {
        cpu_microseconds[CpuPurpose] as "wspush_cpu_seconds_total":
            "CPU time of the thread, by purpose: one turn in eight is measured.",
    }
}

numbers! {
    /// Numbers that rise and fall; collected when somebody asks.
    Gauges, Gauge, "" {
        connections_handshaking: "Public connections that speak HTTP, or have not said anything yet.",
        connections_closing: "WebSockets that are closing.",
        connections_admin: "Connections on the admin listener.",
        connections_kernel_tls: "Connections whose TLS the kernel has taken over.",
        connections_blocked: "Connections whose socket takes nothing more for now.",
        connections_deflating: "Open WebSockets with permessage-deflate.",
        pool_chunks_used: "Assembly chunks lent to incomplete messages and request heads.",
        pool_chunks_backed: "Assembly chunks that have memory: those lent, and those that were until a while ago.",
        pool_chunks_max: "Assembly chunks there are.",
        backlog_bytes: "Bytes in outboxes, rests of frames for slow consumers, input that waits and request bodies.",
        backlog_bytes_max: "Bytes that there may be.",
        webhook_events_waiting: "Events that the backend is still to be told of.",
        auth_webhook_waiting: "Clients that wait until the backend is asked about them.",
        inbox_commands: "Commands waiting in the inbox.",
        channels_paced: "Channels whose publications go out at a rate, or to a deadline.",
        channels: "Channels alive.",
        users: "Users with an open connection.",
        revoked_users: "Users whose tokens are revoked.",
        log_bytes: "Bytes allocated for all logs, plain and deflated: rings, indexes and the counts of deliveries.",
        log_bytes_max: "Bytes that there may be (logs_bytes_max).",
        rss_bytes: "Resident set of the whole process.",
        memory_bytes_max: "Bytes that it and the kernel's sockets may have together (memory_max); 0: no bound.",
        kernel_bytes: "The kernel's memory for connections: their sockets, and their part of the buffers.",
        user_bytes_per_connection: "The process's memory for a connection, beside logs and pools.",
        kernel_bytes_per_connection: "The kernel's memory for a connection.",
        connections_by_memory: "Connections that there is memory for, as of the last look; 0: no bound.",
        tcp_bytes: "Buffers of all TCP sockets of this machine.",
        tcp_bytes_pressure: "Bytes of those from which on the kernel saves (tcp_mem's second number); 0: not known.",
        uptime_seconds: "Seconds since the start.",
    } by {
        connections[ConnectionKind]: "Open connections, by kind.",
        connections_by_transport[ConnectionTransport]: "Open connections, by transport; of polls those that wait.",
    } lasting {
    } spending {
    }
}

impl Metrics {
    /// Counts a request that was refused.
    pub fn refused(&mut self, reason: RefuseReason) {
        self.handshakes_refused.bump(reason);
    }

    /// Counts a connection that ended.
    pub fn closed(&mut self, reason: CloseReason) {
        self.closed.bump(reason);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bumps_are_counted_apart() {
        let mut metrics = Metrics::default();
        metrics.accepted += 2;
        metrics.closed(CloseReason::SlowConsumer);
        metrics.closed(CloseReason::SlowConsumer);
        metrics.refused(RefuseReason::Full);
        assert_eq!(metrics.closed.get(CloseReason::SlowConsumer), 2);
        assert_eq!((metrics.closed.sum(), metrics.handshakes_refused.sum()), (2, 1));
        assert_eq!(metrics.clone(), metrics);
    }

    #[test]
    fn every_label_has_a_number_of_its_own() {
        fn check<L: Label + std::fmt::Debug>(all: &[L], name: fn(L) -> &'static str) {
            assert_eq!(all.len(), L::VALUES.len());
            for (index, &label) in all.iter().enumerate() {
                assert_eq!((label.index(), L::VALUES[index]), (index, name(label)), "{label:?}");
            }
            let mut values = L::VALUES.to_vec();
            values.sort_unstable();
            values.dedup();
            assert_eq!(values.len(), all.len());
        }
        check(RefuseReason::ALL, RefuseReason::name);
        check(CloseReason::ALL, CloseReason::name);
        check(ConnectionKind::ALL, ConnectionKind::name);
        check(ConnectionTransport::ALL, ConnectionTransport::name);
        check(ChannelRefusal::ALL, ChannelRefusal::name);
        check(ChannelEnd::ALL, ChannelEnd::name);
        check(ChannelEvent::ALL, ChannelEvent::name);
        check(PauseReason::ALL, PauseReason::name);
        check(Shortage::ALL, Shortage::name);
        check(TlsHandshake::ALL, TlsHandshake::name);
        check(KernelTls::ALL, KernelTls::name);
        check(AuthWebhook::ALL, AuthWebhook::name);
        check(WorkKind::ALL, WorkKind::name);
        check(CpuPurpose::ALL, CpuPurpose::name);
    }

    #[test]
    fn json_has_the_same_names() {
        let mut metrics = Metrics { sends: 7, ..Metrics::default() };
        metrics.closed(CloseReason::Drain);
        let json = serde_json::to_value(&metrics).unwrap();
        assert_eq!(json["sends"], 7);
        assert_eq!(json["closed"]["drain"], 1);
        assert_eq!(json["closed"].as_object().unwrap().len(), CloseReason::COUNT);
        let mut gauges = Gauges::default();
        gauges.connections.set(ConnectionKind::Chat, 3);
        assert_eq!(serde_json::to_value(&gauges).unwrap()["connections"]["chat"], 3);
    }
}
