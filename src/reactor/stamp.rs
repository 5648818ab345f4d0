//! When a connection was last heard of, in two bytes: fine enough for the sweep, and wide enough for the longest
//! silence that may be waited for. A silence is counted in pieces of the sweep while it is short, and in seconds once
//! it is long.

use crate::limits::{HEARTBEAT_MS, KEEP_ALIVE_MS, PONG_WAIT_MS, SWEEP_MS};
use crate::narrow;

/// The top bit says that the others count seconds, and not pieces of the sweep.
const COARSE: u16 = 1 << 15;
const COARSE_MS: u64 = 1_000;
/// A silence of this length is counted in seconds. A second of it is not missed.
const COARSE_FROM_MS: u64 = 600_000;

/// How long a stamp may go without a look at it: until then it can't be taken for a younger one.
pub(super) const UNSEEN_MS_MAX: u64 = 1_800_000;

const _: () = {
    let (fine_ms, coarse_ms) = (COARSE as u64 * SWEEP_MS, COARSE as u64 * COARSE_MS);
    assert!(COARSE_FROM_MS + UNSEEN_MS_MAX + SWEEP_MS < fine_ms);
    // A connection may be silent for a heartbeat and a pong's wait, and its age must still be readable.
    assert!(HEARTBEAT_MS.max + PONG_WAIT_MS.max + UNSEEN_MS_MAX < coarse_ms);
    assert!(KEEP_ALIVE_MS.max + UNSEEN_MS_MAX < coarse_ms);
};

/// A moment of the reactor's clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
pub struct Stamp(u16);

impl Stamp {
    /// This moment.
    pub fn at(now_ms: u64) -> Stamp {
        Stamp(narrow::low_quarter(now_ms / SWEEP_MS) & !COARSE)
    }

    /// So long ago it was at the least.
    pub fn age_ms(self, now_ms: u64) -> u64 {
        let unit_ms = if self.0 & COARSE == 0 { SWEEP_MS } else { COARSE_MS };
        let units = narrow::low_quarter(now_ms / unit_ms).wrapping_sub(self.0) & !COARSE;
        // It may have been at the end of its unit.
        u64::from(units.saturating_sub(1)) * unit_ms
    }

    /// The same moment, in seconds if that is long ago.
    pub fn aged(self, now_ms: u64) -> Stamp {
        let age_ms = self.age_ms(now_ms);
        if self.0 & COARSE != 0 || age_ms < COARSE_FROM_MS {
            return self;
        }
        Stamp(narrow::low_quarter((now_ms - age_ms) / COARSE_MS) | COARSE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_silence_is_exact_to_the_sweep() {
        for heard_ms in [0, 99, 100, 12_345, 3_276_799, 3_276_800, 9_999_999_999] {
            let stamp = Stamp::at(heard_ms);
            for silent_ms in [0, 1, 99, 100, 101, 350, 1_999, 2_000, 75_000, 599_999] {
                let age_ms = stamp.age_ms(heard_ms + silent_ms);
                assert!(
                    age_ms <= silent_ms && age_ms + 2 * SWEEP_MS > silent_ms,
                    "{heard_ms} {silent_ms}: {age_ms}"
                );
                assert_eq!(stamp.aged(heard_ms + silent_ms), stamp);
            }
        }
    }

    #[test]
    fn the_longest_silence_is_known_if_it_is_looked_at_now_and_then() {
        let longest_ms = HEARTBEAT_MS.max + PONG_WAIT_MS.max;
        for heard_ms in [0, 777, 65_535_900, 123_456_789_012] {
            for step_ms in [SWEEP_MS, 7_001, UNSEEN_MS_MAX] {
                let (mut stamp, mut silent_ms) = (Stamp::at(heard_ms), 0);
                while silent_ms <= longest_ms {
                    let age_ms = stamp.age_ms(heard_ms + silent_ms);
                    let unit_ms = if silent_ms < COARSE_FROM_MS { SWEEP_MS } else { COARSE_MS };
                    assert!(age_ms <= silent_ms, "{age_ms} of {silent_ms}");
                    assert!(age_ms + 2 * unit_ms + SWEEP_MS > silent_ms, "{age_ms} of {silent_ms}");
                    stamp = stamp.aged(heard_ms + silent_ms);
                    silent_ms += step_ms;
                }
            }
        }
    }

    #[test]
    fn nobody_looks_older_than_it_is() {
        // Whatever time goes by without a look: a process that was stopped drops nobody for it.
        let stamp = Stamp::at(5_000);
        for silent_ms in (0..40_000_000).step_by(9_999) {
            assert!(stamp.age_ms(5_000 + silent_ms) <= silent_ms);
        }
    }
}
