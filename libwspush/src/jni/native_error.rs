//! The errors of native methods, and the Java exceptions that they become.

use std::any::Any;
use std::fmt;

use jni::Env;
use jni::errors::{Error, ErrorPolicy};
use jni::jni_str;
use jni::strings::{JNIStr, JNIString};

use super::raw::Raw;

use wspush::push::PushError;
use wspush::server::StartError;

const ARGUMENT: &JNIStr = jni_str!("java/lang/IllegalArgumentException");
const OTHER: &JNIStr = jni_str!("io/wspush/WsPushException");

/// Why a native method has no result.
#[derive(Debug)]
pub(super) enum NativeError {
    /// The JVM said no; mostly there is an exception already.
    Java(Error),
    /// The server didn't take a push.
    Push(PushError),
    /// The server couldn't be started.
    Start(StartError),
    /// The id names no server (any more).
    Closed,
    /// The call is not allowed here.
    State(&'static str),
    /// An argument that makes no sense.
    Argument(&'static str),
    /// The reactor broke down.
    System(std::io::Error),
}

impl NativeError {
    /// The exception that says it.
    fn class(&self) -> &'static JNIStr {
        match self {
            NativeError::Push(problem) => match problem.cause() {
                // Its cause is what is wrong about it.
                PushError::BadItem { .. }
                | PushError::Empty
                | PushError::NotUtf8
                | PushError::BadChannel
                | PushError::BadUser
                | PushError::TooMany { .. }
                | PushError::BadTerms(_) => ARGUMENT,
                PushError::InboxFull | PushError::Unavailable(_) => jni_str!("io/wspush/InboxFullException"),
                PushError::TooLarge { .. } => jni_str!("io/wspush/MessageTooLargeException"),
                PushError::TooManyChannels { .. } => jni_str!("io/wspush/TooManyChannelsException"),
                PushError::Stopped => jni_str!("io/wspush/ServerStoppedException"),
                PushError::KeyReused => jni_str!("io/wspush/KeyReusedException"),
                PushError::NoSuchConnection | PushError::OutboxFull | PushError::OffsetDiffers { .. } => {
                    OTHER
                }
            },
            NativeError::Start(
                StartError::Config(_) | StartError::Tls(_) | StartError::Route(_) | StartError::Cluster(_),
            ) => {
                jni_str!("io/wspush/ConfigException")
            }
            NativeError::Start(StartError::Listen { .. }) => jni_str!("io/wspush/ListenException"),
            NativeError::Closed | NativeError::State(_) => jni_str!("java/lang/IllegalStateException"),
            NativeError::Argument(_) => ARGUMENT,
            NativeError::Java(_)
            | NativeError::Start(StartError::Handover(_) | StartError::System(_))
            | NativeError::System(_) => OTHER,
        }
    }
}

impl fmt::Display for NativeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NativeError::Java(error) => error.fmt(f),
            NativeError::Push(problem) => problem.fmt(f),
            NativeError::Start(problem) => problem.fmt(f),
            NativeError::Closed => f.write_str("the server is closed"),
            NativeError::State(text) | NativeError::Argument(text) => f.write_str(text),
            NativeError::System(error) => error.fmt(f),
        }
    }
}

impl From<Error> for NativeError {
    fn from(error: Error) -> NativeError {
        NativeError::Java(error)
    }
}

impl From<PushError> for NativeError {
    fn from(problem: PushError) -> NativeError {
        NativeError::Push(problem)
    }
}

impl From<StartError> for NativeError {
    fn from(problem: StartError) -> NativeError {
        NativeError::Start(problem)
    }
}

/// Throws what a native method failed with; the method returns a zero that nobody sees.
pub(super) struct Raise;

impl<T: Default> ErrorPolicy<T, NativeError> for Raise {
    type Captures<'local: 'method, 'method> = ();

    fn on_error<'local: 'method, 'method>(
        env: &mut Env<'local>,
        _: &mut (),
        failure: NativeError,
    ) -> Result<T, Error> {
        throw(env, failure.class(), &failure.to_string());
        Ok(T::default())
    }

    fn on_panic<'local: 'method, 'method>(
        env: &mut Env<'local>,
        _: &mut (),
        payload: Box<dyn Any + Send + 'static>,
    ) -> Result<T, Error> {
        throw(env, OTHER, &format!("a bug in wspush: {}", panic_text(&*payload)));
        Ok(T::default())
    }
}

/// A panic's message.
pub(super) fn panic_text(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<&'static str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("a panic without a text")
}

fn throw(env: &Env<'_>, class: &JNIStr, message: &str) {
    if !env.exception_check() {
        Raw::of_env(env).throw(class, &JNIString::from(message));
    }
}
