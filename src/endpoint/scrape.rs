//! In which format a scrape of `/metrics` is answered. Prometheus asks for messages where it is to take native
//! histograms (`--enable-feature=native-histograms`, `scrape_native_histograms`), and for text otherwise, as people do.

use crate::metrics::Format;
use crate::protocol::head::Head;
use crate::protocol::list;
use crate::protocol::media_type::MediaType;

/// The format that a request prefers (RFC 9110 section 12.5.1).
pub fn format(head: &Head<'_>) -> Format {
    let (mut protobuf, mut text) = (0, 0);
    for element in head.headers("accept").flat_map(list::elements) {
        let Ok(range) = str::from_utf8(element) else { continue };
        let range = MediaType::of(range);
        let place = if is_ours(&range) {
            &mut protobuf
        } else if ["text/plain", "text/*", "*/*"].iter().any(|name| range.is(name)) {
            &mut text
        } else {
            continue;
        };
        *place = weight(&range).max(*place);
    }
    if protobuf > 0 && protobuf >= text { Format::Protobuf } else { Format::Text }
}

fn is_ours(range: &MediaType<'_>) -> bool {
    let has = |name, value| range.one(name).is_some_and(|found| found.eq_ignore_ascii_case(value));
    range.is("application/vnd.google.protobuf")
        && has("proto", "io.prometheus.client.MetricFamily")
        && has("encoding", "delimited")
}

/// The weight in thousandths (RFC 9110 section 12.4.2): `0.75`, `1`. One that can't be read is none.
fn weight(range: &MediaType<'_>) -> u32 {
    let Some(text) = range.all("q").next() else { return 1_000 };
    text.as_deref().and_then(thousandths).filter(|weight| *weight <= 1_000).unwrap_or(0)
}

/// A digit, and three at the most behind a point. Reading any number would bring large tables along.
fn thousandths(text: &str) -> Option<u32> {
    let (whole, behind) = text.split_once('.').unwrap_or((text, ""));
    let digits = format!("{whole}{behind:0<3}");
    let are_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
    (whole.len() == 1 && digits.len() == 4 && are_digits).then_some(digits)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::head;

    const PROTOBUF: &str =
        "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited";

    fn of(accept: &str) -> Format {
        let request = format!("GET /metrics HTTP/1.1\r\nHost: a\r\n{accept}\r\n");
        let mut fields = head::Fields::new();
        let (head, _) = head::parse(request.as_bytes(), 4_096, &mut fields).unwrap().unwrap();
        format(&head)
    }

    #[test]
    fn messages_are_for_whoever_prefers_them() {
        // As Prometheus 2.42 and 3 ask for them.
        for accept in [
            format!(
                "Accept: {PROTOBUF};q=0.8,application/openmetrics-text; version=1.0.0; charset=utf-8;q=0.4, \
                 text/plain;version=0.0.4;q=0.2,*/*;q=0.1\r\n"
            ),
            format!("Accept: text/plain;q=0.3\r\nAccept: {PROTOBUF};escaping=allow-utf-8;q=0.6\r\n"),
            format!("Accept: {PROTOBUF}\r\n"),
        ] {
            assert_eq!(of(&accept), Format::Protobuf, "{accept}");
        }
    }

    #[test]
    fn text_is_for_all_others() {
        for accept in [
            String::new(),
            "Accept: application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.2\r\n"
                .into(),
            "Accept: */*\r\n".into(),
            format!("Accept: {PROTOBUF};q=0.2,text/plain;q=0.3\r\n"),
            format!("Accept: {PROTOBUF};q=0\r\n"),
            format!("Accept: {PROTOBUF};q=x\r\n"),
            "Accept: application/vnd.google.protobuf;encoding=delimited\r\n".into(),
            format!("Accept: {}\r\n", PROTOBUF.replace("delimited", "text")),
        ] {
            assert_eq!(of(&accept), Format::Text, "{accept}");
        }
    }
}
