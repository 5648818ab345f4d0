use super::*;

fn publish(ledger: &mut Ledger, receipt: u64, recipients: u32, now_us: u64, lost: Passage) {
    let place = Place { offset: ledger.next_offset(), receipt, now_us, unix_ms: 1_000 + now_us };
    ledger.publish(place, recipients, lost);
}

fn counts(ledger: &Ledger, offset: u64) -> [u32; 4] {
    let d = ledger.delivery(offset).unwrap();
    [d.written, d.lagging, d.skipped, d.gone]
}

#[test]
fn prefix_sums_count_every_subscriber_once() {
    let mut ledger = Ledger::new(10, 8);
    for id in 0..3 {
        publish(&mut ledger, id, 4, 100, Passage::Gone);
    }
    ledger.pass(Passage::Written, 10, 13);
    ledger.pass(Passage::Written, 10, 11);
    ledger.pass(Passage::Gone, 11, 13);
    ledger.pass(Passage::Skipped, 10, 12);
    ledger.settle(150, (0, Passage::Gone), 0, |_, _| {});
    assert_eq!(counts(&ledger, 10), [2, 1, 1, 0]);
    assert_eq!(counts(&ledger, 11), [1, 1, 1, 1]);
    assert_eq!(counts(&ledger, 12), [1, 2, 0, 1]);
    // A subscriber that has passed the newest publication must not be counted for the next one.
    publish(&mut ledger, 3, 2, 200, Passage::Gone);
    ledger.settle(210, (0, Passage::Gone), 0, |_, _| {});
    assert_eq!(counts(&ledger, 13), [0, 2, 0, 0]);
    let first = ledger.delivery(10).unwrap();
    assert_eq!((first.first_us, first.median_us, first.last_us), (Some(50), Some(50), None));
}

/// Who was there has waited for it; who came back for it has not.
#[test]
fn deliveries_are_told_when_they_are_written() {
    fn settled(ledger: &mut Ledger, now_us: u64) -> Vec<(u64, u32, u64)> {
        let mut told = Vec::new();
        ledger.settle(now_us, (0, Passage::Gone), 0, |d, written| {
            told.push((d.id, written.count, written.after_us))
        });
        told
    }
    let mut ledger = Ledger::new(1, 2);
    publish(&mut ledger, 1, 3, 100, Passage::Gone);
    ledger.pass_all(Passage::Written, 1, 2, 2);
    assert_eq!(settled(&mut ledger, 150), [(1, 2, 50)]);
    publish(&mut ledger, 2, 3, 200, Passage::Gone);
    ledger.pass_all(Passage::Written, 2, 3, 2);
    assert_eq!(settled(&mut ledger, 210), [(1, 0, 110), (2, 2, 10)]);
    // The third one has both at once.
    ledger.pass(Passage::Written, 1, 3);
    assert_eq!(settled(&mut ledger, 1_000), [(1, 1, 900), (2, 1, 800)]);
    ledger.recover(1, 0);
    ledger.pass(Passage::Written, 1, 3);
    assert_eq!(settled(&mut ledger, 9_000), [(1, 0, 8_900), (2, 0, 8_800)]);
    assert_eq!(ledger.delivery(1).map(|d| (d.written, d.recovered)), Some((4, 1)));
    // A line whose time is up is told once more.
    publish(&mut ledger, 3, 1, 9_100, Passage::Gone);
    publish(&mut ledger, 4, 0, 9_100, Passage::Gone);
    ledger.pass(Passage::Written, 3, 5);
    publish(&mut ledger, 5, 0, 9_200, Passage::Gone);
    assert_eq!(settled(&mut ledger, 9_300)[0], (3, 1, 100));
}

#[test]
fn nobody_lags_behind_what_is_no_longer_there() {
    let mut ledger = Ledger::new(0, 2);
    for id in 0..3 {
        publish(&mut ledger, id, 2, 0, Passage::Skipped);
        ledger.pass(Passage::Written, id, id + 1);
    }
    let mut seen = Vec::new();
    ledger.settle(5, (2, Passage::Gone), 0, |d, _| {
        seen.push([d.id as u32, d.written, d.lagging, d.skipped, d.gone])
    });
    assert_eq!(seen, [[0, 1, 0, 1, 0], [1, 1, 0, 0, 1], [2, 1, 1, 0, 0]]);
    ledger.settle(6, (2, Passage::Gone), 0, |d, _| assert_eq!(d.id, 2, "the others are settled"));
}

