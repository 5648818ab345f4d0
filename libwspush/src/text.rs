//! Text that the library gives to the host.

use std::ffi::c_char;

/// A piece of text that belongs to the library: UTF-8, `length` bytes, **not** followed by a NUL. Print it with
/// `printf("%.*s", (int)text.length, text.data)`. How long it lives stands at the function that gives it.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct wspush_str {
    /// The first byte; not NULL, even where `length` is 0.
    pub data: *const c_char,
    /// How many bytes.
    pub length: usize,
}

impl From<&str> for wspush_str {
    fn from(text: &str) -> wspush_str {
        wspush_str { data: text.as_ptr().cast(), length: text.len() }
    }
}
