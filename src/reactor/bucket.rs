//! A token bucket: so many at once, and then so many a second.

/// The rest that somebody has, in thousandths. Full after a second in which nothing was taken.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bucket {
    left: u64,
    at_ms: u64,
}

impl Bucket {
    /// A full one.
    pub fn full(per_second: u32, now_ms: u64) -> Bucket {
        Bucket { left: 1_000 * u64::from(per_second), at_ms: now_ms }
    }

    /// Takes so many; false: there are not enough left, and none are taken.
    pub fn take(&mut self, per_second: u32, count: u64, now_ms: u64) -> bool {
        let full = 1_000 * u64::from(per_second);
        let since_ms = now_ms.saturating_sub(self.at_ms).min(1_000);
        self.left = full.min(self.left + since_ms * u64::from(per_second));
        self.at_ms = self.at_ms.max(now_ms);
        let wanted = count.saturating_mul(1_000);
        let is_enough = self.left >= wanted;
        if is_enough {
            self.left -= wanted;
        }
        is_enough
    }

    /// Whether it is full by now, so that nobody has to know of it.
    pub fn is_full(&self, now_ms: u64) -> bool {
        now_ms.saturating_sub(self.at_ms) >= 1_000
    }
}
