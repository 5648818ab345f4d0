//! From where on a subscriber wants a channel's publications.

use std::fmt;
use std::str::FromStr;

use super::position::Position;
use crate::limits::{LOG_PUBLICATIONS, UNIX_MS_MAX};
use crate::protocol::json::decimal;

/// The beginning of a subscription. As text: `E.O`, `head`, `earliest`, `last:N`, `time:UNIX_MS` or `latest`.
///
/// ```
/// use wspush::{Accept, Since};
///
/// // Everybody begins with the ten newest, whatever `since` says.
/// let since = vec![("news".to_owned(), Since::Last(10))];
/// let accept = Accept { channels: vec!["news".to_owned()], since, ..Accept::default() };
/// # assert_eq!("last:10".parse(), Ok(Since::Last(10)));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Since {
    /// Behind this position: with what its owner has missed.
    Position(Position),
    /// With the next publication.
    #[default]
    Head,
    /// With the oldest publication that the channel still has.
    Earliest,
    /// With so many of the newest publications, or as many as the channel still has; at the least one.
    Last(u64),
    /// With the first publication at this time or later, in milliseconds since 1970.
    Time(u64),
    /// With the newest publication.
    Latest,
}

/// A text that names no beginning.
///
/// ```
/// use wspush::{NoSince, Since};
///
/// assert_eq!("last:0".parse::<Since>(), Err(NoSince::Last));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoSince {
    /// None of the forms.
    Unknown,
    /// `last:N` with another N than there may be.
    Last,
    /// `time:UNIX_MS` with something else than a time in milliseconds.
    Time,
}

const HEAD: &str = "head";
const EARLIEST: &str = "earliest";
const LATEST: &str = "latest";
const LAST: &str = "last:";
const TIME: &str = "time:";

impl fmt::Display for Since {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Since::Position(position) => position.fmt(f),
            Since::Head => f.write_str(HEAD),
            Since::Earliest => f.write_str(EARLIEST),
            Since::Last(count) => write!(f, "{LAST}{count}"),
            Since::Time(unix_ms) => write!(f, "{TIME}{unix_ms}"),
            Since::Latest => f.write_str(LATEST),
        }
    }
}

impl FromStr for Since {
    type Err = NoSince;

    fn from_str(text: &str) -> Result<Since, NoSince> {
        if let Some(count) = text.strip_prefix(LAST) {
            let count = decimal(count).filter(|&count| (1..=LOG_PUBLICATIONS.max).contains(&count));
            return count.map(Since::Last).ok_or(NoSince::Last);
        }
        if let Some(unix_ms) = text.strip_prefix(TIME) {
            let unix_ms = decimal(unix_ms).filter(|&unix_ms| unix_ms <= UNIX_MS_MAX);
            return unix_ms.map(Since::Time).ok_or(NoSince::Time);
        }
        match text {
            HEAD => Ok(Since::Head),
            EARLIEST => Ok(Since::Earliest),
            LATEST => Ok(Since::Latest),
            _ => text.parse().map(Since::Position).map_err(|_| NoSince::Unknown),
        }
    }
}

impl fmt::Display for NoSince {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NoSince::Unknown => f.write_str("not one of E.O, head, earliest, last:N, time:UNIX_MS, latest"),
            NoSince::Last => write!(f, "not last:N with N in 1..={}", LOG_PUBLICATIONS.max),
            NoSince::Time => write!(f, "not time:UNIX_MS with milliseconds since 1970 in 0..={UNIX_MS_MAX}"),
        }
    }
}

impl std::error::Error for NoSince {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_form_and_its_bounds() {
        assert_eq!(Since::default(), Since::Head);
        for (text, since) in [
            ("7.0", Ok(Since::Position(Position { epoch: 7, offset: 0 }))),
            ("head", Ok(Since::Head)),
            ("earliest", Ok(Since::Earliest)),
            ("latest", Ok(Since::Latest)),
            ("last:1", Ok(Since::Last(1))),
            ("last:1048576", Ok(Since::Last(1 << 20))),
            ("last:1048577", Err(NoSince::Last)),
            ("last:0", Err(NoSince::Last)),
            ("last:", Err(NoSince::Last)),
            ("last:01", Err(NoSince::Last)),
            ("last:-1", Err(NoSince::Last)),
            ("time:0", Ok(Since::Time(0))),
            ("time:253402300799999", Ok(Since::Time(UNIX_MS_MAX))),
            ("time:253402300800000", Err(NoSince::Time)),
            // In microseconds.
            ("time:1795257271813595", Err(NoSince::Time)),
            ("time:2026-11-26", Err(NoSince::Time)),
        ] {
            assert_eq!(text.parse::<Since>(), since, "{text:?}");
        }
        for text in [
            "", "Head", "head ", " head", "HEAD", "last", "time", "last:1:", "latest:1", "7", "7.", "7.0,8.0",
        ] {
            assert!(text.parse::<Since>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn errors_name_what_would_be_allowed() {
        assert_eq!("last:0".parse::<Since>().unwrap_err().to_string(), "not last:N with N in 1..=1048576");
        assert!(
            "x".parse::<Since>()
                .unwrap_err()
                .to_string()
                .contains("E.O, head, earliest, last:N, time:UNIX_MS")
        );
    }

    fn any_since() -> impl Strategy<Value = Since> {
        prop_oneof![
            (any::<u64>(), any::<u64>())
                .prop_map(|(epoch, offset)| Since::Position(Position { epoch, offset })),
            Just(Since::Head),
            Just(Since::Earliest),
            Just(Since::Latest),
            (1..=LOG_PUBLICATIONS.max).prop_map(Since::Last),
            (0..=UNIX_MS_MAX).prop_map(Since::Time),
        ]
    }

    proptest! {
        #[test]
        fn text_and_since_are_one_to_one(since in any_since(), noise in "(last:|time:)?[0-9.+ ]{0,6}") {
            prop_assert_eq!(since.to_string().parse(), Ok(since));
            if let Ok(since) = noise.parse::<Since>() {
                prop_assert_eq!(since.to_string(), noise);
            }
        }
    }
}
