//! The figures of a campaign.

mod client;
pub(crate) mod page;
mod tables;
pub(crate) mod text;
mod wire;

use crate::admin::stats::Counters;
use crate::args::{Plan, Setup};
use crate::campaign::Observed;
use crate::job::Wait;
use crate::probe::Cost;
use crate::quantity::plural;
use crate::redact;
use crate::samples::{Samples, Summary};
use crate::tally::{Faults, Kinds, Reach, Tally, Unread};
use crate::target::Target;
use crate::transport::Kind;
use client::Client;
use serde::Serialize;
use wire::{Compression, Handshakes};

const BINS: usize = 60;

/// Everything that was measured.
#[derive(Serialize)]
pub(crate) struct Report {
    pub(crate) version: &'static str,
    pub(crate) mode: &'static str,
    pub(crate) command: String,
    pub(crate) target: String,
    pub(crate) transport: Kind,
    pub(crate) wait: Wait,
    pub(crate) threads: u32,
    pub(crate) processes: u32,
    pub(crate) client: Client,
    pub(crate) connections: Connections,
    pub(crate) tls: Option<Handshakes>,
    pub(crate) deflate: Option<Compression>,
    pub(crate) messages: Option<Messages>,
    pub(crate) round_trips: Option<RoundTrips>,
    pub(crate) soak: Option<Drift>,
    pub(crate) server: Option<Server>,
    /// The server's own counters, over what was measured.
    pub(crate) counted: Option<Counters>,
    /// The faults, for a person to read; empty when all is well.
    pub(crate) findings: Vec<String>,
    pub(crate) passed: bool,
}

#[derive(Serialize)]
pub(crate) struct Connections {
    pub(crate) asked: u32,
    pub(crate) begun: u64,
    pub(crate) opened: u64,
    pub(crate) active: u64,
    pub(crate) failed: Kinds,
    pub(crate) closed: Kinds,
    pub(crate) setup_s: f64,
    pub(crate) setup_per_s: f64,
    pub(crate) setup_us: Distribution,
}

/// A histogram's figures, and the points of its plots.
#[derive(Serialize)]
pub(crate) struct Distribution {
    pub(crate) summary: Summary,
    /// `(quantile, microseconds)`
    pub(crate) spectrum: Vec<(f64, f64)>,
    /// `(from, to, count)`
    pub(crate) bins: Vec<(f64, f64, u64)>,
}

#[derive(Serialize)]
pub(crate) struct Messages {
    pub(crate) size: usize,
    pub(crate) published: u32,
    pub(crate) expected: u64,
    pub(crate) received: u64,
    pub(crate) received_bytes: u64,
    /// For each measured delivery, on the wire: frames, TLS records and all else that came meanwhile.
    pub(crate) wire_bytes: Option<f64>,
    #[serde(flatten)]
    pub(crate) faults: Faults,
    pub(crate) foreign: u64,
    /// Receipts per second while a burst was on its way, pauses left out.
    pub(crate) per_s: f64,
    /// From the push to each receipt.
    pub(crate) latency_us: Distribution,
    /// From the push of a publication to its last receipt.
    pub(crate) fan_out_us: Spread,
    /// From the first push of a burst to the last receipt of it.
    pub(crate) burst_us: Spread,
    pub(crate) never_read: Option<Unread>,
}

/// Smallest, middle and largest of a few values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Spread {
    pub(crate) count: usize,
    pub(crate) min: f64,
    pub(crate) median: f64,
    pub(crate) max: f64,
}

#[derive(Serialize)]
pub(crate) struct RoundTrips {
    pub(crate) outstanding: u32,
    pub(crate) size: usize,
    pub(crate) count: u64,
    pub(crate) seconds: f64,
    pub(crate) per_s: f64,
    #[serde(flatten)]
    pub(crate) faults: Faults,
    pub(crate) latency_us: Distribution,
}

#[derive(Serialize)]
pub(crate) struct Drift {
    pub(crate) seconds: f64,
    pub(crate) left: u64,
    pub(crate) left_unclean: u64,
    /// From a quarter of the time on, when pools and caches are filled.
    pub(crate) rss_drift_bytes: i64,
    /// `(seconds, bytes)`
    pub(crate) rss: Vec<(f64, u64)>,
}

#[derive(Serialize)]
pub(crate) struct Server {
    pub(crate) rss_empty_bytes: u64,
    pub(crate) rss_connected_bytes: u64,
    pub(crate) rss_after_bytes: u64,
    pub(crate) bytes_per_connection: Option<f64>,
    pub(crate) per_handshake: Option<Cost>,
    pub(crate) per_delivery: Option<Cost>,
    pub(crate) per_round_trip: Option<Cost>,
}

