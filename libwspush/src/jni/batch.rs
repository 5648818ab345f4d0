//! The native method of `io.wspush.Native` for batches.
#![allow(non_snake_case)]

use jni::EnvUnowned;
use jni::objects::{JByteArray, JClass, JLongArray};
use jni::sys::{jint, jlong};

use wspush::endpoint::{BatchItem, ConnId, PublishedBatch};
use wspush::push::PushError;

use super::native_error::NativeError;
use super::natives::fenced_raw;
use super::packed;
use super::payload::{self, message, options, read_raw};
use super::reads::{DUPLICATE, NOT_PACKED, PUBLISHED, publish_terms};
use super::registry;

/// `int publishBatch(long server, byte[] terms, byte[] items, long[] places)`: the terms are those of
/// [`publishTo`](publish_terms), and an item has three parts, which are its target (`cCHANNEL`, `uUSER`, `nID`), its
/// kind in decimal with its [pace](payload::pace), and the message. Epoch, offset and id of each are put into `places`,
/// zeroes for what has no place in a log, and behind them whether the `traceparent` is one; beside an exception about
/// one item, `places[0]` is its index.
#[unsafe(no_mangle)]
pub extern "system" fn Java_io_wspush_Native_publishBatch<'l>(
    env: EnvUnowned<'l>,
    _: JClass<'l>,
    server: jlong,
    terms: JByteArray<'l>,
    items: JByteArray<'l>,
    places: JLongArray<'l>,
) -> jint {
    fenced_raw(env, |raw| {
        if places.is_null() {
            return Err(NativeError::Argument("no place for the receipts"));
        }
        let (terms, items) = (read_raw(&raw, &terms)?, read_raw(&raw, &items)?);
        let terms = packed::unpack(&terms).ok_or(NOT_PACKED)?;
        let terms = publish_terms(&terms).ok_or(NOT_PACKED)?;
        let parts = packed::parts(&items).ok_or(NOT_PACKED)?;
        let published =
            registry::with(server, |entry| Ok(entry.handle.publish_batch_on(&read(&parts)?, terms)?));
        match published {
            Ok(PublishedBatch { receipts, duplicate, traceparent }) => {
                let place = |receipt: &Option<wspush::Receipt>| {
                    receipt.as_ref().map_or([0; 3], |r| [r.epoch, r.offset, r.id])
                };
                let numbers = receipts.iter().flat_map(place).chain([u64::from(traceparent.is_some())]);
                let numbers: Vec<jlong> = numbers.map(u64::cast_signed).collect();
                raw.put(&places, &numbers);
                Ok(if duplicate { DUPLICATE } else { PUBLISHED })
            }
            Err(problem) => {
                if let NativeError::Push(PushError::BadItem { index, .. }) = problem {
                    raw.put(&places, &[index as jlong]);
                }
                Err(problem)
            }
        }
    })
}

fn read<'a>(items: &[&'a [u8]]) -> Result<Vec<BatchItem<'a>>, NativeError> {
    if !items.len().is_multiple_of(3) {
        return Err(NOT_PACKED);
    }
    let item = |(index, parts): (usize, &[&'a [u8]])| match read_item(parts) {
        Err(NativeError::Push(problem)) => {
            Err(NativeError::Push(PushError::BadItem { index, problem: Box::new(problem) }))
        }
        read => read,
    };
    items.chunks(3).enumerate().map(item).collect()
}

fn read_item<'a>(parts: &[&'a [u8]]) -> Result<BatchItem<'a>, NativeError> {
    let &[target, kind, data] = parts else { return Err(NOT_PACKED) };
    let text = |bytes: &'a [u8]| std::str::from_utf8(bytes).map_err(|_| NOT_PACKED);
    let kind = text(kind)?;
    let (kind, pace) = kind.split_at(kind.find(['r', 'd']).unwrap_or(kind.len()));
    let kind: jint = kind.parse().map_err(|_| NOT_PACKED)?;
    let options = options(kind).pace(payload::pace(pace).ok_or(NOT_PACKED)?);
    let (which, name) = text(target)?.split_at_checked(1).ok_or(NOT_PACKED)?;
    let message = message(data, kind)?;
    let item = match which {
        "c" => BatchItem::channel(name, message),
        "u" => BatchItem::user(name, message),
        "n" => {
            let conn: jlong = name.parse().map_err(|_| NOT_PACKED)?;
            BatchItem::conn(ConnId(conn.cast_unsigned()), message)
        }
        _ => return Err(NOT_PACKED),
    };
    Ok(item.options(options))
}

#[cfg(test)]
mod tests {
    use super::*;
    use wspush::push::Message;

    #[test]
    fn a_batch_as_java_packs_it() {
        let parts: [&[u8]; 6] = [b"cnews", b"1r7", b"hi", b"n-1", b"258", b"\xff"];
        let items = read(&parts).unwrap();
        let slowly = wspush::PushOptions::default().pace(wspush::Pace::PerSecond(7));
        assert_eq!(items[0], BatchItem::channel("news", Message::Text("hi")).options(slowly));
        let plain = options(258);
        assert!(!plain.compress);
        assert_eq!(items[1], BatchItem::conn(ConnId(u64::MAX), Message::Binary(b"\xff")).options(plain));
        assert_eq!(read(&[]).unwrap(), Vec::new());
    }

    #[test]
    fn what_is_none_is_refused() {
        let bad: [&[&[u8]]; 5] = [
            &[b"cnews", b"1"],
            &[b"", b"1", b"x"],
            &[b"xnews", b"1", b"x"],
            &[b"cnews", b"", b"x"],
            &[b"nx", b"1", b"x"],
        ];
        for parts in bad {
            assert!(matches!(read(parts), Err(NativeError::Argument(_))), "{parts:?}");
        }
        let not_text: [&[u8]; 6] = [b"ca", b"1", b"x", b"ub", b"1", b"\xff"];
        let refused = read(&not_text).map(drop);
        let Err(NativeError::Push(PushError::BadItem { index: 1, problem })) = refused else {
            panic!("{refused:?}");
        };
        assert_eq!(*problem, PushError::NotUtf8);
    }
}
