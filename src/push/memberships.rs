//! The named channels of one connection, in order: finding one among thousands takes a dozen comparisons.

use super::channel::Membership;
use super::channels::ChannelId;

/// Memberships up to which there is no spare room; most connections have one channel or two.
const EXACT_MAX: usize = 16;

/// A connection's memberships, sorted by channel. Each takes 8 bytes, and 8 ([`Member`](super::Member)) at its channel.
#[derive(Clone, Debug, Default, serde::Deserialize, serde::Serialize)]
pub struct Memberships(Vec<Membership>);

impl Memberships {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The membership at this place in the order.
    pub fn get(&self, at: usize) -> Option<Membership> {
        self.0.get(at).copied()
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Membership> {
        self.0.iter()
    }

    /// The place in a channel's list, if it is a member there.
    pub fn place(&self, channel: ChannelId) -> Option<u32> {
        self.find(channel).ok().map(|at| self.0[at].place)
    }

    /// Makes room for so many more. In the order of their channels they then come at once.
    pub fn reserve(&mut self, more: usize) {
        self.0.reserve_exact(more);
    }

    /// Adds a membership in a channel that isn't there yet.
    pub fn insert(&mut self, channel: ChannelId, place: u32) {
        let Err(at) = self.find(channel) else {
            debug_assert!(false, "a member of {channel:?} twice");
            return;
        };
        if self.0.len() == self.0.capacity() {
            // One by one a list of thousands would be copied thousands of times.
            self.0.reserve_exact((self.0.len() / EXACT_MAX).max(1));
        }
        self.0.insert(at, Membership { channel, place });
    }

    /// Ends a membership; the place that it had.
    pub fn remove(&mut self, channel: ChannelId) -> Option<u32> {
        let at = self.find(channel).ok()?;
        let place = self.0.remove(at).place;
        if self.0.capacity() > 2 * self.0.len().max(EXACT_MAX) {
            self.0.shrink_to_fit();
        }
        Some(place)
    }

    /// Ends the last membership.
    pub fn pop(&mut self) -> Option<Membership> {
        self.0.pop()
    }

    /// The channel's list was closed up: the membership has another place now.
    pub fn set_place(&mut self, channel: ChannelId, place: u32) {
        if let Ok(at) = self.find(channel) {
            self.0[at].place = place;
        }
    }

    fn find(&self, channel: ChannelId) -> Result<usize, usize> {
        self.0.binary_search_by_key(&channel.0, |membership| membership.channel.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn few_take_no_spare_room_and_many_little() {
        let mut memberships = Memberships::default();
        for n in 0..4_096 {
            memberships.insert(ChannelId(n * 7 % 4_096), n);
            let (len, capacity) = (memberships.0.len(), memberships.0.capacity());
            assert!(capacity - len <= len / EXACT_MAX, "{capacity} for {len}");
        }
        for n in 0..4_090 {
            assert!(memberships.remove(ChannelId(n)).is_some());
            assert!(memberships.0.capacity() <= 2 * memberships.0.len().max(EXACT_MAX));
        }
    }

    proptest! {
        #[test]
        fn it_is_a_map_in_order(steps in proptest::collection::vec((0_u32..50, any::<u32>(), 0_u8..4), 0..200)) {
            let (mut memberships, mut model) = (Memberships::default(), std::collections::BTreeMap::new());
            for (channel, place, step) in steps {
                let id = ChannelId(channel);
                match step {
                    0 | 1 if !model.contains_key(&channel) => {
                        model.insert(channel, place);
                        memberships.insert(id, place);
                    }
                    2 => prop_assert_eq!(memberships.remove(id), model.remove(&channel)),
                    _ => {
                        if let Some(known) = model.get_mut(&channel) {
                            *known = place;
                        }
                        memberships.set_place(id, place);
                    }
                }
                prop_assert_eq!(memberships.place(id), model.get(&channel).copied());
                let all: Vec<_> = memberships.iter().map(|m| (m.channel.0, m.place)).collect();
                prop_assert_eq!(all, model.iter().map(|(&c, &p)| (c, p)).collect::<Vec<_>>());
            }
            let last = model.pop_last();
            prop_assert_eq!(memberships.pop().map(|m| (m.channel.0, m.place)), last);
        }
    }
}
