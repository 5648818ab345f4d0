use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

const GRACE_MS: u64 = 3_000;

#[test]
fn a_member_takes_little() {
    // A table is at least 7/16 full behind a doubling.
    assert!((size_of::<(Box<str>, Listed)>() + 1) * 16 / 7 <= 96);
    assert!((size_of::<(u64, u32)>() + 1) * 16 / 7 <= 40);
}

#[test]
fn two_tabs_are_one_member() {
    let mut presence = Presence::new(10);
    assert_eq!(presence.enter("ann", Some("{\"n\":1}")), Change::Join);
    assert_eq!(presence.enter("ann", None), Change::None);
    let ann = Attendee { user: "ann", info: Some("{\"n\":1}"), connections: 2 };
    assert_eq!(presence.attendees().unwrap().collect::<Vec<_>>(), [ann]);
    assert_eq!(presence.leave("ann", Departure::Said), Change::None);
    assert_eq!(presence.leave("ann", Departure::Said), Change::Leave);
    assert!(presence.is_empty());
}

#[test]
fn whoever_was_lost_may_come_back_for_a_while() {
    let mut presence = Presence::new(10);
    presence.enter("ann", None);
    assert_eq!(presence.leave("ann", Departure::Lost(1_000)), Change::None);
    assert_eq!((presence.count(), presence.lost_since_ms()), (1, Some(1_000)));
    assert_eq!(presence.pop_due(3_999, GRACE_MS), None);
    assert_eq!(presence.enter("ann", None), Change::None, "nobody has heard that it was away");
    assert_eq!(presence.pop_due(4_000, GRACE_MS), None);
    assert_eq!(presence.leave("ann", Departure::Lost(5_000)), Change::None);
    assert_eq!(presence.pop_due(8_000, GRACE_MS).as_deref(), Some("ann"));
    assert_eq!((presence.count(), presence.lost_since_ms()), (0, None));
}

#[test]
fn a_crowd_is_counted_and_told_of_no_more_than_the_bound() {
    const MAX: usize = 100;
    const CROWD: usize = 15_000;
    let mut presence = Presence::new(MAX);
    let mut told = BTreeMap::<_, usize>::new();
    for n in 0..CROWD {
        *told.entry(format!("{:?}", presence.enter(&n.to_string(), None))).or_default() += 1;
    }
    assert_eq!((told["Join"], told["TooMany"], told.get("Leave")), (MAX, 1, None));
    assert_eq!(presence.count(), CROWD);
    assert!(presence.attendees().is_none());
    for n in 0..CROWD {
        let expected = if n + 1 == CROWD { Change::ListedAgain } else { Change::None };
        assert_eq!(presence.leave(&n.to_string(), Departure::Lost(0)), expected);
    }
    assert_eq!((presence.count(), presence.lost_since_ms()), (0, None));
    assert_eq!(presence.enter("ann", None), Change::Join, "from nobody on they are listed again");
}

#[test]
fn whoever_flaps_takes_no_memory() {
    let mut presence = Presence::new(10);
    for n in 0..10_000 {
        presence.enter("ann", None);
        presence.leave("ann", Departure::Lost(n));
    }
    assert!(presence.lost.len() <= LOST_MIN && presence.lost.capacity() <= 4 * LOST_MIN);
    assert_eq!((presence.pop_due(9_999, 0).as_deref(), presence.pop_due(9_999, 0)), (Some("ann"), None));
}

#[test]
fn another_bound_is_in_force_at_once() {
    let mut presence = Presence::new(3);
    let names = ["a", "b", "c"];
    names.iter().for_each(|user| assert_eq!(presence.enter(user, None), Change::Join));
    assert!(presence.is_full_for("d") && !presence.is_full_for("a"));
    assert_eq!((presence.find("b").map(|b| b.connections), presence.find("d")), (Some(1), None));
    assert_eq!((presence.set_listed_max(3), presence.set_listed_max(2)), (Change::None, Change::TooMany));
    assert_eq!((presence.count(), presence.find("b"), presence.is_full_for("d")), (3, None, false));
    assert_eq!(presence.set_listed_max(5), Change::None, "names that are forgotten don't come back");
    let gone = names.map(|user| presence.leave(user, Departure::Said));
    assert_eq!(gone, [Change::None, Change::None, Change::ListedAgain]);
}

