//! The answer of `/metrics`: for each metric its help, its type and its samples, in Prometheus's text format or, for
//! whoever takes native histograms, in its messages.

use std::io::Write as _;

use super::histogram::Histogram;
use super::protobuf::{self, Family, Kind};
use super::{Gauges, Metrics};

/// The form of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// The text format, version 0.0.4.
    Text,
    /// Messages, each behind its length.
    Protobuf,
}

impl Format {
    /// Its media type.
    pub fn content_type(self) -> &'static str {
        match self {
            Format::Text => "text/plain; version=0.0.4; charset=utf-8",
            Format::Protobuf => protobuf::CONTENT_TYPE,
        }
    }
}

/// The type of a metric.
#[derive(Clone, Copy, Debug)]
pub(super) enum MetricType {
    /// Only grows.
    Counter,
    /// Rises and falls.
    Gauge,
    /// Counts by class.
    Histogram,
}

/// Takes metrics; one `family` and then its samples.
#[derive(Debug)]
pub struct Exposition {
    format: Format,
    out: Vec<u8>,
    name: &'static str,
    /// The one under way, where it is a message.
    family: Option<Family>,
}

impl Exposition {
    /// Nothing yet.
    pub fn new(format: Format) -> Exposition {
        Exposition { format, out: Vec::new(), name: "", family: None }
    }

    /// The whole of it.
    pub fn finish(mut self) -> Vec<u8> {
        self.end_family();
        self.out
    }

    fn end_family(&mut self) {
        if let Some(family) = self.family.take() {
            family.end(&mut self.out);
        }
    }

    /// Begins the metric `name`; neither name nor help needs escaping, both are ours.
    pub(super) fn family(&mut self, name: &'static str, help: &str, metric_type: MetricType) {
        self.name = name;
        let (kind, metric_type) = match metric_type {
            MetricType::Counter => (Kind::Counter, "counter"),
            MetricType::Gauge => (Kind::Gauge, "gauge"),
            MetricType::Histogram => (Kind::Histogram, "histogram"),
        };
        match self.format {
            Format::Protobuf => {
                self.end_family();
                self.family = Some(Family::new(name, help, kind));
            }
            // Writing into a Vec does not fail.
            Format::Text => _ = write!(self.out, "# HELP {name} {help}\n# TYPE {name} {metric_type}\n"),
        }
    }

    /// A metric in classes, with its sum in seconds.
    pub(super) fn histogram(&mut self, name: &'static str, help: &str, histogram: &Histogram) {
        self.family(name, help, MetricType::Histogram);
        if let Some(family) = &mut self.family {
            let classic: Vec<(f64, u64)> =
                histogram.bounded().map(|(us, count)| (us as f64 / 1e6, count)).collect();
            return family.histogram(&classic, histogram.sum_us() as f64 / 1e6, histogram.fine());
        }
        for (bound, count) in histogram.buckets() {
            let _ = writeln!(self.out, "{name}_bucket{{le=\"{bound}\"}} {count}");
        }
        let (seconds, us) = (histogram.sum_us() / 1_000_000, histogram.sum_us() % 1_000_000);
        let _ = writeln!(self.out, "{name}_sum {seconds}.{us:06}");
        let _ = writeln!(self.out, "{name}_count {}", histogram.count());
    }

    pub(super) fn sample(&mut self, value: u64) {
        match &mut self.family {
            Some(family) => family.sample(None, value as f64),
            None => _ = writeln!(self.out, "{} {value}", self.name),
        }
    }

    /// A value in seconds.
    pub(super) fn hundredths(&mut self, value: u64) {
        match &mut self.family {
            Some(family) => family.sample(None, value as f64 / 100.0),
            None => _ = writeln!(self.out, "{} {}.{:02}", self.name, value / 100, value % 100),
        }
    }

    /// A value in seconds, of microseconds.
    pub(super) fn seconds_with(&mut self, label: &str, label_value: &str, us: u64) {
        let (seconds, rest) = (us / 1_000_000, us % 1_000_000);
        match &mut self.family {
            Some(family) => family.sample(Some((label, label_value)), us as f64 / 1e6),
            None => {
                let _ = writeln!(self.out, "{}{{{label}=\"{label_value}\"}} {seconds}.{rest:06}", self.name);
            }
        }
    }

    pub(super) fn sample_with(&mut self, label: &str, label_value: &str, value: u64) {
        match &mut self.family {
            Some(family) => family.sample(Some((label, label_value)), value as f64),
            None => _ = writeln!(self.out, "{}{{{label}=\"{label_value}\"}} {value}", self.name),
        }
    }
}

impl Metrics {
    /// Appends the Prometheus text format, version 0.0.4 (`text/plain; version=0.0.4`).
    pub fn write_prometheus(&self, gauges: &Gauges, out: &mut String) {
        let mut exposition = Exposition::new(Format::Text);
        self.expose(gauges, &mut exposition);
        out.push_str(&String::from_utf8_lossy(&exposition.finish()));
    }

