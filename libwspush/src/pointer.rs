//! The checks of what C gives: each takes a pointer and the argument's name and returns what it stands for.
//!
//! All are unsafe for the one reason that they believe a pointer that is not NULL, and none is called but by
//! [`call!`](super::guard).

use std::ffi::{c_char, c_void};

use super::error::CallError;
use super::host::is_current;
use super::server::wspush_server;
use super::status::*;
use super::text::wspush_str;

fn null(name: &str) -> CallError {
    CallError::new(WSPUSH_ENULL, format!("{name} is NULL"))
}

/// A handle, not NULL.
pub(super) unsafe fn given<'a, T>(pointer: *const T, name: &str) -> Result<&'a T, CallError> {
    // SAFETY: the caller's: NULL or valid.
    unsafe { pointer.as_ref() }.ok_or_else(|| null(name))
}

/// A handle to be changed, not NULL.
pub(super) unsafe fn given_mut<'a, T>(pointer: *mut T, name: &str) -> Result<&'a mut T, CallError> {
    // SAFETY: the caller's: NULL or valid, and used by one thread at a time.
    unsafe { pointer.as_mut() }.ok_or_else(|| null(name))
}

/// A handle or nothing.
pub(super) unsafe fn optional<'a, T>(pointer: *const T, _name: &str) -> Result<Option<&'a T>, CallError> {
    // SAFETY: the caller's: NULL or valid.
    Ok(unsafe { pointer.as_ref() })
}

/// A server of this process.
pub(super) unsafe fn server<'a>(
    pointer: *const wspush_server,
    name: &str,
) -> Result<&'a wspush_server, CallError> {
    // SAFETY: as `given`.
    let server = unsafe { given(pointer, name) }?;
    server.check_process()?;
    Ok(server)
}

/// A place for a result, written when there is one and not before.
pub(super) struct Place<T>(*mut T);

impl<T> Place<T> {
    /// Writes the result.
    pub(super) fn put(self, value: T) {
        // SAFETY: `place` was given a valid pointer; what was there is C's and needs no drop.
        unsafe { self.0.write(value) }
    }
}

/// A place for a result, not NULL.
pub(super) unsafe fn place<T>(pointer: *mut T, name: &str) -> Result<Place<T>, CallError> {
    if pointer.is_null() { Err(null(name)) } else { Ok(Place(pointer)) }
}

/// A struct that begins with its size, which may grow from one version of the library to the next.
///
/// # Safety
/// `repr(C)`, the first field is `struct_size: usize`, and every pattern of bytes is a value.
pub(super) unsafe trait Versioned: Copy {
    /// The size of the first version.
    const SIZE_MIN: usize;
}

/// Texts or structs in one argument.
const SEVERAL_MAX: usize = 4_096;

/// No struct of ours will ever be larger: what claims to be was not initialised.
const STRUCT_SIZE_MAX: usize = 4_096;

/// A place for a struct that begins with its size.
pub(super) struct SizedPlace<T> {
    to: *mut T,
    size: usize,
}

impl<T: Versioned> SizedPlace<T> {
    /// Writes as much as the caller's version of the struct has, its size excepted.
    pub(super) fn put(self, value: T) {
        let size = self.size.min(size_of::<T>());
        let from = (&raw const value).cast::<u8>();
        let rest = size - size_of::<usize>();
        // SAFETY: both structs have `size` bytes at least: `value` by its type, `to` by its own word.
        unsafe {
            let (from, to) = (from.add(size_of::<usize>()), self.to.cast::<u8>().add(size_of::<usize>()));
            to.copy_from_nonoverlapping(from, rest);
        }
    }
}

/// Places for several such structs, one behind the other.
pub(super) struct SizedPlaces<T> {
    next: *mut T,
    size: usize,
    left: usize,
}

impl<T: Versioned> Iterator for SizedPlaces<T> {
    type Item = SizedPlace<T>;

    fn next(&mut self) -> Option<SizedPlace<T>> {
        self.left = self.left.checked_sub(1)?;
        let place = SizedPlace { to: self.next, size: self.size };
        self.next = self.next.wrapping_byte_add(self.size);
        Some(place)
    }
}

