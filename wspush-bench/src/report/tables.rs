//! The figures of a report as tables of names and values, for every form in which people read it.

use super::{Connections, Distribution, Drift, Messages, Report, RoundTrips, Server, Spread};
use crate::admin::stats::Counters;
use crate::probe::Cost;
use crate::quantity::{count, decimal, mebibytes, time};
use crate::samples::Summary;
use crate::tally::Faults;

/// A name and its value.
pub(super) type Row = (&'static str, String);

/// Figures that belong together.
pub(super) struct Table {
    pub(super) title: &'static str,
    pub(super) rows: Vec<Row>,
}

/// Everything that was measured, in the order in which it happened.
pub(super) fn tables(report: &Report) -> Vec<Table> {
    let mut tables = vec![
        table("Connections", connections(&report.connections)),
        latency("From connect to the handshake's answer", &report.connections.setup_us),
    ];
    tables.extend(report.tls.as_ref().map(|handshakes| table("TLS", handshakes.rows())));
    tables.extend(report.deflate.as_ref().map(|deflate| table("permessage-deflate", deflate.rows())));
    if let Some(report) = &report.messages {
        tables.push(table("Messages", messages(report)));
        tables.push(latency("From the push to a receipt", &report.latency_us));
    }
    if let Some(report) = &report.round_trips {
        tables.push(table("Round trips", round_trips(report)));
        tables.push(latency("A round trip", &report.latency_us));
    }
    tables.extend(report.soak.as_ref().map(|drift| table("Soak", soak(drift))));
    tables.push(table("Client", report.client.rows()));
    tables.extend(report.server.as_ref().map(|report| table("Server", server(report))));
    tables.extend(report.counted.map(|counters| table("Counted by the server", counted(counters))));
    tables
}

fn table(title: &'static str, rows: Vec<Row>) -> Table {
    Table { title, rows }
}

fn latency(title: &'static str, distribution: &Distribution) -> Table {
    let Summary { count: values, min, mean, stddev, median, p75, p95, p98, p99, p999, max } =
        distribution.summary;
    let times = [
        ("minimum", min),
        ("mean", mean),
        ("standard deviation", stddev),
        ("median", median),
        ("p75", p75),
        ("p95", p95),
        ("p98", p98),
        ("p99", p99),
        ("p99.9", p999),
        ("maximum", max),
    ];
    let mut rows = vec![("count", count(values))];
    rows.extend(times.map(|(name, value_us)| (name, time(value_us))));
    table(title, rows)
}

fn connections(report: &Connections) -> Vec<Row> {
    let mut rows = vec![("active", format!("{} of {}", count(report.active), count(report.asked.into())))];
    for (kinds, what) in [(&report.failed, "failed"), (&report.closed, "ended early")] {
        rows.extend(kinds.iter().map(|(kind, number)| (what, format!("{} ({kind})", count(*number)))));
    }
    rows.push(("set-up", format!("{:.2} s, {} /s", report.setup_s, count(report.setup_per_s as u64))));
    rows
}

fn messages(report: &Messages) -> Vec<Row> {
    let mut rows = vec![
        (
            "publications",
            format!("{} of {} bytes", count(report.published.into()), count(report.size as u64)),
        ),
        ("received", format!("{} of {}", count(report.received), count(report.expected))),
        ("faults", faults(report.faults)),
    ];
    if report.foreign > 0 {
        rows.push(("not ours", count(report.foreign)));
    }
    rows.push(("rate", format!("{} /s", count(report.per_s as u64))));
    rows.extend(report.wire_bytes.map(|bytes| ("on the wire", format!("{bytes:.1} bytes per delivery"))));
    rows.push(("push to last receipt", spread(report.fan_out_us)));
    if report.burst_us.count != report.fan_out_us.count {
        rows.push(("burst to last receipt", spread(report.burst_us)));
    }
    rows.extend(report.never_read.map(|unread| {
        let text = format!(
            "{} connections, {} disconnected by the server, {} bytes waiting",
            count(unread.connections),
            count(unread.disconnected),
            count(unread.waiting_bytes)
        );
        ("never read", text)
    }));
    rows
}

fn round_trips(report: &RoundTrips) -> Vec<Row> {
    let RoundTrips { size, outstanding, .. } = report;
    vec![
        ("count", format!("{} in {:.2} s", count(report.count), report.seconds)),
        ("rate", format!("{} /s ({size} bytes, {outstanding} outstanding)", count(report.per_s as u64))),
        ("faults", faults(report.faults)),
    ]
}

fn soak(report: &Drift) -> Vec<Row> {
    vec![
        ("left and replaced", format!("{} ({} uncleanly)", count(report.left), count(report.left_unclean))),
        ("memory drift", format!("{:+} bytes after the first quarter", report.rss_drift_bytes)),
    ]
}

fn server(report: &Server) -> Vec<Row> {
    let [empty, connected, after] =
        [report.rss_empty_bytes, report.rss_connected_bytes, report.rss_after_bytes].map(mebibytes);
    let mut rows = vec![("memory", format!("{empty} empty, {connected} connected, {after} at the end"))];
    rows.extend(
        report.bytes_per_connection.map(|bytes| ("per connection", format!("{} bytes", decimal(bytes, 1)))),
    );
    for (name, cost) in [
        ("CPU per handshake", report.per_handshake),
        ("CPU per delivery", report.per_delivery),
        ("CPU per round trip", report.per_round_trip),
    ] {
        rows.extend(cost.map(|Cost { total_us, user_us, system_us }| {
            (name, format!("{total_us:.3} us ({user_us:.3} user, {system_us:.3} system)"))
        }));
    }
    rows
}

fn counted(Counters { deliveries, sends, send_bytes }: Counters) -> Vec<Row> {
    vec![
        ("deliveries", count(deliveries)),
        ("writes to sockets", format!("{} of {} bytes in all", count(sends), count(send_bytes))),
    ]
}

fn faults(Faults { lost, duplicated, reordered, corrupted }: Faults) -> String {
    format!("{lost} lost, {duplicated} duplicated, {reordered} out of order, {corrupted} corrupted")
}

fn spread(spread: Spread) -> String {
    format!("{} / {} / {} (min, median, max)", time(spread.min), time(spread.median), time(spread.max))
}
