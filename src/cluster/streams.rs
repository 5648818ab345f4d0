//! The streams that are read at once, by the slots in which they lie.

use std::time::Duration;

use redis::{Cmd, cmd};

use super::slots::slot;

/// A key, and the entry behind which is read.
pub(super) type Stream = (Vec<u8>, Vec<u8>);

/// An `XREAD`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Streams {
    /// Entries of each.
    count: Vec<u8>,
    /// For so long something is waited for.
    pub block: Option<Duration>,
    pub slots: Vec<(u16, Vec<Stream>)>,
}

impl Streams {
    /// Reads the words of a command; None: it is another one.
    pub fn read(words: &[&[u8]]) -> Option<Streams> {
        let (first, mut rest) = words.split_first()?;
        if **first != *b"XREAD" {
            return None;
        }
        let (mut count, mut block) = (b"1".to_vec(), None);
        loop {
            match rest {
                [b"COUNT", value, more @ ..] => (count, rest) = (value.to_vec(), more),
                [b"BLOCK", value, more @ ..] => {
                    let ms = std::str::from_utf8(value).ok()?.parse().ok()?;
                    (block, rest) = (Some(Duration::from_millis(ms)), more);
                }
                [b"STREAMS", more @ ..] => {
                    rest = more;
                    break;
                }
                _ => return None,
            }
        }
        let (keys, ids) = rest.split_at(rest.len() / 2);
        let mut slots: Vec<(u16, Vec<Stream>)> = Vec::new();
        for (key, id) in keys.iter().zip(ids) {
            let (own, stream) = (slot(key), (key.to_vec(), id.to_vec()));
            match slots.iter_mut().find(|(slot, _)| *slot == own) {
                Some((_, streams)) => streams.push(stream),
                None => slots.push((own, vec![stream])),
            }
        }
        Some(Streams { count, block, slots })
    }

    /// The question for those of one slot.
    pub fn command(&self, part: &[Stream]) -> Cmd {
        let mut command = cmd("XREAD");
        command.arg("COUNT").arg(&self.count[..]);
        add(&mut command, part);
        command
    }
}

/// The question that waits for one of these for so long.
pub(super) fn waiting(part: &[Stream], block: Duration) -> Cmd {
    let mut command = cmd("XREAD");
    command.arg("COUNT").arg(1).arg("BLOCK").arg(block.as_millis().to_string());
    add(&mut command, part);
    command
}

fn add(command: &mut Cmd, part: &[Stream]) {
    command.arg("STREAMS");
    part.iter().for_each(|(key, _)| _ = command.arg(&key[..]));
    part.iter().for_each(|(_, id)| _ = command.arg(&id[..]));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packed(text: &str) -> Vec<u8> {
        let mut words = text.split(' ');
        let mut command = cmd(words.next().unwrap());
        words.for_each(|word| _ = command.arg(word));
        command.get_packed_command()
    }

    #[test]
    fn streams_of_one_slot_go_together() {
        let text = "XREAD COUNT 7 BLOCK 500 STREAMS p:{1}:log p:{2}:log p:{1}:in 1-0 2-0 3-0";
        let words: Vec<&[u8]> = text.split(' ').map(str::as_bytes).collect();
        let streams = Streams::read(&words).unwrap();
        assert_eq!((streams.slots.len(), streams.block), (2, Some(Duration::from_millis(500))));
        let part = &streams.slots[0].1;
        let expected = packed("XREAD COUNT 7 STREAMS p:{1}:log p:{1}:in 1-0 3-0");
        assert_eq!(streams.command(part).get_packed_command(), expected);
        let expected = packed("XREAD COUNT 1 BLOCK 90 STREAMS p:{1}:log p:{1}:in 1-0 3-0");
        assert_eq!(waiting(part, Duration::from_millis(90)).get_packed_command(), expected);
        assert_eq!(Streams::read(&[b"HGET", b"x"]), None);
    }
}
