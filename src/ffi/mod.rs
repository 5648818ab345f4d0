//! The borders to other languages: thin, and without logic of their own.

#[cfg(feature = "jni")]
pub mod jni;
