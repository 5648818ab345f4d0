//! How many pushes programs make, each by its key.

use std::collections::HashMap;

use super::bucket::Bucket;

/// Keys that are counted at most; there are fewer in the settings.
const KEYS_MAX: usize = crate::limits::LIST_MAX;

/// The pushes that each key has left. A key that has done nothing for a second has all of it, and is not here.
#[derive(Debug, Default)]
pub(super) struct Budgets(HashMap<Box<str>, Bucket>);

impl Budgets {
    /// Takes so many from a key's pushes in a second; false: there are not enough left, and none are taken.
    pub fn take(&mut self, key: &str, per_second: u32, count: u64, now_ms: u64) -> bool {
        if !self.0.contains_key(key) {
            if self.0.len() >= KEYS_MAX {
                // Keys of former settings.
                self.0.retain(|_, bucket| !bucket.is_full(now_ms));
            }
            self.0.insert(key.into(), Bucket::full(per_second, now_ms));
        }
        self.0.get_mut(key).is_some_and(|bucket| bucket.take(per_second, count, now_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_at_once_and_so_many_a_second() {
        let mut budgets = Budgets::default();
        assert!(budgets.take("a", 10, 10, 0));
        assert!(!budgets.take("a", 10, 1, 99));
        assert!(budgets.take("b", 10, 1, 99));
        // A refusal takes nothing, and a tenth of a second brings one.
        assert!(budgets.take("a", 10, 1, 100));
        assert!(!budgets.take("a", 10, 1, 101));
        assert!(budgets.take("a", 10, 10, 60_000));
        assert!(!budgets.take("a", 10, 1, 60_001));
        assert!(!budgets.take("c", 10, 11, 0));
    }

    #[test]
    fn keys_that_are_gone_are_forgotten() {
        let mut budgets = Budgets::default();
        for n in 0..10 * KEYS_MAX as u64 {
            assert!(budgets.take(&n.to_string(), 1, 1, 1_000 * n));
        }
        assert!(budgets.0.len() <= KEYS_MAX);
    }
}
