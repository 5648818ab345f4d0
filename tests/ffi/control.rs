//! One session from any thread, in C and C++: control frames, limits, its close; and refusals with headers.

use super::client::{BINARY, CLOSE, Client, TEXT};
use super::host::Host;
use super::under_each_tool;
use crate::wire::{PING, PONG};

const NOTHING: &str = "nothing waits b=x c=d e";

fn open(port: u16) -> Client {
    let mut client = Client::open(port, "/a/x/d%20e");
    assert_eq!(client.text(), "open");
    client
}

fn drive(host: &mut Host, port: u16) {
    let refused = Client::answer(port, "/a/x/y?refused=1", &[]);
    assert_eq!((refused.status, refused.header("www-authenticate")), (401, Some("Bearer")));
    let refused = Client::answer(port, "/a/x/y?later=not", &[]);
    assert_eq!((refused.status, refused.header("x-late")), (429, Some("yes")));
    let (mut late, answer) = Client::asked(port, "/a/x/y?later=yes", &[("Sec-WebSocket-Protocol", "a, b")]);
    let fields = (answer.header("x-late"), answer.header("sec-websocket-protocol"));
    assert_eq!((answer.status, fields), (101, (Some("yes"), Some("b"))));
    let mut texts = [late.text(), late.text()];
    texts.sort_unstable();
    assert_eq!(texts, ["old", "open"]);
    late.send(CLOSE, &1000_u16.to_be_bytes());
    assert_eq!(late.until_closed(), 1000);
    drop(late);
    let mut client = open(port);
    client.say(&["beat"]);
    for (opcode, payload) in [(PING, &b"a"[..]), (PING, b""), (PONG, &[0; 125]), (TEXT, b"beat")] {
        assert_eq!(client.frame(), (opcode, payload.to_vec()));
    }
    let mut say = |command: &str| {
        host.command(command);
        host.line()
    };
    assert_eq!(say("ping"), NOTHING);
    assert_eq!(client.frame(), (PING, b"from main".to_vec()));
    client.send(PONG, b"from main");
    assert_eq!(client.frame(), (BINARY, b"from main".to_vec()));
    assert_eq!(say("pong"), NOTHING);
    assert_eq!(client.frame(), (PONG, vec![]));
    let mut sent = 1;
    while say("much") == NOTHING {
        sent += 1;
    }
    (0..sent).for_each(|_| assert_eq!(client.frame().1.len(), 60_000));
    assert_eq!(say("limit"), NOTHING);
    client.send(TEXT, &[b'x'; 201]);
    assert_eq!(client.until_closed(), 1009);
    drop(client);

    let mut client = open(port);
    say("idle");
    assert_eq!(client.until_closed(), 1001);
    drop(client);
    let mut client = open(port);
    say("close");
    assert_eq!(client.frame(), (CLOSE, b"\x0f\xa1bye".to_vec()));
    drop(client);
    assert_eq!(say("ask"), "gone");
}

#[test]
fn a_session_from_any_thread_in_c() {
    for end in under_each_tool("control.c", drive) {
        assert_eq!(end, "pongs 1 closed 4\n");
    }
}

#[test]
fn a_session_from_any_thread_in_cpp() {
    for end in under_each_tool("control.cpp", drive) {
        assert_eq!(end, "pongs 1 closed 4\n");
    }
}
