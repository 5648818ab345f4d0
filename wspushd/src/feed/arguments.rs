//! The arguments of `wspushd feed`.

use std::ffi::OsString;

/// The variables, of which a list of processes shows nothing.
const SOURCE: &str = "WSPUSH_FEED_SOURCE";
const TOKEN: &str = "WSPUSH_ADMIN_TOKEN";

/// All of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Arguments {
    pub source: Source,
    pub url: String,
    /// The admin listener.
    pub to: String,
    pub token: Option<String>,
    /// Where that goes which names no channel, or all.
    pub channel: Option<String>,
}

/// The source that is read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Source {
    Stream {
        key: String,
        group: String,
        from_start: bool,
    },
    Channel {
        name: String,
    },
    #[cfg(feature = "postgres")]
    Postgres {
        table: Option<String>,
        listen: Option<String>,
    },
}

/// The flags that have values.
#[derive(Default)]
struct Flags {
    url: Option<String>,
    to: Option<String>,
    channel: Option<String>,
    group: Option<String>,
    table: Option<String>,
    listen: Option<String>,
    from_start: bool,
    words: Vec<String>,
}

impl Arguments {
    /// Reads them, and the variables.
    ///
    /// # Errors
    /// The one that is wrong; no password is in it.
    pub fn read(args: Vec<OsString>, variable: impl Fn(&str) -> Option<String>) -> Result<Arguments, String> {
        let mut flags = Flags::read(args)?;
        let url = flags.url.take().or_else(|| variable(SOURCE));
        let url = url.ok_or_else(|| format!("--source (or {SOURCE}) is missing"))?;
        let is_redis = ["redis://", "rediss://", "unix://"].iter().any(|scheme| url.starts_with(scheme));
        let is_postgres = ["postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme));
        let (to, channel) = (flags.to.take(), flags.channel.take());
        let words = std::mem::take(&mut flags.words);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let (is_right, source) = match words[..] {
            ["redis-stream", key] => (is_redis, flags.stream(key)),
            ["redis-channel", name] => (is_redis, Source::Channel { name: name.to_owned() }),
            ["postgres"] => (is_postgres, flags.postgres()?),
            _ => return Err("redis-stream KEY, redis-channel NAME or postgres is expected".to_owned()),
        };
        if let Some(odd) = flags.odd() {
            return Err(format!("{odd} does not go with {}", words[0]));
        }
        if !is_right {
            return Err(format!("the source is no URL for {}", words[0]));
        }
        let to = to.unwrap_or_else(|| "127.0.0.1:8081".to_owned());
        let is_address = to.strip_prefix("unix:").map_or(to.contains(':'), |path| !path.is_empty());
        if !is_address {
            return Err("--to is host:port or unix:/path".to_owned());
        }
        Ok(Arguments { source, url, to, token: variable(TOKEN).filter(|token| !token.is_empty()), channel })
    }
}

impl Flags {
    fn read(args: Vec<OsString>) -> Result<Flags, String> {
        let mut flags = Flags::default();
        let mut args = args.into_iter();
        while let Some(arg) = args.next() {
            let arg = arg.into_string().map_err(|_| "an argument is not UTF-8")?;
            if !arg.starts_with("--") {
                flags.words.push(arg);
                continue;
            }
            let (name, value) = match arg.split_once('=') {
                Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
                None => (arg, None),
            };
            if name == "--from-start" && value.is_none() {
                flags.from_start = true;
                continue;
            }
            let place = match name.as_str() {
                "--source" => &mut flags.url,
                "--to" => &mut flags.to,
                "--channel" => &mut flags.channel,
                "--group" => &mut flags.group,
                "--table" => &mut flags.table,
                "--listen" => &mut flags.listen,
                _ => return Err(format!("there is no {name}")),
            };
            let next = || args.next().and_then(|value| value.into_string().ok());
            let value = value.or_else(next).filter(|value| !value.is_empty());
            *place = Some(value.ok_or_else(|| format!("{name} needs a value"))?);
        }
        Ok(flags)
    }

    fn stream(&mut self, key: &str) -> Source {
        let group = self.group.take().unwrap_or_else(|| "wspush".to_owned());
        Source::Stream { key: key.to_owned(), group, from_start: std::mem::take(&mut self.from_start) }
    }

    #[cfg(feature = "postgres")]
    fn postgres(&mut self) -> Result<Source, String> {
        let (table, listen) = (self.table.take(), self.listen.take());
        let names = table.iter().flat_map(|name| name.split('.')).chain(listen.as_deref());
        let is_name = |name: &str| {
            (1..=63).contains(&name.len())
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        };
        for name in names {
            if !is_name(name) {
                return Err(format!("{name:?} is no name of letters, digits and _"));
            }
        }
        if table.is_none() && listen.is_none() {
            return Err("--table or --listen is missing".to_owned());
        }
        Ok(Source::Postgres { table, listen })
    }

    #[cfg(not(feature = "postgres"))]
    fn postgres(&mut self) -> Result<Source, String> {
        Err("this build can't read PostgreSQL (cargo feature postgres)".to_owned())
    }

    /// A flag that was given and not used.
    fn odd(&self) -> Option<&'static str> {
        let all = [
            ("--group", self.group.is_some()),
            ("--table", self.table.is_some()),
            ("--listen", self.listen.is_some()),
            ("--from-start", self.from_start),
        ];
        all.iter().find(|(_, is_there)| *is_there).map(|(name, _)| *name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Arguments, String> {
        Arguments::read(text.split_whitespace().map(OsString::from).collect(), |name| {
            (name == TOKEN).then(|| "t".to_owned())
        })
    }

    #[test]
    fn sources_and_their_flags() {
        let all =
            read("redis-stream orders --source=redis://h --to unix:/run/w --group g --from-start").unwrap();
        let source = Source::Stream { key: "orders".into(), group: "g".into(), from_start: true };
        assert_eq!((&all.source, &*all.to, all.token.as_deref()), (&source, "unix:/run/w", Some("t")));
        let all = read("redis-channel --channel all --source rediss://h news.*").unwrap();
        assert_eq!((&*all.to, all.channel.as_deref()), ("127.0.0.1:8081", Some("all")));
        assert_eq!(all.source, Source::Channel { name: "news.*".into() });
        for (wrong, why) in [
            ("", "--source"),
            ("redis-stream a", "--source"),
            ("--source redis://h", "redis-stream KEY"),
            ("redis-stream a b --source redis://h", "redis-stream KEY"),
            ("redis-stream a --source http://s3cret", "no URL"),
            ("redis-channel a --source redis://h --group g", "--group does not go"),
            ("redis-channel a --source redis://h --from-start", "--from-start does not go"),
            ("redis-channel a --source redis://h --to nowhere", "--to is"),
            ("redis-channel a --source redis://h --from", "no --from"),
            ("redis-channel a --source", "needs a value"),
            ("redis-channel a --source redis://h --channel=", "needs a value"),
        ] {
            let problem = read(wrong).unwrap_err();
            assert!(problem.contains(why) && !problem.contains("s3cret"), "{wrong}: {problem}");
        }
    }

    #[cfg(feature = "postgres")]
    #[test]
    fn tables_have_plain_names() {
        let all = read("postgres --source postgres://h --table app.outbox --listen outbox").unwrap();
        let source = Source::Postgres { table: Some("app.outbox".into()), listen: Some("outbox".into()) };
        assert_eq!(all.source, source);
        for wrong in [
            "postgres --source postgres://h",
            "postgres --source postgres://h --table a;b",
            "postgres --source postgres://h --table a..b",
            "postgres --source redis://h --table a",
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
