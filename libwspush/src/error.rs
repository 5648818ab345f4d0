//! Errors, on their way to the host.

use std::borrow::Cow;

use wspush::config::ConfigError;
use wspush::push::PushError;
use wspush::server::StartError;

use super::publishing::Conflict;
use super::status::*;

/// A status and the details that `wspush_last_error` gives.
#[derive(Debug)]
pub(super) struct CallError {
    pub(super) status: wspush_status,
    pub(super) text: Cow<'static, str>,
    /// For `WSPUSH_ECONFLICT`.
    pub(super) conflict: Option<Conflict>,
}

impl CallError {
    /// A failure with its details.
    pub(super) fn new(status: wspush_status, text: impl Into<Cow<'static, str>>) -> CallError {
        CallError { status, text: text.into(), conflict: None }
    }
}

impl From<PushError> for CallError {
    fn from(error: PushError) -> CallError {
        let status = match error {
            PushError::Empty => WSPUSH_EEMPTY,
            PushError::NotUtf8 => WSPUSH_EUTF8,
            PushError::TooLarge { .. } => WSPUSH_ETOOLARGE,
            PushError::BadChannel => WSPUSH_ECHANNEL,
            PushError::BadUser => WSPUSH_EINVAL,
            PushError::TooManyChannels { .. } => WSPUSH_ECHANNELS,
            PushError::TooMany { .. } | PushError::BadTerms(_) => WSPUSH_EINVAL,
            PushError::KeyReused => WSPUSH_EREUSED,
            PushError::OffsetDiffers { .. } => WSPUSH_ECONFLICT,
            PushError::InboxFull | PushError::OutboxFull => WSPUSH_EAGAIN,
            PushError::NoSuchConnection => WSPUSH_ENOTFOUND,
            PushError::Stopped => WSPUSH_ESTOPPED,
        };
        // A full inbox is hit in a loop, so it must not cost an allocation.
        if error == PushError::InboxFull {
            return CallError::new(status, "the inbox is full (inbox_commands_max, inbox_bytes_max)");
        }
        let text = error.to_string().into();
        let conflict = match error {
            PushError::OffsetDiffers { channel, epoch, offset } => Some(Conflict { channel, epoch, offset }),
            _ => None,
        };
        CallError { status, text, conflict }
    }
}

impl From<ConfigError> for CallError {
    fn from(error: ConfigError) -> CallError {
        CallError::new(WSPUSH_ECONFIG, error.to_string())
    }
}

impl From<StartError> for CallError {
    fn from(error: StartError) -> CallError {
        let status = match error {
            StartError::Config(_) | StartError::Tls(_) | StartError::Route(_) => WSPUSH_ECONFIG,
            StartError::Listen { .. } => WSPUSH_ELISTEN,
            StartError::System(_) => WSPUSH_ESYSTEM,
        };
        CallError::new(status, error.to_string())
    }
}

impl From<std::io::Error> for CallError {
    fn from(error: std::io::Error) -> CallError {
        CallError::new(WSPUSH_ESYSTEM, error.to_string())
    }
}
