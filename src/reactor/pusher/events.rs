//! Events that others than the apps' clients publish.

use crate::config::app_channel;
use crate::push::{Kind, PushError};

/// Whether the subscribers of a channel understand a publication: an app's take the events of its protocol.
pub(in super::super) fn check_event(channel: &str, kind: Kind, payload: &[u8]) -> Result<(), PushError> {
    let is_event = || kind == Kind::Text && payload.starts_with(b"{\"event\":");
    match app_channel(channel) {
        Some(_) if !is_event() => Err(PushError::BadTerms(
            "a channel of an app takes events like {\"event\":..,\"channel\":..,\"data\":\"..\"}, in this order",
        )),
        _ => Ok(()),
    }
}