#[test]
fn old_lines_go_and_their_sums_stay_right() {
    let mut ledger = Ledger::new(0, 2);
    publish(&mut ledger, 0, 1, 0, Passage::Gone);
    ledger.pass(Passage::Written, 0, 1);
    publish(&mut ledger, 1, 2, 0, Passage::Gone);
    publish(&mut ledger, 2, 2, 0, Passage::Gone);
    ledger.pass(Passage::Written, 0, 3);
    ledger.settle(9, (0, Passage::Gone), 0, |_, _| {});
    assert_eq!((counts(&ledger, 1), counts(&ledger, 2)), ([1, 1, 0, 0], [1, 1, 0, 0]));
    assert!(ledger.delivery(0).is_none());
    ledger.pass(Passage::Written, 1, 3);
    let mut seen = Vec::new();
    ledger.settle(20, (0, Passage::Gone), 0, |d, _| seen.push((d.id, d.lagging, d.last_us)));
    assert_eq!(seen, [(1, 0, Some(20)), (2, 0, Some(20))]);
    ledger.settle(30, (0, Passage::Gone), 0, |d, _| panic!("{d:?} was settled"));
}

#[test]
fn who_keeps_the_rest_has_not_lost_it() {
    let mut ledger = Ledger::new(0, 2);
    publish(&mut ledger, 7, 4, 0, Passage::Skipped);
    ledger.pass(Passage::Written, 0, 1);
    // Two of the three others are in the middle of it when it leaves the log; the third has fallen off.
    ledger.set_apart(0);
    ledger.set_apart(0);
    ledger.settle(5, (1, Passage::Skipped), 0, |_, _| {});
    assert_eq!(counts(&ledger, 0), [1, 2, 1, 0]);
    ledger.rejoin(0, Passage::Written, 6);
    ledger.settle(6, (1, Passage::Skipped), 0, |_, _| {});
    assert_eq!(counts(&ledger, 0), [2, 1, 1, 0]);
    // Its line goes, and what is still open is told all the same.
    publish(&mut ledger, 8, 0, 7, Passage::Skipped);
    publish(&mut ledger, 9, 0, 8, Passage::Skipped);
    let mut seen = Vec::new();
    let mut note = |d: &Delivery, _| seen.push((d.id, d.written, d.lagging, d.skipped, d.gone, d.last_us));
    ledger.settle(9, (1, Passage::Skipped), 0, &mut note);
    ledger.rejoin(0, Passage::Gone, 10);
    ledger.settle(10, (1, Passage::Skipped), 0, &mut note);
    assert_eq!(seen[0], (7, 2, 1, 1, 0, None));
    assert_eq!(seen.last(), Some(&(7, 2, 0, 1, 1, Some(10))), "{seen:?}");
    ledger.settle(11, (1, Passage::Gone), 0, |d, _| panic!("{d:?} was settled"));
    assert!(ledger.apart.is_empty());
}

#[test]
fn one_that_does_not_read_is_not_looked_at_for_ever() {
    let mut ledger = Ledger::new(1, 10_000);
    let mut looked_at = 0;
    for id in 1..=5_000_u64 {
        publish(&mut ledger, id, 2, id, Passage::Gone);
        // One has it at once, the other one has none.
        ledger.pass(Passage::Written, id, id + 1);
        looked_at += ledger.settle(id, (0, Passage::Gone), id.saturating_sub(9), |_, _| {});
    }
    assert!((5_000..=5_000 * 11).contains(&looked_at), "{looked_at}");
    assert_eq!(counts(&ledger, 5_000), [1, 1, 0, 0]);
    // It catches up with some, leaves the rest, and the sums are right for those to come.
    ledger.pass(Passage::Written, 1, 4_000);
    ledger.pass(Passage::Gone, 4_000, 5_001);
    ledger.settle(6_000, (0, Passage::Gone), 4_991, |_, _| {});
    assert_eq!(counts(&ledger, 4_991), [1, 0, 0, 1]);
    publish(&mut ledger, 5_001, 1, 6_001, Passage::Gone);
    ledger.pass(Passage::Written, 5_001, 5_002);
    assert_eq!(ledger.settle(6_002, (0, Passage::Gone), 4_992, |d, _| assert_eq!(d.id, 5_001)), 1);
    assert_eq!(counts(&ledger, 5_001), [1, 0, 0, 0]);
}

