//! A channel's log, read publication by publication.

use crate::protocol::{Opcode, frame};

use super::channel::Channel;
use super::entry::Recovery;
use super::log::Log;
use super::since::Since;

/// A publication that a log has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Logged<'a> {
    /// Text or bytes.
    pub opcode: Opcode,
    /// Its bytes.
    pub payload: &'a [u8],
}

impl<'a> Logged<'a> {
    /// The publication of this offset, which the plain log has; its frame is put together in `room`.
    pub(super) fn read(plain: &Log, offset: u64, room: &'a mut Vec<u8>) -> Logged<'a> {
        let (first, second) = plain.slices_between(plain.start_of(offset), plain.start_of(offset + 1));
        room.clear();
        room.extend_from_slice(first);
        room.extend_from_slice(second);
        let header = frame::decode_server_header(room).map_or(0, |(header, _)| header);
        let is_text = room.first().is_some_and(|byte| byte & 0x0f == Opcode::Text as u8);
        let opcode = if is_text { Opcode::Text } else { Opcode::Binary };
        Logged { opcode, payload: &room[header..] }
    }
}

impl Channel {
    /// Offset of the first publication that is here for who reads from there on, and of the next one that will come.
    pub fn readable(&self, since: Since, unix_ms: u64) -> (u64, u64) {
        let kept = self.first_kept(unix_ms);
        let (first, recovery) = self.beginning(since, kept);
        // Who only reads sees by the offsets what is gone.
        let first = if matches!(recovery, Some(Recovery::Missed(_))) { kept } else { first };
        (first, self.log().next_offset())
    }

    /// A publication that is [here](Self::readable); its frame is put together in `room`.
    pub fn logged<'a>(&self, offset: u64, room: &'a mut Vec<u8>) -> Logged<'a> {
        Logged::read(self.log(), offset, room)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Encoded, Log, Message, Place, Position};
    use super::*;

    #[test]
    fn what_is_here_can_be_read_and_what_is_gone_is_left_out() {
        let mut channel = Channel::new("c".into(), 7, Log::new(1, 1 << 12, 3), 3, 0);
        let all = |channel: &Channel, since| {
            let (first, next) = channel.readable(since, 1_000);
            (first..next).collect::<Vec<_>>()
        };
        assert!(all(&channel, Since::Earliest).is_empty());
        for offset in 1..=5 {
            let text = "t".repeat(100 * offset as usize);
            let message = if offset == 4 { Message::Binary(&[4, 0xff]) } else { Message::Text(&text) };
            let place = Place { offset, receipt: offset, now_us: 0, unix_ms: 100 * offset };
            channel.append(&Encoded::plain(&message.to_frame()), place);
        }
        let at = |epoch, offset| Since::Position(Position { epoch, offset });
        assert_eq!(all(&channel, Since::Earliest), [3, 4, 5]);
        assert_eq!(all(&channel, Since::Last(2)), [4, 5]);
        assert_eq!(all(&channel, Since::Time(450)), [5]);
        assert_eq!((all(&channel, at(7, 3)), all(&channel, at(7, 5))), (vec![4, 5], vec![]));
        for gone in [at(7, 1), at(8, 4), at(7, 6)] {
            assert_eq!(all(&channel, gone), [3, 4, 5], "{gone}");
        }
        let mut room = Vec::new();
        assert_eq!(channel.logged(4, &mut room), Logged { opcode: Opcode::Binary, payload: &[4, 0xff] });
        let text = channel.logged(3, &mut room);
        assert_eq!((text.opcode, text.payload), (Opcode::Text, &[b't'; 300][..]));
        assert_eq!((channel.time_ms(3), channel.time_ms(2)), (Some(300), None));
    }
}
