//! Rules by which channels are kept: bounds, time, the newest only, and who comes back too late.

use std::fs;

use crate::daemon::{Daemon, WebSocket, wait};

/// A client and its position in the channel.
fn at(daemon: &Daemon, query: &str) -> String {
    let mut http = crate::daemon::Http::tcp(daemon.public);
    let response = http.ask("GET", &format!("/ws?broadcast=no&{query}"), &crate::wire::HANDSHAKE, b"");
    let position = response.header("Wspush-Position").expect("a position");
    position.rsplit_once('.').expect("a position").1.to_owned()
}

#[test]
fn each_channel_is_kept_by_the_first_rule_that_matches() {
    let rules = [
        "--channel-rule",
        "public.tail publications=3 missed=tail",
        "--channel-rule",
        "public.* missed=latest",
    ];
    let daemon = Daemon::start(&rules);
    for number in 1..=8 {
        for channel in ["public.tail", "public.latest", "broadcast"] {
            daemon.push_to(&format!("/push?channel={channel}"), &number.to_string());
        }
    }
    // A position of another life of the channel can't be recovered.
    for (channel, stands) in [("public.tail", "5"), ("public.latest", "7")] {
        assert_eq!(at(&daemon, &format!("channel={channel}&since=7.7")), stands, "{channel}");
        assert_eq!(at(&daemon, &format!("channel={channel}&since=head")), "8", "{channel}");
    }
    assert_eq!(at(&daemon, "channel=public.tail&since=earliest"), "5", "three are kept");
}

#[test]
fn who_lags_jumps_to_the_newest_and_who_keeps_up_gets_all() {
    let daemon = Daemon::start(&["--channel-rule", "public.price keep=latest"]);
    let mut fast = WebSocket::open_at(&daemon, "/ws?channel=public.price");
    let mut slow = WebSocket::open_narrow(&daemon, "/ws?channel=public.price");
    const LAST: usize = 999_999_999;
    let text = |number: usize| format!("{number:09}{}", "x".repeat(20_000));
    let read = |client: &mut WebSocket| -> Vec<usize> {
        let mut heard = Vec::new();
        while heard.last() != Some(&LAST) {
            heard.push(client.text()[..9].parse().unwrap());
        }
        heard
    };
    let reading = std::thread::spawn(move || read(&mut fast));
    let taken = daemon.push_until_full("/push?channel=public.price", text);
    let numbers = (1..=taken + 10).chain([LAST]);
    for number in numbers.clone().skip(taken) {
        daemon.push_to("/push?channel=public.price", &text(number));
    }
    assert_eq!(reading.join().expect("no panic"), numbers.collect::<Vec<_>>());
    let heard = read(&mut slow);
    assert!(heard.is_sorted() && heard.len() < taken + 10, "it has jumped: {heard:?}");
    assert!(daemon.counter("slow_skipped") > 0);
    assert_eq!((daemon.events("slow_consumer"), slow.sync()), (0, vec![]));
}

#[test]
fn rules_come_from_the_file_and_change_with_it() {
    let file = std::env::temp_dir().join(format!("wspush-{}-rules.toml", std::process::id()));
    let path = file.to_str().expect("a name");
    let write = |ttl_ms: u64| {
        fs::write(&file, format!("[[channel]]\nmatch = \"public.*\"\nttl_ms = {ttl_ms}\n")).unwrap()
    };
    write(1);
    let daemon = Daemon::start(&["--config", path]);
    let receipt = daemon.push_to("/push?channel=public.a", "x")["receipt"].clone();
    daemon.wait_delivered(&receipt);
    wait("its end", || at(&daemon, "channel=public.a&since=earliest") == "1");
    write(0);
    daemon.signal("HUP");
    assert!(daemon.wait_event("reloaded").contains("channel_rule"));
    let receipt = daemon.push_to("/push?channel=public.a", "y")["receipt"].clone();
    daemon.wait_delivered(&receipt);
    assert_ne!(at(&daemon, "channel=public.a&since=earliest"), "2", "it is kept now");
    fs::write(&file, "[[channel]]\nmatch = \"a\"\nkep = \"all\"\n").unwrap();
    let (status, said) = Daemon::refused(&["--config", path]);
    assert_eq!(status.code(), Some(2));
    assert!(said.contains("unknown key \"kep\"; did you mean \"keep\"?"), "{said}");
    fs::remove_file(&file).unwrap();
}
