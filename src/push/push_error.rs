//! Why a push was not taken. Nothing has been sent then.

use std::fmt;
use std::sync::Arc;

use crate::limits::USER_BYTES_MAX;

/// A push that was not taken.
///
/// ```
/// use wspush::{Handle, Message, PushError};
///
/// fn push(handle: &Handle, text: &str) -> Result<(), PushError> {
///     match handle.broadcast(Message::Text(text)) {
///         Ok(_) => Ok(()),
///         // The server is behind: that will pass.
///         Err(PushError::InboxFull) => {
///             std::thread::sleep(std::time::Duration::from_millis(1));
///             handle.broadcast(Message::Text(text)).map(drop)
///         }
///         Err(error) => Err(error),
///     }
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PushError {
    /// The message has no bytes.
    Empty,
    /// A text that is not UTF-8.
    NotUtf8,
    /// The frame is larger than a channel's log, or than what may wait for one connection.
    TooLarge {
        /// The frame's bytes.
        bytes: usize,
        /// The size that fits.
        max: usize,
        /// The setting that bounds it.
        setting: &'static str,
    },
    /// The name is empty, too long, or has characters that channel names don't have.
    BadChannel,
    /// A user's name is empty, or longer than 256 bytes.
    BadUser,
    /// The channel doesn't exist yet, and there are as many as there may be, each with subscribers.
    TooManyChannels {
        /// The bound (`channels_max`).
        max: usize,
    },
    /// More at once than may be.
    TooMany {
        /// How many there are.
        count: usize,
        /// The bound.
        max: usize,
        /// Of what.
        what: &'static str,
    },
    /// Targets or terms that can't be: the text says which.
    BadTerms(&'static str),
    /// The idempotency key stands for another publication: another message, other channels or other terms.
    KeyReused,
    /// The newest publication of a channel is not the one that was expected.
    OffsetDiffers {
        /// The channel.
        channel: Arc<str>,
        /// Its epoch; 0: there is no such channel.
        epoch: u64,
        /// The offset of its newest publication; 0: there is none yet.
        offset: u64,
    },
    /// The reactor is behind: as many commands or bytes wait for it as may (`EAGAIN`: try again later).
    InboxFull,
    /// An item of a batch is not right, and nothing of the batch was published.
    BadItem {
        /// Which, from 0 on.
        index: usize,
        /// The error in it.
        problem: Box<PushError>,
    },
    /// The connection does not exist (any more).
    NoSuchConnection,
    /// The connection doesn't read: what waits for it alone has reached `outbox_bytes_max`.
    OutboxFull,
    /// The cluster's engine doesn't take it for now (`EAGAIN`: try again later); why.
    Unavailable(Arc<str>),
    /// The server has stopped, or is draining.
    Stopped,
}

impl PushError {
    /// The error itself; of an item, what is wrong about it.
    pub fn cause(&self) -> &PushError {
        match self {
            PushError::BadItem { problem, .. } => problem.cause(),
            _ => self,
        }
    }
}

impl fmt::Display for PushError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PushError::Empty => f.write_str("the message is empty"),
            PushError::NotUtf8 => {
                f.write_str("the text is not valid UTF-8; send bytes as application/octet-stream")
            }
            PushError::TooLarge { bytes, max, setting } => {
                write!(f, "a message of {bytes} bytes with its header is over the limit of {max} ({setting})")
            }
            PushError::BadChannel => f.write_str(
                "a channel name has 1 to 128 letters, digits and punctuation, without spaces and '*'",
            ),
            PushError::BadUser => {
                write!(f, "a user's name has 1 to {USER_BYTES_MAX} bytes")
            }
            PushError::TooManyChannels { max } => {
                write!(f, "there are {max} channels with subscribers already (channels_max)")
            }
            PushError::TooMany { count, max, what } => {
                write!(f, "{count} {what} are over the limit of {max}")
            }
            PushError::BadTerms(why) => f.write_str(why),
            PushError::KeyReused => f.write_str(
                "this idempotency key stands for another publication; each one has a key of its own, and a \
                 repetition has the same message, channels and terms",
            ),
            PushError::OffsetDiffers { channel, epoch, offset } => {
                write!(
                    f,
                    "the newest publication of {channel:?} is {epoch}.{offset}, not the one of if_offset"
                )
            }
            PushError::InboxFull => {
                f.write_str("the inbox is full (inbox_commands_max, inbox_bytes_max); try again later")
            }
            PushError::BadItem { index, problem } => {
                write!(f, "items[{index}]: {problem}; nothing was published")
            }
            PushError::NoSuchConnection => f.write_str("no such connection"),
            PushError::OutboxFull => {
                f.write_str("the connection does not read: its outbox is full (outbox_bytes_max)")
            }
            PushError::Unavailable(why) => {
                write!(f, "the cluster takes no publications for now ({why}); try again later")
            }
            PushError::Stopped => f.write_str("the server is stopping"),
        }
    }
}

impl std::error::Error for PushError {}
