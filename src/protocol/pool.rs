//! Memory for everything that is incomplete between two reads: a pool of fixed chunks, with a bound.

use crate::narrow;

/// Bytes in a chunk: one page.
pub const CHUNK_BYTES: usize = 4096;

/// "No chunk" in a link.
const NONE: u32 = u32::MAX;

/// Bytes that wait in chunks of a [`Pool`]. It holds no memory of its own and doesn't know its pool: whoever
/// drops one that isn't empty has lost its chunks, so release it first.
#[derive(Debug, Default)]
pub struct Chain {
    /// First and last chunk; they mean something only if `len > 0`.
    first: u32,
    last: u32,
    len: usize,
}

impl Chain {
    /// Bytes in it.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it holds nothing, and so no chunk.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Chunks in it.
    pub fn chunks(&self) -> usize {
        self.len.div_ceil(CHUNK_BYTES)
    }

    /// Room behind the last byte in the last chunk.
    fn slack(&self) -> usize {
        self.len.next_multiple_of(CHUNK_BYTES) - self.len
    }
}

/// A bounded pool of chunks of [`CHUNK_BYTES`].
///
/// Both tables are zeroed allocations, which the kernel backs with pages only once they are written to. A chunk without
/// a page is taken only when none with one is free, and the pages of those that were free for a while go
/// [back](Self::give_back) to the kernel: a pool costs what is in use.
#[derive(Debug)]
pub struct Pool {
    bytes: Vec<u8>,
    /// Where the first chunk begins: at a page's boundary, so that a chunk is a page.
    start: usize,
    /// The chunk behind each chunk, in its chain or in a list of free ones.
    next: Vec<u32>,
    /// The chunk released last: its memory is the warmest.
    free: u32,
    /// How many free chunks have memory.
    warm: u32,
    /// The least that were, since memory was given back last: so many were not needed.
    spare: u32,
    /// A chunk whose memory was given back, the first in the list of those.
    bare: u32,
    /// Chunks from here on have never been used.
    fresh: u32,
    in_use: u32,
}

impl Pool {
    /// A pool of at most `bytes_max` bytes (rounded down to whole chunks).
    pub fn new(bytes_max: usize) -> Self {
        let chunks = (bytes_max / CHUNK_BYTES).min(NONE as usize);
        let bytes = vec![0_u8; if chunks == 0 { 0 } else { (chunks + 1) * CHUNK_BYTES }];
        // Where it can't be known the pool is as good, and gives less back.
        let start = Some(bytes.as_ptr().align_offset(CHUNK_BYTES)).filter(|&start| start < CHUNK_BYTES);
        Self {
            bytes,
            start: start.unwrap_or(0),
            next: vec![0; chunks],
            free: NONE,
            warm: 0,
            spare: 0,
            bare: NONE,
            fresh: 0,
            in_use: 0,
        }
    }

    /// Chunks that nobody holds.
    pub fn chunks_free(&self) -> usize {
        self.next.len() - self.in_use as usize
    }

    /// Chunks in chains.
    pub fn chunks_in_use(&self) -> usize {
        self.in_use as usize
    }

    /// Chunks that have memory: those in chains, and those that were until a while ago.
    pub fn chunks_backed(&self) -> usize {
        (self.in_use + self.warm) as usize
    }

    /// Gives memory back: of at most so many chunks, which nobody has needed since this was asked the last time.
    /// `discard` gets their bytes, in as few pieces as there are; whatever they are after it, nobody will look at them.
    pub fn give_back(&mut self, chunks_max: usize, mut discard: impl FnMut(&mut [u8])) {
        let count = (self.spare as usize).min(chunks_max);
        let mut chunks = Vec::with_capacity(count);
        for _ in 0..count {
            chunks.push(self.free);
            self.free = self.next[self.free as usize];
        }
        self.warm -= narrow::to_u32(count);
        self.spare = self.warm;
        chunks.sort_unstable();
        for run in chunks.chunk_by(|&chunk, &behind| chunk + 1 == behind) {
            let at = self.at(run[0]);
            discard(&mut self.bytes[at..at + run.len() * CHUNK_BYTES]);
        }
        for chunk in chunks.into_iter().rev() {
            self.next[chunk as usize] = std::mem::replace(&mut self.bare, chunk);
        }
    }

    /// Where a chunk begins.
    fn at(&self, chunk: u32) -> usize {
        self.start + chunk as usize * CHUNK_BYTES
    }