impl Report {
    pub(crate) fn new(plan: &Plan, observed: &Observed, tally: &Tally) -> Self {
        let Setup { connections, client, .. } = plan.setup();
        let Target { host, path, .. } = &connections.url;
        let size = plan.message().map_or(0, |(_, size)| size);
        let messages = match plan {
            Plan::Broadcast(_) => Some(Messages::new(size, observed, tally)),
            // Churn would count handshakes among the bytes of the messages.
            Plan::Soak(_) => Some(Messages { wire_bytes: None, ..Messages::new(size, observed, tally) }),
            Plan::Connect(_) | Plan::Echo(_) => None,
        };
        let round_trips = match plan {
            Plan::Echo(plan) => Some(RoundTrips::new(plan.outstanding, size, tally)),
            _ => None,
        };
        let server = (!plan.setup().server.pids.is_empty()).then(|| Server::new(observed, tally));
        let per_handshake = server.as_ref().and_then(|server| server.per_handshake);
        let deflate = connections.deflate.then(|| Compression::new(tally));
        let mut findings = findings(observed, tally);
        findings.extend(deflate.as_ref().and_then(Compression::finding));
        Self {
            version: env!("CARGO_PKG_VERSION"),
            mode: plan.name(),
            command: redact::command(
                std::env::args_os().skip(1).map(|arg| arg.to_string_lossy().into_owned()),
            ),
            target: redact::address(&format!("{}://{host}{path}", connections.url.scheme())),
            transport: connections.transport,
            wait: client.wait,
            threads: observed.threads,
            processes: observed.processes,
            client: Client::new(tally, matches!(plan, Plan::Connect(_))),
            connections: Connections::new(connections.count, tally),
            tls: connections.url.is_secure.then(|| Handshakes::new(tally, per_handshake)),
            deflate,
            messages,
            round_trips,
            soak: matches!(plan, Plan::Soak(_)).then(|| Drift::new(observed, tally)),
            server,
            counted: observed.counted,
            passed: findings.is_empty(),
            findings,
        }
    }

    /// How the load was made.
    fn client_form(&self) -> String {
        let wait = match self.wait {
            Wait::Sleep => "sleeping in epoll",
            Wait::Busy => "polling without pause",
        };
        let processes = plural(self.processes.into(), "process", "processes");
        format!("{processes} of {}, {wait}", plural(self.threads.into(), "thread", "threads"))
    }

    /// The distribution that this campaign was about.
    pub(crate) fn headline(&self) -> (&'static str, &Distribution) {
        match (&self.messages, &self.round_trips) {
            (Some(messages), _) => ("from the push to the receipt", &messages.latency_us),
            (_, Some(round_trips)) => ("round trip", &round_trips.latency_us),
            _ => ("from connect to the handshake's answer", &self.connections.setup_us),
        }
    }
}

/// The report as JSON.
pub(crate) fn json(report: &Report) -> String {
    // Only maps with odd keys and failing writers make this fail, and there are neither.
    let mut text = serde_json::to_string_pretty(report).unwrap_or_default();
    text.push('\n');
    text
}

fn findings(observed: &Observed, tally: &Tally) -> Vec<String> {
    let mut findings = observed.findings.clone();
    let faults = tally.faults;
    for (kinds, what) in [(&tally.failed, "failed"), (&tally.closed, "ended early")] {
        findings.extend(kinds.iter().map(|(kind, count)| format!("{count} connections {what}: {kind}")));
    }
    for (count, what) in [
        (faults.lost, "lost"),
        (faults.duplicated, "duplicated"),
        (faults.reordered, "out of order"),
        (faults.corrupted, "corrupted"),
    ] {
        if count > 0 {
            findings.push(format!("{count} messages {what}"));
        }
    }
    if tally.left_unclean > 0 {
        findings.push(format!("{} connections left without the server's close frame", tally.left_unclean));
    }
    findings
}

/// Publications of the measured bursts with at least one receipt: (sequence, reach).
fn reached<'a>(observed: &'a Observed, tally: &'a Tally) -> impl Iterator<Item = (usize, Reach)> + 'a {
    let measured =
        observed.bursts.iter().flat_map(|(first, count)| *first as usize..(*first + *count) as usize);
    measured.filter_map(|at| Some((at, *tally.reach.get(at).filter(|reach| reach.receipts > 0)?)))
}

impl Connections {
    fn new(asked: u32, tally: &Tally) -> Self {
        let setup_s = tally.last_open_ns.saturating_sub(tally.first_connect_ns) as f64 / 1e9;
        Self {
            asked,
            begun: tally.begun,
            opened: tally.opened,
            active: tally.active,
            failed: tally.failed.clone(),
            closed: tally.closed.clone(),
            setup_s,
            setup_per_s: ratio(tally.opened as f64, setup_s),
            setup_us: Distribution::new(&tally.setup),
        }
    }
}

impl Distribution {
    fn new(samples: &Samples) -> Self {
        Self { summary: samples.summary(), spectrum: samples.spectrum(), bins: samples.bins(BINS) }
    }
}

