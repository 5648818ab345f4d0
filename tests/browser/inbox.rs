//! Inboxes in a browser: the demo's, and docs/inbox.md as a reader follows it. Its page is in a browser and its
//! commands are in a shell. Ports are other ones here, since tests run side by side; nothing else is.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Command, Stdio};

use super::chromium::{Chromium, Tab};
use crate::daemon::Daemon;

const SECRET: &str = "a_secret_of_more_than_32_bytes_0123456";

fn guide() -> String {
    std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/inbox.md")).unwrap()
}

/// The blocks of code in this language.
fn blocks(language: &str) -> Vec<String> {
    let text = guide();
    let begins = format!("```{language}\n");
    text.split(&begins).skip(1).map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
}

/// Runs a command of the page in a shell; what it prints.
fn shell(daemon: &Daemon, command: &str) -> String {
    let program = Path::new(env!("CARGO_BIN_EXE_wspushd"));
    let path = format!("{}:{}", program.parent().unwrap().display(), std::env::var("PATH").unwrap());
    let command = command.replace("127.0.0.1:8081", &daemon.admin().to_string());
    let output = Command::new("sh")
        .args(["-ec", &command])
        .env("PATH", path)
        .envs([("WSPUSH_AUTH", "required"), ("WSPUSH_AUTH_SECRET", SECRET)])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Serves a page to whoever asks, for as long as the test runs.
fn serve(page: String) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                match stream.read(&mut byte) {
                    Ok(1) => head.push(byte[0]),
                    _ => break,
                }
            }
            let answer = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{page}",
                page.len()
            );
            // A browser that has gone misses nothing.
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    address
}

/// Waits until the page is connected and shows these messages, the newest first, and nothing else.
fn shows(tab: &Tab, messages: &[&str]) {
    let shown = "[...document.querySelectorAll('#list li')].map(item => item.textContent)";
    let expected = serde_json::to_string(messages).unwrap();
    let state = "document.getElementById('state').textContent === 'connected'";
    tab.until(&format!("{state} && JSON.stringify({shown}) === JSON.stringify({expected})"));
}

#[test]
fn the_page_of_the_book() {
    let commands = blocks("sh");
    let [_, token, first, away, look, many] = &commands[..] else { panic!("{commands:?}") };
    let html = &blocks("html")[0];
    assert!(html.lines().count() <= 60, "a page of {} lines", html.lines().count());
    let (_, rule) = commands[0].split_once("wspushd --channel-rule '").expect("how the server is started");
    let rule = rule.split('\'').next().unwrap();
    let flags = ["--auth", "required", "--auth-secret", SECRET, "--channel-rule", rule];
    let daemon = Daemon::start(&flags);

    let said = shell(&daemon, token);
    let token = said.trim().split('#').nth(1).expect("an address with a token");
    assert!(html.contains("ws://127.0.0.1:8080/ws"));
    let address = serve(html.replace("127.0.0.1:8080", &daemon.public.to_string()));
    let url = format!("http://{address}/inbox.html#{token}");
    let chromium = Chromium::start("inbox");
    let tab = chromium.open(&url);
    shows(&tab, &[]);

    let pushed = shell(&daemon, first);
    assert!(pushed.contains("\"recipients\":1"), "{pushed}");
    shows(&tab, &["Your parcel is on its way."]);
    tab.reload();
    shows(&tab, &["Your parcel is on its way."]);

    tab.close();
    daemon.wait_connections(0);
    let pushed = shell(&daemon, away);
    assert_eq!(pushed.matches("\"recipients\":0").count(), 2, "{pushed}");
    let tab = chromium.open(&url);
    let three = ["Please sign for it.", "Your parcel is here.", "Your parcel is on its way."];
    shows(&tab, &three);
    let second = chromium.open(&url);
    shows(&second, &three);
    let said = shell(&daemon, look);
    assert_eq!(said.matches("\"id\":").count(), 2, "two connections: {said}");
    assert!(said.contains("\"data\":\"Please sign for it.\"}]"), "{said}");

    tab.close();
    second.close();
    daemon.wait_connections(0);
    let pushed = shell(&daemon, many);
    assert!(pushed.contains("\"offset\":208"), "{pushed}");
    let newest: Vec<String> = (6..=205).rev().map(|n| format!("message {n}")).collect();
    let mut expected: Vec<&str> = newest.iter().map(String::as_str).collect();
    expected.extend(["(5 messages are gone)"].iter().chain(&three));
    let tab = chromium.open(&url);
    shows(&tab, &expected);
    tab.reload();
    shows(&tab, &expected);
    for scheme in ["light", "dark"] {
        tab.picture(&format!("inbox-{scheme}"), 800, 600, scheme);
    }
    tab.assert_no_errors();

    // Somebody without a token is told so, and not again and again.
    let stranger = chromium.open(&format!("http://{address}/inbox.html"));
    stranger.until("/token/.test(document.getElementById('state').textContent)");
}