    /// How many more chunks would have to be free for so many bytes to be appended to a chain.
    pub fn chunks_missing(&self, chain: &Chain, bytes: usize, reserve: usize) -> usize {
        match bytes.saturating_sub(chain.slack()).div_ceil(CHUNK_BYTES) {
            0 => 0,
            chunks => (chunks + reserve).saturating_sub(self.chunks_free()),
        }
    }

    /// Appends `bytes` to a chain. `false`, and nothing is appended, if that would leave fewer than `reserve`
    /// chunks free; what fits into the chain's last chunk always succeeds.
    #[must_use]
    pub fn append(&mut self, chain: &mut Chain, bytes: &[u8], reserve: usize) -> bool {
        if self.chunks_missing(chain, bytes.len(), reserve) > 0 {
            return false;
        }
        let (head, rest) = bytes.split_at(chain.slack().min(bytes.len()));
        if !head.is_empty() {
            let at = self.at(chain.last) + chain.len % CHUNK_BYTES;
            self.bytes[at..at + head.len()].copy_from_slice(head);
            chain.len += head.len();
        }
        for piece in rest.chunks(CHUNK_BYTES) {
            let chunk = self.take();
            if chain.is_empty() {
                chain.first = chunk;
            } else {
                self.next[chain.last as usize] = chunk;
            }
            chain.last = chunk;
            let at = self.at(chunk);
            self.bytes[at..at + piece.len()].copy_from_slice(piece);
            chain.len += piece.len();
        }
        true
    }

    /// A free chunk; there is one.
    fn take(&mut self) -> u32 {
        self.in_use += 1;
        if self.free != NONE {
            let chunk = self.free;
            self.free = self.next[chunk as usize];
            self.warm -= 1;
            self.spare = self.spare.min(self.warm);
            return chunk;
        }
        if self.bare != NONE {
            let chunk = self.bare;
            self.bare = self.next[chunk as usize];
            return chunk;
        }
        let chunk = self.fresh;
        debug_assert!((chunk as usize) < self.next.len());
        self.fresh += 1;
        chunk
    }

    /// A chain's bytes, chunk by chunk.
    pub fn pieces(&self, chain: &Chain) -> impl Iterator<Item = &[u8]> {
        let (mut left, mut chunk) = (chain.len, chain.first);
        std::iter::from_fn(move || {
            let len = left.min(CHUNK_BYTES);
            let this = (len > 0).then_some(chunk)?;
            left -= len;
            chunk = self.next[this as usize];
            Some(&self.bytes[self.at(this)..][..len])
        })
    }

    /// Appends all of a chain's bytes to `out`.
    pub fn gather(&self, chain: &Chain, out: &mut Vec<u8>) {
        out.reserve(chain.len);
        self.pieces(chain).for_each(|piece| out.extend_from_slice(piece));
    }

