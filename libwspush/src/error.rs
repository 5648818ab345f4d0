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
    /// The rest, for a program.
    pub(super) detail: Option<Detail>,
}

/// The part of a failure that a program can't read out of its text.
#[derive(Clone, Debug)]
pub(super) enum Detail {
    /// For `WSPUSH_ECONFLICT`.
    Conflict(Conflict),
    /// The item of a batch that it is about.
    Item(usize),
}

impl CallError {
    /// A failure with its details.
    pub(super) fn new(status: wspush_status, text: impl Into<Cow<'static, str>>) -> CallError {
        CallError { status, text: text.into(), detail: None }
    }

    /// The same, about an item of a batch.
    pub(super) fn of_item(self, index: usize) -> CallError {
        let text = format!("items[{index}]: {}; nothing was published", self.text).into();
        CallError { status: self.status, text, detail: Some(Detail::Item(index)) }
    }
}

impl From<PushError> for CallError {
    fn from(error: PushError) -> CallError {
        let status = match error.cause() {
            // Its cause is what is wrong about it.
            PushError::BadItem { .. } => WSPUSH_EINVAL,
            PushError::Empty => WSPUSH_EEMPTY,
            PushError::NotUtf8 => WSPUSH_EUTF8,
            PushError::TooLarge { .. } => WSPUSH_ETOOLARGE,
            PushError::BadChannel => WSPUSH_ECHANNEL,
            PushError::BadUser => WSPUSH_EINVAL,
            PushError::TooManyChannels { .. } => WSPUSH_ECHANNELS,
            PushError::TooMany { .. } | PushError::BadTerms(_) => WSPUSH_EINVAL,
            PushError::KeyReused => WSPUSH_EREUSED,
            PushError::OffsetDiffers { .. } => WSPUSH_ECONFLICT,
            PushError::InboxFull | PushError::OutboxFull | PushError::Unavailable(_) => WSPUSH_EAGAIN,
            PushError::NoSuchConnection => WSPUSH_ENOTFOUND,
            PushError::Stopped => WSPUSH_ESTOPPED,
        };
        // A full inbox is hit in a loop, so it must not cost an allocation.
        if error == PushError::InboxFull {
            return CallError::new(status, "the inbox is full (inbox_commands_max, inbox_bytes_max)");
        }
        let text = error.to_string().into();
        let detail = match error {
            PushError::OffsetDiffers { channel, epoch, offset } => {
                Some(Detail::Conflict(Conflict { channel, epoch, offset }))
            }
            PushError::BadItem { index, .. } => Some(Detail::Item(index)),
            _ => None,
        };
        CallError { status, text, detail }
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
            StartError::Config(_) | StartError::Tls(_) | StartError::Route(_) | StartError::Cluster(_) => {
                WSPUSH_ECONFIG
            }
            StartError::Listen { .. } => WSPUSH_ELISTEN,
            StartError::Handover(_) | StartError::System(_) => WSPUSH_ESYSTEM,
        };
        CallError::new(status, error.to_string())
    }
}

impl From<std::io::Error> for CallError {
    fn from(error: std::io::Error) -> CallError {
        CallError::new(WSPUSH_ESYSTEM, error.to_string())
    }
}
