//! `state_file`: what was published outlives the process, once, and only if it ended in good order.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::daemon::{Daemon, Http, WebSocket};
use crate::wire::{HANDSHAKE, Response};

/// A folder of its own, gone when the test is over.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("wspush-state-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a folder");
        Folder(path)
    }

    fn file(&self) -> PathBuf {
        self.0.join("state")
    }

    pub fn start(&self, more: &[&str]) -> Daemon {
        let file = self.file();
        Daemon::start(&[&["--channels", "*", "--state-file", file.to_str().expect("text")], more].concat())
    }

    fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(&self.0).expect("the folder");
        entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("text")).collect()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn end(mut daemon: Daemon) -> String {
    daemon.signal("TERM");
    assert!(daemon.wait_exit().success());
    daemon.log()
}

fn history(daemon: &Daemon, channel: &str, query: &str) -> Value {
    daemon.ask("GET", &format!("/channels/{channel}/history{query}"), &[], b"").json()
}

fn offsets(history: &Value) -> Vec<u64> {
    let publications = history["publications"].as_array().expect("publications");
    publications.iter().map(|publication| publication["offset"].as_u64().expect("an offset")).collect()
}

#[test]
fn offsets_epochs_and_receipts_go_on() {
    let folder = Folder::new("on");
    let daemon = folder.start(&["--log-publications", "8"]);
    let mut client = WebSocket::open_at(&daemon, "/ws?channel=news");
    for n in 1..=11 {
        daemon.push_to("/push?channel=news", &n.to_string());
    }
    let bytes = [("Content-Type", "application/octet-stream")];
    let last = daemon.ask("POST", "/push?channel=news", &bytes, b"\xff").json();
    daemon.push("to everybody");
    // The log holds eight: the rest comes in behind the flush.
    (1..=13).for_each(|_| drop(client.frame()));
    let (before, all) = (history(&daemon, "news", ""), history(&daemon, "broadcast", ""));
    drop(client);
    let log = end(daemon);
    assert!(log.contains("event=state_saved") && folder.names() == ["state"], "{log}");
    let mode = std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(folder.file()).expect("a file"));
    assert_eq!(mode & 0o777, 0o600);

    let daemon = folder.start(&["--log-publications", "8"]);
    let loaded = daemon.wait_event("state_loaded");
    assert!(loaded.contains("channels=2 publications=9 channels_dropped=0"), "{loaded}");
    assert!(folder.names().is_empty(), "it is taken over once");
    assert_eq!((history(&daemon, "news", ""), history(&daemon, "broadcast", "")), (before, all));
    // Nothing is lost to whoever comes back.
    let since = format!("?since={}.9", last["epoch"]);
    assert_eq!(offsets(&history(&daemon, "news", &since)), [10, 11, 12]);
    assert_eq!(history(&daemon, "news", &since).get("missed"), None);
    let target = format!("/ws?channel=news&since={}.9", last["epoch"]);
    let mut client = WebSocket::open_at(&daemon, &target);
    assert_eq!(
        (client.text(), client.text(), client.frame().payload),
        ("10".into(), "11".into(), b"\xff".to_vec())
    );
    let next = daemon.push_to("/push?channel=news", "next");
    assert_eq!(client.text(), "next");
    assert_eq!((&next["epoch"], &next["offset"], &next["receipt"]), (&last["epoch"], &13.into(), &14.into()));
    assert_eq!(daemon.push("next")["offset"], 2);
    assert_eq!(client.text(), "next");
    daemon.push_to("/push?channel=news&if_offset=13", "live");
    assert_eq!(client.text(), "live");
    let new = daemon.push_to("/push?channel=new", "x");
    assert!(new["epoch"].as_u64() > last["epoch"].as_u64());
}

#[test]
fn who_dies_leaves_nothing_and_begins_anew() {
    let folder = Folder::new("kill");
    let daemon = folder.start(&[]);
    let first = daemon.push_to("/push?channel=news", "1");
    end(daemon);
    let mut daemon = folder.start(&[]);
    daemon.push_to("/push?channel=news", "2");
    daemon.signal("KILL");
    daemon.wait_exit();
    let daemon = folder.start(&[]);
    daemon.wait_event("no_state");
    assert_eq!(daemon.ask("GET", "/channels/news", &[], b"").status, 404);
    let again = daemon.push_to("/push?channel=news", "3");
    assert!(again["epoch"].as_u64() > first["epoch"].as_u64() && again["offset"] == 1, "{again}");
}

/// The daemon dies without a word, and its successor starts.
fn kill(mut daemon: Daemon, folder: &Folder) -> Daemon {
    daemon.signal("KILL");
    daemon.wait_exit();
    folder.start(&[])
}

fn position(client: Response) -> String {
    client.header("Wspush-Position").expect("a position").to_owned()
}

