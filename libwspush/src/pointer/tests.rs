//! The checks with everything that C may pass, for Miri as well.

use std::ffi::CStr;
use std::ptr::{null, null_mut};

use crate::callbacks::wspush_callbacks;
use crate::config::*;
use crate::last_error::wspush_last_error;
use crate::push::wspush_receipt;
use crate::status::*;

use super::*;

/// A struct of a host that was built for a newer library.
#[repr(C)]
struct Newer<T> {
    known: T,
    newer: [u64; 2],
}

fn receipt(struct_size: usize) -> wspush_receipt {
    wspush_receipt { struct_size, id: 1, epoch: 2, offset: 3, ..wspush_receipt::NONE }
}

#[test]
fn bytes_and_text() {
    let data = *b"caf\xc3\xa9\xff";
    let pointer = data.as_ptr().cast::<c_void>();
    // SAFETY: NULL, or so many bytes are there.
    unsafe {
        assert_eq!(bytes(pointer, 6, "data").unwrap(), data);
        assert_eq!(bytes(null(), 0, "data").unwrap(), b"");
        assert_eq!(bytes(pointer, 0, "data").unwrap(), b"");
        assert_eq!(bytes(null(), 1, "data").unwrap_err().status, WSPUSH_ENULL);
        assert_eq!(bytes(pointer, usize::MAX, "data").unwrap_err().status, WSPUSH_EINVAL);
        assert_eq!(text(pointer.cast(), 5, "data").unwrap(), "café");
        assert_eq!(text(pointer.cast(), 6, "data").unwrap_err().status, WSPUSH_EUTF8);
    }
}

#[test]
fn places_of_any_version() {
    let mut ours = receipt(size_of::<wspush_receipt>());
    let mut newer = Newer { known: receipt(size_of::<Newer<wspush_receipt>>()), newer: [7; 2] };
    let mut plain = 0u32;
    // SAFETY: NULL, or as large as they say.
    unsafe {
        sized_place(&raw mut ours, "receipt").unwrap().put(receipt(0));
        optional_sized_place((&raw mut newer).cast(), "receipt").unwrap().unwrap().put(receipt(0));
        place(&raw mut plain, "number").unwrap().put(9);
        for size in [0, 8, wspush_receipt::SIZE_MIN - 1, STRUCT_SIZE_MAX + 1] {
            let mut wrong = receipt(size);
            let failure = sized_place(&raw mut wrong, "receipt").map(drop).unwrap_err();
            assert_eq!(failure.status, WSPUSH_ESIZE);
        }
        assert!(optional_sized_place::<wspush_receipt>(null_mut(), "receipt").unwrap().is_none());
        assert_eq!(place::<u32>(null_mut(), "number").map(drop).unwrap_err().status, WSPUSH_ENULL);
    }
    assert_eq!((ours.struct_size, ours.id, ours.epoch, ours.offset), (size_of::<wspush_receipt>(), 1, 2, 3));
    assert_eq!((newer.known.struct_size, newer.newer), (size_of::<Newer<wspush_receipt>>(), [7; 2]));
    assert_eq!(plain, 9);
}

#[test]
fn structs_of_any_version() {
    let mut newer = Newer { known: wspush_callbacks::NONE, newer: [0; 2] };
    newer.known.struct_size = size_of_val(&newer);
    let mut older = wspush_callbacks::NONE;
    older.struct_size = wspush_callbacks::SIZE_MIN;
    let read = |callbacks: *const wspush_callbacks| {
        // SAFETY: NULL, or as large as they say.
        unsafe { optional_sized(callbacks, "callbacks") }.map(|callbacks| callbacks.is_some())
    };
    assert!(!read(null()).unwrap());
    assert!(read(&raw const older).unwrap());
    assert!(read((&raw const newer).cast()).unwrap());
    newer.newer[1] = 1;
    assert_eq!(read((&raw const newer).cast()).unwrap_err().status, WSPUSH_ESIZE);
}

#[test]
fn structs_one_behind_the_other() {
    let newer = |id, newest| Newer { known: wspush_receipt { id, ..receipt(0) }, newer: [0, newest] };
    let mut several = [newer(1, 0), newer(2, 0), newer(3, 0)];
    let mut read = |struct_size, count, newest| {
        several[0].known.struct_size = struct_size;
        several[2].newer[1] = newest;
        let pointer: *const wspush_receipt = several.as_ptr().cast();
        // SAFETY: so many are there, as far apart as the first one says; a wrong size is refused before it is used.
        let read = unsafe { sized_structs(pointer, count, "receipts") };
        read.map(|read| read.iter().map(|receipt| receipt.id).collect::<Vec<_>>()).map_err(|e| e.status)
    };
    let size = size_of::<Newer<wspush_receipt>>();
    assert_eq!(read(size, 3, 0), Ok(vec![1, 2, 3]));
    assert_eq!(read(size, 3, 7), Err(WSPUSH_ESIZE), "the third has a member that we don't know");
    assert_eq!(read(size, 2, 7), Ok(vec![1, 2]));
    assert_eq!(read(0, 0, 0), Ok(vec![]));
    assert_eq!(read(size - 1, 3, 0), Err(WSPUSH_ESIZE));
    assert_eq!(read(size, SEVERAL_MAX + 1, 0), Err(WSPUSH_EINVAL));
    // SAFETY: NULL.
    let nothing = unsafe { sized_structs::<wspush_receipt>(null(), 1, "receipts") };
    assert_eq!(nothing.map(drop).unwrap_err().status, WSPUSH_ENULL);
}

#[test]
fn what_is_not_current_is_not_looked_at() {
    let dangling = std::ptr::without_provenance_mut::<u64>(64);
    // SAFETY: it is neither NULL nor current, so nothing is read.
    unsafe {
        assert_eq!(current(dangling, "session").unwrap_err().status, WSPUSH_EWRONGTHREAD);
        assert_eq!(current_mut(dangling, "session").unwrap_err().status, WSPUSH_EWRONGTHREAD);
        assert_eq!(current::<u64>(null(), "session").unwrap_err().status, WSPUSH_ENULL);
    }
}

#[test]
fn a_configuration_from_its_making_to_its_end() {
    let mut config = null_mut();
    let (name, value) = ("max_connections", "10");
    // SAFETY: NULL, or what the functions say; the last error is read before the next one.
    unsafe {
        let set = |config, name: &str, value: &str| {
            wspush_config_set(config, name.as_ptr().cast(), name.len(), value.as_ptr().cast(), value.len())
        };
        assert_eq!(wspush_config_new(null_mut()), WSPUSH_ENULL);
        assert_eq!(wspush_config_new(&raw mut config), WSPUSH_OK);
        assert_eq!(set(config, name, value), WSPUSH_OK);
        assert_eq!(set(null_mut(), name, value), WSPUSH_ENULL);
        assert_eq!(set(config, name, "many"), WSPUSH_ECONFIG);
        let said = CStr::from_ptr(wspush_last_error()).to_str().unwrap().to_owned();
        assert!(said.contains(name), "{said}");
        assert_eq!(wspush_config_set_int(config, name.as_ptr().cast(), name.len(), 0), WSPUSH_ECONFIG);
        assert_eq!(wspush_config_check(config), WSPUSH_OK);
        wspush_config_free(config);
        wspush_config_free(null_mut());
    }
}
