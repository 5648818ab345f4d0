//! Positions in several channels in one text, as an event's `id`, an `ETag` or `since` of a poll has them.

use std::collections::BTreeMap;

use super::position::Position;

/// Where somebody stands, or has stood: `E.O`, or `C~E.O,D~E.O`. A channel's name may have a `~`, but no comma; its
/// position begins behind the last one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Positions {
    /// One that names no channel.
    pub bare: Option<Position>,
    /// By the channels' names.
    pub named: BTreeMap<String, Position>,
}

impl Positions {
    /// Reads what can be read, and whether that is all.
    pub fn read(text: &str) -> (Positions, bool) {
        let (mut positions, mut is_all) = (Positions::default(), !text.is_empty());
        for part in text.split(',') {
            let (name, position) = part.rsplit_once('~').map_or((None, part), |(name, at)| (Some(name), at));
            match (name, position.parse()) {
                (Some(name), Ok(position)) if !name.is_empty() => {
                    is_all &= positions.named.insert(name.to_owned(), position).is_none();
                }
                (None, Ok(position)) => is_all &= positions.bare.replace(position).is_none(),
                _ => is_all = false,
            }
        }
        (positions, is_all)
    }
}

/// Appends a channel's position behind those that are there.
pub fn push_named(channel: &str, position: Position, is_first: bool, out: &mut Vec<u8>) {
    if !is_first {
        out.push(b',');
    }
    out.extend_from_slice(channel.as_bytes());
    out.push(b'~');
    position.push_to(out);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(epoch: u64, offset: u64) -> Position {
        Position { epoch, offset }
    }

    #[test]
    fn one_or_several() {
        let (one, is_all) = Positions::read("7.42");
        assert_eq!((one.bare, one.named.len(), is_all), (Some(at(7, 42)), 0, true));
        let (two, is_all) = Positions::read("a~b~1.2,broadcast~3.4");
        assert_eq!((two.bare, is_all), (None, true));
        assert_eq!(
            two.named.into_iter().collect::<Vec<_>>(),
            [("a~b".to_owned(), at(1, 2)), ("broadcast".to_owned(), at(3, 4))]
        );
    }

    #[test]
    fn of_garbage_what_is_readable() {
        for text in
            ["", ",", "~", "x", "~1.2", "a~", "a~1", "7.42,", "7.42 ", "a~01.2", "\u{1f600}", "1.2,3.4,"]
        {
            assert!(!Positions::read(text).1, "{text:?}");
        }
        let (some, is_all) = Positions::read("x,a~1.2,b~?,7.3");
        assert_eq!(
            (some.bare, some.named.get("a"), some.named.len(), is_all),
            (Some(at(7, 3)), Some(&at(1, 2)), 1, false)
        );
        assert!(!Positions::read("1.2,1.3").1 && !Positions::read("a~1.2,a~1.3").1, "twice");
    }

    proptest! {
        #[test]
        fn what_is_pushed_is_read(
            all in proptest::collection::btree_map("[a-z~]{1,5}", (any::<u64>(), any::<u64>()), 1..6),
            noise in ".{0,60}",
        ) {
            let mut text = Vec::new();
            for (n, (name, &(epoch, offset))) in all.iter().enumerate() {
                push_named(name, at(epoch, offset), n == 0, &mut text);
            }
            let (read, is_all) = Positions::read(std::str::from_utf8(&text).unwrap());
            let expected = all.into_iter().map(|(name, (epoch, offset))| (name, at(epoch, offset))).collect();
            prop_assert_eq!((read, is_all), (Positions { bare: None, named: expected }, true));
            let _ = Positions::read(&noise);
        }
    }
}
