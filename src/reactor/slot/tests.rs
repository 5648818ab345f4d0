//! How much a connection takes, and how its input, its form and its window are kept.

use super::*;
use crate::reactor::socket::Stream;

#[test]
fn a_slot_keeps_to_its_budget() {
    // The budget of docs/decisions.md; slab's own mark for a free slot must fit into the slot's spare values.
    let is_64 = usize::BITS == 64;
    let slot = if is_64 { 48 } else { 44 };
    assert_eq!(size_of::<Slot<Stream>>(), slot);
    let mut slab = slab::Slab::<Slot<Stream>>::with_capacity(100);
    assert_eq!(slab.capacity(), 100);
    slab.clear();
    assert_eq!(size_of::<Option<Slot<Stream>>>(), slot);
    assert_eq!(size_of::<crate::push::Membership>() + size_of::<crate::push::Member>(), 16);
    // Only who has a named channel, a user's name or something under way has it.
    // One with a token has its end as well: a user, a token and a channel are 48 + 128 + 16 + 64 bytes, the name, and
    // the text of what the token allows.
    let (extra, granted) = (size_of::<Extra>(), size_of::<Granted>());
    match is_64 {
        true => assert_eq!((extra, granted), (104, 24)),
        false => assert!(extra <= 56 && granted <= 24, "{extra} and {granted}"),
    }
    assert_eq!(size_of::<User>(), if is_64 { 24 } else { 16 });
    // A table for 2^n names is at the least 7/16 full: each is a hash and a slot, and a byte of the table's own.
    let index = (size_of::<(u64, u32)>() + 1) * 16 / 7;
    assert!(size_of::<User>() + index < 64, "{index} bytes in the index");
}

#[test]
fn the_window_has_bits_of_its_own() {
    for bits in [0, 8, 9, 14, 15] {
        let mut flags = Flags::default();
        flags.set(Flags::BLOCKED, true);
        flags.set_window_bits(12);
        flags.set_window_bits(bits);
        assert_eq!(flags.window_bits(), bits);
        assert!(flags.any(Flags::BLOCKED) && !flags.any(Flags::SERVED) && !flags.any(Flags::BROADCAST));
    }
}

#[test]
fn the_deflated_form_is_for_the_largest_window() {
    let mut slot = Slot::new((), 1, Phase::Open, Stamp::default());
    let (plain, v1) = (Transport::WebSocket, Transport::V1);
    for (transport, bits, form) in [
        (plain, 15, Form::Deflated),
        (plain, 14, Form::Plain),
        (plain, 0, Form::Plain),
        (v1, 15, Form::EnvelopeDeflated),
        (v1, 14, Form::Envelope),
    ] {
        slot.speak(transport, bits);
        assert_eq!((slot.flags.window_bits(), slot.form), (bits, form));
    }
}

#[test]
fn short_input_is_kept_in_place_and_longer_in_the_box() {
    let mut slot = Slot::new((), 1, Phase::Open, Stamp::default());
    slot.keep(&[1; HELD_MAX]);
    assert_eq!((slot.kept(), slot.extra.is_none()), (&[1; HELD_MAX][..], true));
    slot.keep(&[2; HELD_MAX + 1]);
    assert_eq!(slot.kept(), [2; HELD_MAX + 1]);
    slot.keep(&[]);
    assert_eq!((slot.kept(), slot.extra.is_none()), (&[][..], true));
}