/// The same with nothing forgotten: connections of each user, and when its last one was lost.
#[derive(Default)]
struct Model {
    users: BTreeMap<usize, (u32, Option<u64>)>,
    is_counting: bool,
}

impl Model {
    fn members(&self) -> BTreeSet<usize> {
        self.users.keys().copied().collect()
    }

    fn lapse(&mut self, now_ms: u64) {
        self.users.retain(|_, (connections, lost)| {
            *connections > 0 || lost.is_some_and(|at_ms| at_ms + GRACE_MS > now_ms)
        });
    }

    fn enter(&mut self, user: usize, max: usize) {
        if !self.is_counting && !self.users.contains_key(&user) && self.users.len() == max {
            self.is_counting = true;
            self.users.retain(|_, (connections, _)| *connections > 0);
        }
        let known = self.users.entry(user).or_default();
        *known = (known.0 + 1, None);
    }

    /// False: it has none.
    fn leave(&mut self, user: usize, departure: Departure) -> bool {
        let Some(known) = self.users.get_mut(&user).filter(|known| known.0 > 0) else { return false };
        known.0 -= 1;
        if known.0 == 0 {
            match departure {
                Departure::Lost(at_ms) if !self.is_counting => known.1 = Some(at_ms),
                _ => drop(self.users.remove(&user)),
            }
        }
        self.is_counting &= !self.users.is_empty();
        true
    }
}

proptest! {
    /// A snapshot and the notices from there on say exactly who is there.
    #[test]
    fn a_snapshot_and_what_follows_are_exact(
        max in 1_usize..8,
        steps in proptest::collection::vec((0_u8..5, 0_usize..9, 0_u64..2_000), 1..200),
    ) {
        let (mut presence, mut model, mut now_ms) = (Presence::new(max), Model::default(), 0);
        let mut known: BTreeSet<usize> = BTreeSet::new();
        for (step, user, ms) in steps {
            let name = user.to_string();
            let later = if ms % 3 == 0 { 700 } else { 0 };
            let departure = if step == 2 { Departure::Said } else { Departure::Lost(now_ms + later) };
            match step {
                0 | 1 => {
                    model.enter(user, max);
                    match presence.enter(&name, None) {
                        Change::Join => prop_assert!(known.insert(user), "it was there"),
                        Change::TooMany => known.clear(),
                        change => prop_assert_eq!(change, Change::None),
                    }
                }
                2 | 3 => if model.leave(user, departure) {
                    match presence.leave(&name, departure) {
                        Change::Leave => prop_assert!(known.remove(&user), "it was not there"),
                        Change::ListedAgain => prop_assert!(known.is_empty() && model.users.is_empty()),
                        change => prop_assert_eq!(change, Change::None),
                    }
                },
                _ => {
                    now_ms += ms;
                    model.lapse(now_ms);
                    while let Some(gone) = presence.pop_due(now_ms, GRACE_MS) {
                        prop_assert!(known.remove(&gone.parse().unwrap()), "it was not there");
                    }
                    prop_assert!(presence.lost_since_ms().is_none_or(|at_ms| at_ms + GRACE_MS > now_ms));
                }
            }
            prop_assert_eq!(presence.count(), model.users.len());
            match presence.attendees() {
                None => prop_assert!(model.is_counting),
                Some(attendees) => {
                    let attendees: BTreeMap<usize, u32> =
                        attendees.map(|one| (one.user.parse().unwrap(), one.connections)).collect();
                    let expected: BTreeMap<usize, u32> =
                        model.users.iter().map(|(&user, &(connections, _))| (user, connections)).collect();
                    prop_assert_eq!(&attendees, &expected);
                    prop_assert_eq!(&known, &model.members());
                }
            }
        }
    }
}
