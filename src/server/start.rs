//! The log's lines at the start: where the server listens, how many connections it has room for, and what to open.

use std::fmt::Display;
use std::net::SocketAddr;

use crate::config::{Config, LogLevel};
use crate::journal::Journal;
use crate::reactor::listener::{ListenAddr, Listener};
use crate::time::Time;

/// The room that the descriptor limit leaves.
pub(super) struct Room {
    /// Descriptors that the process may have.
    pub descriptors: u64,
    /// So many of them are for other things than clients' connections.
    pub aside: usize,
    /// So many are for those.
    pub connections: usize,
    /// Whether somebody has said how many connections there may be.
    pub was_set: bool,
}

/// Says where the server listens, and for how many.
pub(super) fn announce(
    journal: &mut Journal,
    now: Time,
    config: &Config,
    listeners: &[Listener],
    room: &Room,
) {
    for listener in listeners {
        let role = match (listener.is_admin(), listener.has_all()) {
            (false, _) => "public",
            (true, true) => "admin",
            (true, false) => "metrics",
        };
        let (origin, tls, proxy) = (listener.origin(), listener.speaks_tls(), listener.speaks_proxy());
        let fields: [(&str, &dyn Display); 5] = [
            ("address", listener.address()),
            ("door", &role),
            ("socket", &origin),
            ("tls", &tls),
            ("proxy", &proxy),
        ];
        let fields = if proxy { &fields[..] } else { &fields[..4] };
        journal.event(now, LogLevel::Info, "listening", fields);
    }
    announce_capacity(journal, now, config, room);
}

/// Says what to open: the last line of the start.
pub(super) fn announce_url(journal: &mut Journal, now: Time, config: &Config, listeners: &[Listener]) {
    let Some(public) = listeners.iter().find(|listener| !listener.is_admin()) else { return };
    let (scheme, path) = if config.demo { ("http", "/") } else { ("ws", "/ws") };
    let url = url(public, scheme).unwrap_or_default() + path;
    let push = admin_url(listeners).map(|url| url + "/push");
    let mut fields: Vec<(&str, &dyn Display)> = vec![("url", &url)];
    fields.extend(push.as_ref().map(|push| ("push", push as &dyn Display)));
    journal.event(now, LogLevel::Info, "ready", &fields);
}

/// How many connections there will be. Fewer than the default, which is more than most machines allow, is nothing to
/// look at; fewer than somebody has asked for is.
fn announce_capacity(journal: &mut Journal, now: Time, config: &Config, room: &Room) {
    let max = config.max_connections;
    let is_limited = room.connections < max;
    let limited_by = if is_limited { "descriptors" } else { "max_connections" };
    let fix = format!(
        "for more, raise the limit (ulimit -n {0}, LimitNOFILE={0}); for no more, set max_connections to {1}",
        max + room.aside,
        room.connections
    );
    let connections = max.min(room.connections);
    let mut fields: Vec<(&str, &dyn Display)> = vec![
        ("connections", &connections),
        ("limited_by", &limited_by),
        ("max_connections", &max),
        ("descriptors", &room.descriptors),
    ];
    if is_limited {
        fields.push(("fix", &fix));
    }
    let level = if is_limited && room.was_set { LogLevel::Warn } else { LogLevel::Info };
    journal.event(now, level, "capacity", &fields);
}

/// Where the admin API is reached from this machine, if there is one: `http://127.0.0.1:8081` or `unix:/path`.
pub(super) fn admin_url(listeners: &[Listener]) -> Option<String> {
    let admin = listeners.iter().find(|listener| listener.is_admin() && listener.has_all())?;
    Some(url(admin, "http").unwrap_or_else(|| admin.address().to_string()))
}

/// The address of a listener on TCP as it is written in a browser or a shell of this machine.
fn url(listener: &Listener, scheme: &str) -> Option<String> {
    let ListenAddr::Tcp(address) = listener.address() else { return None };
    let s = if listener.speaks_tls() { "s" } else { "" };
    Some(format!("{scheme}{s}://{}", here(*address)))
}

/// Listening everywhere is no address; this machine's name for itself is one of those that it listens at.
fn here(address: SocketAddr) -> String {
    match address.ip().is_unspecified() {
        true => format!("localhost:{}", address.port()),
        false => address.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::reactor::ListenerRole;
    use crate::reactor::listener::Sharing;

    fn said(config: &Config, connections: usize) -> Vec<String> {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let into = lines.clone();
        let sink = Box::new(move |_, line: &str| into.lock().unwrap().push(line.to_owned()));
        let mut journal = Journal::new(LogLevel::Info, sink);
        let address = ListenAddr::Tcp("127.0.0.1:0".parse().unwrap());
        let public = Listener::bind(&address, ListenerRole::Public, Sharing::Alone).unwrap();
        let admin = Listener::bind(&address, ListenerRole::Admin, Sharing::Alone).unwrap();
        let room = Room {
            descriptors: 1_024,
            aside: 128,
            connections,
            was_set: config.max_connections != 1_000_000,
        };
        let listeners = [public, admin];
        announce(&mut journal, Time::default(), config, &listeners, &room);
        announce_url(&mut journal, Time::default(), config, &listeners);
        drop(journal);
        Arc::try_unwrap(lines).unwrap().into_inner().unwrap()
    }

    #[test]
    fn one_line_says_how_many_connections_there_will_be() {
        let default = Config::default();
        for (config, connections, level, words) in [
            (default.clone(), 896, "info", "connections=896 limited_by=descriptors"),
            (default.clone(), 2_000_000, "info", "connections=1000000 limited_by=max_connections"),
            (
                Config { max_connections: 1_000, ..default.clone() },
                896,
                "warn",
                "connections=896 limited_by=descriptors",
            ),
            (
                Config { max_connections: 500, ..default },
                896,
                "info",
                "connections=500 limited_by=max_connections",
            ),
        ] {
            let lines = said(&config, connections);
            let [line] = &lines.iter().filter(|line| line.contains("event=capacity")).collect::<Vec<_>>()[..]
            else {
                panic!("{lines:?}")
            };
            assert!(line.contains(&format!("level={level}")) && line.contains(words), "{line}");
            assert_eq!(line.contains("ulimit -n"), words.contains("descriptors"), "{line}");
        }
    }

    #[test]
    fn the_last_line_says_what_to_open() {
        let lines = said(&Config { demo: true, ..Config::default() }, 896);
        let line = lines.last().unwrap();
        assert!(
            line.contains("event=ready url=\"http://127.0.0.1:")
                || line.contains("event=ready url=http://127.0.0.1:"),
            "{line}"
        );
        assert!(line.contains("/ push=http://127.0.0.1:") && line.ends_with("/push"), "{line}");
        assert!(said(&Config::default(), 896).last().unwrap().contains("url=ws://127.0.0.1:"));
        assert_eq!(here("0.0.0.0:80".parse().unwrap()), "localhost:80");
        assert_eq!(here("[::]:80".parse().unwrap()), "localhost:80");
        assert_eq!(here("[::1]:80".parse().unwrap()), "[::1]:80");
    }
}
