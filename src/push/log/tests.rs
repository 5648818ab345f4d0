//! The log, alone and against a naive model.

use super::*;
use crate::protocol::frame::are_whole;
use crate::push::Message;
use proptest::prelude::*;

fn frame(n: u64, len: usize) -> Vec<u8> {
    Message::Binary(&vec![n as u8; len]).to_frame()
}

fn joined((a, b): (&[u8], &[u8])) -> Vec<u8> {
    [a, b].concat()
}

#[test]
fn a_cursor_reads_what_came_after_it() {
    let mut log = Log::new(1, 1 << 12, 8);
    assert_eq!(log.append(&frame(1, 10)), 1);
    let cursor = Cursor::at(log.head());
    assert_eq!(log.append(&frame(2, 10)), 2);
    assert_eq!(log.append(&frame(3, 10)), 3);
    let position = log.position(cursor).unwrap();
    assert_eq!(joined(log.slices(position)), [frame(2, 10), frame(3, 10)].concat());
    assert_eq!(log.offset_at(position), (2, true));
    assert_eq!(log.offset_at(position + 1), (2, false));
    assert_eq!(log.frame_end(position + 1), position + 12);
    assert_eq!(log.newest_start(), position + 12);
}

#[test]
fn eviction_by_count_and_by_bytes() {
    let mut log = Log::new(0, 64, 4);
    let start = Cursor::at(log.head());
    for n in 0..4 {
        log.append(&frame(n, 8));
    }
    assert_eq!(log.position(start), Some(0));
    assert_eq!(log.tail_after(10), 10);
    log.append(&frame(4, 8));
    assert_eq!((log.position(start), log.first_offset()), (None, 1));
    assert_eq!(log.tail_after(62), log.head());
    log.append(&frame(5, 60));
    assert_eq!((log.first_offset(), log.next_offset()), (5, 6));
    assert_eq!(log.head() - log.tail(), 62);
}

#[test]
fn small_publications_keep_the_ring_small() {
    let mut log = Log::new(0, 4 << 20, 16);
    for n in 0..if cfg!(miri) { 200 } else { 10_000 } {
        log.append(&frame(n, 50));
    }
    assert_eq!(log.ring.len(), 1024);
}

#[test]
fn half_of_a_log_is_its_older_half() {
    let mut log = Log::new(0, 1 << 16, 64);
    for n in 0..9 {
        log.append(&frame(n, 98));
    }
    assert_eq!((log.ring.len(), log.ends.capacity()), (1024, 16));
    let kept = joined(log.slices(500));
    log.give_up_before(log.half());
    assert_eq!((log.first_offset(), log.next_offset(), log.tail()), (4, 9, 400));
    assert_eq!(joined(log.slices(500)), kept);
    assert_eq!(log.bytes(), 1024 + 5 * 8);
    // One large publication behind small ones: half of the ring is less than it.
    log.append(&frame(9, 60_000));
    log.give_up_before(log.half());
    assert_eq!((log.first_offset(), log.bytes()), (9, 65_536 + 8));
    log.give_up_before(log.half());
    assert_eq!((log.bytes(), log.next_offset(), log.tail()), (0, 10, log.head()));
    // Without anything there is nothing to give up.
    assert_eq!(log.half(), log.tail());
    log.give_up_before(log.half());
    assert_eq!(log.append(&frame(10, 10)), 10);
}

/// The naive model: every frame with its start position.
#[derive(Default)]
struct Model {
    frames: Vec<(u64, Vec<u8>)>,
}

proptest! {
    #[test]
    fn the_log_equals_a_naive_model(
        start in prop_oneof![Just(0u64), Just(u64::from(u32::MAX) - 300), Just((1u64 << 33) - 7)],
        bytes_max in 130usize..5_000,
        publications_max in 1usize..20,
        lens in proptest::collection::vec(0usize..126, 1..if cfg!(miri) { 12 } else { 120 }),
        halve_at in 1usize..150,
    ) {
        let mut log = Log::starting_at(start, 5, bytes_max, publications_max);
        let mut model = Model::default();
        let mut head = start;
        for (n, len) in lens.into_iter().enumerate() {
            let bytes = frame(n as u64, len);
            if halve_at == n {
                let half = log.half();
                log.give_up_before(log.half());
                prop_assert_eq!(log.tail(), half);
                let middle = model.frames.get(model.frames.len() / 2).filter(|_| model.frames.len() > 1);
                prop_assert!(half >= middle.map_or(head, |(at, _)| *at));
                model.frames.retain(|(at, _)| *at >= half);
            }
            let predicted = log.tail_after(bytes.len());
            let growth = log.growth_from(predicted, bytes.len());
            let before = log.bytes();
            model.frames.push((head, bytes.clone()));
            head += bytes.len() as u64;
            while model.frames.len() > publications_max || head - model.frames[0].0 > bytes_max as u64 {
                model.frames.remove(0);
            }
            prop_assert_eq!(log.append(&bytes), 5 + n as u64);
            let tail = model.frames[0].0;
            prop_assert_eq!(predicted, tail);
            prop_assert_eq!(log.bytes(), before + growth);
            prop_assert_eq!((log.tail(), log.head()), (tail, head));
            prop_assert_eq!(log.first_offset(), 5 + n as u64 + 1 - model.frames.len() as u64);
            let whole = model.frames.iter().flat_map(|(_, f)| f.clone()).collect::<Vec<_>>();
            prop_assert!(are_whole(&whole));
            for position in tail..=head {
                prop_assert_eq!(log.position(Cursor::at(position)), Some(position));
                let rest = joined(log.slices(position));
                prop_assert_eq!(&rest[..], &whole[(position - tail) as usize..]);
                let at = model.frames.iter().rposition(|(s, _)| *s <= position).unwrap();
                let (offset, boundary) = log.offset_at(position);
                if position < head {
                    prop_assert_eq!(offset, log.first_offset() + at as u64);
                    prop_assert_eq!(boundary, model.frames[at].0 == position);
                    prop_assert_eq!(log.frame_end(position), model.frames[at].0 + model.frames[at].1.len() as u64);
                }
            }
            if tail > start {
                prop_assert_eq!(log.position(Cursor::at(tail - 1)), None);
            }
        }
    }
}
