//! The examples with a chat of rooms at paths of their own, in Rust, C and C++: all are the same program.

use super::client::{CLOSE, Client};
use super::host::{self, Host, Tool, root};

/// Talks in two rooms, and leaves it at its end.
fn drive(host: &mut Host) {
    let line = host.line();
    let port =
        line.strip_prefix("ws://127.0.0.1:").and_then(|rest| rest.strip_suffix("/chat/ROOM?name=NAME"));
    let port: u16 = port.unwrap_or_else(|| panic!("{line:?} instead of an address")).parse().unwrap();
    assert_eq!(Client::refusal(port, "/chat/lobby").0, 400);
    assert_eq!(Client::refusal(port, "/chat/a%2Fb?name=ada").0, 404);
    assert_eq!(Client::refusal(port, "/chat?name=ada").0, 404);
    let mut ada = Client::open(port, "/chat/lobby?name=ada");
    assert_eq!(ada.text(), "* ada has joined");
    let mut bob = Client::open(port, "/chat/lobby?name=bob");
    let mut eve = Client::open(port, "/chat/attic?name=eve");
    assert_eq!((ada.text(), bob.text()), ("* bob has joined".to_owned(), "* bob has joined".to_owned()));
    ada.say(&["hi", "ho"]);
    assert_eq!(
        [ada.text(), ada.text(), bob.text(), bob.text()],
        ["ada: hi", "ada: ho", "ada: hi", "ada: ho"]
    );
    assert_eq!(eve.text(), "* eve has joined", "and nothing of the lobby");
    drop(ada);
    assert_eq!(bob.text(), "* ada has left after 2 messages");
    let mut echo = Client::open(port, "/echo");
    let long = "x".repeat(1_001);
    echo.say(&[&long]);
    assert_eq!(echo.text(), long);
    eve.say(&[&long]);
    assert_eq!(eve.until_closed(), 1009);
    host.close_input();
    let (opcode, payload) = bob.frame();
    assert_eq!((opcode, &payload[..2]), (CLOSE, &1001u16.to_be_bytes()[..]));
}

#[test]
fn in_rust() {
    let mut host = Host::start_program(&host::example("rooms"), Tool::Plain, &["127.0.0.1:0"]).unwrap();
    drive(&mut host);
    assert_eq!(host.end(), "");
}

#[test]
fn in_c_and_cpp() {
    for source in ["examples/c/rooms.c", "examples/cpp/rooms.cpp"] {
        for tool in [Tool::Sanitizers, Tool::Valgrind] {
            let Some(mut host) = Host::start_source(&root().join(source), tool, &["127.0.0.1:0"]) else {
                continue;
            };
            drive(&mut host);
            assert_eq!(host.end(), "", "{source}");
        }
    }
}
