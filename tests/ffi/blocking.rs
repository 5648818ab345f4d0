//! Handlers that block, in C: one slow question holds up nobody else, and a session's messages keep their order.

use super::client::Client;
use super::under_each_tool;

#[test]
fn who_asks_something_slow_waits_alone() {
    let ends = under_each_tool("blocking.c", |host, port| {
        assert_eq!(Client::refusal(port, "/ask/eve"), (403, "not you".to_owned()));
        let (mut ann, mut bob) = (Client::open(port, "/ask/ann"), Client::open(port, "/ask/bob"));
        // All at once, and the first one has no answer yet.
        ann.say(&["slow 1", "quick 2", "slow 3", "quick 4"]);
        for n in 0..20 {
            bob.say(&[&format!("quick {n}")]);
            assert_eq!(bob.text(), format!("re: quick {n}"));
        }
        let mut cid = Client::open(port, "/ask/cid");
        cid.say(&["quick"]);
        assert_eq!(cid.text(), "re: quick");
        host.command("go");
        assert_eq!((ann.text(), ann.text()), ("re: slow 1".to_owned(), "re: quick 2".to_owned()));
        host.command("go");
        assert_eq!((ann.text(), ann.text()), ("re: slow 3".to_owned(), "re: quick 4".to_owned()));
        // One goes while its question is under way.
        cid.say(&["slow 5"]);
        drop(cid);
        ann.say(&["quick"]);
        assert_eq!(ann.text(), "re: quick");
    });
    for end in ends {
        let most: u32 = end.trim().strip_prefix("waited ").unwrap().parse().unwrap();
        assert!((1..=3).contains(&most), "no more than one job of each waits: {most}");
    }
}
