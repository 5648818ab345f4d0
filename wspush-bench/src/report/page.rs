//! The report as one self-contained web page.

use super::{Distribution, Report, tables};
use crate::plot;
use crate::quantity::{count, time};

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
    for table in tables::tables(report) {
        sections += &section(table.title, "", &rows(&table.rows));
    }
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
        wait = escape(&format!("Client: {}.", report.client())),
        version = report.version,
        command = escape(&report.command),
    )
}

fn tiles(report: &Report, distribution: &Distribution) -> Vec<(String, &'static str)> {
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

fn rows(rows: &[tables::Row]) -> String {
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

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_is_escaped() {
        assert_eq!(escape("<a b=\"c\">&"), "&lt;a b=&quot;c&quot;&gt;&amp;");
    }
}
