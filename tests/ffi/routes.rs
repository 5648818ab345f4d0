//! Paths of a host's own in C and C++: which callbacks hear of a client, and what its connection keeps.

use super::client::Client;
use super::host::Host;
use super::under_each_tool;

/// Two rooms, and an echo on other terms.
fn drive(host: &mut Host, port: u16, names_rooms: bool) {
    let (mut ann, mut bob) = (Client::open(port, "/chat/lobby"), Client::open(port, "/chat/lobby/"));
    let mut other = Client::open(port, "/chat/a%21b");
    assert_eq!((ann.text(), bob.text(), other.text()), ("lobby".into(), "lobby".into(), "a!b".into()));
    ann.say(&["hi", "again"]);
    for client in [&mut ann, &mut bob] {
        assert_eq!((client.text(), client.text()), ("1: hi".to_owned(), "2: again".to_owned()));
    }
    ann.say(&["still"]);
    assert_eq!((ann.text(), bob.text()), ("3: still".to_owned(), "3: still".to_owned()));
    assert_eq!(Client::refusal(port, "/chat/lobby?banned=1"), (403, "banned".to_owned()));
    assert_eq!(Client::refusal(port, "/chat/"), (404, "not found".to_owned()));
    assert_eq!(Client::refusal(port, "/chat/..").0, 400);

    let mut echo = Client::open(port, "/echo/any/thing");
    echo.say(&["x"]);
    assert_eq!(echo.text(), "x");
    host.command("chat");
    let rooms = if names_rooms { "0 lobby, 0 lobby, 0 a!b" } else { "0 , 0 , 0" };
    assert_eq!(host.line(), rooms);
    host.command("all");
    assert_eq!(host.line(), if names_rooms { "0 lobby, 0 lobby .." } else { "0 , 0  .." });
    if names_rooms {
        host.command("first");
        assert_eq!(host.line(), "0 lobby");
    }
    echo.say(&[&"x".repeat(201)]);
    assert_eq!(echo.until_closed(), 1009);
}

#[test]
fn a_chat_with_rooms_in_c() {
    for end in under_each_tool("routes.c", |host, port| drive(host, port, true)) {
        assert_eq!(end, "made 5 messages 3\n");
    }
}

#[test]
fn a_chat_with_rooms_in_cpp() {
    for end in under_each_tool("routes.cpp", |host, port| drive(host, port, false)) {
        assert_eq!(end, "messages 3\n");
    }
}