    /// Gives a chain's chunks back and empties it, in constant time.
    pub fn release(&mut self, chain: &mut Chain) {
        if chain.is_empty() {
            return;
        }
        let chunks = narrow::to_u32(chain.len.div_ceil(CHUNK_BYTES));
        debug_assert!(chunks <= self.in_use);
        self.next[chain.last as usize] = self.free;
        self.free = chain.first;
        self.in_use -= chunks;
        self.warm += chunks;
        *chain = Chain::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    fn gathered(pool: &Pool, chain: &Chain) -> Vec<u8> {
        let mut out = Vec::new();
        pool.gather(chain, &mut out);
        out
    }

    #[test]
    fn sizes() {
        assert!(size_of::<Chain>() <= 16);
        assert_eq!(Pool::new(0).chunks_free(), 0);
        assert_eq!(Pool::new(3 * CHUNK_BYTES - 1).chunks_free(), 2);
    }

    #[test]
    fn a_pool_without_chunks_takes_only_nothing() {
        let mut pool = Pool::new(0);
        let mut chain = Chain::default();
        assert!(pool.append(&mut chain, b"", 5));
        assert!(!pool.append(&mut chain, b"x", 0));
        pool.release(&mut chain);
        assert!(chain.is_empty());
    }

    #[test]
    fn all_or_nothing_and_the_reserve() {
        let mut pool = Pool::new(4 * CHUNK_BYTES);
        let mut chain = Chain::default();
        assert!(!pool.append(&mut chain, &[7; 3 * CHUNK_BYTES + 1], 1));
        assert_eq!((chain.len(), pool.chunks_in_use()), (0, 0));
        assert!(pool.append(&mut chain, &[7; 3 * CHUNK_BYTES - 1], 1));
        assert_eq!(pool.chunks_free(), 1);
        assert!(pool.append(&mut chain, &[7], 1), "the last chunk's slack needs no chunk");
        assert!(!pool.append(&mut chain, &[7], 1));
        assert!(pool.append(&mut chain, &[7], 0));
        assert_eq!(gathered(&pool, &chain), [7; 3 * CHUNK_BYTES + 1]);
        pool.release(&mut chain);
        assert_eq!((chain.len(), pool.chunks_free(), pool.chunks_in_use()), (0, 4, 0));
    }

    #[test]
    fn a_used_chunk_is_taken_before_a_fresh_one() {
        let mut pool = Pool::new(100 * CHUNK_BYTES);
        for _ in 0..50 {
            let (mut a, mut b) = (Chain::default(), Chain::default());
            assert!(pool.append(&mut a, b"a", 0) && pool.append(&mut b, &[b'b'; CHUNK_BYTES + 1], 0));
            pool.release(&mut a);
            pool.release(&mut b);
        }
        assert_eq!(pool.fresh, 3);
    }

    #[test]
    fn what_is_not_needed_goes_back_and_what_is_stays() {
        let mut pool = Pool::new(100 * CHUNK_BYTES);
        let mut chains: Vec<_> = (0..50).map(|_| Chain::default()).collect();
        for chain in &mut chains {
            assert!(pool.append(chain, b"half a message", 0));
        }
        for chain in &mut chains[..40] {
            pool.release(chain);
        }
        let back = |pool: &mut Pool, max| {
            let mut pieces = Vec::new();
            pool.give_back(max, |bytes| {
                assert_eq!(bytes.as_ptr().align_offset(CHUNK_BYTES), 0);
                bytes.fill(0xee);
                pieces.push(bytes.len() / CHUNK_BYTES);
            });
            pieces
        };
        assert!(back(&mut pool, 99).is_empty(), "it was needed until now");
        assert_eq!((back(&mut pool, 15), pool.chunks_backed()), (vec![15], 35));
        // Ten of the 25 that are left are needed now and then.
        for _ in 0..3 {
            let mut needed: Vec<_> = (0..10).map(|_| Chain::default()).collect();
            needed.iter_mut().for_each(|chain| assert!(pool.append(chain, b"x", 0)));
            needed.iter_mut().for_each(|chain| pool.release(chain));
            back(&mut pool, 99);
        }
        assert_eq!((pool.chunks_backed(), pool.chunks_in_use()), (20, 10));
        back(&mut pool, 99);
        assert_eq!((pool.chunks_backed(), pool.chunks_free()), (10, 90));
        assert!(chains[40..].iter().all(|chain| gathered(&pool, chain) == b"half a message"));
        // Those without memory come before those that never had any.
        let mut all = Chain::default();
        assert!(pool.append(&mut all, &[7; 90 * CHUNK_BYTES], 0));
        assert_eq!((pool.fresh, gathered(&pool, &all)), (100, vec![7; 90 * CHUNK_BYTES]));
    }

    proptest! {
        /// Eight chains over a pool that is too small for them, against plain vectors.
        #[test]
        fn as_a_vector_per_chain(
            steps in vec(
                (0usize..8, 0usize..3 * CHUNK_BYTES, 0usize..4, any::<u8>()),
                0..if cfg!(miri) { 10 } else { 60 },
            ),
        ) {
            let mut pool = Pool::new(16 * CHUNK_BYTES);
            let mut chains: [Chain; 8] = Default::default();
            let mut model: [Vec<u8>; 8] = Default::default();
            for (i, len, reserve, byte) in steps {
                let chunks = |v: &Vec<u8>| v.len().div_ceil(CHUNK_BYTES);
                if byte < 50 {
                    pool.release(&mut chains[i]);
                    model[i].clear();
                } else if byte < 80 {
                    pool.give_back(len, |bytes| bytes.fill(byte));
                } else {
                    let mut longer = model[i].clone();
                    longer.extend((0..len).map(|j| byte.wrapping_add(j as u8)));
                    let new = chunks(&longer) - chunks(&model[i]);
                    let fits = new == 0 || new + reserve <= pool.chunks_free();
                    prop_assert_eq!(pool.append(&mut chains[i], &longer[model[i].len()..], reserve), fits);
                    if fits {
                        model[i] = longer;
                    }
                }
                prop_assert_eq!(pool.chunks_in_use(), model.iter().map(chunks).sum::<usize>());
                for (chain, model) in chains.iter().zip(&model) {
                    prop_assert_eq!(chain.len(), model.len());
                    prop_assert!(gathered(&pool, chain) == *model);
                }
            }
        }
    }
}
