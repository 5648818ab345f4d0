//! Publishing to several channels, and on terms.

use std::ffi::{c_char, c_void};
use std::sync::Arc;

use wspush::push::PublishTerms;

use super::error::{CallError, Detail};
use super::last_error;
use super::pointer::{self, SizedPlace, Versioned};
use super::push::{channel_name, message, options, pace, wspush_receipt};
use super::server::wspush_server;
use super::status::*;
use super::text::wspush_str;

/// The terms of a publication, or of a batch. Zero it, set `struct_size` to `sizeof(wspush_terms)`, then what is
/// wanted.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct wspush_terms {
    /// `sizeof(wspush_terms)`.
    pub struct_size: usize,
    /// A repetition of this key within five minutes, with the same message to the same channels, gets the first
    /// receipts again (`WSPUSH_DUPLICATE`), and nothing is published. NULL: none.
    pub idempotency_key: *const c_char,
    /// Its bytes, 1 to 128.
    pub idempotency_key_length: usize,
    /// 1: it is published only if `if_offset` is the offset of the newest publication of each channel.
    pub has_if_offset: u64,
    /// That offset; 0: none yet.
    pub if_offset: u64,
    /// So many subscribers of each channel are written to a second, 1 to 1,000,000, so that they don't all answer at
    /// once. 0: as fast as possible, or as `deadline_ms` says. A later publication of the channel without a pace, or
    /// with a faster one, takes along what lies before it.
    pub rate: u64,
    /// All subscribers are written to within so many milliseconds, 1 to 3,600,000, evenly. 0: as fast as possible, or
    /// as `rate` says; both are an error.
    pub deadline_ms: u64,
    /// The request that it is part of (`traceparent` of W3C Trace Context). It comes back in the receipts, and is
    /// logged with them (`event=published`) if its flags say that it is sampled. NULL: none; one that is not valid is
    /// left out.
    pub traceparent: *const c_char,
    /// Its bytes.
    pub traceparent_length: usize,
}

// SAFETY: repr(C), `struct_size` is first, and the rest are integers and pointers.
unsafe impl Versioned for wspush_terms {
    const SIZE_MIN: usize = 3 * size_of::<usize>() + 16;
}

/// Where a channel stood that was expected to stand elsewhere. Set `struct_size` to `sizeof(wspush_conflict)` before
/// the call.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct wspush_conflict {
    /// `sizeof(wspush_conflict)`.
    pub struct_size: usize,
    /// The channel's epoch; 0: there is no such channel.
    pub epoch: u64,
    /// The offset of its newest publication; 0: none yet.
    pub offset: u64,
    /// Its name. The text lives until this thread's next failure.
    pub channel: wspush_str,
}

// SAFETY: repr(C), `struct_size` is first, and the rest are integers and a pointer.
unsafe impl Versioned for wspush_conflict {
    const SIZE_MIN: usize = 3 * size_of::<usize>() + 16;
}

/// The place of a channel, behind a failed call.
#[derive(Clone, Debug)]
pub(super) struct Conflict {
    pub(super) channel: Arc<str>,
    pub(super) epoch: u64,
    pub(super) offset: u64,
}

/// Publishes a message to several channels at once, or, with an error, to none: to `channels_count` of them, 1 to 256,
/// of which each is named once (`WSPUSH_EINVAL`). The default channel's name is `broadcast`. `terms` may be NULL.
/// `receipts` may be NULL, or has a place for each channel; the `struct_size` of the first one counts for all.
///
/// `WSPUSH_DUPLICATE`: it was published before, and the receipts are those. `WSPUSH_ECONFLICT`: the newest publication
/// of a channel is not the one of `if_offset`; `wspush_last_conflict` says how it stands. `WSPUSH_EREUSED`: the key
/// stands for another publication. As `wspush_publish` otherwise.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_publish_to(
    server: *const wspush_server,
    channels: *const wspush_str,
    channels_count: usize,
    kind: i32,
    data: *const c_void,
    length: usize,
    terms: *const wspush_terms,
    receipts: *mut wspush_receipt,
) -> wspush_status {
    call!(
        server: server,
        channels: texts(channels_count),
        data: bytes(length),
        terms: optional_sized,
        receipts: optional_sized_places(channels_count) => {
            let asked = terms.as_ref().map(publish_terms).transpose()?.unwrap_or_default();
            let asked = asked.options(options(kind).pace(asked.options.pace));
            channels.iter().try_for_each(|name| channel_name(name).map(drop))?;
            let published = server.handle.publish_to(&channels, message(kind, data)?, asked)?;
            let parent = asked.traceparent.filter(|_| published.traceparent.is_some());
            for (place, receipt) in receipts.into_iter().flatten().zip(&published.receipts) {
                place.put(wspush_receipt::from(receipt).of_request(parent));
            }
            Ok(if published.duplicate { WSPUSH_DUPLICATE } else { WSPUSH_OK })
        }
    )
}

/// The terms, but for the bits beside the kind.
pub(super) fn publish_terms(raw: &wspush_terms) -> Result<PublishTerms<'_>, CallError> {
    let text = |data: *const c_char, length, name| {
        // SAFETY: the contract of the room holds for the pointers in the struct as well.
        (!data.is_null()).then(|| unsafe { pointer::text(data, length, name) }).transpose()
    };
    let mut terms = PublishTerms::default().pace(pace(raw.rate, raw.deadline_ms)?);
    terms.idempotency_key = text(raw.idempotency_key, raw.idempotency_key_length, "terms->idempotency_key")?;
    terms.if_offset = (raw.has_if_offset != 0).then_some(raw.if_offset);
    terms.traceparent = text(raw.traceparent, raw.traceparent_length, "terms->traceparent")?;
    Ok(terms)
}

/// How the channel stands because of which this thread's last failed call was a `WSPUSH_ECONFLICT`. `WSPUSH_ENOTFOUND`:
/// it was none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_last_conflict(conflict: *mut wspush_conflict) -> wspush_status {
    call!(conflict: sized_place => { put_conflict(conflict) })
}

fn put_conflict(place: SizedPlace<wspush_conflict>) -> Result<wspush_status, CallError> {
    last_error::with_detail(|detail| {
        let Some(Detail::Conflict(Conflict { channel, epoch, offset })) = detail else {
            return Err(CallError::new(WSPUSH_ENOTFOUND, "the last failure was no conflict"));
        };
        let (epoch, offset, channel) = (*epoch, *offset, wspush_str::from(&**channel));
        place.put(wspush_conflict { struct_size: 0, epoch, offset, channel });
        Ok(WSPUSH_OK)
    })
}
