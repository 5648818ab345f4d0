//! Counters that are told apart by one label.

use std::marker::PhantomData;

use serde::ser::{Serialize, SerializeMap, Serializer};

/// A small enum whose variants are the values of one label.
pub trait Label: Copy + 'static {
    /// The label's name.
    const NAME: &'static str;
    /// Its values, in the order of the variants.
    const VALUES: &'static [&'static str];

    /// Which of the values this is.
    fn index(self) -> usize;
}

/// One number for each of the `N` values of a label. As JSON it is an object with the values as its keys.
#[derive(Debug, PartialEq, Eq)]
pub struct Counts<L, const N: usize> {
    counts: [u64; N],
    label: PhantomData<L>,
}

impl<L: Label, const N: usize> Counts<L, N> {
    /// One more.
    pub fn bump(&mut self, label: L) {
        self.counts[label.index()] += 1;
    }

    /// So many more.
    pub fn add(&mut self, label: L, count: u64) {
        self.counts[label.index()] += count;
    }

    /// Sets it; for what can also fall.
    pub fn set(&mut self, label: L, count: u64) {
        self.counts[label.index()] = count;
    }

    /// As many more of each.
    pub(crate) fn add_all(&mut self, other: &Self) {
        self.counts.iter_mut().zip(other.counts).for_each(|(count, more)| *count += more);
    }

    /// How many.
    pub fn get(&self, label: L) -> u64 {
        self.counts[label.index()]
    }

    /// All of them together.
    pub fn sum(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Each value of the label and its number.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
        L::VALUES.iter().copied().zip(self.counts)
    }
}

impl<L, const N: usize> Clone for Counts<L, N> {
    fn clone(&self) -> Self {
        Counts { counts: self.counts, label: PhantomData }
    }
}

impl<L, const N: usize> Default for Counts<L, N> {
    fn default() -> Self {
        Counts { counts: [0; N], label: PhantomData }
    }
}

impl<L: Label, const N: usize> Serialize for Counts<L, N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(N))?;
        for (value, count) in self.iter() {
            map.serialize_entry(value, &count)?;
        }
        map.end()
    }
}
