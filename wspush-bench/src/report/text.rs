//! The report for a terminal.

use super::wire::{Compression, Handshakes};
use super::{Connections, Messages, Report, Server, Spread};
use crate::job::Wait;
use crate::probe::Cost;
use crate::samples::Summary;
use std::fmt::{self, Write};

/// The report, ready to print.
pub(crate) fn render(report: &Report) -> String {
    let mut out = String::new();
    // Writing to a String does not fail.
    let _ = write_report(&mut out, report);
    out
}

fn write_report(out: &mut String, report: &Report) -> fmt::Result {
    let wait = match report.wait {
        Wait::Sleep => "sleeping in epoll",
        Wait::Busy => "polling without pause",
    };
    writeln!(out, "wspush-bench {} {} {}", report.version, report.mode, report.target)?;
    writeln!(out, "client: {} process(es) x {} thread(s), {wait}", report.processes, report.threads)?;
    write_connections(out, &report.connections)?;
    let handshakes = report.tls.iter().flat_map(Handshakes::rows);
    for (name, value) in handshakes.chain(report.deflate.iter().flat_map(Compression::rows)) {
        row(out, name, &value)?;
    }
    if let Some(messages) = &report.messages {
        write_messages(out, messages)?;
    }
    if let Some(trips) = &report.round_trips {
        writeln!(out, "\nround trips")?;
        row(out, "count", &format!("{} in {:.2} s", trips.count, trips.seconds))?;
        row(
            out,
            "rate",
            &format!("{:.0} /s ({} bytes, {} outstanding)", trips.per_s, trips.size, trips.outstanding),
        )?;
        let faults = (trips.lost, trips.duplicated, trips.reordered, trips.corrupted);
        write_faults(out, faults)?;
        write_summary(out, "round trip", &trips.latency_us.summary)?;
    }
    if let Some(drift) = &report.soak {
        writeln!(out, "\nsoak")?;
        row(out, "left and replaced", &format!("{} ({} uncleanly)", drift.left, drift.left_unclean))?;
        row(out, "memory drift", &format!("{:+} bytes after the first quarter", drift.rss_drift_bytes))?;
    }
    if let Some(server) = &report.server {
        write_server(out, server)?;
    }
    writeln!(out)?;
    if report.passed {
        return writeln!(
            out,
            "PASSED: nothing lost, duplicated, reordered or corrupted, no connection failed"
        );
    }
    report.findings.iter().try_for_each(|finding| writeln!(out, "FAILED: {finding}"))
}

fn write_connections(out: &mut String, connections: &Connections) -> fmt::Result {
    writeln!(out, "\nconnections")?;
    row(out, "active", &format!("{} of {}", connections.active, connections.asked))?;
    for (kinds, what) in [(&connections.failed, "failed"), (&connections.closed, "ended early")] {
        for (kind, count) in kinds {
            row(out, what, &format!("{count} ({kind})"))?;
        }
    }
    row(out, "set-up", &format!("{:.2} s, {:.0} /s", connections.setup_s, connections.setup_per_s))?;
    write_summary(out, "connect to handshake", &connections.setup_us.summary)
}

fn write_messages(out: &mut String, messages: &Messages) -> fmt::Result {
    writeln!(out, "\nmessages")?;
    row(out, "publications", &format!("{} of {} bytes", messages.published, messages.size))?;
    row(out, "received", &format!("{} of {}", messages.received, messages.expected))?;
    let faults = (messages.lost, messages.duplicated, messages.reordered, messages.corrupted);
    write_faults(out, faults)?;
    if messages.foreign > 0 {
        row(out, "not ours", &messages.foreign.to_string())?;
    }
    row(out, "rate", &format!("{:.0} messages/s", messages.per_s))?;
    if let Some(bytes) = messages.wire_bytes {
        row(out, "on the wire", &format!("{bytes:.1} bytes/delivery"))?;
    }
    row(out, "push to last receipt", &spread(messages.fan_out_us))?;
    if messages.burst_us.count != messages.fan_out_us.count {
        row(out, "burst to last receipt", &spread(messages.burst_us))?;
    }
    if let Some(unread) = &messages.never_read {
        let text = format!(
            "{} connections, {} disconnected by the server, {} bytes waiting",
            unread.connections, unread.disconnected, unread.waiting_bytes
        );
        row(out, "never read", &text)?;
    }
    write_summary(out, "push to receipt", &messages.latency_us.summary)
}

fn write_server(out: &mut String, server: &Server) -> fmt::Result {
    writeln!(out, "\nserver")?;
    let megabytes = |bytes: u64| format!("{:.2} MiB", bytes as f64 / f64::from(1 << 20));
    let memory = format!(
        "{} empty, {} connected, {} at the end",
        megabytes(server.rss_empty_bytes),
        megabytes(server.rss_connected_bytes),
        megabytes(server.rss_after_bytes)
    );
    row(out, "resident memory", &memory)?;
    if let Some(bytes) = server.bytes_per_connection {
        row(out, "per connection", &format!("{bytes:.1} bytes"))?;
    }
    for (cost, what) in [
        (server.per_handshake, "CPU per handshake"),
        (server.per_delivery, "CPU per delivery"),
        (server.per_round_trip, "CPU per round trip"),
    ] {
        if let Some(Cost { total_us, user_us, system_us }) = cost {
            row(out, what, &format!("{total_us:.3} us ({user_us:.3} user, {system_us:.3} system)"))?;
        }
    }
    Ok(())
}

fn write_faults(
    out: &mut String,
    (lost, duplicated, reordered, corrupted): (u64, u64, u64, u64),
) -> fmt::Result {
    let text =
        format!("{lost} lost, {duplicated} duplicated, {reordered} out of order, {corrupted} corrupted");
    row(out, "faults", &text)
}

fn write_summary(out: &mut String, what: &str, summary: &Summary) -> fmt::Result {
    writeln!(out, "  {what}:")?;
    row(out, "  count", &summary.count.to_string())?;
    for (name, value_us) in [
        ("  min", summary.min),
        ("  mean", summary.mean),
        ("  stddev", summary.stddev),
        ("  median", summary.median),
        ("  p75", summary.p75),
        ("  p95", summary.p95),
        ("  p98", summary.p98),
        ("  p99", summary.p99),
        ("  p99.9", summary.p999),
        ("  max", summary.max),
    ] {
        row(out, name, &time(value_us))?;
    }
    Ok(())
}

fn spread(spread: Spread) -> String {
    format!("min {}, median {}, max {}", time(spread.min), time(spread.median), time(spread.max))
}

fn row(out: &mut String, name: &str, value: &str) -> fmt::Result {
    writeln!(out, "  {name:<24}{value}")
}

/// Microseconds in the unit that a person would choose.
pub(crate) fn time(value_us: f64) -> String {
    match value_us {
        value if value >= 1e6 => format!("{:.2} s", value / 1e6),
        value if value >= 1e4 => format!("{:.1} ms", value / 1e3),
        value if value >= 1e3 => format!("{:.2} ms", value / 1e3),
        value => format!("{value:.0} us"),
    }
}