#[test]
fn what_is_forgotten_is_told_once_more() {
    let mut ledger = Ledger::new(5, 100);
    for id in 5..14 {
        let growth = ledger.growth();
        let before = ledger.bytes();
        publish(&mut ledger, id, 2, 0, Passage::Gone);
        assert_eq!(ledger.bytes(), before + growth);
    }
    ledger.pass(Passage::Written, 5, 7);
    ledger.pass(Passage::Written, 5, 8);
    ledger.settle(1, (5, Passage::Gone), 0, |_, _| {});
    let before = ledger.bytes();
    ledger.forget_before(9, 2, Passage::Skipped);
    assert!(ledger.bytes() < before / 2, "{} of {before} bytes", ledger.bytes());
    let mut seen = Vec::new();
    ledger.settle(3, (9, Passage::Skipped), 0, |d, _| {
        seen.push([d.offset as u32, d.written, d.lagging, d.skipped])
    });
    assert_eq!(seen[..3], [[7, 1, 0, 1], [8, 0, 0, 2], [9, 0, 2, 0]]);
    ledger.pass(Passage::Written, 5, 14);
    ledger.settle(4, (9, Passage::Skipped), 0, |_, _| {});
    assert_eq!((counts(&ledger, 9), counts(&ledger, 13)), ([1, 1, 0, 0], [1, 1, 0, 0]));
    // More than there is: nothing is left, and the count goes on.
    ledger.forget_before(14, 5, Passage::Gone);
    assert_eq!(ledger.bytes(), 0);
    publish(&mut ledger, 14, 1, 6, Passage::Gone);
    ledger.settle(6, (14, Passage::Gone), 0, |_, _| {});
    assert_eq!(ledger.delivery(14).map(|d| (d.id, d.lagging)), Some((14, 1)));
}

#[test]
fn who_comes_back_is_one_recipient_more() {
    let mut ledger = Ledger::new(1, 100);
    for id in 1..=6 {
        publish(&mut ledger, id, 2, id, Passage::Gone);
    }
    ledger.pass_all(Passage::Written, 1, 7, 2);
    assert_eq!(ledger.settle(10, (1, Passage::Gone), 0, |_, _| {}), 6);
    assert_eq!(ledger.recover(4, 0), 3, "three are open again");
    assert_eq!(ledger.recover(3, 0), 1);
    assert_eq!(ledger.recover(7, 0), 0, "nothing was there");
    ledger.settle(11, (1, Passage::Gone), 0, |d, _| assert!(d.offset >= 3));
    assert_eq!((counts(&ledger, 3), counts(&ledger, 4)), ([2, 1, 0, 0], [2, 2, 0, 0]));
    publish(&mut ledger, 7, 4, 12, Passage::Gone);
    ledger.pass(Passage::Written, 4, 8);
    ledger.pass(Passage::Written, 3, 5);
    ledger.pass(Passage::Gone, 5, 8);
    ledger.settle(20, (1, Passage::Gone), 0, |_, _| {});
    let seen = |offset| ledger.delivery(offset).map(|d| (d.recipients, d.recovered, d.written, d.gone));
    assert_eq!(seen(2), Some((2, 0, 2, 0)));
    assert_eq!((seen(3), seen(4), seen(5)), (Some((3, 1, 3, 0)), Some((4, 2, 4, 0)), Some((4, 2, 3, 1))));
    assert_eq!(seen(7), Some((4, 0, 1, 1)));
    assert_eq!(ledger.delivery(4).unwrap().last_us, Some(6), "for the first time");
}

#[test]
fn what_nobody_can_ask_about_is_not_opened_again() {
    let mut ledger = Ledger::new(1, 10_000);
    for id in 1..=5_000 {
        publish(&mut ledger, id, 0, id, Passage::Gone);
    }
    ledger.settle(6_000, (1, Passage::Gone), 4_991, |_, _| {});
    for _ in 0..100 {
        assert!(ledger.recover(1, 4_991) <= 10);
        ledger.pass(Passage::Written, 1, 5_001);
    }
    assert_eq!(ledger.settle(6_001, (1, Passage::Gone), 4_991, |_, _| {}), 10);
    let d = ledger.delivery(5_000).unwrap();
    assert_eq!((d.recipients, d.recovered, d.written, d.lagging), (100, 100, 100, 0));
    publish(&mut ledger, 5_001, 1, 6_002, Passage::Gone);
    ledger.settle(6_003, (1, Passage::Gone), 4_992, |_, _| {});
    assert_eq!(counts(&ledger, 5_001), [0, 1, 0, 0]);
}

#[test]
fn times_are_in_order_whatever_the_calendar_does() {
    let mut ledger = Ledger::new(1, 4);
    for (receipt, unix_ms) in [(1, 50), (2, 70), (3, 60), (4, 90), (5, 90)] {
        ledger.publish(Place { offset: receipt, receipt, now_us: 0, unix_ms }, 0, Passage::Gone);
    }
    let first: Vec<u64> = [0, 50, 51, 70, 71, 90, 91].map(|ms| ledger.first_at(ms)).into();
    assert_eq!(first, [2, 2, 2, 2, 4, 4, 6]);
}