#[test]
fn nothing_is_lost_when_the_server_goes() {
    let html = &blocks("html")[0];
    let commands = blocks("sh");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("inbox");
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    let state = folder.join("inbox.state");
    let flags = |public: &str| {
        let state = state.to_str().unwrap();
        let secret =
            ["--auth", "required", "--auth-secret", SECRET, "--state-file", state, "--listen", public];
        Daemon::start(&secret)
    };
    let mut daemon = flags("127.0.0.1:0");
    let said = shell(&daemon, &commands[1]);
    let token = said.trim().split('#').nth(1).unwrap();
    let public = daemon.public.to_string();
    let address = serve(html.replace("127.0.0.1:8080", &public));
    let chromium = Chromium::start("inbox-restart");
    let tab = chromium.open(&format!("http://{address}/inbox.html#{token}"));
    shows(&tab, &[]);
    shell(&daemon, &commands[2]);
    shows(&tab, &["Your parcel is on its way."]);
    daemon.signal("TERM");
    assert!(daemon.wait_exit().success(), "drained");
    let daemon = flags(&public);
    shell(&daemon, &commands[3]);
    shows(&tab, &["Please sign for it.", "Your parcel is here.", "Your parcel is on its way."]);
    tab.assert_no_errors();
    std::fs::remove_dir_all(&folder).unwrap();
}

/// Waits until the demo's page shows these messages in its inbox, and these users.
fn has(tab: &Tab, messages: &[&str], people: &[&str]) {
    for (selector, expected) in [("#inbox li > span", messages), ("#people button", people)] {
        let shown = format!("[...document.querySelectorAll('{selector}')].map(one => one.textContent)");
        let expected = serde_json::to_string(expected).unwrap();
        tab.until(&format!("JSON.stringify({shown}) === JSON.stringify({expected})"));
    }
}

/// Says who somebody is.
fn call(tab: &Tab, name: &str) {
    tab.value(&format!(
        "(() => {{ const field = document.getElementById('name'); field.value = '{name}'; \
         field.dispatchEvent(new Event('change')) }})()"
    ));
}

#[test]
fn the_inbox_of_the_demo() {
    let daemon = Daemon::start(&["--demo"]);
    // Two browsers are two visitors.
    let (hers, his) = (Chromium::start("demo-ada"), Chromium::start("demo-bob"));
    let url = format!("http://{}/", daemon.public);
    let ada = hers.open(&url);
    call(&ada, "ada");
    has(&ada, &[], &["ada (you)"]);
    let bob = his.open(&url);
    call(&bob, "bob");
    has(&bob, &[], &["bob (you)", "ada"]);
    has(&ada, &[], &["ada (you)", "bob"]);

    let to_ada = "#people button:last-of-type";
    let write = |text: &str| {
        bob.click("#message");
        bob.type_text(text);
        bob.press_enter();
        bob.until("document.getElementById('message').value === ''");
    };
    bob.click(to_ada);
    bob.until("document.getElementById('whom').textContent === 'Push to the inbox of ada'");
    let command = format!("curl -d hello '{}/push?channel=demo.inbox.ada'", daemon.admin());
    bob.until(&format!("document.getElementById('curl').textContent === \"{command}\""));
    write("The build is green again.");
    has(&ada, &["The build is green again."], &["ada (you)", "bob"]);
    has(&bob, &[], &["bob (you)", "ada"]);
    assert_eq!(bob.value("document.querySelectorAll('#feed li').length"), 0, "it is nobody else's");
    ada.reload();
    has(&ada, &["The build is green again."], &["ada (you)", "bob"]);
    // A second tab of hers is the same user, and his list has her once.
    let second = hers.open(&url);
    has(&second, &["The build is green again."], &["ada (you)", "bob"]);
    has(&bob, &[], &["bob (you)", "ada"]);

    ada.close();
    second.close();
    has(&bob, &[], &["bob (you)"]);
    bob.until("document.getElementById('whom').textContent === 'Push to the inbox of ada'");
    write("Lunch is ready.");
    write("Your parcel is here.");
    let ada = hers.open(&url);
    has(
        &ada,
        &["Your parcel is here.", "Lunch is ready.", "The build is green again."],
        &["ada (you)", "bob"],
    );
    for (name, width, height) in [("wide", 1100, 900), ("phone", 390, 844), ("narrow", 320, 700)] {
        for scheme in ["light", "dark"] {
            ada.picture(&format!("demo-inbox-{name}-{scheme}"), width, height, scheme);
            let fits = "document.documentElement.scrollWidth <= innerWidth";
            assert_eq!(ada.value(fits), true, "{name}: the page is wider than the screen");
        }
    }
    // The gap between two lives of a channel does not hide the second one.
    ada.close();
    has(&bob, &[], &["bob (you)"]);
    assert_eq!(daemon.ask("DELETE", "/channels/demo.inbox.ada/history", &[], b"").status, 200);
    write("one");
    write("two");
    let ada = hers.open(&url);
    has(
        &ada,
        &["two", "one", "Your parcel is here.", "Lunch is ready.", "The build is green again."],
        &["ada (you)", "bob"],
    );
    ada.assert_no_errors();
    bob.assert_no_errors();
}

/// Other programs on this host have the same origin, and so the same storage.
#[test]
fn the_demo_reads_no_strange_storage() {
    let (daemon, chromium) = (Daemon::start(&["--demo"]), Chromium::start("demo-torn"));
    let tab = chromium.open(&format!("http://{}/", daemon.public));
    call(&tab, "ada");
    has(&tab, &[], &["ada (you)"]);
    for torn in ["{", "null", "7", r#"{"name":"eve","since":"earliest"}"#] {
        tab.value(&format!("localStorage.setItem('wspush', '{torn}')"));
        tab.reload();
        tab.until("/^guest-[a-z0-9]+ .you.$/.test(document.querySelector('#people button')?.textContent)");
        tab.assert_no_errors();
    }
}
