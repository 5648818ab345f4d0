//! `wspushd feed`: what another program writes to Redis or PostgreSQL is pushed to a server, which may be one of a
//! cluster. It reads one source, in its order, and goes on with the next thing when the server has the one before it.
//!
//! A thing is taken from a source that keeps it only then, and pushed under an idempotency key that comes from its own
//! number: wherever this program or the server ends in between, nothing is lost, and nothing is published twice.

mod arguments;
mod http;
#[cfg(feature = "postgres")]
mod postgres;
mod redis_channel;
mod redis_stream;
mod target;

use std::ffi::OsString;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use super::{EXIT_USAGE, fail, print, say};
use arguments::{Arguments, Source};
use target::{Outcome, Target};

pub(super) const HELP: &str = "\
Pushes what other programs write to Redis or PostgreSQL to a server, by its admin listener

Usage: wspushd feed redis-stream KEY --source URL [--group NAME] [--from-start] [OPTIONS]
       wspushd feed redis-channel NAME --source URL [OPTIONS]
       wspushd feed postgres --source URL [--table NAME] [--listen NAME] [OPTIONS]

redis-stream   entries with the fields channel (or user) and data (or base64); a consumer group keeps how far it is.
redis-channel  messages of a Redis channel, or of all that a pattern like news.* names, under the same names here;
               what is said while nobody listens is gone.
postgres       rows (id, channel, data) of a table, which are deleted when the server has them, and/or what NOTIFY
               says, which is gone while nobody listens. With both, NOTIFY says only that there are rows. (In builds
               with the cargo feature postgres.)
OPTIONS
      --source <URL>
          redis://[:password@]host:6379/0, rediss:// with TLS, or postgres://user:password@host/database; with a
          password better as the variable WSPUSH_FEED_SOURCE, which other users of the machine don't see
      --to <ADDRESS>
          The admin listener: host:port, or unix:/path [default: 127.0.0.1:8081]. Its token, or a key that may push:
          the variable WSPUSH_ADMIN_TOKEN
      --channel <NAME>
          Everything goes to this channel; of a stream or table, what names none
      --group <NAME>
          The consumer group [default: wspush]; one program for each
      --from-start
          A new group begins with the stream's oldest entry, not with what comes next

What the server can't take for now (it is away, it drains, its cluster is down) is pushed again until it can. What it
refuses for good is told on standard error, and passed over. Exit status: 1 the server does not let this program in, or
the source is not as it should be; 2 an argument is wrong.
";

/// Between two attempts at the source.
const AGAIN: Duration = Duration::from_secs(1);

/// A publication, and the key under which it is pushed once.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Item {
    /// `channel=NAME` or `user=NAME`, encoded.
    pub target: String,
    pub body: Body,
    pub key: String,
}

/// A publication's bytes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Body {
    Text(Vec<u8>),
    Binary(Vec<u8>),
}

/// Why there is no more to come.
pub(super) enum Stop {
    /// The source is away: it is connected to again.
    Away(String),
    /// It, or the server, is not as it should be.
    Wrong(String),
}

/// Does what the arguments behind `feed` say.
pub(crate) fn run(args: impl Iterator<Item = OsString>) -> ExitCode {
    let rest: Vec<OsString> = args.collect();
    if rest.iter().any(|arg| arg == "--help" || arg == "-h") {
        return print(HELP, 0);
    }
    let arguments = match Arguments::read(rest, |name| std::env::var(name).ok()) {
        Ok(arguments) => arguments,
        Err(why) => return fail(&format_args!("{why}; see wspushd feed --help"), EXIT_USAGE),
    };
    let mut target = Target::new(&arguments.to, arguments.token.clone());
    let mut said = None;
    loop {
        let stop = match &arguments.source {
            Source::Stream { .. } => redis_stream::follow(&arguments, &mut target),
            Source::Channel { .. } => redis_channel::follow(&arguments, &mut target),
            #[cfg(feature = "postgres")]
            Source::Postgres { .. } => postgres::follow(&arguments, &mut target),
        };
        match stop {
            Stop::Wrong(why) => return fail(&why, 1),
            Stop::Away(why) => {
                if said.as_ref() != Some(&why) {
                    say(&format_args!("wspushd: the source is away: {why}"));
                    said = Some(why);
                }
                thread::sleep(AGAIN);
            }
        }
    }
}

/// Pushes something; what is refused for good is told.
fn pass_on(target: &mut Target, item: &Item) -> Result<(), Stop> {
    match target.push(item) {
        Ok(Outcome::Taken) => Ok(()),
        Ok(Outcome::Refused(why)) => {
            pass_over(&item.key, &why);
            Ok(())
        }
        Err(why) => Err(Stop::Wrong(why)),
    }
}

fn pass_over(key: &str, why: &str) {
    say(&format_args!("wspushd: passed over {key}: {why}"));
}

/// Text as it stands in a query.
fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_a_name_has_it_is_one_value_of_a_query() {
        assert_eq!(encoded("a-b.c_d~9"), "a-b.c_d~9");
        assert_eq!(encoded("a b&c=d%\u{e9}"), "a%20b%26c%3Dd%25%C3%A9");
    }
}