    /// Writes them in any format.
    pub(crate) fn expose(&self, gauges: &Gauges, exposition: &mut Exposition) {
        self.write(exposition);
        gauges.write(exposition);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::super::{CloseReason, ConnectionKind, CpuPurpose, Gauges, Metrics, RefuseReason};

    fn is_name(name: &str) -> bool {
        name.starts_with(|c: char| c.is_ascii_lowercase())
            && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
    }

    /// Name, label and value of a sample line, strictly; of seconds with a fraction the microseconds.
    fn sample(line: &str) -> (&str, Option<(&str, &str)>, u64) {
        let (series, value) = line.split_once(' ').expect("no value");
        let value = match value.split_once('.') {
            None => value.parse().expect("no integer"),
            Some((seconds, rest)) => {
                assert!(series.contains("_seconds") && rest.len() == 6, "{line}");
                seconds.parse::<u64>().expect("no number") * 1_000_000
                    + rest.parse::<u64>().expect("no fraction")
            }
        };
        match series.split_once('{') {
            None => (series, None, value),
            Some((name, labels)) => {
                let (label, quoted) = labels.strip_suffix('}').unwrap().split_once('=').unwrap();
                let text = quoted.strip_prefix('"').unwrap().strip_suffix('"').unwrap();
                assert!(is_name(label) && (is_name(text) || label == "le"), "{line}");
                (name, Some((label, text)), value)
            }
        }
    }

    /// Every family once, with HELP, TYPE and samples in this order; series -> value.
    fn parse(text: &str) -> BTreeMap<String, u64> {
        assert!(text.ends_with('\n'));
        let (mut families, mut series) = (BTreeSet::new(), BTreeMap::new());
        let mut lines = text.lines().peekable();
        while let Some(line) = lines.next() {
            let (name, help) = line.strip_prefix("# HELP ").expect(line).split_once(' ').unwrap();
            assert!(is_name(name) && name.starts_with("wspush_") && help.ends_with('.'), "{line}");
            assert!(!help.contains(['\\', '\n']), "{line}");
            assert!(families.insert(name), "{name} is there twice");
            let metric_type = lines.next().unwrap().strip_prefix(&format!("# TYPE {name} ")).unwrap();
            assert!(["counter", "gauge", "histogram"].contains(&metric_type));
            assert_eq!(metric_type == "counter", name.ends_with("_total"), "{name}");
            assert!(lines.peek().is_some_and(|line| !line.starts_with('#')), "{name} has no sample");
            while let Some(line) = lines.next_if(|line| !line.starts_with('#')) {
                let (sample_name, label, value) = sample(line);
                let part = sample_name.strip_prefix(name).expect(line);
                let parts: &[&str] =
                    if metric_type == "histogram" { &["_bucket", "_sum", "_count"] } else { &[""] };
                assert!(parts.contains(&part), "{line}");
                let key = label
                    .map_or(sample_name.to_owned(), |(label, text)| format!("{sample_name} {label}={text}"));
                assert!(series.insert(key, value).is_none(), "{line} is there twice");
            }
        }
        series
    }

    #[test]
    fn the_text_is_valid_and_complete() {
        let mut metrics = Metrics { accepted: 3, send_bytes: u64::MAX, ..Metrics::default() };
        metrics.closed(CloseReason::GoingAway);
        metrics.refused(RefuseReason::PerAddress);
        metrics.turn_seconds.note(1_500_000);
        metrics.cpu_microseconds.add(CpuPurpose::Flush, 2_000_030);
        let mut gauges = Gauges { uptime_seconds: 9, channels: 2, ..Gauges::default() };
        gauges.connections.set(ConnectionKind::Push, 2);
        let mut text = String::new();
        metrics.write_prometheus(&gauges, &mut text);
        let series = parse(&text);
        assert_eq!(series["wspush_accepted_total"], 3);
        assert_eq!(series["wspush_send_bytes_total"], u64::MAX);
        assert_eq!(series["wspush_closed_total reason=going_away"], 1);
        assert_eq!(series["wspush_closed_total reason=client"], 0);
        assert_eq!(series["wspush_handshakes_refused_total reason=per_address"], 1);
        assert_eq!(series["wspush_connections kind=ws"], 2);
        assert_eq!((series["wspush_turn_seconds_sum"], series["wspush_turn_seconds_count"]), (1_500_000, 1));
        assert!(text.contains("\nwspush_cpu_seconds_total{purpose=\"flush\"} 2.000030\n"), "{text}");
        assert_eq!(
            (series["wspush_turn_seconds_bucket le=1"], series["wspush_turn_seconds_bucket le=+Inf"]),
            (0, 1)
        );
        assert_eq!((series["wspush_channels"], series["wspush_uptime_seconds"]), (2, 9));

        // As many series as there are numbers in the JSON.
        let count = |json: serde_json::Value| -> usize {
            let fields = json.as_object().unwrap().values();
            fields.map(|field| field.as_object().map_or(1, serde_json::Map::len)).sum()
        };
        let numbers = [serde_json::to_value(&metrics).unwrap(), serde_json::to_value(&gauges).unwrap()];
        assert_eq!(series.len(), numbers.map(count).iter().sum::<usize>());
    }
}
