//! Which open connections a user has.
//!
//! They are a list that goes through their boxes, and the index knows the newest one of each list: a user takes two
//! words of it, and a connection without one nothing. Names are only where the connections are. The index finds a list
//! by a hash of the name, whose key strangers don't know; in the unlikely case that two names have the same, both
//! users' connections are in one list, and whoever goes through it looks at the names.

use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, Hasher, RandomState};

use slab::Slab;

use super::slot::Slot;
use crate::narrow;

/// A place in a list that is none: there is nobody before or behind.
const NONE: u32 = u32::MAX;
/// In place of the one before: it is in no list.
const UNLISTED: u32 = u32::MAX - 1;

/// The name of a connection's user, and its place among those of the same user.
#[derive(Debug)]
pub struct User {
    /// The name.
    pub name: Box<str>,
    newer: u32,
    older: u32,
}

impl User {
    /// A user with this name, in no list yet.
    pub fn new(name: &str) -> User {
        User { name: name.into(), newer: UNLISTED, older: NONE }
    }
}

/// Takes the hash that a key is.
#[derive(Default)]
struct Ready(u64);

impl Hasher for Ready {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        debug_assert!(false, "{} bytes that are no hash", bytes.len());
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

/// The index.
#[derive(Default)]
pub(super) struct Users {
    newest: HashMap<u64, u32, BuildHasherDefault<Ready>>,
    key: RandomState,
    /// Where the one walk that may be under way goes on: newcomers are before it, and who leaves is stepped over.
    next: Option<u32>,
}

impl Users {
    /// How many lists there are.
    pub fn len(&self) -> usize {
        self.newest.len()
    }

    fn hash(&self, name: &str) -> u64 {
        self.key.hash_one(name)
    }

    /// Puts the connection in slot `index` in front of its user's others, if it has a user.
    pub fn enter<S>(&mut self, slots: &mut Slab<Slot<S>>, index: usize) {
        let Some(user) = user_in(slots, narrow::to_u32(index)) else { return };
        debug_assert_eq!(user.newer, UNLISTED);
        let hash = self.key.hash_one(&*user.name);
        let older = self.newest.insert(hash, narrow::to_u32(index)).unwrap_or(NONE);
        (user.newer, user.older) = (NONE, older);
        if let Some(user) = user_in(slots, older) {
            user.newer = narrow::to_u32(index);
        }
    }

    /// Takes the connection in slot `index` out of its list, if it is in one.
    pub fn leave<S>(&mut self, slots: &mut Slab<Slot<S>>, index: usize) {
        let Some(user) = user_in(slots, narrow::to_u32(index)).filter(|user| user.newer != UNLISTED) else {
            return;
        };
        let (newer, older) = (user.newer, user.older);
        (user.newer, user.older) = (UNLISTED, NONE);
        if newer == NONE {
            let hash = self.key.hash_one(&*user.name);
            if older == NONE {
                self.newest.remove(&hash);
                self.give_memory_back();
            } else {
                self.newest.insert(hash, older);
            }
        }
        if self.next == Some(narrow::to_u32(index)) {
            self.next = (older != NONE).then_some(older);
        }
        if let Some(user) = user_in(slots, newer) {
            user.older = older;
        }
        if let Some(user) = user_in(slots, older) {
            user.newer = newer;
        }
    }

    /// A crowd that has gone leaves no memory behind.
    fn give_memory_back(&mut self) {
        let len = self.newest.len();
        if self.newest.capacity() > 8 * len.max(256) {
            self.newest.shrink_to(2 * len);
        }
    }

    /// Begins to walk over the connections that a user has now.
    pub fn begin_walk(&mut self, name: &str) {
        self.next = self.newest.get(&self.hash(name)).copied();
    }

    /// The next one in the list, which may be another user's.
    pub fn step<S>(&mut self, slots: &Slab<Slot<S>>) -> Option<usize> {
        let index = self.next? as usize;
        let user = slots.get(index).and_then(|slot| slot.extra.as_ref()?.user.as_ref());
        self.next = user.map(|user| user.older).filter(|&older| older != NONE);
        Some(index)
    }

