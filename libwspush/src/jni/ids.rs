//! Classes and method ids, looked up once when `io.wspush.Native` is loaded.

use std::sync::OnceLock;

use jni::Env;
use jni::errors::Result;
use jni::objects::{JClass, JMethodID};
use jni::refs::Global;
use jni::strings::JNIStr;
use jni::{jni_sig, jni_str};

/// The exceptions that native methods throw.
#[derive(Clone, Copy, Debug)]
pub(super) enum Throw {
    /// `IllegalStateException`
    State,
    /// `IllegalArgumentException`
    Argument,
    /// `WsPushException`
    Other,
    /// `InboxFullException`
    InboxFull,
    /// `MessageTooLargeException`
    TooLarge,
    /// `TooManyChannelsException`
    TooManyChannels,
    /// `ServerStoppedException`
    Stopped,
    /// `ConfigException`
    Config,
    /// `ListenException`
    Listen,
    /// `KeyReusedException`
    KeyReused,
}

/// In the order of [`Throw`].
const EXCEPTIONS: [&JNIStr; 10] = [
    jni_str!("java/lang/IllegalStateException"),
    jni_str!("java/lang/IllegalArgumentException"),
    jni_str!("io/wspush/WsPushException"),
    jni_str!("io/wspush/InboxFullException"),
    jni_str!("io/wspush/MessageTooLargeException"),
    jni_str!("io/wspush/TooManyChannelsException"),
    jni_str!("io/wspush/ServerStoppedException"),
    jni_str!("io/wspush/ConfigException"),
    jni_str!("io/wspush/ListenException"),
    jni_str!("io/wspush/KeyReusedException"),
];

/// Classes and method ids that were looked up. The global references keep the classes loaded, and so the ids valid.
pub(super) struct Ids {
    exceptions: Vec<Global<JClass<'static>>>,
    _callbacks: Global<JClass<'static>>,
    _reply: Global<JClass<'static>>,
    /// `byte[] connect(byte[])`
    pub(super) connect: JMethodID,
    /// `boolean open(long, byte[])`
    pub(super) open: JMethodID,
    /// `boolean message(long, byte[], byte[], boolean)`
    pub(super) message: JMethodID,
    /// `void closed(long, byte[], int, byte[])`
    pub(super) closed: JMethodID,
    /// `void log(int, byte[])`
    pub(super) log: JMethodID,
    /// `void answered(int, byte[])` of a `Reply`
    pub(super) answered: JMethodID,
}

static IDS: OnceLock<Ids> = OnceLock::new();

impl Ids {
    /// Looks everything up; only the first call does anything.
    pub(super) fn load(env: &mut Env<'_>) -> Result<()> {
        if IDS.get().is_none() {
            let ids = Ids::look_up(env)?;
            // Another thread may have been faster, with the same result.
            let _ = IDS.set(ids);
        }
        Ok(())
    }

    /// The ids, once they are loaded.
    pub(super) fn get() -> Option<&'static Ids> {
        IDS.get()
    }

    /// The class of an exception.
    pub(super) fn exception(&self, which: Throw) -> &Global<JClass<'static>> {
        &self.exceptions[which as usize]
    }

    fn look_up(env: &mut Env<'_>) -> Result<Ids> {
        let mut exceptions = Vec::with_capacity(EXCEPTIONS.len());
        for name in EXCEPTIONS {
            let class = env.find_class(name)?;
            exceptions.push(env.new_global_ref(class)?);
        }
        let class = env.find_class(jni_str!("io/wspush/Callbacks"))?;
        let reply = env.find_class(jni_str!("io/wspush/Reply"))?;
        Ok(Ids {
            exceptions,
            connect: env.get_method_id(&class, jni_str!("connect"), jni_sig!("([B)[B"))?,
            open: env.get_method_id(&class, jni_str!("open"), jni_sig!("(J[B)Z"))?,
            message: env.get_method_id(&class, jni_str!("message"), jni_sig!("(J[B[BZ)Z"))?,
            closed: env.get_method_id(&class, jni_str!("closed"), jni_sig!("(J[BI[B)V"))?,
            log: env.get_method_id(&class, jni_str!("log"), jni_sig!("(I[B)V"))?,
            answered: env.get_method_id(&reply, jni_str!("answered"), jni_sig!("(I[B)V"))?,
            _reply: env.new_global_ref(reply)?,
            _callbacks: env.new_global_ref(class)?,
        })
    }
}
