//! The errors of native methods, and the Java exceptions that they become.

use std::any::Any;
use std::fmt;

use jni::Env;
use jni::errors::{Error, ErrorPolicy};
use jni::strings::JNIString;

use wspush::push::PushError;
use wspush::server::StartError;

use super::ids::{Ids, Throw};

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
    fn class(&self) -> Throw {
        match self {
            NativeError::Push(problem) => match problem {
                PushError::Empty
                | PushError::NotUtf8
                | PushError::BadChannel
                | PushError::BadUser
                | PushError::TooMany { .. }
                | PushError::BadTerms(_) => Throw::Argument,
                PushError::InboxFull => Throw::InboxFull,
                PushError::TooLarge { .. } => Throw::TooLarge,
                PushError::TooManyChannels { .. } => Throw::TooManyChannels,
                PushError::Stopped => Throw::Stopped,
                PushError::KeyReused => Throw::KeyReused,
                PushError::NoSuchConnection | PushError::OutboxFull | PushError::OffsetDiffers { .. } => {
                    Throw::Other
                }
            },
            NativeError::Start(StartError::Config(_) | StartError::Tls(_) | StartError::Route(_)) => {
                Throw::Config
            }
            NativeError::Start(StartError::Listen { .. }) => Throw::Listen,
            NativeError::Closed | NativeError::State(_) => Throw::State,
            NativeError::Argument(_) => Throw::Argument,
            NativeError::Java(_) | NativeError::Start(StartError::System(_)) | NativeError::System(_) => {
                Throw::Other
            }
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
        throw(env, Throw::Other, &format!("a bug in wspush: {}", panic_text(&*payload)));
        Ok(T::default())
    }
}

/// A panic's message.
pub(super) fn panic_text(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<&'static str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("a panic without a text")
}

fn throw(env: &mut Env<'_>, class: Throw, message: &str) {
    if env.exception_check() {
        return;
    }
    let message = JNIString::from(message);
    // That it was thrown is reported as an error, too.
    let _ = match Ids::get() {
        Some(ids) => env.throw_new(ids.exception(class), message),
        None => env.throw_new(jni::jni_str!("java/lang/IllegalStateException"), message),
    };
}
