//! The status codes. Numbers are explicit and append-only: one that has been released never changes its meaning.

use std::ffi::{CStr, c_char};

/// The result of every function that can fail: 0 or more is success, less than 0 is an error, and then nothing has
/// been done and no output was written. New codes may be added; no code ever changes.
pub type wspush_status = i32;

/// One code: its number, its name in the header and what it means.
macro_rules! codes {
    ($($name:ident = $text:literal;)+) => {
        /// Every code's number and text.
        const TEXTS: &[(wspush_status, &CStr)] = &[$(($name, $text)),+];
    };
}

/// Done.
pub const WSPUSH_OK: i32 = 0;
/// Done, and there is nothing more to do: the server has drained.
pub const WSPUSH_DONE: i32 = 1;
/// Done before, under the same idempotency key.
pub const WSPUSH_DUPLICATE: i32 = 2;
/// A pointer that must not be NULL is NULL.
pub const WSPUSH_ENULL: i32 = -1;
/// A number is out of range: a length, a kind, a close code.
pub const WSPUSH_EINVAL: i32 = -2;
/// A text is not UTF-8.
pub const WSPUSH_EUTF8: i32 = -3;
/// `struct_size` is none that this library knows.
pub const WSPUSH_ESIZE: i32 = -4;
/// The inbox is full: the server's thread is behind. Try again later, or drop the message.
pub const WSPUSH_EAGAIN: i32 = -5;
/// The server has stopped, or is draining.
pub const WSPUSH_ESTOPPED: i32 = -6;
/// Not from inside a callback, or only there.
pub const WSPUSH_EWRONGTHREAD: i32 = -7;
/// Not now: the server has been started, or another thread is polling it.
pub const WSPUSH_ESTATE: i32 = -8;
/// There is no such thing: header, parameter, address, receipt, channel.
pub const WSPUSH_ENOTFOUND: i32 = -9;
/// The message is empty.
pub const WSPUSH_EEMPTY: i32 = -10;
/// The message is larger than a channel's log.
pub const WSPUSH_ETOOLARGE: i32 = -11;
/// Not a channel's name: 1 to 128 ASCII letters, digits and punctuation, without spaces and `*`.
pub const WSPUSH_ECHANNEL: i32 = -12;
/// There are as many channels as there may be.
pub const WSPUSH_ECHANNELS: i32 = -13;
/// A setting's name or value is wrong, or two don't go together.
pub const WSPUSH_ECONFIG: i32 = -14;
/// An address could not be listened on.
pub const WSPUSH_ELISTEN: i32 = -15;
/// The operating system refused something.
pub const WSPUSH_ESYSTEM: i32 = -16;
/// This build of the library does not have it.
pub const WSPUSH_EUNSUPPORTED: i32 = -17;
/// The server belongs to the process that this one was forked from.
pub const WSPUSH_EFORK: i32 = -18;
/// A defect in the library; it was caught, and the call has no effect that can be relied on.
pub const WSPUSH_EPANIC: i32 = -19;
/// The newest publication of a channel is not the one that was expected; see `wspush_last_conflict`.
pub const WSPUSH_ECONFLICT: i32 = -20;
/// The idempotency key stands for another publication: another message, other channels or other terms.
pub const WSPUSH_EREUSED: i32 = -21;

codes! {
    WSPUSH_OK = c"done";
    WSPUSH_DONE = c"done, and there is nothing more to do";
    WSPUSH_DUPLICATE = c"done before, under the same idempotency key";
    WSPUSH_ENULL = c"a pointer that must not be NULL is NULL";
    WSPUSH_EINVAL = c"a number is out of range";
    WSPUSH_EUTF8 = c"a text is not UTF-8";
    WSPUSH_ESIZE = c"struct_size is none that this library knows";
    WSPUSH_EAGAIN = c"the inbox is full; try again later";
    WSPUSH_ESTOPPED = c"the server has stopped, or is draining";
    WSPUSH_EWRONGTHREAD = c"not allowed inside a callback, or only there";
    WSPUSH_ESTATE = c"not in the server's present state";
    WSPUSH_ENOTFOUND = c"there is no such thing";
    WSPUSH_EEMPTY = c"the message is empty";
    WSPUSH_ETOOLARGE = c"the message is too large";
    WSPUSH_ECHANNEL = c"not a channel's name";
    WSPUSH_ECHANNELS = c"too many channels";
    WSPUSH_ECONFIG = c"a setting is wrong";
    WSPUSH_ELISTEN = c"an address could not be listened on";
    WSPUSH_ESYSTEM = c"the operating system refused";
    WSPUSH_EUNSUPPORTED = c"not in this build of the library";
    WSPUSH_EFORK = c"the server belongs to the parent process";
    WSPUSH_EPANIC = c"a defect in the library";
    WSPUSH_ECONFLICT = c"the newest publication is another one";
    WSPUSH_EREUSED = c"the idempotency key stands for another publication";
}

/// The meaning of a status code in a few words; never NULL. The text is static. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn wspush_strerror(status: wspush_status) -> *const c_char {
    let known = TEXTS.iter().find(|(code, _)| *code == status);
    known.map_or(c"no such status code", |(_, text)| text).as_ptr()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_no_gap_and_texts_are_their_own() {
        let mut errors: Vec<i32> = TEXTS.iter().map(|(code, _)| *code).filter(|code| *code < 0).collect();
        errors.sort_unstable_by(|a, b| b.cmp(a));
        assert!(errors.iter().zip(1..).all(|(code, n)| *code == -n), "{errors:?}");
        for (n, (_, text)) in TEXTS.iter().enumerate() {
            assert!(TEXTS[..n].iter().all(|(_, other)| other != text), "{text:?}");
        }
    }
}
