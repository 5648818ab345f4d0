//! A page of what a channel's log has.

use super::super::envelope::push_payload;
use super::super::frame::Opcode;
use super::super::json;
use super::command::Id;

/// Writes `{"id":4,"history":{"channel":"C","epoch":"E","offset":TOP,"publications":[..]}}`, one publication after the
/// other.
pub struct HistoryPage<'o> {
    out: &'o mut Vec<u8>,
    is_empty: bool,
}

impl HistoryPage<'_> {
    /// Begins a page. `newest` is the offset of the channel's newest publication, be it on the page or not.
    pub fn begin<'o>(
        id: Id<'_>,
        channel: &str,
        (epoch, newest): (u64, u64),
        out: &'o mut Vec<u8>,
    ) -> HistoryPage<'o> {
        out.extend_from_slice(b"{\"id\":");
        out.extend_from_slice(id.0.as_bytes());
        out.extend_from_slice(b",\"history\":{\"channel\":");
        json::push_string(channel.as_bytes(), out);
        out.extend_from_slice(b",\"epoch\":\"");
        json::push_number(epoch, out);
        out.extend_from_slice(b"\",\"offset\":");
        json::push_number(newest, out);
        out.extend_from_slice(b",\"publications\":[");
        HistoryPage { out, is_empty: true }
    }

    /// Adds a publication.
    pub fn push(&mut self, offset: u64, time_ms: Option<u64>, opcode: Opcode, payload: &[u8]) {
        if !std::mem::replace(&mut self.is_empty, false) {
            self.out.push(b',');
        }
        push_publication(offset, time_ms, (opcode, payload), self.out);
    }

    /// Bytes written by now, with all that was there before.
    pub fn bytes(&self) -> usize {
        self.out.len()
    }

    /// Ends the page.
    pub fn end(self) {
        self.out.extend_from_slice(b"]}}");
    }
}

/// Appends `{"offset":N,"time_ms":T,"data":".."}`, as it stands in the answers about history.
pub fn push_publication(
    offset: u64,
    time_ms: Option<u64>,
    (opcode, payload): (Opcode, &[u8]),
    out: &mut Vec<u8>,
) {
    out.extend_from_slice(b"{\"offset\":");
    json::push_number(offset, out);
    if let Some(time_ms) = time_ms {
        out.extend_from_slice(b",\"time_ms\":");
        json::push_number(time_ms, out);
    }
    out.push(b',');
    push_payload(opcode, payload, out);
    out.push(b'}');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_to_the_letter() {
        let mut out = Vec::new();
        let mut page = HistoryPage::begin(Id("4"), "C", (7, 9), &mut out);
        page.push(8, Some(1_795_257_271_813), Opcode::Text, b"\"");
        page.push(9, None, Opcode::Binary, b"\0");
        assert_eq!(page.bytes(), 149);
        page.end();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            concat!(
                r#"{"id":4,"history":{"channel":"C","epoch":"7","offset":9,"publications":["#,
                r#"{"offset":8,"time_ms":1795257271813,"data":"\""},{"offset":9,"base64":"AA=="}]}}"#
            )
        );
        let mut out = Vec::new();
        HistoryPage::begin(Id("4"), "C", (7, 0), &mut out).end();
        assert_eq!(out, br#"{"id":4,"history":{"channel":"C","epoch":"7","offset":0,"publications":[]}}"#);
    }
}
