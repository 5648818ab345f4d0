//! Java objects that the native side calls, each with the ids of its methods.
//!
//! Nothing of Java's is kept in a static: a class reference there would keep the class loader that has loaded this
//! library, and with it the library, for as long as the JVM lives. So ids are looked up with each object, whose
//! reference keeps its class, and exceptions' classes when one is thrown.

use std::panic::{AssertUnwindSafe, catch_unwind};

use jni::errors::Result;
use jni::objects::{JClass, JMethodID, JObject};
use jni::refs::Global;
use jni::{Env, JavaVM};
use jni::{jni_sig, jni_str};

use super::native_error::panic_text;

/// Local references that one callback needs: two arrays, what Java returns, and some to spare.
const REFERENCES: usize = 8;

/// Ids of methods of one class.
pub(super) trait Methods: Copy + Send + Sync + Sized + 'static {
    /// Looks them up.
    fn look_up(env: &mut Env<'_>, class: &JClass<'_>) -> Result<Self>;
}

/// Methods of `io.wspush.Callbacks`.
#[derive(Clone, Copy)]
pub(super) struct CallbackMethods {
    /// `byte[] connect(byte[])`
    pub(super) connect: JMethodID,
    /// `byte[] authorize(byte[])`
    pub(super) authorize: JMethodID,
    /// `boolean open(long, byte[], byte[], long)`
    pub(super) open: JMethodID,
    /// `boolean takenOver(long, byte[], byte[])`
    pub(super) taken_over: JMethodID,
    /// `boolean message(long, byte[], byte[], byte[], boolean)`
    pub(super) message: JMethodID,
    /// `void closed(long, byte[], byte[], int, byte[])`
    pub(super) closed: JMethodID,
    /// `boolean pong(long, byte[], byte[], byte[])`
    pub(super) pong: JMethodID,
    /// `boolean fragment(long, byte[], byte[], byte[], boolean, boolean)`
    pub(super) fragment: JMethodID,
    /// `void drained(long, int)`
    pub(super) drained: JMethodID,
    /// `void stayAway(long)`
    pub(super) stay_away: JMethodID,
    /// `void log(int, byte[])`
    pub(super) log: JMethodID,
}

impl Methods for CallbackMethods {
    fn look_up(env: &mut Env<'_>, class: &JClass<'_>) -> Result<CallbackMethods> {
        Ok(CallbackMethods {
            connect: env.get_method_id(class, jni_str!("connect"), jni_sig!("([B)[B"))?,
            authorize: env.get_method_id(class, jni_str!("authorize"), jni_sig!("([B)[B"))?,
            open: env.get_method_id(class, jni_str!("open"), jni_sig!("(J[B[BJ)Z"))?,
            taken_over: env.get_method_id(class, jni_str!("takenOver"), jni_sig!("(J[B[B)Z"))?,
            message: env.get_method_id(class, jni_str!("message"), jni_sig!("(J[B[B[BZ)Z"))?,
            closed: env.get_method_id(class, jni_str!("closed"), jni_sig!("(J[B[BI[B)V"))?,
            pong: env.get_method_id(class, jni_str!("pong"), jni_sig!("(J[B[B[B)Z"))?,
            fragment: env.get_method_id(class, jni_str!("fragment"), jni_sig!("(J[B[B[BZZ)Z"))?,
            drained: env.get_method_id(class, jni_str!("drained"), jni_sig!("(JI)V"))?,
            stay_away: env.get_method_id(class, jni_str!("stayAway"), jni_sig!("(J)V"))?,
            log: env.get_method_id(class, jni_str!("log"), jni_sig!("(I[B)V"))?,
        })
    }
}

/// Methods of `io.wspush.Reply`.
#[derive(Clone, Copy)]
pub(super) struct ReplyMethods {
    /// `void answered(int, byte[])`
    pub(super) answered: JMethodID,
}

impl Methods for ReplyMethods {
    fn look_up(env: &mut Env<'_>, class: &JClass<'_>) -> Result<ReplyMethods> {
        Ok(ReplyMethods { answered: env.get_method_id(class, jni_str!("answered"), jni_sig!("(I[B)V"))? })
    }
}

/// An object to call.
pub(super) struct JavaObject<M> {
    object: Global<JObject<'static>>,
    methods: M,
}

impl<M: Methods> JavaObject<M> {
    /// This object, for as long as the result lives.
    pub(super) fn new(env: &mut Env<'_>, object: &JObject<'_>) -> Result<JavaObject<M>> {
        let class = env.get_object_class(object)?;
        let methods = M::look_up(env, &class)?;
        Ok(JavaObject { object: env.new_global_ref(object)?, methods })
    }

    /// Calls Java with a frame of its own for local references. None if it went wrong: Java's side catches whatever a
    /// listener throws, so this is a JVM out of memory or a bug, and has been reported on standard error.
    pub(super) fn call<T>(&self, call: impl FnOnce(&mut Env<'_>, M, &JObject<'_>) -> Result<T>) -> Option<T> {
        let framed = || {
            JavaVM::singleton()?.with_local_frame(REFERENCES, |env| {
                call(env, self.methods, &self.object).inspect_err(|_| {
                    if env.exception_check() {
                        env.exception_describe();
                        env.exception_clear();
                    }
                })
            })
        };
        match catch_unwind(AssertUnwindSafe(framed)) {
            Ok(Ok(result)) => Some(result),
            Ok(Err(error)) => {
                eprintln!("wspush: a callback into Java failed: {error}");
                None
            }
            Err(panic) => {
                eprintln!("wspush: a callback into Java failed: {}", panic_text(&*panic));
                None
            }
        }
    }
}
