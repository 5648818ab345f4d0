//! The things that a host keeps at one connection: most keep nothing, and then there is no box for it.

use std::any::Any;
use std::fmt;
use std::time::Duration;

use crate::limits::{IDLE_TIMEOUT_MS, MESSAGE_BYTES_MAX};
use crate::narrow;

/// Parts the values of path parameters: no control character comes into a path.
const BETWEEN: char = '\0';

/// A client that is closed when it has had nothing to say for some time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
pub struct Idle {
    /// How long that may take.
    pub ms_max: u64,
    /// When there was something last, in milliseconds of the reactor's clock.
    pub since_ms: u64,
}

/// The part of the box that another process can take.
#[derive(Clone, Debug, Default, serde::Deserialize, serde::Serialize)]
pub struct HostedImage {
    parameters: Option<Box<str>>,
    idle: Option<Idle>,
    message_bytes_max: Option<usize>,
}

/// The box.
#[derive(Default)]
pub struct Hosted {
    parameters: Option<Box<str>>,
    pub(super) attribute: Option<Box<dyn Any + Send>>,
    /// Its time-out.
    pub idle: Option<Idle>,
    /// Its own limit for messages.
    pub message_bytes_max: Option<usize>,
}

impl fmt::Debug for Hosted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hosted").field("idle", &self.idle).finish_non_exhaustive()
    }
}

impl Hosted {
    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        let Hosted { parameters, attribute, idle, message_bytes_max } = self;
        parameters.is_none() && attribute.is_none() && idle.is_none() && message_bytes_max.is_none()
    }

    /// Its image, without the host's value, which can't leave its process. None: there is nothing else.
    pub fn image(&self) -> Option<HostedImage> {
        let Hosted { parameters, idle, message_bytes_max, .. } = self;
        let has_some = parameters.is_some() || idle.is_some() || message_bytes_max.is_some();
        has_some.then(|| HostedImage {
            parameters: parameters.clone(),
            idle: *idle,
            message_bytes_max: *message_bytes_max,
        })
    }

    /// The box of an image.
    pub fn of_image(HostedImage { parameters, idle, message_bytes_max }: HostedImage) -> Hosted {
        Hosted { parameters, attribute: None, idle, message_bytes_max }
    }

    /// Keeps what the names of a route's pattern stand for.
    pub fn keep_parameters(&mut self, values: &[String]) {
        self.parameters = (!values.is_empty()).then(|| values.join("\0").into());
    }

    /// The value of the pattern's name number `at`.
    pub fn parameter(&self, at: usize) -> Option<&str> {
        self.parameters.as_ref()?.split(BETWEEN).nth(at)
    }

    /// Keeps the host's value, in place of the one before.
    pub fn keep_attribute(&mut self, value: Option<Box<dyn Any + Send>>) {
        self.attribute = value;
    }

    /// The host's value.
    pub fn attribute(&self) -> Option<&(dyn Any + Send)> {
        self.attribute.as_deref()
    }

    /// Takes the host's value, if it is of this type.
    pub fn take_attribute<T: Any>(&mut self) -> Option<Box<T>> {
        self.attribute.take_if(|value| value.is::<T>())?.downcast().ok()
    }

    /// Gives it a time-out from now on, or takes it away.
    pub fn set_idle(&mut self, timeout: Option<Duration>, now_ms: u64) {
        self.idle = timeout.map(|time| Idle { ms_max: idle_ms(time.as_millis()), since_ms: now_ms });
    }

    /// Gives it a limit for messages of its own, within those that there are.
    pub fn set_message_bytes_max(&mut self, bytes: usize) {
        let bytes = (bytes as u64).clamp(MESSAGE_BYTES_MAX.min, MESSAGE_BYTES_MAX.max);
        self.message_bytes_max = Some(narrow::clamped(bytes));
    }

    /// Something was said: the time-out begins anew.
    pub fn heard(&mut self, now_ms: u64) {
        if let Some(idle) = &mut self.idle {
            idle.since_ms = now_ms;
        }
    }
}

/// A time-out as it can be kept: what is too short or too long becomes what is allowed.
pub fn idle_ms(asked_ms: u128) -> u64 {
    u64::try_from(asked_ms).unwrap_or(u64::MAX).clamp(IDLE_TIMEOUT_MS.min, IDLE_TIMEOUT_MS.max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_box_with_nothing_in_it_is_empty() {
        let mut hosted = Hosted::default();
        assert!(hosted.is_empty());
        hosted.keep_parameters(&[]);
        assert!(hosted.is_empty());
        hosted.keep_parameters(&["a".to_owned(), "b/c".to_owned()]);
        let all = [0, 1, 2].map(|at| hosted.parameter(at));
        assert_eq!((all, hosted.is_empty()), ([Some("a"), Some("b/c"), None], false));
        hosted = Hosted { message_bytes_max: Some(1), ..Hosted::default() };
        assert!(!hosted.is_empty());
        hosted = Hosted::default();
        hosted.keep_attribute(Some(Box::new(7)));
        assert!(!hosted.is_empty() && hosted.attribute().unwrap().is::<i32>());
    }
}
