//! A log as it is handed to another process: what lies in it, without the rest of its ring.

use std::collections::VecDeque;

use serde::de::{Deserialize, Deserializer, Error};
use serde::ser::{Serialize, Serializer};

use super::{Log, lay};
use crate::limits::LOG_RING_BYTES_MIN;

/// All of a log but its bytes.
#[derive(serde::Deserialize, serde::Serialize)]
struct Facts {
    tail: u64,
    head: u64,
    first_offset: u64,
    bytes_max: usize,
    publications_max: usize,
}

impl Serialize for Log {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Log { tail, head, first_offset, bytes_max, publications_max, .. } = *self;
        let facts = Facts { tail, head, first_offset, bytes_max, publications_max };
        let (first, second) = self.slices(tail);
        (facts, &self.ends, Bytes([first, second].concat())).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Log {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Log, D::Error> {
        let (facts, ends, Bytes(live)) = <(Facts, VecDeque<u64>, Bytes)>::deserialize(deserializer)?;
        let Facts { tail, head, first_offset, bytes_max, publications_max } = facts;
        let is_whole = tail.checked_add(live.len() as u64) == Some(head)
            && ends.back().copied().unwrap_or(tail) == head
            && ends.iter().try_fold(tail, |before, &end| (end > before).then_some(end)).is_some();
        if !is_whole || bytes_max == 0 || publications_max == 0 {
            return Err(D::Error::custom("a log that contradicts itself"));
        }
        let mut log = Log { ring: Vec::new(), tail, head, first_offset, ends, bytes_max, publications_max };
        if !live.is_empty() {
            log.ring = vec![0; live.len().next_power_of_two().max(LOG_RING_BYTES_MIN)];
            lay(&mut log.ring, tail, &live);
        }
        Ok(log)
    }
}

/// Bytes that are taken as a whole, and not one by one.
struct Bytes(Vec<u8>);

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
        deserializer.deserialize_byte_buf(Taker)
    }
}

struct Taker;

impl serde::de::Visitor<'_> for Taker {
    type Value = Bytes;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("bytes")
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Bytes, E> {
        Ok(Bytes(bytes.to_vec()))
    }

    fn visit_byte_buf<E: Error>(self, bytes: Vec<u8>) -> Result<Bytes, E> {
        Ok(Bytes(bytes))
    }
}

#[cfg(test)]
#[cfg(feature = "handover")]
mod tests {
    use super::super::Cursor;
    use super::*;

    fn moved(log: &Log) -> Result<Log, postcard::Error> {
        postcard::from_bytes(&postcard::to_allocvec(log).unwrap())
    }

    #[test]
    fn wherever_its_seam_is_it_comes_over_whole() {
        for start in [0, 1_000, u64::from(u32::MAX) - 300] {
            let mut log = Log::starting_at(start, 7, 1 << 12, 8);
            for n in 0..50_u8 {
                log.append(&vec![n; 1 + usize::from(n) * 5]);
                let copy = moved(&log).unwrap();
                assert_eq!((copy.tail(), copy.head()), (log.tail(), log.head()));
                assert_eq!(
                    (copy.first_offset(), copy.next_offset()),
                    (log.first_offset(), log.next_offset())
                );
                let joined = |log: &Log| {
                    let (a, b) = log.slices(log.position(Cursor::at(log.tail())).unwrap());
                    [a, b].concat()
                };
                assert_eq!(joined(&copy), joined(&log));
            }
            let (mut copy, mut next) = (moved(&log).unwrap(), [0; 40]);
            next.fill(1);
            assert_eq!(copy.append(&next), log.append(&next), "both go on alike");
        }
    }

    #[test]
    fn one_that_contradicts_itself_is_refused() {
        let told = |head: u64, ends: &[u64], bytes_max: usize| {
            let facts = Facts { tail: 10, head, first_offset: 1, bytes_max, publications_max: 5 };
            let ends: VecDeque<u64> = ends.iter().copied().collect();
            let bytes = postcard::to_allocvec(&(facts, ends, Bytes(b"abc".to_vec()))).unwrap();
            postcard::from_bytes::<Log>(&bytes).is_ok()
        };
        assert!(told(13, &[11, 13], 100));
        assert!(!told(14, &[11, 14], 100) && !told(13, &[11], 100) && !told(13, &[12, 11, 13], 100));
        assert!(!told(13, &[], 100) && !told(13, &[10, 13], 100) && !told(13, &[13], 0));
        assert!(moved(&Log::new(1, 5, 5)).is_ok());
    }
}