impl Messages {
    fn new(size: usize, observed: &Observed, tally: &Tally) -> Self {
        let since = |at: usize, last_ns: u64| {
            observed.sent_ns.get(at).map_or(0.0, |sent_ns| last_ns.saturating_sub(*sent_ns) as f64 / 1e3)
        };
        let fan_outs = reached(observed, tally).map(|(at, reach)| since(at, reach.last_ns)).collect();
        let bursts: Vec<f64> = observed
            .bursts
            .iter()
            .filter_map(|(first, count)| {
                let reach = tally.reach.get(*first as usize..(*first + *count) as usize)?;
                let last_ns = reach.iter().map(|reach| reach.last_ns).max().filter(|last_ns| *last_ns > 0)?;
                Some(since(*first as usize, last_ns))
            })
            .collect();
        let receipts: u64 = reached(observed, tally).map(|(_, reach)| u64::from(reach.receipts)).sum();
        Self {
            size,
            published: observed.sent_ns.len() as u32,
            expected: tally.received + tally.faults.lost + tally.faults.corrupted,
            received: tally.received,
            received_bytes: tally.received_bytes,
            wire_bytes: (receipts > 0).then(|| tally.wire_bytes as f64 / receipts as f64),
            faults: tally.faults,
            foreign: tally.foreign,
            per_s: ratio(receipts as f64, bursts.iter().sum::<f64>() / 1e6),
            latency_us: Distribution::new(&tally.latency),
            fan_out_us: Spread::new(fan_outs),
            burst_us: Spread::new(bursts),
            never_read: (tally.unread.connections > 0).then_some(tally.unread),
        }
    }
}

impl Spread {
    fn new(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let (Some(min), Some(max)) = (values.first(), values.last()) else { return Self::default() };
        Self { count: values.len(), min: *min, median: values[values.len() / 2], max: *max }
    }
}

impl RoundTrips {
    fn new(outstanding: u32, size: usize, tally: &Tally) -> Self {
        let seconds = tally.halted_ns.saturating_sub(tally.marked_ns) as f64 / 1e9;
        Self {
            outstanding,
            size,
            count: tally.round_trips,
            seconds,
            per_s: ratio(tally.round_trips as f64, seconds),
            faults: tally.faults,
            latency_us: Distribution::new(&tally.latency),
        }
    }
}

impl Drift {
    fn new(observed: &Observed, tally: &Tally) -> Self {
        let rss = observed.rss_series.clone();
        let seconds = rss.last().map_or(0.0, |last| last.0);
        let settled = rss.iter().find(|point| point.0 >= seconds / 4.0).map_or(0, |point| point.1);
        let last = rss.last().map_or(0, |last| last.1);
        let rss_drift_bytes = last as i64 - settled as i64;
        Self { seconds, left: tally.left, left_unclean: tally.left_unclean, rss_drift_bytes, rss }
    }
}

impl Server {
    fn new(observed: &Observed, tally: &Tally) -> Self {
        let Observed { empty, connected, before, after, .. } = observed;
        let growth = connected.rss_bytes.saturating_sub(empty.rss_bytes) as f64;
        let deliveries: u64 = reached(observed, tally).map(|(_, reach)| u64::from(reach.receipts)).sum();
        // Churn would count handshakes among the deliveries.
        let deliveries = if tally.left == 0 { deliveries } else { 0 };
        let connections = tally.opened - tally.left;
        Self {
            rss_empty_bytes: empty.rss_bytes,
            rss_connected_bytes: connected.rss_bytes,
            rss_after_bytes: after.rss_bytes,
            bytes_per_connection: (connections > 0).then(|| growth / connections as f64),
            per_handshake: connected.since(empty).per(connections),
            per_delivery: after.since(before).per(deliveries),
            per_round_trip: after.since(before).per(tally.round_trips),
        }
    }
}

fn ratio(count: f64, seconds: f64) -> f64 {
    if seconds > 0.0 { count / seconds } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spread_of_publications() {
        assert_eq!(Spread::new(vec![]), Spread::default());
        assert_eq!(Spread::new(vec![3.0, 1.0, 2.0]), Spread { count: 3, min: 1.0, median: 2.0, max: 3.0 });
    }

    #[test]
    fn every_kind_of_fault_is_a_finding() {
        let observed = Observed::default();
        assert!(findings(&observed, &Tally::default()).is_empty());
        let faulty = |faults| Tally { faults, ..Tally::default() };
        for tally in [
            faulty(Faults { lost: 1, ..Faults::default() }),
            faulty(Faults { duplicated: 1, ..Faults::default() }),
            faulty(Faults { reordered: 1, ..Faults::default() }),
            faulty(Faults { corrupted: 1, ..Faults::default() }),
            Tally { left_unclean: 1, ..Tally::default() },
            Tally { failed: Kinds::from([("http 503".into(), 1)]), ..Tally::default() },
            Tally { closed: Kinds::from([("close 1013".into(), 1)]), ..Tally::default() },
        ] {
            assert_eq!(findings(&observed, &tally).len(), 1);
        }
    }
}