unsafe fn struct_size<T: Versioned>(pointer: *const T, name: &str) -> Result<usize, CallError> {
    // SAFETY: the caller's: `pointer` is valid, and a Versioned begins with its size.
    let size = unsafe { pointer.cast::<usize>().read() };
    if (T::SIZE_MIN..=STRUCT_SIZE_MAX).contains(&size) {
        Ok(size)
    } else {
        Err(CallError::new(WSPUSH_ESIZE, format!("{name}->struct_size is {size}: set it to sizeof *{name}")))
    }
}

/// A place for a struct that begins with its size, not NULL.
pub(super) unsafe fn sized_place<T: Versioned>(
    pointer: *mut T,
    name: &str,
) -> Result<SizedPlace<T>, CallError> {
    if pointer.is_null() {
        return Err(null(name));
    }
    // SAFETY: not NULL, so valid.
    let size = unsafe { struct_size(pointer, name) }?;
    Ok(SizedPlace { to: pointer, size })
}

/// As [`sized_place`], or nothing.
pub(super) unsafe fn optional_sized_place<T: Versioned>(
    pointer: *mut T,
    name: &str,
) -> Result<Option<SizedPlace<T>>, CallError> {
    if pointer.is_null() {
        return Ok(None);
    }
    // SAFETY: not NULL, so valid.
    unsafe { sized_place(pointer, name) }.map(Some)
}

/// As [`optional_sized_place`], for `count` of them. They lie as far apart as the first one says that it is large: that
/// is the size that the caller's compiler has given them.
pub(super) unsafe fn optional_sized_places<T: Versioned>(
    pointer: *mut T,
    count: usize,
    name: &str,
) -> Result<Option<SizedPlaces<T>>, CallError> {
    if pointer.is_null() || count == 0 {
        return Ok(None);
    }
    // SAFETY: not NULL, so valid.
    let size = unsafe { spacing(pointer, name) }?;
    Ok(Some(SizedPlaces { next: pointer, size, left: count }))
}

/// How far apart structs lie of which this is the first.
unsafe fn spacing<T: Versioned>(pointer: *const T, name: &str) -> Result<usize, CallError> {
    // SAFETY: the caller's: it is valid.
    let size = unsafe { struct_size(pointer, name) }?;
    if size.is_multiple_of(align_of::<T>()) {
        Ok(size)
    } else {
        let text = format!("{name}->struct_size is {size}, which has no such struct");
        Err(CallError::new(WSPUSH_ESIZE, text))
    }
}

/// A struct that begins with its size, or nothing. What an older host's version lacks is zero; what a newer one's
/// has beyond ours must be.
pub(super) unsafe fn optional_sized<T: Versioned>(
    pointer: *const T,
    name: &str,
) -> Result<Option<T>, CallError> {
    if pointer.is_null() {
        return Ok(None);
    }
    // SAFETY: not NULL, so valid.
    unsafe { read_sized(pointer, struct_size(pointer, name)?, name) }.map(Some)
}

/// As many such structs as a call may have, one behind the other, as far apart as the first one says that it is large.
pub(super) unsafe fn sized_structs<T: Versioned>(
    pointer: *const T,
    count: usize,
    name: &str,
) -> Result<Vec<T>, CallError> {
    if !has_several(pointer, count, name)? {
        return Ok(Vec::new());
    }
    // SAFETY: not NULL, so there are `count` of them.
    unsafe {
        let size = spacing(pointer, name)?;
        (0..count).map(|at| read_sized(pointer.wrapping_byte_add(at * size), size, name)).collect()
    }
}

/// Reads a struct of this size.
unsafe fn read_sized<T: Versioned>(pointer: *const T, size: usize, name: &str) -> Result<T, CallError> {
    // SAFETY: valid for its size, which bounds both reads; zeroes are a value of a Versioned.
    unsafe {
        let mut value = std::mem::zeroed::<T>();
        let bytes = pointer.cast::<u8>();
        (&raw mut value).cast::<u8>().copy_from_nonoverlapping(bytes, size.min(size_of::<T>()));
        if (size_of::<T>()..size).any(|at| bytes.add(at).read() != 0) {
            let text = format!("{name} has members that this library does not know");
            return Err(CallError::new(WSPUSH_ESIZE, text));
        }
        Ok(value)
    }
}

