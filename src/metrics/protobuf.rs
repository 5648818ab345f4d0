//! The messages of Prometheus's `io.prometheus.client` (metrics.proto), as far as they are written here. Only in this
//! format a scrape takes native histograms.

use super::fine::{Fine, SCHEMA, ZERO_SECONDS};

/// Its media type, as a scrape asks for it.
pub const CONTENT_TYPE: &str =
    "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited";

/// A number in seven bits a byte, the lowest first.
fn varint(mut number: u64, out: &mut Vec<u8>) {
    while number > 0x7f {
        out.push(low_byte(number) | 0x80);
        number >>= 7;
    }
    out.push(low_byte(number));
}

fn low_byte(number: u64) -> u8 {
    number.to_le_bytes()[0] & 0x7f
}

/// Small numbers, whatever their sign, take few bytes.
fn zigzag(number: i64) -> u64 {
    (number << 1 ^ number >> 63).cast_unsigned()
}

fn tag(field: u64, wire_type: u64, out: &mut Vec<u8>) {
    varint(field << 3 | wire_type, out);
}

fn integer(field: u64, number: u64, out: &mut Vec<u8>) {
    tag(field, 0, out);
    varint(number, out);
}

fn double(field: u64, number: f64, out: &mut Vec<u8>) {
    tag(field, 1, out);
    out.extend_from_slice(&number.to_le_bytes());
}

fn bytes(field: u64, bytes: &[u8], out: &mut Vec<u8>) {
    tag(field, 2, out);
    delimited(bytes, out);
}

fn delimited(bytes: &[u8], out: &mut Vec<u8>) {
    varint(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

/// A message in a field.
fn message(field: u64, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let mut inner = Vec::new();
    write(&mut inner);
    bytes(field, &inner, out);
}

/// The kinds of a metric, as `MetricType` counts them.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Counter = 0,
    Gauge = 1,
    Histogram = 4,
}

/// A `MetricFamily` under way: it stands behind its length, so it is written when it is whole.
#[derive(Debug)]
pub(super) struct Family {
    kind: Kind,
    bytes: Vec<u8>,
}

impl Family {
    pub(super) fn new(name: &str, help: &str, kind: Kind) -> Family {
        let mut family = Family { kind, bytes: Vec::new() };
        bytes(1, name.as_bytes(), &mut family.bytes);
        bytes(2, help.as_bytes(), &mut family.bytes);
        integer(3, kind as u64, &mut family.bytes);
        family
    }

    /// A sample of a counter or a gauge.
    pub(super) fn sample(&mut self, label: Option<(&str, &str)>, value: f64) {
        let field = if let Kind::Counter = self.kind { 3 } else { 2 };
        message(4, &mut self.bytes, |metric| {
            if let Some((name, value)) = label {
                message(1, metric, |pair| {
                    bytes(1, name.as_bytes(), pair);
                    bytes(2, value.as_bytes(), pair);
                });
            }
            message(field, metric, |number| double(1, value, number));
        });
    }

    /// A histogram: the classic classes, by their upper bounds and how many are in them and below, and the fine ones.
    pub(super) fn histogram(&mut self, classic: &[(f64, u64)], sum_seconds: f64, fine: Option<&Fine>) {
        let none = Fine::default();
        let fine = fine.unwrap_or(&none);
        let (zeros, classes) = (fine.none(), fine.classes());
        let count = zeros + classes.iter().map(|(_, count)| count).sum::<u64>();
        message(4, &mut self.bytes, |metric| {
            message(7, metric, |histogram| {
                // It has to be the sum of the classes, to which somebody may have added since the others were copied.
                integer(1, count, histogram);
                double(2, sum_seconds, histogram);
                for &(bound, below) in classic {
                    message(3, histogram, |bucket| {
                        integer(1, below.min(count), bucket);
                        double(2, bound, bucket);
                    });
                }
                integer(5, zigzag(i64::from(SCHEMA)), histogram);
                double(6, ZERO_SECONDS, histogram);
                integer(7, zeros, histogram);
                write_classes(&classes, histogram);
            });
        });
    }

    /// Writes it.
    pub(super) fn end(&self, out: &mut Vec<u8>) {
        delimited(&self.bytes, out);
    }
}

/// Spans of classes in a row, and in each class by how much it has more than the one before. Without any there is a
/// span of none: by that it is known for a native histogram.
fn write_classes(classes: &[(i32, u64)], histogram: &mut Vec<u8>) {
    let mut spans: Vec<(i32, u64)> = Vec::new();
    let (mut deltas, mut next, mut last) = (Vec::new(), 0, 0);
    for &(class, count) in classes {
        match spans.last_mut() {
            Some((_, len)) if class == next => *len += 1,
            _ => spans.push((class - next, 1)),
        }
        varint(zigzag(count.cast_signed() - last), &mut deltas);
        (next, last) = (class + 1, count.cast_signed());
    }
    if spans.is_empty() {
        spans.push((0, 0));
    }
    for (offset, len) in spans {
        message(12, histogram, |span| {
            integer(1, zigzag(i64::from(offset)), span);
            integer(2, len, span);
        });
    }
    if !deltas.is_empty() {
        bytes(13, &deltas, histogram);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The encodings of the specification's own examples.
    #[test]
    fn numbers_are_written_as_the_format_has_them() {
        let written = |number| {
            let mut out = Vec::new();
            varint(number, &mut out);
            out
        };
        assert_eq!((written(1), written(150)), (vec![1], vec![0x96, 1]));
        assert_eq!(written(u64::MAX), [&[0xff_u8; 9][..], &[1]].concat());
        assert_eq!([0, -1, 1, -2, 0x7fff_ffff].map(zigzag), [0, 1, 2, 3, 0xffff_fffe]);
        let mut out = Vec::new();
        bytes(2, b"testing", &mut out);
        assert_eq!(out, b"\x12\x07testing");
    }

    #[test]
    fn a_family_is_as_long_as_it_says() {
        let mut family = Family::new("a", "B.", Kind::Counter);
        family.sample(Some(("l", "v")), 1.0);
        let mut out = Vec::new();
        family.end(&mut out);
        let one = 1.0_f64.to_le_bytes();
        let metric = [b"\x0a\x06\x0a\x01l\x12\x01v\x1a\x09\x09".as_slice(), &one].concat();
        let whole = [b"\x0a\x01a\x12\x02B.\x18\x00\x22\x13".as_slice(), &metric].concat();
        assert_eq!(out, [&[30], &whole[..]].concat());
    }

    #[test]
    fn classes_in_a_row_are_one_span() {
        let mut out = Vec::new();
        write_classes(&[(-3, 2), (-2, 5), (4, 1)], &mut out);
        // -3 and two classes; five are left out, and one; 2, three more, four less.
        assert_eq!(out, b"\x62\x04\x08\x05\x10\x02\x62\x04\x08\x0a\x10\x01\x6a\x03\x04\x06\x07");
        out.clear();
        write_classes(&[], &mut out);
        assert_eq!(out, b"\x62\x04\x08\x00\x10\x00");
    }
}
