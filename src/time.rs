//! Time as it comes in as an argument.

/// A moment on two clocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Time {
    /// Microseconds of a clock that never goes back.
    pub mono_us: u64,
    /// Microseconds since 1970.
    pub unix_us: u64,
}

impl Time {
    /// Milliseconds of the clock that never goes back.
    pub fn mono_ms(self) -> u64 {
        self.mono_us / 1000
    }
}
