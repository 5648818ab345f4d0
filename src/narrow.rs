//! Conversions to a narrower integer, each named by the reason that makes it right. Elsewhere the compiler refuses
//! them (`clippy::cast_possible_truncation`), since what is lost by one is lost in silence, and only on some machines:
//! where a `usize` has 32 bits, a position or a peer's length does not fit it.
//!
//! They are free: where both types have the same width nothing is done, and what is claimed is checked where
//! assertions are.
#![allow(clippy::cast_possible_truncation)]

/// A length, a count or a place of what lies in memory: it has been measured there, or held against a limit.
#[inline]
pub const fn to_usize(number: u64) -> usize {
    debug_assert!(number as usize as u64 == number);
    number as usize
}

/// A number that somebody else has chosen, where one that is too large is as good as the largest: it is compared with
/// a length, or looked for.
#[inline]
pub const fn clamped(number: u64) -> usize {
    if number > usize::MAX as u64 { usize::MAX } else { number as usize }
}

/// The low bits of a position, for a ring: its size is a power of two that a `usize` holds, and it wraps there.
#[inline]
pub const fn wrapped(position: u64) -> usize {
    position as usize
}

/// The low half of a number whose high half the reader knows, or has beside it.
#[inline]
pub const fn low_half(number: u64) -> u32 {
    number as u32
}

/// The low 16 bits of a clock: who reads them knows about when it was.
#[inline]
pub const fn low_quarter(number: u64) -> u16 {
    number as u16
}

/// A place in a table, or a length: a limit keeps it far below 2^32.
#[inline]
pub const fn to_u32(number: usize) -> u32 {
    debug_assert!(number <= u32::MAX as usize);
    number as u32
}

/// A length that a limit keeps below 2^16.
#[inline]
pub const fn to_u16(number: usize) -> u16 {
    debug_assert!(number <= u16::MAX as usize);
    number as u16
}

/// A length or a digit: what it is taken from is never larger.
#[inline]
pub const fn to_u8(number: usize) -> u8 {
    debug_assert!(number <= u8::MAX as usize);
    number as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits_stays_what_it_is() {
        assert_eq!((to_usize(7), clamped(7), to_u32(7), to_u16(7), to_u8(7)), (7, 7, 7, 7, 7));
        assert_eq!(to_u32(u32::MAX as usize), u32::MAX);
        assert_eq!((to_u16(65_535), to_u8(255)), (u16::MAX, u8::MAX));
    }

    #[test]
    fn what_does_not_fit_is_cut_as_the_name_says() {
        let beyond = (1 << 32) + 5;
        assert_eq!(clamped(u64::MAX), usize::MAX);
        assert!(clamped(beyond) > u32::MAX as usize - 1);
        assert_eq!(wrapped(beyond) & 0xffff, 5);
        assert_eq!((low_half(beyond), low_quarter(beyond)), (5, 5));
    }

    #[test]
    #[cfg(debug_assertions)]
    #[should_panic]
    fn what_was_claimed_is_checked() {
        to_u8(256);
    }
}
