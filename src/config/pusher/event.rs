//! The events of an app that its backend can be told of.

use std::str::FromStr;

/// Something that happens in an app (Pusher Channels).
///
/// ```
/// use wspush::config::PusherEvent;
///
/// assert_eq!(PusherEvent::CacheMiss.name(), "cache_miss");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PusherEvent {
    /// A channel has a subscriber, and had none before.
    ChannelOccupied,
    /// A channel has no subscriber any more.
    ChannelVacated,
    /// A user is in a presence channel who was not before.
    MemberAdded,
    /// A user is in a presence channel no more.
    MemberRemoved,
    /// A client has sent an event.
    ClientEvent,
    /// Somebody has subscribed to a cache channel that keeps nothing.
    CacheMiss,
    /// A channel has another number of subscribers.
    SubscriptionCount,
}

impl PusherEvent {
    pub(super) const NAMES: [&str; 7] = [
        "channel_occupied",
        "channel_vacated",
        "member_added",
        "member_removed",
        "client_event",
        "cache_miss",
        "subscription_count",
    ];

    /// All of them.
    pub const ALL: [PusherEvent; 7] = [
        PusherEvent::ChannelOccupied,
        PusherEvent::ChannelVacated,
        PusherEvent::MemberAdded,
        PusherEvent::MemberRemoved,
        PusherEvent::ClientEvent,
        PusherEvent::CacheMiss,
        PusherEvent::SubscriptionCount,
    ];

    /// Its name, as backends are told it.
    pub fn name(self) -> &'static str {
        Self::NAMES[self as usize]
    }
}

impl FromStr for PusherEvent {
    type Err = ();

    fn from_str(text: &str) -> Result<PusherEvent, ()> {
        Self::ALL.into_iter().find(|event| event.name() == text).ok_or(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_events() {
        for event in PusherEvent::ALL {
            assert_eq!(event.name().parse(), Ok(event));
        }
        assert_eq!("other".parse::<PusherEvent>(), Err(()));
    }
}
