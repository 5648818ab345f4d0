//! Many things published at once.

use std::ffi::{c_char, c_void};

use wspush::endpoint::{BatchItem, ConnId};
use wspush::push::{PublishTerms, PushError};

use super::error::{CallError, Detail};
use super::last_error;
use super::pointer::{self, SizedPlaces, Versioned};
use super::publishing::{publish_terms, wspush_terms};
use super::push::{message, options, pace, wspush_receipt};
use super::server::wspush_server;
use super::status::*;
use super::text::wspush_str;

/// One of several messages that are published at once, to one of a channel, a user and a connection. Zero it, set
/// `struct_size` to `sizeof(wspush_batch_item)`, then what is wanted. Its pointers are borrowed for the call.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct wspush_batch_item {
    /// `sizeof(wspush_batch_item)`. That of the first item counts for all.
    pub struct_size: usize,
    /// The channel; that of everybody is `broadcast`. NULL: to none.
    pub channel: wspush_str,
    /// The user: all connections that it has when its turn comes. NULL: to none.
    pub user: wspush_str,
    /// The connection. 0: to none.
    pub conn: u64,
    /// The message.
    pub data: *const c_void,
    /// Its bytes.
    pub length: usize,
    /// `WSPUSH_TEXT` or `WSPUSH_BINARY`, perhaps with `WSPUSH_UNCOMPRESSED`.
    pub kind: i64,
    /// As in `wspush_terms`; for channels only.
    pub rate: u64,
    /// As in `wspush_terms`; for channels only.
    pub deadline_ms: u64,
}

// SAFETY: repr(C), `struct_size` is first, and the rest are integers and pointers.
unsafe impl Versioned for wspush_batch_item {
    const SIZE_MIN: usize = 7 * size_of::<usize>() + 16;
}

/// Publishes up to 1,000 messages at once, each to a target of its own: all of them or, with an error, none. They go
/// out in their order, and nothing of another thread comes between. `key` may be NULL: a repetition of it, of 1 to 128
/// bytes, within five minutes with the same items gets the first receipts again (`WSPUSH_DUPLICATE`), and nothing is
/// published. `receipts` may be NULL, or has a place for each item; the `struct_size` of the first one counts for all,
/// and what goes to a user or a connection has no place in a log: its `id`, `epoch` and `offset` are 0.
///
/// For an item that is not right the status is that of `wspush_publish`, `wspush_publish_user` or `wspush_send`, the
/// text begins with `items[N]:`, and `wspush_last_bad_item` has the N. `WSPUSH_EINVAL`: also no items, or more than
/// 1,000. `WSPUSH_EREUSED`: the key stands for something else. As `wspush_publish` otherwise.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_publish_batch(
    server: *const wspush_server,
    items: *const wspush_batch_item,
    items_count: usize,
    key: *const c_char,
    key_length: usize,
    receipts: *mut wspush_receipt,
) -> wspush_status {
    call!(
        server: server,
        items: sized_structs(items_count),
        key: optional_text(key_length),
        receipts: optional_sized_places(items_count) => {
            let mut terms = PublishTerms::default();
            terms.idempotency_key = key;
            publish_batch(server, &items, terms, receipts)
        }
    )
}

/// As `wspush_publish_batch`, on terms. Of `terms`, which may be NULL, a batch has the key and the `traceparent`: it is
/// that of all items, and comes back in each receipt, also where there is no place in a log. `WSPUSH_EINVAL`: also with
/// `has_if_offset`, and with a pace, which is an item's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_publish_batch_on(
    server: *const wspush_server,
    items: *const wspush_batch_item,
    items_count: usize,
    terms: *const wspush_terms,
    receipts: *mut wspush_receipt,
) -> wspush_status {
    call!(
        server: server,
        items: sized_structs(items_count),
        terms: optional_sized,
        receipts: optional_sized_places(items_count) => {
            let terms = terms.as_ref().map(publish_terms).transpose()?.unwrap_or_default();
            publish_batch(server, &items, terms, receipts)
        }
    )
}

fn publish_batch(
    server: &wspush_server,
    items: &[wspush_batch_item],
    terms: PublishTerms<'_>,
    receipts: Option<SizedPlaces<wspush_receipt>>,
) -> Result<wspush_status, CallError> {
    let read = |(index, item)| batch_item(item).map_err(|failure| failure.of_item(index));
    let items = items.iter().enumerate().map(read).collect::<Result<Vec<_>, _>>()?;
    let batch = server.handle.publish_batch_on(&items, terms)?;
    let parent = terms.traceparent.filter(|_| batch.traceparent.is_some());
    for (place, receipt) in receipts.into_iter().flatten().zip(&batch.receipts) {
        let receipt = receipt.as_ref().map_or(wspush_receipt::NONE, wspush_receipt::from);
        place.put(receipt.of_request(parent));
    }
    Ok(if batch.duplicate { WSPUSH_DUPLICATE } else { WSPUSH_OK })
}

/// Which item of a batch, from 0 on, this thread's last failed call was about. `WSPUSH_ENOTFOUND`: it was about none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_last_bad_item(index: *mut usize) -> wspush_status {
    call!(index: place => {
        last_error::with_detail(|detail| {
            let Some(&Detail::Item(at)) = detail else {
                return Err(CallError::new(WSPUSH_ENOTFOUND, "the last failure was not about an item"));
            };
            index.put(at);
            Ok(WSPUSH_OK)
        })
    })
}

fn batch_item(raw: &wspush_batch_item) -> Result<BatchItem<'_>, CallError> {
    // SAFETY: the contract of the room holds for the pointers in the struct as well.
    let (channel, user, data) = unsafe {
        let channel = pointer::optional_text(raw.channel.data, raw.channel.length, "channel")?;
        let user = pointer::optional_text(raw.user.data, raw.user.length, "user")?;
        (channel, user, pointer::bytes(raw.data, raw.length, "data")?)
    };
    // A number that is none of ours does not fit any kind, and is refused with those.
    let kind = i32::try_from(raw.kind).unwrap_or(i32::MAX);
    let message = message(kind, data)?;
    let item = match (channel, user, raw.conn) {
        (Some(channel), None, 0) => BatchItem::channel(channel, message),
        (None, Some(user), 0) => BatchItem::user(user, message),
        (None, None, conn) if conn != 0 => BatchItem::conn(ConnId(conn), message),
        // A missing target is never everybody.
        _ => {
            let why = "it has one of channel, user and conn; everybody is the channel broadcast";
            return Err(PushError::BadTerms(why).into());
        }
    };
    Ok(item.options(options(kind).pace(pace(raw.rate, raw.deadline_ms)?)))
}
