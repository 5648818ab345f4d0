//! Hosts that switch on an app of the Pusher Channels protocol.

use super::client::{Client, TEXT};
use super::host::Host;
use super::under_each_tool;

/// A client of the app hears what its host publishes.
pub(crate) fn meet(host: &mut Host, port: u16) {
    let mut client = Client::open(port, "/app/k?protocol=7");
    assert!(client.text().starts_with(r#"{"event":"pusher:connection_established""#));
    client.send(TEXT, br#"{"event":"pusher:subscribe","data":{"channel":"news","auth":""}}"#);
    let subscribed = r#"{"event":"pusher_internal:subscription_succeeded","channel":"news","data":"{}"}"#;
    assert_eq!(client.text(), subscribed);
    host.command("hello");
    assert_eq!(client.text(), r#"{"event":"greet","channel":"news","data":"hello"}"#);
    assert_eq!(Client::status(port, "/app/k?protocol=7", &[]), 101);
}

#[test]
fn an_app_in_c() {
    let ends = under_each_tool("apps.c", meet);
    assert!(ends.iter().all(|end| end == "ended\n"), "{ends:?}");
}

#[test]
fn an_app_in_cpp() {
    let ends = under_each_tool("apps.cpp", meet);
    assert!(ends.iter().all(|end| end == "ended\n"), "{ends:?}");
}
