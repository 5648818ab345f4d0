//! Masking of client payloads (RFC 6455 section 5.3).

/// Undoes (or does) the masking of `data` in place. `phase` is how many bytes of the same payload came
/// before: the payload may arrive in any number of pieces.
#[inline]
pub fn unmask(data: &mut [u8], mask: [u8; 4], phase: usize) {
    let mut key = mask;
    key.rotate_left(phase % 4);
    // Words of eight keep the key's phase and compile to the widest vectors that the target has.
    let word = u64::from(u32::from_ne_bytes(key));
    let word = word << 32 | word;
    let (words, rest) = data.as_chunks_mut::<8>();
    for bytes in words {
        *bytes = (u64::from_ne_bytes(*bytes) ^ word).to_ne_bytes();
    }
    for (i, byte) in rest.iter_mut().enumerate() {
        *byte ^= key[i % 4];
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn naive(data: &mut [u8], mask: [u8; 4], phase: usize) {
        for (i, byte) in data.iter_mut().enumerate() {
            *byte ^= mask[(i + phase) % 4];
        }
    }

    #[test]
    fn rfc_example() {
        let mut data = *b"\x7f\x9f\x4d\x51\x58";
        unmask(&mut data, [0x37, 0xfa, 0x21, 0x3d], 0);
        assert_eq!(&data, b"Hello");
    }

    #[test]
    fn as_the_naive_loop_at_every_offset_length_and_phase() {
        let source: Vec<u8> = (0..200u8).map(|i| i.wrapping_mul(37)).collect();
        let mask = [0x12, 0x9a, 0xfe, 0x07];
        // Miri takes a thousand times as long: fewer, but none of a period that the words have.
        let (offsets, lens) = if cfg!(miri) { (5, 13) } else { (1, 1) };
        for offset in (0..16).step_by(offsets) {
            for len in (0..140).step_by(lens) {
                for phase in [0, 1, 2, 3, 4, 7, 4093, usize::MAX] {
                    let (mut ours, mut theirs) = (source.clone(), source.clone());
                    unmask(&mut ours[offset..offset + len], mask, phase);
                    naive(&mut theirs[offset..offset + len], mask, phase % 4);
                    assert_eq!(ours, theirs, "offset {offset} len {len} phase {phase}");
                }
            }
        }
    }

    proptest! {
        #[test]
        fn in_pieces_as_in_one(
            data in proptest::collection::vec(any::<u8>(), 0..400),
            mask: [u8; 4],
            step in 1usize..50,
        ) {
            let (mut whole, mut pieces) = (data.clone(), data);
            unmask(&mut whole, mask, 0);
            for (i, piece) in pieces.chunks_mut(step).enumerate() {
                unmask(piece, mask, i * step);
            }
            prop_assert_eq!(whole, pieces);
        }
    }
}
