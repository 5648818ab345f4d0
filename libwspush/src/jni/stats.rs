//! The server's numbers for Java: by name, so that a new one needs no new native method.

use jni::EnvUnowned;
use jni::objects::JClass;
use jni::sys::jlong;
use serde_json::Value;

use wspush::endpoint::Stats;

use super::natives::fenced;
use super::registry::Entry;
use super::{packed, registry};

/// `long handover(long server)`: connections that a running server has handed to it; -1: there was none.
#[unsafe(no_mangle)]
pub extern "system" fn Java_io_wspush_Native_handover<'l>(
    env: EnvUnowned<'l>,
    _: JClass<'l>,
    server: jlong,
) -> jlong {
    fenced(env, |_| {
        let count = |entry: &Entry| {
            entry.handed_over.map_or(-1, |count| jlong::try_from(count).unwrap_or(jlong::MAX))
        };
        registry::with(server, |entry| Ok(count(entry)))
    })
}

/// Names and values in turn, packed. What is inside of something is named with a dot: `counters.accepted`.
pub(super) fn pack(stats: &Stats) -> Vec<u8> {
    let mut out = Vec::with_capacity(2_048);
    if let Ok(value) = serde_json::to_value(stats) {
        flatten(&mut String::new(), &value, &mut out);
    }
    out
}

fn flatten(name: &mut String, value: &Value, out: &mut Vec<u8>) {
    let mut inside = |part: &str, value: &Value| {
        let end = name.len();
        if end > 0 {
            name.push('.');
        }
        name.push_str(part);
        flatten(name, value, out);
        name.truncate(end);
    };
    match value {
        Value::Object(fields) => fields.iter().for_each(|(part, value)| inside(part, value)),
        Value::Array(entries) => {
            entries.iter().enumerate().for_each(|(index, value)| inside(&index.to_string(), value));
        }
        Value::Null => {}
        Value::String(text) => put(name, text, out),
        Value::Bool(_) | Value::Number(_) => put(name, &value.to_string(), out),
    }
}

fn put(name: &str, value: &str, out: &mut Vec<u8>) {
    packed::put(out, name.as_bytes());
    packed::put(out, value.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_has_a_name() {
        let stats = Stats { version: "1.2.3", connections: 7, draining: true, ..Stats::default() };
        let packed = pack(&stats);
        let parts = packed::unpack(&packed).unwrap();
        let pairs: Vec<(&str, &str)> = parts.chunks(2).map(|pair| (pair[0], pair[1])).collect();
        for pair in [
            ("version", "1.2.3"),
            ("connections", "7"),
            ("draining", "true"),
            ("counters.accepted", "0"),
            ("rates.accepts", "0.0"),
        ] {
            assert!(pairs.contains(&pair), "{pair:?}");
        }
    }
}
