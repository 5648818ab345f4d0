//! The JNI functions that every message needs, called without the `jni` crate around them.
//!
//! The crate asks for the JavaVM in each native method, and for a pending exception before and after each call: eight
//! calls into the JVM for a push that needs three, which were most of its price.

use std::marker::PhantomData;

use jni::errors::Error;
use jni::objects::{JByteArray, JByteBuffer, JLongArray};
use jni::strings::JNIStr;
use jni::sys::{self, jint, jlong, jsize};
use jni::{Env, EnvUnowned};

use super::native_error::NativeError;

/// The environment of a native method that is running.
pub(super) struct Raw<'env> {
    env: *mut sys::JNIEnv,
    _of_the_method: PhantomData<&'env ()>,
}

/// Calls a function of JNI.
macro_rules! jvm {
    ($raw:expr, $version:ident, $function:ident $(, $argument:expr)*) => {{
        let env = $raw.env;
        ((**env).$version.$function)(env $(, $argument)*)
    }};
}

impl<'env> Raw<'env> {
    /// The environment that the JVM has handed to this native method.
    pub(super) fn of(env: &'env EnvUnowned<'_>) -> Raw<'env> {
        Raw { env: env.as_raw(), _of_the_method: PhantomData }
    }

    /// The environment that the `jni` crate has made of it.
    pub(super) fn of_env(env: &'env Env<'_>) -> Raw<'env> {
        Raw { env: env.get_raw(), _of_the_method: PhantomData }
    }

    /// Throws an exception of a class that the native method's own class loader finds; if it finds none, that is what
    /// is thrown. The crate's `throw_new` would keep six classes in statics, which nothing frees when the library is
    /// unloaded.
    pub(super) fn throw(self, class: &JNIStr, message: &JNIStr) {
        // SAFETY: `env` is this thread's while its native method runs, and no exception is pending; both texts end
        // with a NUL, and the class is used at once.
        unsafe {
            let class = jvm!(self, v1_1, FindClass, class.as_ptr());
            if !class.is_null() {
                jvm!(self, v1_1, ThrowNew, class, message.as_ptr());
            }
        }
    }

    /// An array's length.
    pub(super) fn len(&self, array: &JByteArray<'_>) -> Result<usize, NativeError> {
        if array.is_null() {
            return Err(NativeError::Argument("no array"));
        }
        // SAFETY: `env` is this thread's while its native method runs; `array` is a live reference, and not null.
        let len = unsafe { jvm!(self, v1_1, GetArrayLength, array.as_raw()) };
        Ok(usize::try_from(len).unwrap_or(0))
    }

    /// Fills `copy` from an array. If that isn't long enough there is an exception afterwards.
    pub(super) fn copy(
        &self,
        array: &JByteArray<'_>,
        from: jint,
        copy: &mut [i8],
    ) -> Result<(), NativeError> {
        let len = jsize::try_from(copy.len()).map_err(|_| NativeError::Argument("too long"))?;
        if array.is_null() {
            return Err(NativeError::Argument("no array"));
        }
        // SAFETY: as in `len`; the JVM writes `len` bytes, which `copy` has, or none.
        let failed = unsafe {
            jvm!(self, v1_1, GetByteArrayRegion, array.as_raw(), from, len, copy.as_mut_ptr());
            jvm!(self, v1_2, ExceptionCheck)
        };
        if failed { Err(NativeError::Java(Error::JavaException)) } else { Ok(()) }
    }

    /// Fills `copy` from an array's beginning, as far as both go; how far that is.
    pub(super) fn copy_head(&self, array: &JByteArray<'_>, copy: &mut [i8]) -> Result<usize, NativeError> {
        let len = self.len(array)?.min(copy.len());
        let bytes = jsize::try_from(len).map_err(|_| NativeError::Argument("too long"))?;
        // SAFETY: as in `len`; the JVM writes `bytes` bytes, which both have, so there is no exception to ask for.
        unsafe { jvm!(self, v1_1, GetByteArrayRegion, array.as_raw(), 0, bytes, copy.as_mut_ptr()) };
        Ok(len)
    }

    /// All numbers of an array.
    pub(super) fn longs(&self, array: &JLongArray<'_>) -> Result<Vec<jlong>, NativeError> {
        if array.is_null() {
            return Err(NativeError::Argument("no array"));
        }
        // SAFETY: as in `len`.
        let len = unsafe { jvm!(self, v1_1, GetArrayLength, array.as_raw()) };
        let mut numbers = vec![0; usize::try_from(len).unwrap_or(0)];
        // SAFETY: as in `len`; the JVM writes `len` numbers, which both have, so there is no exception to ask for.
        unsafe { jvm!(self, v1_1, GetLongArrayRegion, array.as_raw(), 0, len, numbers.as_mut_ptr()) };
        Ok(numbers)
    }

    /// Puts numbers into an array; nothing else may be called afterwards, because of the exception there may be.
    pub(super) fn put(self, array: &JLongArray<'_>, numbers: &[jlong]) {
        let count = jsize::try_from(numbers.len()).unwrap_or(jsize::MAX);
        // SAFETY: as in `len`; the JVM reads `count` numbers, of which there are no fewer, or none and throws.
        unsafe { jvm!(self, v1_1, SetLongArrayRegion, array.as_raw(), 0, count, numbers.as_ptr()) }
    }

    /// A direct buffer's memory; None if the buffer is none of the kind.
    pub(super) fn direct(&self, buffer: &JByteBuffer<'_>) -> Option<(*const u8, usize)> {
        if buffer.is_null() {
            return None;
        }
        // SAFETY: as in `len`; both functions say so themselves if the buffer isn't direct.
        let (capacity, address) = unsafe {
            (
                jvm!(self, v1_4, GetDirectBufferCapacity, buffer.as_raw()),
                jvm!(self, v1_4, GetDirectBufferAddress, buffer.as_raw()),
            )
        };
        let capacity = usize::try_from(capacity).ok()?;
        (!address.is_null()).then_some((address.cast_const().cast(), capacity))
    }
}
