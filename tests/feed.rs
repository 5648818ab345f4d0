//! `wspushd feed`: what others write to Redis reaches the clients once and in order, whoever ends or is away.

#[cfg(feature = "postgres")]
mod postgres;

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};

use crate::daemon::redis::Redis;
use crate::daemon::{Daemon, process, program, wait};
use crate::v1::Client;

/// The program under way.
pub struct Feed {
    child: Child,
    said: Arc<Mutex<Vec<String>>>,
}

impl Feed {
    pub fn start(args: &[&str], source: &str, to: &str, token: Option<&str>) -> Feed {
        let mut command = Command::new(program());
        command.arg("feed").args(args).args(["--to", to]).env("WSPUSH_FEED_SOURCE", source);
        command.env_remove("WSPUSH_ADMIN_TOKEN").envs(token.map(|token| ("WSPUSH_ADMIN_TOKEN", token)));
        let mut child = command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().expect("it starts");
        let said = Arc::new(Mutex::new(Vec::new()));
        let (stderr, lines) = (child.stderr.take().expect("a pipe"), said.clone());
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                lines.lock().expect("lines").push(line);
            }
        });
        Feed { child, said }
    }

    fn to(args: &[&str], redis: &Redis, daemon: &Daemon) -> Feed {
        Feed::start(args, &redis.url(), &daemon.admin().to_string(), None)
    }

    pub fn said(&self) -> String {
        self.said.lock().expect("lines").join("\n")
    }

    pub fn wait_said(&self, what: &str) {
        wait(what, || self.said().contains(what));
    }

    /// Ends it in whatever it does.
    pub fn kill(mut self) {
        process::signal(self.child.id(), "KILL");
        self.child.wait().expect("a child");
    }

    pub fn wait_end(&mut self) -> ExitStatus {
        let mut status = None;
        wait("its end", || {
            status = self.child.try_wait().expect("a child");
            status.is_some()
        });
        status.expect("a status")
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A client that has all of a channel.
pub fn open(daemon: &Daemon, channel: &str) -> Client {
    let mut client =
        Client::open_with(daemon, &format!("broadcast=no&channel={channel}&since=earliest"), &[]);
    assert!(client.next()["connected"].is_object());
    assert!(client.next()["subscribed"].is_object());
    client
}

/// The next so many publications: offsets and texts.
pub fn next(client: &mut Client, count: usize) -> Vec<(u64, String)> {
    let one = |_| {
        let said = client.next();
        (said["offset"].as_u64().expect("an offset"), said["data"].as_str().expect("a text").to_owned())
    };
    (0..count).map(one).collect()
}

pub fn numbered(numbers: std::ops::RangeInclusive<u64>) -> Vec<(u64, String)> {
    numbers.map(|number| (number, number.to_string())).collect()
}

fn add(redis: &Redis, fields: &[&str]) -> String {
    redis.cli(&[&["XADD", "outbox", "*"], fields].concat())
}

fn add_numbers(redis: &Redis, numbers: std::ops::RangeInclusive<u64>) {
    numbers.for_each(|number| _ = add(redis, &["channel", "news", "data", &number.to_string()]));
}

fn pending(redis: &Redis) -> String {
    redis.cli(&["XPENDING", "outbox", "wspush"]).lines().next().unwrap_or_default().to_owned()
}

const STREAM: [&str; 3] = ["redis-stream", "outbox", "--from-start"];

#[test]
fn entries_come_once_and_in_order_though_the_program_is_killed() {
    let redis = Redis::start(&[]);
    let daemon = Daemon::start(&["--channels", "*"]);
    add_numbers(&redis, 1..=3);
    let feed = Feed::to(&STREAM, &redis, &daemon);
    let mut client = open(&daemon, "news");
    assert_eq!(next(&mut client, 3), numbered(1..=3));
    wait("all are acknowledged", || pending(&redis) == "0");
    feed.kill();
    add_numbers(&redis, 4..=250);
    // One has read some of them, and was killed when it had pushed the first.
    let taken = redis.cli(&["XREADGROUP", "GROUP", "wspush", "feed", "COUNT", "2", "STREAMS", "outbox", ">"]);
    let id = taken.lines().find(|line| line.contains('-')).expect("an id").to_owned();
    let key = format!("wspush%3Aoutbox%3A{id}");
    let answer = daemon.push_to(&format!("/push?channel=news&idempotency_key={key}"), "4");
    assert_eq!(answer["offset"], 4, "{answer}");
    assert_eq!(pending(&redis), "2");
    let again = Feed::to(&STREAM, &redis, &daemon);
    assert_eq!(next(&mut client, 247), numbered(4..=250));
    wait("all are acknowledged", || pending(&redis) == "0");
    // One after the other are killed while they work.
    again.kill();
    for round in 0..5u64 {
        let from = 251 + 100 * round;
        add_numbers(&redis, from..=from + 99);
        let feed = Feed::to(&STREAM, &redis, &daemon);
        assert_eq!(client.next()["offset"], from);
        feed.kill();
        let feed = Feed::to(&STREAM, &redis, &daemon);
        assert_eq!(next(&mut client, 99), numbered(from + 1..=from + 99));
        drop(feed);
    }
}

#[test]
fn a_server_and_a_source_that_are_away_are_waited_for() {
    let mut redis = Redis::start(&[]);
    let path = std::env::temp_dir().join(format!("wspush-feed-{}.sock", std::process::id()));
    let to = format!("unix:{}", path.display());
    add_numbers(&redis, 1..=2);
    let feed = Feed::start(&STREAM, &redis.url(), &to, None);
    feed.wait_said("does not take publications");
    let daemon = Daemon::start(&["--channels", "*", "--admin", &to]);
    let mut client = open(&daemon, "news");
    assert_eq!(next(&mut client, 2), numbered(1..=2));
    feed.wait_said("takes publications again");
    redis.kill();
    feed.wait_said("the source is away");
    redis.restart();
    add_numbers(&redis, 3..=4);
    assert_eq!(next(&mut client, 2), numbered(3..=4));
}

#[test]
fn a_node_whose_cluster_is_down_takes_it_later() {
    let (source, mut redis) = (Redis::start(&[]), Redis::start(&[]));
    let node = crate::cluster::node(&redis, &[]);
    let feed = Feed::to(&STREAM, &source, &node);
    let mut client = open(&node, "news");
    add_numbers(&source, 1..=2);
    assert_eq!(next(&mut client, 2), numbered(1..=2));
    redis.kill();
    wait("it is not ready", || node.ask("GET", "/readyz", &[], b"").status == 503);
    add_numbers(&source, 3..=4);
    feed.wait_said("does not take publications: 503");
    redis.restart();
    assert_eq!(next(&mut client, 2), numbered(3..=4));
}

#[test]
fn what_is_no_publication_is_told_and_passed_over() {
    let redis = Redis::start(&[]);
    let daemon = Daemon::start(&["--channels", "*"]);
    let mut client = open(&daemon, "news");
    let feed = Feed::to(&STREAM, &redis, &daemon);
    let ids =
        [&["x", "y"][..], &["channel", "", "data", "x"], &["channel", "news", "user", "ann", "data", "x"]]
            .map(|fields| add(&redis, fields));
    add(&redis, &["channel", "news", "base64", "AP8="]);
    let said = client.next();
    assert_eq!((&said["base64"], &said["offset"]), (&"AP8=".into(), &1.into()), "{said}");
    for (id, why) in ids.iter().zip(["no channel", "400", "a channel and a user"]) {
        let line = feed.said().lines().find(|line| line.contains(id.as_str())).map(str::to_owned);
        assert!(line.as_ref().is_some_and(|line| line.contains(why)), "{id} {why}: {}", feed.said());
    }
    wait("all are acknowledged", || pending(&redis) == "0");
}

#[test]
fn a_server_that_does_not_let_it_in_loses_nothing() {
    let redis = Redis::start(&[]);
    let daemon = Daemon::start(&["--channels", "*", "--admin-token", "s3cret"]);
    add_numbers(&redis, 1..=1);
    let to = daemon.admin().to_string();
    for token in [None, Some("wrong")] {
        let mut feed = Feed::start(&STREAM, &redis.url(), &to, token);
        assert_eq!(feed.wait_end().code(), Some(1));
        feed.wait_said("401");
    }
    assert_eq!(pending(&redis), "1");
    let _feed = Feed::start(&STREAM, &redis.url(), &to, Some("s3cret"));
    assert_eq!(next(&mut open(&daemon, "news"), 1), numbered(1..=1));
    // Neither does a source, and it tells no password.
    redis.cli(&["CONFIG", "SET", "requirepass", "pass"]);
    let url = redis.url().replace("redis://", "redis://:n0pass@");
    let mut feed = Feed::start(&STREAM, &url, &to, Some("s3cret"));
    assert_eq!(feed.wait_end().code(), Some(1));
    assert!(!feed.said().contains("n0pass"), "{}", feed.said());
}

#[test]
fn messages_of_channels_come_under_their_names() {
    let redis = Redis::start(&[]);
    let daemon = Daemon::start(&["--channels", "*"]);
    let (mut news, mut all) = (open(&daemon, "news.de"), open(&daemon, "all"));
    let _feed = Feed::to(&["redis-channel", "news.*"], &redis, &daemon);
    let _other = Feed::to(&["redis-channel", "plain", "--channel", "all"], &redis, &daemon);
    wait("both listen", || {
        redis.cli(&["PUBSUB", "NUMPAT"]) == "1" && redis.cli(&["PUBSUB", "NUMSUB", "plain"]).ends_with("\n1")
    });
    for text in ["a", "b"] {
        redis.cli(&["PUBLISH", "news.de", text]);
        redis.cli(&["PUBLISH", "plain", text]);
    }
    let expected = [(1, "a".to_owned()), (2, "b".to_owned())];
    assert_eq!(next(&mut news, 2), expected);
    assert_eq!(next(&mut all, 2), expected);
}

#[test]
fn wrong_arguments_are_told() {
    let run = |args: &[&str]| {
        let mut command = Command::new(program());
        command.arg("feed").args(args).env_remove("WSPUSH_FEED_SOURCE");
        let output = command.output().expect("it runs");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout) + &text(&output.stderr))
    };
    let (code, help) = run(&["--help"]);
    assert!(
        code == Some(0) && help.contains("redis-stream KEY") && help.contains("WSPUSH_FEED_SOURCE"),
        "{help}"
    );
    for (args, why) in [
        (&["redis-stream", "a"][..], "--source"),
        (&["redis-stream", "a", "--source", "http://x"], "no URL"),
        (&["nats", "--source", "redis://x"], "is expected"),
    ] {
        let (code, said) = run(args);
        assert!(code == Some(2) && said.contains(why), "{said}");
    }
}
