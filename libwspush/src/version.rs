//! Which library this is.

use std::ffi::{CStr, c_char};

/// The ABI that this header describes; compare it with `wspush_abi_version()` when the library is loaded. It grows
/// when something is added, and what was there keeps working: a host built for 1 runs with every later one that
/// has the same SONAME.
pub const WSPUSH_ABI_VERSION: u32 = 1;

/// Cargo's version with the NUL that C wants.
const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), "\0");

/// The ABI of the library that is loaded. Not less than `WSPUSH_ABI_VERSION`: everything in this header is there.
/// Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn wspush_abi_version() -> u32 {
    WSPUSH_ABI_VERSION
}

/// The library's version, such as "0.1.0"; static, NUL-terminated. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn wspush_version() -> *const c_char {
    CStr::from_bytes_with_nul(VERSION.as_bytes()).unwrap_or(c"").as_ptr()
}
