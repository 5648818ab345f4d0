//! The programs of examples/websocket in a real browser, in both containers.

use super::{Container, adapters};
use crate::chromium::{Chromium, Tab};

/// Connects a page to an endpoint; `window.NAME` is a client that keeps what it sees.
fn connect(tab: &Tab, name: &str, address: &str) {
    tab.value(&format!(
        "new Promise((open, fail) => {{ \
           const socket = new WebSocket('{address}'); socket.binaryType = 'arraybuffer'; \
           const seen = []; window.{name} = {{ socket, seen }}; \
           socket.onmessage = event => seen.push(typeof event.data === 'string' ? event.data : event.data.byteLength); \
           socket.onclose = event => seen.push('closed ' + event.code); \
           socket.onopen = () => open(true); socket.onerror = () => fail('{address}'); }})"
    ));
}

fn send(tab: &Tab, name: &str, expression: &str) {
    tab.value(&format!("{name}.socket.send({expression}), true"));
}

/// Waits until the client has seen exactly this, as JSON, and forgets it.
fn sees(tab: &Tab, name: &str, json: &str) {
    tab.until(&format!("JSON.stringify({name}.seen) === {}", serde_json::to_string(json).unwrap()));
    tab.value(&format!("{name}.seen.length = 0, true"));
}

fn close(tab: &Tab, name: &str) {
    tab.value(&format!("{name}.socket.close(1000), true"));
    sees(tab, name, r#"["closed 1000"]"#);
}

/// Everything that a page does with the programs, and sees.
fn drive(tab: &Tab, base: &str) {
    connect(tab, "echo", &format!("{base}/echo/messages"));
    send(tab, "echo", "'grüße'");
    send(tab, "echo", "new Uint8Array(100000)");
    sees(tab, "echo", r#"["grüße",100000]"#);
    close(tab, "echo");

    connect(tab, "stream", &format!("{base}/echo/streams"));
    send(tab, "stream", "new Uint8Array(1 << 20)");
    sees(tab, "stream", "[1048576]");
    close(tab, "stream");

    connect(tab, "guest", &format!("{base}/chat"));
    sees(tab, "guest", r#"["* Guest1 has joined."]"#);
    connect(tab, "second", &format!("{base}/chat"));
    send(tab, "second", "'<i>hi</i>'");
    sees(tab, "guest", r#"["* Guest2 has joined.","Guest2: &lt;i>hi&lt;/i>"]"#);
    close_seeing(tab, "second");
    sees(tab, "guest", r#"["* Guest2 has disconnected."]"#);
    close(tab, "guest");

    connect(tab, "ada", &format!("{base}/room/red/ada"));
    sees(tab, "ada", r#"["online 1"]"#);
    connect(tab, "bob", &format!("{base}/room/red/bob"));
    sees(tab, "ada", r#"["online 2"]"#);
    sees(tab, "bob", r#"["online 2"]"#);
    send(tab, "ada", "'@bob psst'");
    sees(tab, "bob", r#"["ada whispers: psst"]"#);
    send(tab, "bob", "'ping'");
    sees(tab, "bob", r#"["pong"]"#);
    close(tab, "bob");
    sees(tab, "ada", r#"["online 1"]"#);
    close(tab, "ada");

    connect(tab, "desk", &format!("{base}/desks/orders?name=ada"));
    send(tab, "desk", "'two books'");
    sees(tab, "desk", r#"["orders for ada: two books"]"#);
    close(tab, "desk");
}

/// As `close`, of a client that has seen other things.
fn close_seeing(tab: &Tab, name: &str) {
    tab.value(&format!("{name}.seen.length = 0, {name}.socket.close(1000), true"));
    tab.until(&format!("{name}.seen.at(-1) === 'closed 1000'"));
}

#[test]
fn the_programs_in_chromium() {
    let Some(adapters) = adapters() else { return };
    let chromium = Chromium::start("websocket-api");
    for container in [Container::tomcat(adapters), Container::here(adapters, &adapters.javax)] {
        // Whatever is there: a page of the endpoints' own origin.
        let tab = chromium.open(&format!("{}/healthz", container.address.replace("ws://", "http://")));
        drive(&tab, &container.address);
        assert_eq!(container.end(), [""; 0]);
    }
}

/// A notice that a form sends comes to every page; the form is a web server's beside the endpoint.
#[test]
fn a_form_notifies_everybody() {
    let Some(adapters) = adapters() else { return };
    let chromium = Chromium::start("websocket-notices");
    for mut container in [
        Container::with(adapters, &["NoticesTomcat"], &adapters.tomcat),
        Container::with(adapters, &["NoticesHere"], &adapters.javax.path(adapters.built)),
    ] {
        let form = container.line();
        let pages = [0, 1].map(|_| {
            let tab = chromium.open(&format!("{}/healthz", container.address.replace("ws://", "http://")));
            connect(&tab, "notices", &format!("{}/notices", container.address));
            tab
        });
        let tab = chromium.open(&form);
        tab.click("input");
        tab.type_text("dinner is ready");
        // As the button does, without leaving the page.
        let sent = tab.value(
            "fetch('/send', { method: 'POST', body: new URLSearchParams(new FormData(document.forms[0])) }) \
             .then(answer => answer.text())",
        );
        assert_eq!(sent, "sent to 2");
        for page in &pages {
            sees(page, "notices", r#"["dinner is ready"]"#);
        }
        assert_eq!(container.end(), [""; 0]);
    }
}
