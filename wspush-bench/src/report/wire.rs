//! TLS handshakes and compression: the figures that are about the wire and not about messages.

use super::tables::Row;
use crate::probe::Cost;
use crate::quantity::count;
use crate::tally::{Kinds, Tally};
use serde::Serialize;

/// The TLS handshakes of the connections that count.
#[derive(Serialize)]
pub(crate) struct Handshakes {
    pub(crate) full: u64,
    pub(crate) resumed: u64,
    /// Version and cipher suite, and how often.
    pub(crate) suites: Kinds,
    /// How many one core of the server can answer in a second, WebSocket handshake included.
    pub(crate) per_core_s: Option<f64>,
}

/// permessage-deflate (RFC 7692).
#[derive(Serialize)]
pub(crate) struct Compression {
    pub(crate) negotiated: u64,
    pub(crate) declined: u64,
    /// Messages that came compressed, of all.
    pub(crate) compressed: u64,
    pub(crate) messages: u64,
    /// Their payloads as they came and as they were.
    pub(crate) deflated_bytes: u64,
    pub(crate) inflated_bytes: u64,
}

impl Handshakes {
    pub(crate) fn new(tally: &Tally, per_handshake: Option<Cost>) -> Self {
        Self {
            full: tally.full_handshakes,
            resumed: tally.resumed_handshakes,
            suites: tally.suites.clone(),
            per_core_s: per_handshake.filter(|cost| cost.total_us > 0.0).map(|cost| 1e6 / cost.total_us),
        }
    }

    pub(super) fn rows(&self) -> Vec<Row> {
        let mut rows =
            vec![("handshakes", format!("{} full, {} resumed", count(self.full), count(self.resumed)))];
        rows.extend(
            self.suites.iter().map(|(suite, number)| ("suite", format!("{suite} ({})", count(*number)))),
        );
        rows.extend(self.per_core_s.map(|rate| {
            ("handshakes per core", format!("{} /s by the server's CPU time", count(rate as u64)))
        }));
        rows
    }
}

impl Compression {
    pub(crate) const fn new(tally: &Tally) -> Self {
        Self {
            negotiated: tally.may_deflate,
            declined: tally.opened - tally.may_deflate,
            compressed: tally.deflated,
            messages: tally.received + tally.faults.corrupted + tally.foreign + tally.faults.duplicated,
            deflated_bytes: tally.deflated_bytes,
            inflated_bytes: tally.inflated_bytes,
        }
    }

    /// Payload bytes on the wire to payload bytes, over the compressed messages.
    fn ratio(&self) -> Option<f64> {
        (self.inflated_bytes > 0).then(|| self.deflated_bytes as f64 / self.inflated_bytes as f64)
    }

    pub(super) fn rows(&self) -> Vec<Row> {
        let [negotiated, declined, compressed, messages] =
            [self.negotiated, self.declined, self.compressed, self.messages].map(count);
        let size = self
            .ratio()
            .map_or_else(String::new, |ratio| format!(", to {:.1} % of their size", ratio * 100.0));
        vec![
            ("negotiated", format!("{negotiated} connections, {declined} declined")),
            ("compressed messages", format!("{compressed} of {messages}{size}")),
        ]
    }

    /// A server that can't be told from one without compression is not what was asked for.
    pub(crate) fn finding(&self) -> Option<String> {
        (self.declined > 0)
            .then(|| format!("{} connections did not negotiate permessage-deflate", self.declined))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_and_rates_are_told_where_there_are_any() {
        let tally = Tally { opened: 3, may_deflate: 3, ..Tally::default() };
        let none = Compression::new(&tally);
        assert_eq!((none.ratio(), none.finding()), (None, None));
        let tally = Tally { deflated: 2, deflated_bytes: 30, inflated_bytes: 100, received: 2, ..tally };
        let rows = Compression::new(&tally).rows();
        assert_eq!(rows[1].1, "2 of 2, to 30.0 % of their size");
        let cost = Cost { total_us: 50.0, ..Cost::default() };
        assert_eq!(Handshakes::new(&tally, Some(cost)).per_core_s, Some(20_000.0));
        assert_eq!(Handshakes::new(&tally, None).per_core_s, None);
    }

    #[test]
    fn who_declines_is_a_finding() {
        let tally = Tally { opened: 3, may_deflate: 1, ..Tally::default() };
        let finding = Compression::new(&tally).finding().unwrap();
        assert_eq!(finding, "2 connections did not negotiate permessage-deflate");
    }
}