    /// For the audit: the lists, each from its newest connection on.
    pub fn lists<'a, S>(&'a self, slots: &'a Slab<Slot<S>>) -> impl Iterator<Item = (bool, Vec<usize>)> + 'a {
        self.newest.iter().map(move |(&hash, &newest)| {
            let (mut list, mut newer, mut at, mut is_whole) = (Vec::new(), NONE, newest, true);
            while at != NONE {
                let slot = &slots[at as usize];
                let Some(user) = slot.extra.as_ref().and_then(|extra| extra.user.as_ref()) else {
                    return (false, list);
                };
                is_whole &= user.newer == newer && self.hash(&user.name) == hash;
                list.push(at as usize);
                (newer, at) = (at, user.older);
            }
            (is_whole, list)
        })
    }
}

fn user_in<S>(slots: &mut Slab<Slot<S>>, index: u32) -> Option<&mut User> {
    slots.get_mut(index as usize)?.extra.as_mut()?.user.as_deref_mut()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reactor::slot::Phase;
    use crate::reactor::stamp::Stamp;
    use proptest::prelude::*;

    /// The index's table is at least 7/16 full behind a doubling.
    #[test]
    fn a_user_takes_little() {
        assert!((size_of::<(u64, u32)>() + 1) * 16 / 7 <= 64);
        assert_eq!(size_of::<User>(), if usize::BITS == 64 { 24 } else { 16 });
    }

    struct Model {
        users: Users,
        slots: Slab<Slot<()>>,
        /// Name and slot, in the order in which they came.
        open: Vec<(String, usize)>,
    }

    impl Model {
        fn enter(&mut self, name: &str) {
            let index = self.slots.insert(Slot::new((), 1, Phase::Open, Stamp::default()));
            self.slots[index].extra_mut().user = Some(Box::new(User::new(name)));
            self.users.enter(&mut self.slots, index);
            self.open.push((name.to_owned(), index));
        }

        fn leave(&mut self, nth: usize) -> usize {
            let (_, index) = self.open.remove(nth);
            self.users.leave(&mut self.slots, index);
            self.users.leave(&mut self.slots, index);
            self.slots.remove(index);
            index
        }

        fn of(&self, name: &str) -> Vec<usize> {
            self.open.iter().rev().filter(|(known, _)| known == name).map(|&(_, index)| index).collect()
        }
    }

    proptest! {
        /// A walk meets each that was there when it began and is there when its turn comes, and nobody else.
        #[test]
        fn a_walk_meets_who_was_there_and_stays(
            steps in proptest::collection::vec((0_u8..5, 0_usize..4, any::<prop::sample::Index>()), 1..120),
        ) {
            let names = ["ann", "bob", "\u{e9}", "d"];
            let mut model = Model { users: Users::default(), slots: Slab::new(), open: Vec::new() };
            let mut due: Vec<usize> = Vec::new();
            for (step, name, nth) in steps {
                match step {
                    0 | 1 => model.enter(names[name]),
                    2 if !model.open.is_empty() => {
                        let left = model.leave(nth.index(model.open.len()));
                        due.retain(|&index| index != left);
                    }
                    3 => {
                        model.users.begin_walk(names[name]);
                        due = model.of(names[name]);
                    }
                    _ => {
                        let met = model.users.step(&model.slots);
                        let expected = if due.is_empty() { None } else { Some(due.remove(0)) };
                        prop_assert_eq!(met, expected);
                    }
                }
                let lists: Vec<_> = model.users.lists(&model.slots).collect();
                prop_assert!(lists.iter().all(|(is_whole, _)| *is_whole));
                let mut listed: Vec<_> = lists.into_iter().map(|(_, list)| list).collect();
                let mut expected: Vec<_> =
                    names.iter().map(|name| model.of(name)).filter(|list| !list.is_empty()).collect();
                listed.sort();
                expected.sort();
                prop_assert_eq!(model.users.len(), expected.len());
                prop_assert_eq!(listed, expected);
            }
        }
    }

    #[test]
    fn a_crowd_leaves_no_memory_behind() {
        let mut model = Model { users: Users::default(), slots: Slab::new(), open: Vec::new() };
        (0..20_000).for_each(|n| model.enter(&n.to_string()));
        assert!(model.users.newest.capacity() >= 20_000);
        while !model.open.is_empty() {
            model.leave(model.open.len() - 1);
        }
        assert!(model.users.newest.capacity() < 4_096, "{}", model.users.newest.capacity());
    }
}