#[test]
fn a_snapshot_outlives_a_death_and_recovers_no_position() {
    let folder = Folder::new("snapshot");
    let daemon = folder.start(&[]);
    let push = |n: u64| daemon.push_to("/push?channel=news", &n.to_string());
    let saved: Vec<_> = (1..=5).map(push).collect();
    daemon.push("to everybody");
    daemon.signal("USR2");
    assert!(daemon.wait_event("state_saved").contains("kind=snapshot"));
    // These are lost, and their offsets with them.
    let lost: Vec<_> = (6..=8).map(push).collect();
    assert_eq!(lost[2]["offset"], 8);
    let mut epochs = vec![saved[0]["epoch"].as_u64().unwrap()];
    let mut daemon = daemon;
    // It is as true for who dies once more.
    for _ in 0..2 {
        daemon = kill(daemon, &folder);
        let loaded = daemon.wait_event("state_loaded");
        assert!(loaded.contains("publications=6") && loaded.contains("epochs=new"), "{loaded}");
        let news = daemon.ask("GET", "/channels/news", &[], b"").json();
        let epoch = news["epoch"].as_u64().unwrap();
        assert!(epochs.iter().all(|&before| epoch > before), "{epoch} {epochs:?}");
        assert_eq!(offsets(&history(&daemon, "news", "")), [1, 2, 3, 4, 5]);
        for (offset, of) in epochs.iter().flat_map(|of| [(5, of), (8, of)]) {
            let mut http = Http::tcp(daemon.public);
            let target = format!("/ws?broadcast=no&channel=news&since={of}.{offset}");
            let at = position(http.ask("GET", &target, &HANDSHAKE, b""));
            assert_eq!(at, format!("news={epoch}.5"), "nobody knows what came behind {of}.{offset}");
        }
        let next = daemon.push_to("/push?channel=news", "next");
        assert_eq!(
            (&next["epoch"], &next["offset"]),
            (&epoch.into(), &6.into()),
            "its own life of the channel"
        );
        let mut client = WebSocket::open_at(&daemon, &format!("/ws?channel=news&since={epoch}.4"));
        assert_eq!((client.text(), client.text()), ("5".into(), "next".into()));
        epochs.push(epoch);
    }
    // In good order the last life goes on.
    end(daemon);
    let daemon = folder.start(&[]);
    assert!(daemon.wait_event("state_loaded").contains("epochs=kept"));
    let next = daemon.push_to("/push?channel=news", "7");
    assert_eq!((&next["epoch"], &next["offset"]), (&epochs[2].into(), &7.into()));
}

#[test]
fn a_death_at_any_moment_of_a_snapshot_leaves_a_whole_one_or_none() {
    let folder = Folder::new("moment");
    let mut daemon = folder.start(&["--log-level", "info"]);
    let mut whole = 0;
    for round in 0..6 {
        for n in 0..30 {
            daemon.push_to(&format!("/push?channel=c{}", n % 7), &"x".repeat(60_000));
        }
        daemon.signal("USR2");
        if round % 2 == 1 {
            daemon.wait_event("state_saved");
            daemon.signal("USR2");
        }
        daemon = kill(daemon, &folder);
        let log =
            daemon.wait_log(|line| line.contains("event=no_state") || line.contains("event=state_loaded"));
        whole += usize::from(log.contains("event=state_loaded"));
        assert_eq!(daemon.events("state_refused"), 0, "{log}");
    }
    assert!(whole >= 3, "{whole}: one that was said to be saved is there");
}

#[test]
fn the_end_comes_behind_a_snapshot_under_way() {
    let folder = Folder::new("under-way");
    let daemon = folder.start(&[]);
    let mut last = Value::Null;
    for n in 0..60 {
        last = daemon.push_to("/push?channel=news", &format!("{n}{}", "x".repeat(60_000)));
    }
    // Twice: another one follows.
    daemon.signal("USR2");
    daemon.signal("USR2");
    assert!(end(daemon).contains("kind=final"));
    assert_eq!(folder.names(), ["state"], "nothing is left beside it");
    let daemon = folder.start(&[]);
    assert!(daemon.wait_event("state_loaded").contains("epochs=kept"));
    let next = daemon.push_to("/push?channel=news", "next");
    assert_eq!((&next["epoch"], &next["offset"]), (&last["epoch"], &61.into()));
}

#[test]
fn what_is_no_state_of_ours_is_refused() {
    let folder = Folder::new("refused");
    let daemon = folder.start(&[]);
    let first = daemon.push_to("/push?channel=news", "1");
    end(daemon);
    let good = std::fs::read(folder.file()).expect("a state");
    let mut flipped = good.clone();
    *flipped.last_mut().expect("bytes") ^= 1;
    let mut newer = good.clone();
    newer[8] = 99;
    for (bytes, expected) in [(&flipped[..], "torn"), (&good[..30], "torn"), (&newer[..], "version 99")] {
        std::fs::write(folder.file(), bytes).expect("a file");
        let daemon = folder.start(&[]);
        let refused = daemon.wait_event("state_refused");
        assert!(refused.contains(expected), "{refused}");
        let anew = daemon.push_to("/push?channel=news", "1");
        assert!(anew["epoch"].as_u64() > first["epoch"].as_u64() && anew["offset"] == 1, "{anew}");
        let log = end(daemon);
        assert!(log.contains("event=state_saved"), "{log}");
    }
    // Another program's file is not overwritten.
    std::fs::write(folder.file(), "root:x:0:0\n".repeat(10)).expect("a file");
    let daemon = folder.start(&[]);
    assert!(daemon.wait_event("state_refused").contains("no state file of wspush"));
    daemon.push("x");
    daemon.signal("USR2");
    assert!(daemon.wait_event("state_not_saved").contains("what is there is no state file of wspush"));
    assert!(!end(daemon).contains("event=state_saved"));
    assert!(std::fs::read(folder.file()).expect("still there").starts_with(b"root:"));
}

#[test]
fn a_place_where_nothing_can_be_written_is_said() {
    let folder = Folder::new("nowhere");
    let file = folder.0.join("no/state");
    let daemon = Daemon::start(&["--state-file", file.to_str().expect("text")]);
    daemon.push("x");
    let log = end(daemon);
    assert!(log.contains("event=state_not_saved"), "{log}");
    assert!(!Path::new(&file).exists());
}
