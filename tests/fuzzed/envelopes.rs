//! The messages of `wspush.v1`, in both directions.

use serde_json::Value;
use wspush::protocol::envelope::Origin;
use wspush::protocol::v1::{Command, Fault};
use wspush::protocol::{Enveloper, Opcode};

/// A text is a command, or refused in one short line, or no JSON object at all; and every payload comes out of its
/// envelope as it went in.
pub fn envelope(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        let object = serde_json::from_str::<Value>(text).ok().filter(Value::is_object);
        match Command::parse(text) {
            Ok(Command { id, call }) => {
                let object = object.expect("a command is JSON");
                assert!(object.get(call.name()).is_some());
                assert_eq!(serde_json::from_str::<Value>(id.0).ok().as_ref(), object.get("id"));
            }
            Err(Fault::Refused { why, .. }) => {
                assert!(why.len() < 400 && !why.contains('\n'), "{why}");
            }
            Err(Fault::Unreadable(violation)) => {
                assert!(object.is_none() && matches!(violation.code.0, 1007 | 1008), "{violation:?}");
            }
        }
        let made = made(Opcode::Text, data);
        assert_eq!(made["data"], text);
    }
    let made = made(Opcode::Binary, data);
    assert_eq!(made["base64"].as_str().map(str::len), Some(data.len().div_ceil(3) * 4));
}

fn made(opcode: Opcode, payload: &[u8]) -> Value {
    let mut enveloper = Enveloper::default();
    let origin = Origin { channel: "c", epoch: u64::MAX, offset: 1, frame_bytes_max: usize::MAX };
    enveloper.make(origin, opcode, payload);
    serde_json::from_slice(enveloper.object()).expect("an envelope is JSON")
}
