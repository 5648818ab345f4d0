//! Where all decisions of a run come from: a seed, or the bytes of a fuzzer.

/// Numbers that look random. With a tape, its bytes decide as long as there are some.
#[derive(Clone, Debug)]
pub struct Dice {
    state: u64,
    tape: Vec<u8>,
    at: usize,
}

impl Dice {
    /// Everything follows from the seed.
    pub fn from_seed(seed: u64) -> Dice {
        Dice { state: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5eed, tape: Vec::new(), at: 0 }
    }

    /// Everything follows from the bytes.
    pub fn from_tape(tape: &[u8]) -> Dice {
        Dice { state: tape.len() as u64, tape: tape.to_vec(), at: 0 }
    }

    /// Whether the tape has been used up; never the case with a seed.
    pub fn is_at_end(&self) -> bool {
        !self.tape.is_empty() && self.at >= self.tape.len()
    }

    fn next(&mut self, bytes: usize) -> u64 {
        if self.at < self.tape.len() {
            let end = self.tape.len().min(self.at + bytes);
            let value = self.tape[self.at..end].iter().fold(0, |sum, &byte| sum << 8 | u64::from(byte));
            self.at = end;
            return value;
        }
        // splitmix64
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `n`.
    pub fn below(&mut self, n: usize) -> usize {
        let bytes = if n <= 256 { 1 } else { 3 };
        (self.next(bytes) % n as u64) as usize
    }

    /// A number from `low` to `high`, both included.
    pub fn range(&mut self, low: usize, high: usize) -> usize {
        low + self.below(high - low + 1)
    }

    /// True once in `n` times.
    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    /// One of these.
    pub fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }
}
