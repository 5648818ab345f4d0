//! The examples with a club whose host decides on private channels, in Rust, C, C++ and Java: all are the same program.

use super::client::{Client, TEXT};
use super::host::{self, Host, Tool, root};

fn ask(client: &mut Client, channel: &str, auth: &str) {
    let data = format!(r#"{{"channel":"{channel}","auth":"{auth}"}}"#);
    client.send(TEXT, format!(r#"{{"event":"pusher:subscribe","data":{data}}}"#).as_bytes());
}

fn open(port: u16) -> Client {
    let mut client = Client::open(port, "/app/club?protocol=7");
    assert!(client.text().starts_with(r#"{"event":"pusher:connection_established""#));
    client
}

fn succeeded(channel: &str) -> String {
    format!(r#"{{"event":"pusher_internal:subscription_succeeded","channel":"{channel}","data":"{{}}"}}"#)
}

fn refused(channel: &str, why: &str, status: u16) -> String {
    let data = format!(r#"{{"type":"AuthError","error":"{why}","status":{status}}}"#);
    format!(r#"{{"event":"pusher:subscription_error","channel":"{channel}","data":{data}}}"#)
}

/// Talks to one, and leaves it at its end.
pub(crate) fn drive(host: &mut Host) {
    let line = host.line();
    let port = line.strip_prefix("ws://127.0.0.1:").and_then(|rest| rest.strip_suffix("/app/club"));
    let port: u16 = port.unwrap_or_else(|| panic!("{line:?} instead of an address")).parse().unwrap();
    let (mut ada, mut bob) = (open(port), open(port));
    ask(&mut ada, "private-hall", "ada");
    assert_eq!(ada.text(), succeeded("private-hall"));
    ask(&mut ada, "private-attic", "ada");
    assert_eq!(ada.text(), refused("private-attic", "there is no such room", 403));
    // The backend that would have signed this is nobody.
    ask(&mut ada, "private-hall-2", "club:00");
    assert!(ada.text().contains(r#""status":401"#));
    ask(&mut bob, "presence-lounge", "bob");
    assert!(bob.text().contains(r#"\"presence\":{\"ids\":[\"bob\"],"#));
    ask(&mut ada, "presence-lounge", "ada");
    assert!(ada.text().contains(r#"\"ids\":[\"ada\",\"bob\"]"#));
    assert!(bob.text().contains("pusher_internal:member_added"));
    // Both wait for the vault, and others go on meanwhile.
    for (client, name) in [(&mut ada, "ada"), (&mut bob, "bob")] {
        ask(client, "private-vault", name);
        assert_eq!(host.line(), format!("{name} asks for the vault"));
        ask(client, "news", "");
        assert_eq!(client.text(), succeeded("news"));
    }
    host.command("yes bob");
    assert_eq!(bob.text(), succeeded("private-vault"));
    host.command("no ada");
    assert_eq!(ada.text(), refused("private-vault", "the vault is for few", 403));
    for wrong in ["no ada", "yes nobody", "perhaps ada", "yes"] {
        host.command(wrong);
        assert_eq!(host.line(), "yes NAME or no NAME, of one who waits", "{wrong}");
    }
    let user_data = r#"{\"id\":\"whoever\"}"#;
    let sign_in = format!(r#"{{"event":"pusher:signin","data":{{"auth":"ada","user_data":"{user_data}"}}}}"#);
    ada.send(TEXT, sign_in.as_bytes());
    let told = ada.text();
    assert!(
        told.contains("pusher:signin_success") && told.contains("ada") && !told.contains("whoever"),
        "{told}"
    );
    host.close_input();
}

#[test]
fn in_rust() {
    let program = host::example("club");
    let mut host = Host::start_program(&program, Tool::Plain, &["127.0.0.1:0"]).unwrap();
    drive(&mut host);
    assert_eq!(host.end(), "");
}

#[test]
fn in_c_and_cpp() {
    for source in ["examples/c/club.c", "examples/cpp/club.cpp"] {
        for tool in [Tool::Sanitizers, Tool::Valgrind] {
            let Some(mut host) = Host::start_source(&root().join(source), tool, &["127.0.0.1:0"]) else {
                continue;
            };
            drive(&mut host);
            assert_eq!(host.end(), "", "{source}");
        }
    }
}
