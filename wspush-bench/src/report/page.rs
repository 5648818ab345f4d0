//! The report as one self-contained web page.

use super::{Report, tables};
use crate::plot::columns::columns;
use crate::plot::{self, Frame, NARROW, WIDE, curves, escape};
use crate::quantity::{count, decimal, time};

/// The page. It loads nothing.
pub(crate) fn render(report: &Report) -> String {
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
    let note =
        report.client.note().map_or_else(String::new, |note| format!("<p>Note: {}.</p>", escape(&note)));
    let tiles: String = tiles(report)
        .iter()
        .map(|(value, name)| {
            format!(r#"<div class="tile"><b>{}</b><span>{name}</span></div>"#, escape(value))
        })
        .collect();
    let figures: String =
        tables::tables(report).iter().map(|table| section(table.title, "", &rows(&table.rows))).collect();
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <link rel=\"icon\" href=\"data:,\">\n<title>{title}</title>\n\
         <style>\n{palette}{plots}{css}</style>\n<main>\n<h1>{title}</h1>\n<p>Client: {client}.</p>\n{verdict}{note}\n\
         <div class=\"tiles\">{tiles}</div>\n{charts}<div class=\"figures\">\n{figures}</div>\n\
         <footer>wspush-bench {version}<br><code>wspush-bench {command}</code></footer>\n</main>\n</html>\n",
        title = escape(&format!("{} {}", report.mode, report.target)),
        palette = plot::PALETTE,
        plots = plot::STYLE,
        css = include_str!("page.css"),
        client = escape(&report.client_form()),
        charts = charts(report),
        version = report.version,
        command = escape(&report.command),
    )
}

/// The plots.
fn charts(report: &Report) -> String {
    let (what, distribution) = report.headline();
    let mut charts = section(
        "Latency by percentile",
        what,
        &for_both(|frame| curves::percentiles(frame, &distribution.spectrum)),
    );
    charts += &section(
        "Distribution",
        "how many took how long",
        &for_both(|frame| columns(frame, &distribution.bins)),
    );
    if let Some(soak) = &report.soak
        && soak.rss.iter().any(|point| point.1 > 0)
    {
        let series: Vec<_> =
            soak.rss.iter().map(|(at, bytes)| (*at, *bytes as f64 / f64::from(1 << 20))).collect();
        let draw = |frame: &Frame| {
            curves::line(frame, "resident memory", &series, |mebibytes| format!("{mebibytes} MiB"))
        };
        charts += &section("Memory of the server", "resident, over the time of the soak", &for_both(draw));
    }
    charts
}

/// A plot for a window and one for a phone; the style sheet shows one of them.
fn for_both(draw: impl Fn(&Frame) -> String) -> String {
    let (wide, narrow) = (draw(&WIDE), draw(&NARROW));
    format!("<div class=\"wide\">{wide}</div>\n<div class=\"narrow\">{narrow}</div>\n")
}

fn tiles(report: &Report) -> Vec<(String, &'static str)> {
    let mut tiles = vec![(count(report.connections.active), "connections active")];
    if let Some(messages) = &report.messages {
        tiles.push((count(messages.received), "messages received"));
        tiles.push((time(messages.fan_out_us.median), "push to last receipt, median"));
    }
    if let Some(trips) = &report.round_trips {
        tiles.push((count(trips.per_s as u64), "round trips per second"));
    }
    if report.messages.is_none() && report.round_trips.is_none() {
        tiles.push((count(report.connections.setup_per_s as u64), "connections set up per second"));
    }
    tiles.push((time(report.headline().1.summary.p99), "99th percentile"));
    if let Some(server) = &report.server {
        tiles.extend(
            server
                .bytes_per_connection
                .map(|bytes| (format!("{} B", decimal(bytes, 0)), "server memory per connection")),
        );
        let cost = server.per_delivery.map(|cost| (cost, "server CPU per delivery"));
        let cost = cost.or(server.per_round_trip.map(|cost| (cost, "server CPU per round trip")));
        let cost = cost.or(server.per_handshake.map(|cost| (cost, "server CPU per handshake")));
        tiles.extend(cost.map(|(cost, name)| (format!("{:.2} us", cost.total_us), name)));
    }
    tiles
}

fn rows(rows: &[tables::Row]) -> String {
    let rows: String = rows
        .iter()
        .map(|(name, value)| format!("<tr><th>{name}</th><td>{}</td></tr>\n", escape(value)))
        .collect();
    format!("<div class=\"scroll\"><table>\n{rows}</table></div>\n")
}

fn section(title: &str, what: &str, content: &str) -> String {
    let what = if what.is_empty() { String::new() } else { format!("<p>{what}</p>") };
    format!("<section>\n<h2>{title}</h2>{what}\n{content}</section>\n")
}