/// Bytes; NULL is allowed where there are none.
pub(super) unsafe fn bytes<'a>(
    pointer: *const c_void,
    length: usize,
    name: &str,
) -> Result<&'a [u8], CallError> {
    match (pointer.is_null(), length) {
        (_, 0) => Ok(&[]),
        (true, _) => Err(null(name)),
        (false, length) if length > isize::MAX as usize => {
            Err(CallError::new(WSPUSH_EINVAL, format!("the length of {name} is {length}")))
        }
        // SAFETY: not NULL, so it has `length` bytes, which is no more than an object may have.
        (false, length) => Ok(unsafe { std::slice::from_raw_parts(pointer.cast(), length) }),
    }
}

/// UTF-8 text; NULL is allowed where there is none.
pub(super) unsafe fn text<'a>(
    pointer: *const c_char,
    length: usize,
    name: &str,
) -> Result<&'a str, CallError> {
    // SAFETY: as `bytes`.
    let bytes = unsafe { bytes(pointer.cast(), length, name) }?;
    simdutf8::basic::from_utf8(bytes)
        .map_err(|_| CallError::new(WSPUSH_EUTF8, format!("{name} is not valid UTF-8")))
}

/// As [`text`]; NULL without a length is none.
pub(super) unsafe fn optional_text<'a>(
    pointer: *const c_char,
    length: usize,
    name: &str,
) -> Result<Option<&'a str>, CallError> {
    if pointer.is_null() && length == 0 {
        return Ok(None);
    }
    // SAFETY: as `bytes`.
    unsafe { text(pointer, length, name) }.map(Some)
}

/// Whether there is something where several things are said to be, no more than a call may have.
fn has_several<T>(pointer: *const T, count: usize, name: &str) -> Result<bool, CallError> {
    match (pointer.is_null(), count) {
        (_, 0) => Ok(false),
        (true, _) => Err(null(name)),
        (false, 1..=SEVERAL_MAX) => Ok(true),
        (false, _) => {
            let why = format!("the count of {name} is {count}, over the limit of {SEVERAL_MAX}");
            Err(CallError::new(WSPUSH_EINVAL, why))
        }
    }
}

/// Texts, no more than a call may have.
pub(super) unsafe fn texts<'a>(
    pointer: *const wspush_str,
    count: usize,
    name: &str,
) -> Result<Vec<&'a str>, CallError> {
    if !has_several(pointer, count, name)? {
        return Ok(Vec::new());
    }
    // SAFETY: not NULL, so there are `count` of them, and the contract of the room holds for each.
    unsafe {
        let given = std::slice::from_raw_parts(pointer, count);
        given.iter().map(|given| text(given.data, given.length, name)).collect()
    }
}

fn check_current(pointer: *const c_void, name: &str) -> Result<(), CallError> {
    if pointer.is_null() {
        Err(null(name))
    } else if is_current(pointer) {
        Ok(())
    } else {
        let text = format!("{name} is not what the callback running on this thread was given");
        Err(CallError::new(WSPUSH_EWRONGTHREAD, text))
    }
}

/// The object that the running callback of this thread was given.
pub(super) unsafe fn current<'a, T>(pointer: *const T, name: &str) -> Result<&'a T, CallError> {
    check_current(pointer.cast(), name)?;
    // SAFETY: it is current, so it lives.
    Ok(unsafe { &*pointer })
}

/// The object that the running callback of this thread was given, to be changed.
pub(super) unsafe fn current_mut<'a, T>(pointer: *mut T, name: &str) -> Result<&'a mut T, CallError> {
    check_current(pointer.cast_const().cast(), name)?;
    // SAFETY: it is current, so it lives, and only this thread, which is in this one call, uses it.
    Ok(unsafe { &mut *pointer })
}

#[cfg(test)]
mod tests;
