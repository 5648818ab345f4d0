//! The examples with an inbox for each user, in Rust, C, C++ and Java: all are the same program.

use super::client::{CLOSE, Client};
use super::host::{self, Host, Tool, root};

/// Talks to one, and leaves it at its end.
pub(crate) fn drive(host: &mut Host) {
    let line = host.line();
    let port = line.strip_prefix("ws://127.0.0.1:").and_then(|rest| rest.strip_suffix("/ws?as=NAME"));
    let port: u16 = port.unwrap_or_else(|| panic!("{line:?} instead of an address")).parse().unwrap();
    let mut say = |line: &str, answers: &[&str]| {
        host.command(line);
        for answer in answers {
            assert_eq!(host.line(), *answer, "{line}");
        }
    };
    assert_eq!(Client::refusal(port, "/ws").0, 401);
    assert_eq!(Client::refusal(port, "/ws?as=a%2Fb").0, 401, "not a name");
    assert_eq!(Client::refusal(port, "/ws?as=ada&since=now").0, 400);
    say("ada?", &["nothing was ever there"]);
    say("nobody", &["NAME: what there is to say, or NAME?"]);
    // While she is away it is kept.
    say("ada: one", &["ada has 1"]);
    let (mut ada, position) = Client::open_standing(port, "/ws?as=ada");
    assert_eq!(ada.text(), "one");
    let epoch = position.split('.').next().unwrap();
    let mut bob = Client::open(port, "/ws?as=bob");
    // A second tab is the same user.
    let mut tab = Client::open(port, &format!("/ws?as=ada&since={epoch}.1"));
    say("ada: two", &["ada has 2"]);
    assert_eq!([ada.text(), tab.text()], ["two", "two"]);
    drop(ada);
    say("ada: three, with a : in it", &["ada has 3"]);
    say("bob: his", &["bob has 1"]);
    assert_eq!([tab.text(), bob.text()], ["three, with a : in it", "his"]);
    // She comes back, and has what she has missed once.
    let mut ada = Client::open(port, &format!("/ws?as=ada&since={epoch}.2"));
    say("ada: four", &["ada has 4"]);
    assert_eq!([ada.text(), ada.text()], ["three, with a : in it", "four"]);
    say("ada?", &["1: one", "2: two", "3: three, with a : in it", "4: four"]);
    host.close_input();
    assert_eq!(tab.text(), "four");
    for client in [&mut ada, &mut tab, &mut bob] {
        let (opcode, payload) = client.frame();
        assert_eq!((opcode, &payload[..2]), (CLOSE, &1001u16.to_be_bytes()[..]));
    }
}

#[test]
fn in_rust() {
    let program = host::example("inbox");
    let mut host = Host::start_program(&program, Tool::Plain, &["127.0.0.1:0"]).unwrap();
    drive(&mut host);
    assert_eq!(host.end(), "");
}

#[test]
fn in_c_and_cpp() {
    for source in ["examples/c/inbox.c", "examples/cpp/inbox.cpp"] {
        for tool in [Tool::Sanitizers, Tool::Valgrind] {
            let Some(mut host) = Host::start_source(&root().join(source), tool, &["127.0.0.1:0"]) else {
                continue;
            };
            drive(&mut host);
            assert_eq!(host.end(), "", "{source}");
        }
    }
}
