//! The report as one self-contained web page.

use super::text::time;
use super::wire::{Compression, Handshakes};
use super::{Distribution, Report};
use crate::job::Wait;
use crate::plot;
use crate::probe::Cost;

/// The page.
pub(crate) fn render(report: &Report) -> String {
    let (what, distribution) = report.headline();
    let mut sections = section("Latency by percentile", what, &plot::percentiles(&distribution.spectrum));
    sections += &section("Distribution", "how many took how long", &plot::bars(&distribution.bins));
    if let Some(soak) = &report.soak {
        let series: Vec<_> =
            soak.rss.iter().map(|(at, bytes)| (*at, *bytes as f64 / f64::from(1 << 20))).collect();
        if series.iter().any(|point| point.1 > 0.0) {
            let svg = plot::line("resident memory", &series, |megabytes| format!("{megabytes} MiB"));
            sections += &section("Memory of the server", "resident, over the time of the soak", &svg);
        }
    }
    sections += &section("Figures", "", &table(&rows(report, distribution)));
    let verdict = if report.passed {
        r#"<p class="verdict passed">Passed: nothing lost, duplicated, reordered or corrupted.</p>"#
            .to_owned()
    } else {
        report
            .findings
            .iter()
            .map(|finding| format!(r#"<p class="verdict failed">Failed: {}</p>"#, escape(finding)))
            .collect()
    };
    let tiles: String = tiles(report, distribution)
        .iter()
        .map(|(value, name)| {
            format!(r#"<div class="tile"><b>{}</b><span>{name}</span></div>"#, escape(value))
        })
        .collect();
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{title}</title>\n\
         <style>\n{css}</style>\n<main>\n<h1>{title}</h1>\n<p>{wait}</p>\n{verdict}\n\
         <div class=\"tiles\">{tiles}</div>\n{sections}\
         <footer>wspush-bench {version}<br><code>wspush-bench {command}</code></footer>\n</main>\n</html>\n",
        title = escape(&format!("{} {}", report.mode, report.target)),
        css = include_str!("page.css"),
        wait = escape(&client(report)),
        version = report.version,
        command = escape(&report.command),
    )
}

fn client(report: &Report) -> String {
    let wait = match report.wait {
        Wait::Sleep => "sleeping in epoll",
        Wait::Busy => "polling without pause",
    };
    let count = |number: u32, what: &str, plural: &str| {
        format!("{number} {what}{}", if number == 1 { "" } else { plural })
    };
    format!(
        "Client: {} of {}, {wait}.",
        count(report.processes, "process", "es"),
        count(report.threads, "thread", "s")
    )
}

fn tiles(report: &Report, distribution: &Distribution) -> Vec<(String, &'static str)> {
    let mut tiles = vec![(group(report.connections.active), "connections active")];
    if let Some(messages) = &report.messages {
        tiles.push((group(messages.received), "messages received"));
        tiles.push((time(messages.fan_out_us.median), "push to last receipt, median"));
    }
    if let Some(trips) = &report.round_trips {
        tiles.push((group(trips.per_s as u64), "round trips per second"));
    }
    if report.messages.is_none() && report.round_trips.is_none() {
        tiles.push((group(report.connections.setup_per_s as u64), "connections set up per second"));
    }
    tiles.push((time(distribution.summary.p99), "99th percentile"));
    if let Some(server) = &report.server {
        tiles.extend(
            server
                .bytes_per_connection
                .map(|bytes| (format!("{bytes:.0} B"), "server memory per connection")),
        );
        let cost = server.per_delivery.map(|cost| (cost, "server CPU per delivery"));
        let cost = cost.or(server.per_round_trip.map(|cost| (cost, "server CPU per round trip")));
        let cost = cost.or(server.per_handshake.map(|cost| (cost, "server CPU per handshake")));
        tiles.extend(cost.map(|(cost, name)| (format!("{:.2} us", cost.total_us), name)));
    }
    tiles
}

fn rows(report: &Report, distribution: &Distribution) -> Vec<(&'static str, String)> {
    let connections = &report.connections;
    let mut rows = vec![
        (
            "Connections",
            format!("{} of {} active", group(connections.active), group(connections.asked.into())),
        ),
        (
            "Set-up",
            format!("{:.2} s, {} per second", connections.setup_s, group(connections.setup_per_s as u64)),
        ),
    ];
    for (kinds, what) in [(&connections.failed, "Failed"), (&connections.closed, "Ended early")] {
        rows.extend(kinds.iter().map(|(kind, count)| (what, format!("{} ({kind})", group(*count)))));
    }
    let handshakes = report.tls.iter().flat_map(Handshakes::rows);
    rows.extend(handshakes.chain(report.deflate.iter().flat_map(Compression::rows)));
    if let Some(messages) = &report.messages {
        rows.push((
            "Publications",
            format!("{} of {} bytes", group(messages.published.into()), messages.size),
        ));
        rows.push(("Received", format!("{} of {}", group(messages.received), group(messages.expected))));
        rows.push(("Rate", format!("{} messages per second", group(messages.per_s as u64))));
        rows.extend(
            messages.wire_bytes.map(|bytes| ("On the wire", format!("{bytes:.1} bytes per delivery"))),
        );
        let fan_out = messages.fan_out_us;
        rows.push((
            "Push to last receipt",
            format!(
                "{} / {} / {} (min, median, max)",
                time(fan_out.min),
                time(fan_out.median),
                time(fan_out.max)
            ),
        ));
        if let Some(unread) = &messages.never_read {
            let text = format!(
                "{} connections, {} disconnected by the server",
                unread.connections, unread.disconnected
            );
            rows.push(("Never read", text));
        }
    }
    if let Some(trips) = &report.round_trips {
        let text = format!(
            "{} in {:.2} s, {} outstanding each",
            group(trips.count),
            trips.seconds,
            trips.outstanding
        );
        rows.push(("Round trips", text));
    }
    if let Some(soak) = &report.soak {
        rows.push(("Left and replaced", group(soak.left)));
        rows.push(("Memory drift", format!("{:+} bytes", soak.rss_drift_bytes)));
    }
    let summary = &distribution.summary;
    for (name, value) in [
        ("Minimum", summary.min),
        ("Mean", summary.mean),
        ("Standard deviation", summary.stddev),
        ("Median", summary.median),
        ("75 %", summary.p75),
        ("95 %", summary.p95),
        ("98 %", summary.p98),
        ("99 %", summary.p99),
        ("99.9 %", summary.p999),
        ("Maximum", summary.max),
    ] {
        rows.push((name, time(value)));
    }
    if let Some(server) = &report.server {
        let megabytes = |bytes: u64| format!("{:.2} MiB", bytes as f64 / f64::from(1 << 20));
        rows.push((
            "Server memory",
            format!(
                "{} empty, {} connected, {} at the end",
                megabytes(server.rss_empty_bytes),
                megabytes(server.rss_connected_bytes),
                megabytes(server.rss_after_bytes)
            ),
        ));
        for (name, cost) in [
            ("Server CPU per handshake", server.per_handshake),
            ("Server CPU per delivery", server.per_delivery),
            ("Server CPU per round trip", server.per_round_trip),
        ] {
            if let Some(Cost { total_us, user_us, system_us }) = cost {
                rows.push((name, format!("{total_us:.2} us ({user_us:.2} user, {system_us:.2} system)")));
            }
        }
    }
    rows
}

fn table(rows: &[(&'static str, String)]) -> String {
    let rows: String = rows
        .iter()
        .map(|(name, value)| format!("<tr><th>{name}</th><td>{}</td></tr>\n", escape(value)))
        .collect();
    format!("<table>\n{rows}</table>\n")
}

fn section(title: &str, what: &str, content: &str) -> String {
    let what = if what.is_empty() { String::new() } else { format!("<p>{what}</p>") };
    format!("<section>\n<h2>{title}</h2>{what}\n{content}</section>\n")
}

/// 1 234 567: groups of three with a thin, unbreakable space.
fn group(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push('\u{202f}');
        }
        out.push(digit);
    }
    out
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_numbers_are_grouped_and_markup_is_escaped() {
        assert_eq!(group(1_234_567), "1\u{202f}234\u{202f}567");
        assert_eq!((group(0), group(999)), ("0".into(), "999".into()));
        assert_eq!(escape("<a b=\"c\">&"), "&lt;a b=&quot;c&quot;&gt;&amp;");
    }
}
