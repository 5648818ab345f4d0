//! What can go wrong in a native method, and the Java exception that it becomes.

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
pub(super) enum Failure {
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

impl Failure {
    fn class(&self) -> Throw {
        match self {
            Failure::Push(problem) => match problem {
                PushError::Empty | PushError::NotUtf8 | PushError::BadChannel => Throw::Argument,
                PushError::InboxFull => Throw::InboxFull,
                PushError::TooLarge { .. } => Throw::TooLarge,
                PushError::TooManyChannels { .. } => Throw::TooManyChannels,
                PushError::Stopped => Throw::Stopped,
                PushError::NoSuchConnection | PushError::OutboxFull => Throw::Other,
            },
            Failure::Start(StartError::Config(_) | StartError::Tls(_)) => Throw::Config,
            Failure::Start(StartError::Listen { .. }) => Throw::Listen,
            Failure::Closed | Failure::State(_) => Throw::State,
            Failure::Argument(_) => Throw::Argument,
            Failure::Java(_) | Failure::Start(StartError::System(_)) | Failure::System(_) => Throw::Other,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Java(error) => error.fmt(f),
            Failure::Push(problem) => problem.fmt(f),
            Failure::Start(problem) => problem.fmt(f),
            Failure::Closed => f.write_str("the server is closed"),
            Failure::State(text) | Failure::Argument(text) => f.write_str(text),
            Failure::System(error) => error.fmt(f),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure::Java(error)
    }
}

impl From<PushError> for Failure {
    fn from(problem: PushError) -> Failure {
        Failure::Push(problem)
    }
}

impl From<StartError> for Failure {
    fn from(problem: StartError) -> Failure {
        Failure::Start(problem)
    }
}

/// Throws what a native method failed with; the method returns a zero that nobody sees.
pub(super) struct Raise;

impl<T: Default> ErrorPolicy<T, Failure> for Raise {
    type Captures<'local: 'method, 'method> = ();

    fn on_error<'local: 'method, 'method>(
        env: &mut Env<'local>,
        _: &mut (),
        failure: Failure,
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

/// What a panic said.
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
