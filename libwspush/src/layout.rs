//! Tests only: a C compiler lays the header's structs out as Rust does, on this machine or on the one that the tests
//! are built for (tests/targets/run).

use std::fmt::Write as _;
use std::fs;
use std::mem::offset_of;
use std::process::{self, Command};

use super::authorization::wspush_authorization_info;
use super::batch::wspush_batch_item;
use super::callbacks::wspush_callbacks;
use super::nodes::wspush_node;
use super::pending::{wspush_acceptance, wspush_refusal};
use super::presence::{wspush_member, wspush_presence_info};
use super::publishing::{wspush_conflict, wspush_terms};
use super::push::wspush_receipt;
use super::reads::{wspush_channel_info, wspush_history_query, wspush_publication};
use super::routes::{wspush_route_terms, wspush_session_info};
use super::stats::{wspush_delivery, wspush_stats};
use super::text::wspush_str;

/// Bytes of the field that is asked for.
fn bytes_of<T, F>(_: fn(&T) -> &F) -> usize {
    size_of::<F>()
}

/// Writes down what must hold in C of each of these structs, with all of its fields.
macro_rules! expect {
    ($source:ident: $($name:ident { $($field:ident),+ })+) => {$(
        let _all = |$name { $($field: _),+ }: $name| ();
        let (name, size, align) = (stringify!($name), size_of::<$name>(), align_of::<$name>());
        writeln!($source, "_Static_assert(sizeof({name}) == {size} && _Alignof({name}) == {align}, \"{name}\");")
            .unwrap();
        $(
            let (field, at) = (stringify!($field), offset_of!($name, $field));
            let bytes = bytes_of(|of: &$name| &of.$field);
            let is_there = format!("offsetof({name}, {field}) == {at}");
            let is_as_long = format!("sizeof((({name} *)0)->{field}) == {bytes}");
            writeln!($source, "_Static_assert({is_there} && {is_as_long}, \"{name}.{field}\");").unwrap();
        )+
    )+};
}

/// A program that compiles where both agree.
fn source() -> String {
    let mut source = "#include <stddef.h>\n#include <wspush.h>\n".to_owned();
    expect! { source:
        wspush_callbacks {
            struct_size, user_data, on_connect, on_open, on_message, on_close, on_log, on_closed, on_fragment,
            on_drained, on_pong, on_taken_over, on_authorize
        }
        wspush_str { data, length }
        wspush_receipt { struct_size, id, epoch, offset, traceparent, traceparent_length }
        wspush_terms {
            struct_size, idempotency_key, idempotency_key_length, has_if_offset, if_offset, rate, deadline_ms,
            traceparent, traceparent_length
        }
        wspush_conflict { struct_size, epoch, offset, channel }
        wspush_batch_item { struct_size, channel, user, conn, data, length, kind, rate, deadline_ms }
        wspush_history_query { struct_size, since, since_length, limit, newest_first }
        wspush_channel_info { struct_size, name, epoch, offset, first, bytes, subscribers, members }
        wspush_publication { struct_size, offset, time_ms, kind, data, length }
        wspush_node { struct_size, name, run, version, since_ms, connections, lag_ms, lease_ms }
        wspush_presence_info { struct_size, channel, epoch, offset, count, listed }
        wspush_member { struct_size, user, info, connections }
        wspush_acceptance {
            struct_size, user, user_length, channels, channels_length, info, info_length, no_broadcast, pieces,
            protocol, protocol_length, headers, headers_count, since, since_count, attribute, free_attribute
        }
        wspush_authorization_info {
            struct_size, conn, number, app, socket_id, user, channel, auth, data, is_signed
        }
        wspush_refusal { struct_size, status, reason, reason_length, headers, headers_count }
        wspush_route_terms {
            struct_size, message_bytes_max, subprotocols, subprotocols_count, origins, origins_count, pieces, idle_ms
        }
        wspush_session_info { struct_size, conn, user, peer, route, outbox_bytes, is_secure }
        wspush_stats {
            struct_size, uptime_ms, connections, handshaking, closing, admin_connections, blocked, channels,
            inbox_commands, draining, connections_max, accepted, handshakes_ok, publications, deliveries,
            messages_in, send_bytes, recv_bytes, slow_skipped, connections_ws, connections_sse, connections_stream,
            connections_poll
        }
        wspush_delivery {
            struct_size, offset, recipients, written, lagging, skipped, gone, first_us, median_us, last_us, recovered
        }
    }
    source
}

/// The compiler's words on a program; None: it compiles.
fn refused(name: &str, source: &str) -> Option<String> {
    let file = std::env::temp_dir().join(format!("wspush-layout-{name}-{}.c", process::id()));
    fs::write(&file, source).unwrap();
    let compiler = std::env::var("WSPUSH_CC").or_else(|_| std::env::var("CC"));
    let mut command = Command::new(compiler.unwrap_or_else(|_| "cc".to_owned()));
    command.args(["-std=c11", "-Wall", "-Wextra", "-pedantic", "-Werror", "-fsyntax-only", "-I"]);
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../include")).arg(&file);
    let output = command.output().unwrap_or_else(|problem| panic!("{command:?}: {problem}"));
    fs::remove_file(&file).unwrap();
    (!output.status.success()).then(|| String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
#[cfg_attr(miri, ignore = "it runs a compiler")]
fn a_c_compiler_lays_the_structs_out_as_rust_does() {
    let source = source();
    assert_eq!(refused("right", &source), None);
    // The compiler does compare.
    let (before, after) = source.split_once("offsetof(wspush_stats, uptime_ms) == ").unwrap();
    let said = refused("wrong", &format!("{before}offsetof(wspush_stats, uptime_ms) == 1{after}"));
    assert!(said.is_some_and(|said| said.contains("wspush_stats.uptime_ms")));
}

#[test]
fn every_struct_of_the_header_is_compared() {
    let header = include_str!("../../include/wspush.h");
    let source = source();
    let structs = header.lines().filter_map(|line| line.strip_prefix("typedef struct ")?.strip_suffix(" {"));
    let missing: Vec<&str> =
        structs.filter(|name| !source.contains(&format!("sizeof({name}) == "))).collect();
    assert!(missing.is_empty() && header.contains("typedef struct wspush_str {"), "{missing:?}");
}
