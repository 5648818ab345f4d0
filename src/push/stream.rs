//! Publications as they go over plain HTTP: one chunk each.

use crate::protocol::envelope::{self, Origin};
use crate::protocol::{Chunk, Enveloper, Opcode, event_stream};

use super::form::Form;
use super::position::Position;

/// Makes a publication's chunk in a form that is streamed; its envelope, if the form has one, was made already.
///
/// With its fields and split into lines a payload takes more bytes than it has. If they are more than the log can hold,
/// there is a notice in its place that this publication is missed: no gap is silent.
pub(super) fn make<'c>(
    form: Form,
    origin: Origin<'_>,
    (opcode, payload): (Opcode, &[u8]),
    enveloper: &Enveloper,
    chunk: &'c mut Chunk,
) -> &'c [u8] {
    let is_missed = form.has_envelope() && enveloper.is_missed();
    if !is_missed {
        let made = chunk.make(|out| match form {
            Form::Ndjson => push_line(enveloper.object(), out),
            _ => {
                push_id(form, &origin, out);
                if form.has_envelope() {
                    event_stream::push_json(enveloper.object(), out);
                } else {
                    event_stream::push_payload(opcode, payload, out);
                }
            }
        });
        if made.len() <= origin.frame_bytes_max {
            return chunk.bytes();
        }
    }
    let gap = (origin.offset, origin.offset);
    chunk.make(|out| {
        if form == Form::Ndjson {
            envelope::push_missed(origin.channel, origin.epoch, gap, out);
            out.push(b'\n');
        } else {
            push_id(form, &origin, out);
            event_stream::push_missed(&origin, gap, out);
        }
    })
}

/// Appends an envelope, or another message, and the end of its line.
pub fn push_line(object: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(object);
    out.push(b'\n');
}

/// Appends the event's id, where there can be one for everybody.
fn push_id(form: Form, origin: &Origin<'_>, out: &mut Vec<u8>) {
    if !form.is_of_many() {
        let Origin { epoch, offset, .. } = *origin;
        event_stream::push_id(|out| Position { epoch, offset }.push_to(out), out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORIGIN: Origin<'_> = Origin { channel: "c", epoch: 7, offset: 3, frame_bytes_max: 1 << 20 };

    fn made(form: Form, origin: Origin<'_>, opcode: Opcode, payload: &[u8]) -> String {
        let (mut enveloper, mut chunk) = (Enveloper::default(), Chunk::default());
        enveloper.make(origin, opcode, payload);
        let chunk = make(form, origin, (opcode, payload), &enveloper, &mut chunk);
        assert!(form.are_whole(chunk));
        let mut data = Vec::new();
        crate::protocol::chunk::push_data(chunk, &mut data);
        String::from_utf8(data).unwrap()
    }

    #[test]
    fn to_the_letter() {
        let text = |form| made(form, ORIGIN, Opcode::Text, b"a\nb");
        let envelope = r#"{"channel":"c","epoch":"7","offset":3,"data":"a\nb"}"#;
        assert_eq!(text(Form::Sse), "id: 7.3\ndata: a\ndata: b\n\n");
        assert_eq!(text(Form::SseJson), format!("id: 7.3\ndata: {envelope}\n\n"));
        assert_eq!(text(Form::SseMany), "data: a\ndata: b\n\n");
        assert_eq!(text(Form::SseManyJson), format!("data: {envelope}\n\n"));
        assert_eq!(text(Form::Ndjson), format!("{envelope}\n"));
        let bytes = |form| made(form, ORIGIN, Opcode::Binary, b"\0\xff");
        let envelope = r#"{"channel":"c","epoch":"7","offset":3,"base64":"AP8="}"#;
        assert_eq!(bytes(Form::Sse), "id: 7.3\nevent: wspush.binary\ndata: AP8=\n\n");
        assert_eq!(bytes(Form::SseManyJson), format!("data: {envelope}\n\n"));
        assert_eq!(bytes(Form::Ndjson), format!("{envelope}\n"));
    }

    #[test]
    fn what_no_log_could_hold_is_said_to_be_missed() {
        let missed = r#"{"channel":"c","epoch":"7","from":3,"to":3}"#;
        for form in Form::STREAMED {
            let payload = [b'\n'; 200];
            let (mut enveloper, mut chunk) = (Enveloper::default(), Chunk::default());
            enveloper.make(ORIGIN, Opcode::Text, &payload);
            let len = make(form, ORIGIN, (Opcode::Text, &payload), &enveloper, &mut chunk).len();
            let longest = Origin { frame_bytes_max: len, ..ORIGIN };
            let shorter = Origin { frame_bytes_max: len - 1, ..ORIGIN };
            assert!(!made(form, longest, Opcode::Text, &payload).contains("missed"), "{form:?}");
            let id = if form.is_of_many() { "" } else { "id: 7.3\n" };
            let expected = match form {
                Form::Ndjson => format!("{{\"missed\":{missed}}}\n"),
                _ => format!("{id}event: wspush.missed\ndata: {missed}\n\n"),
            };
            assert_eq!(made(form, shorter, Opcode::Text, &payload), expected);
            // Its envelope may not even fit without what comes around it.
            let least = Origin { frame_bytes_max: 150, ..ORIGIN };
            assert_eq!(made(form, least, Opcode::Text, &payload), expected);
        }
    }
}
