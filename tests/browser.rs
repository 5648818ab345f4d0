//! The demo page in a real browser: what is pushed is seen in every tab.
//!
//! Pictures of it are left in target/browser for whoever wants to look.

mod chromium;
mod dashboard;
mod inbox;
mod v1;

use self::chromium::{Chromium, Tab};
use crate::daemon::Daemon;

const CONNECTED: &str = "document.getElementById('state').textContent === 'connected'";

/// Whether the newest line of the feed and a pop-up say `text`, and nothing but text is there.
fn shown(text: &str) -> String {
    let text = serde_json::to_string(text).unwrap();
    format!(
        "document.querySelector('#feed li span')?.textContent === {text} \
         && [...document.querySelectorAll('.popup p')].at(-1)?.textContent === {text}"
    )
}

/// A daemon with the demo.
fn start(more: &[&str]) -> Daemon {
    Daemon::start(&[&["--demo", "--max-connections", "100"], more].concat())
}

/// Pushes to everyone; the answer.
fn push(daemon: &Daemon, content_type: &str, message: &[u8]) -> String {
    let response = daemon.ask("POST", "/push", &[("Content-Type", content_type)], message);
    assert_eq!(response.status, 200, "{}", response.text());
    response.text()
}

fn two_tabs(chromium: &Chromium, daemon: &Daemon) -> [Tab; 2] {
    let tabs = [0, 1].map(|_| chromium.open(&format!("http://{}/", daemon.public)));
    for tab in &tabs {
        tab.until(CONNECTED);
    }
    tabs
}

#[test]
fn a_push_reaches_every_tab() {
    let (daemon, chromium) = (start(&[]), Chromium::start("push"));
    let tabs = two_tabs(&chromium, &daemon);

    // As `curl -d hello 127.0.0.1:8081/push` sends it.
    let answer = push(&daemon, "application/x-www-form-urlencoded", b"hello");
    assert!(answer.contains("\"recipients\":2"), "{answer}");
    for tab in &tabs {
        tab.until(&shown("hello"));
        let corner = "(() => { const box = document.querySelector('.popup').getBoundingClientRect(); \
                      return innerWidth - box.right < 40 && innerHeight - box.bottom < 40 && box.height > 30 })()";
        assert_eq!(tab.value(corner), true, "the pop-up is in the corner");
    }

    push(&daemon, "application/octet-stream", &[0, 1, 2]);
    tabs[1].until(&shown("3 bytes of binary data"));
    for tab in &tabs {
        tab.until("document.querySelectorAll('.popup').length === 0");
        tab.assert_no_errors();
    }
}

#[test]
fn the_form_pushes_to_every_tab() {
    let (daemon, chromium) = (start(&[]), Chromium::start("form"));
    let tabs = two_tabs(&chromium, &daemon);

    tabs[0].click("#push input");
    tabs[0].type_text("gr\u{fc}\u{df}e & <b>mehr</b>");
    tabs[0].press_enter();
    for tab in &tabs {
        tab.until(&shown("gr\u{fc}\u{df}e & <b>mehr</b>"));
    }
    let answer = "document.getElementById('answer').textContent";
    tabs[0].until(&format!("{answer} === 'Publication 1, to 2 subscribers.'"));
    assert_eq!(tabs[0].value("document.querySelector('#push input').value"), "");

    tabs[0].value("document.querySelector('#push input').value = 'x'.repeat(70000)");
    tabs[0].press_enter();
    tabs[0].until(&format!("{answer} === 'Not pushed: body of 70000 bytes, the limit is 65536'"));
    tabs[0].value("document.querySelector('#push input').value = ''");

    tabs[1].click("#push input");
    tabs[1].type_text("back");
    tabs[1].click("#push button");
    tabs[0].until(&shown("back"));
    tabs[0].click("#clear");
    tabs[0].until("document.querySelectorAll('#feed li').length === 0");
    tabs[1].assert_no_errors();
}

#[test]
fn what_is_pushed_is_text_and_never_markup() {
    let (daemon, chromium) = (start(&[]), Chromium::start("hostile"));
    let tabs = two_tabs(&chromium, &daemon);
    for hostile in [
        "<script>window.taken = true</script>",
        "<img src=x onerror='window.taken = true'>",
        "</span><svg onload=alert(1)>",
        "\u{202e}javascript:alert(1)\u{0}",
    ] {
        push(&daemon, "text/plain", hostile.as_bytes());
        for tab in &tabs {
            tab.until(&shown(hostile));
        }
    }
    for tab in &tabs {
        assert_eq!(tab.value("window.taken === undefined"), true);
        let elements = "document.querySelectorAll('#feed li > span *, .popup p *, #feed script').length";
        assert_eq!(tab.value(elements), 0);
        tab.assert_no_errors();
    }
}

#[test]
fn tabs_come_back_after_a_restart() {
    let (mut daemon, chromium) = (start(&[]), Chromium::start("restart"));
    let tabs = two_tabs(&chromium, &daemon);
    push(&daemon, "text/plain", b"before");
    for tab in &tabs {
        tab.until(&shown("before"));
    }

    daemon.signal("TERM");
    assert!(daemon.wait_exit().success(), "drained");
    for tab in &tabs {
        tab.until("document.getElementById('state').className === 'closed'");
    }
    tabs[0].click("#push input");
    tabs[0].type_text("into the void");
    tabs[0].press_enter();
    tabs[0].until("document.getElementById('answer').className === 'wrong'");

    let (public, admin) = (daemon.public.to_string(), daemon.admin().to_string());
    let daemon = start(&["--listen", &public, "--admin", &admin]);
    for tab in &tabs {
        tab.until(CONNECTED);
    }
    push(&daemon, "text/plain", b"after");
    for tab in &tabs {
        tab.until(&shown("after"));
        assert_eq!(tab.value("document.querySelectorAll('#feed li').length"), 2, "the feed is kept");
    }
}

#[test]
fn the_page_shows_connections_latency_and_how_to_push_from_a_shell() {
    let (daemon, chromium) = (start(&[]), Chromium::start("facts"));
    let tabs = two_tabs(&chromium, &daemon);
    for tab in &tabs {
        tab.until("document.getElementById('connections').textContent === '2'");
        tab.until(r"/^[\d.]+ ms$/.test(document.getElementById('latency').textContent)");
        let command = format!("curl -d hello {}/push", daemon.admin());
        tab.until(&format!("document.getElementById('curl').textContent === '{command}'"));
        tab.assert_no_errors();
    }
    let guarded = start(&["--admin-token", "t0ken"]);
    let tab = chromium.open(&format!("http://{}/", guarded.public));
    let command =
        format!("curl -H \"Authorization: Bearer $WSPUSH_ADMIN_TOKEN\" -d hello {}/push", guarded.admin());
    tab.until(&format!("document.getElementById('curl').textContent === '{command}'"));
}

#[test]
fn a_channel_is_chosen_in_its_field() {
    let (daemon, chromium) = (start(&[]), Chromium::start("channel"));
    let tabs = two_tabs(&chromium, &daemon);
    let choose = |tab: &Tab, name: &str| {
        tab.value("document.getElementById('channel').value = ''");
        tab.click("#channel");
        tab.type_text(name);
        tab.value("document.getElementById('channel').blur()");
    };
    choose(&tabs[0], "public.news");
    tabs[0].until(CONNECTED);
    tabs[0].until("document.getElementById('whom').textContent === 'Push to public.news'");
    let command = format!("curl -d hello '{}/push?channel=public.news'", daemon.admin());
    tabs[0].until(&format!("document.getElementById('curl').textContent === \"{command}\""));
    let answer = "document.getElementById('answer').textContent";
    tabs[0].click("#message");
    tabs[0].type_text("to some");
    tabs[0].press_enter();
    tabs[0].until(&shown("to some"));
    tabs[0].until(&format!("{answer} === 'Publication 1, to 1 subscriber.'"));
    assert_eq!(tabs[1].value("document.querySelectorAll('#feed li').length"), 0);
    push(&daemon, "text/plain", b"to all");
    for tab in &tabs {
        tab.until(&shown("to all"));
    }
    choose(&tabs[1], "private");
    tabs[1].until(&format!("{answer}.startsWith('channel \"private\" is not open to clients (channels')"));
    tabs[1].until("document.getElementById('state').className === 'open'");
    tabs[1].value(
        "(() => { const field = document.getElementById('channel'); field.value = ''; \
         field.dispatchEvent(new Event('change')) })()",
    );
    tabs[1].until(CONNECTED);
    tabs[1].until("document.getElementById('answer').hidden");
}

/// The end of a WebSocket to this URL as a page learns of it: code, reason, and whether it was a clean close.
fn end_of(tab: &Tab, url: &str) -> (u64, String, bool) {
    let ended = format!(
        "new Promise(done => {{ const socket = new WebSocket({}); \
         socket.onclose = event => done([event.code, event.reason, event.wasClean]) }})",
        serde_json::to_string(url).unwrap()
    );
    let value = tab.value(&ended);
    (value[0].as_u64().unwrap(), value[1].as_str().unwrap().to_owned(), value[2].as_bool().unwrap())
}

#[test]
fn a_page_is_told_why_it_is_refused() {
    let (daemon, other) = (start(&[]), start(&[]));
    let chromium = Chromium::start("refused");
    let tab = chromium.open(&format!("http://{}/", daemon.public));
    tab.until(CONNECTED);
    let own = format!("ws://{}/ws", daemon.public);
    for (target, code, said) in [
        (
            "?refusals=close&chan=a",
            4400,
            "unknown parameter \"chan\"; this path knows channel, since, broadcast, refusals, token",
        ),
        ("?refusals=close&channel=", 4400, "channel is empty; give it a value, or leave it out"),
        ("?refusals=close&channel=private", 4403, "channel \"private\" is not open to clients (channels)"),
    ] {
        assert_eq!(end_of(&tab, &format!("{own}{target}")), (code, said.to_owned(), true));
    }
    let blind = end_of(&tab, &format!("{own}?chan=a"));
    assert_eq!(blind, (1006, String::new(), false), "without it a page knows nothing");

    // Another port of the same machine gets its cookies, and is another origin.
    let foreign = format!("ws://{}/ws", other.public);
    let opens = format!(
        "new Promise(done => {{ const socket = new WebSocket('{foreign}'); \
         socket.onopen = () => {{ socket.close(); done(true) }}; socket.onclose = () => done(false) }})"
    );
    assert_eq!(tab.value(&opens), true, "a stranger may come from anywhere");
    tab.value("document.cookie = 'session=1'");
    assert_eq!(tab.value(&opens), false, "in a visitor's name nobody else's page may");
    let (code, reason, clean) = end_of(&tab, &format!("{foreign}?refusals=close"));
    assert_eq!((code, clean), (4403, true));
    assert!(reason.starts_with("set origins to the pages that may connect: there is a cookie"), "{reason}");
    // One that gets no slot is told as well, though the server closes the connection at once.
    let small = start(&["--connections-per-address-max", "1", "--origins", "*"]);
    let full = format!("ws://{}/ws?refusals=close", small.public);
    tab.value(&format!(
        "new Promise(done => {{ window.first = new WebSocket('{full}'); first.onopen = done }}).then(() => 0)"
    ));
    let (code, reason, clean) = end_of(&tab, &full);
    assert_eq!((code, clean), (4503, true));
    assert!(reason.contains("connections_per_address_max"), "{reason}");
    let back = opens.replace(&foreign, &own);
    assert_eq!(tab.value(&back), true, "its own page may");
}

#[test]
fn form_data_is_pushed_as_the_field_says() {
    let (daemon, chromium) = (start(&[]), Chromium::start("form-data"));
    let tab = chromium.open(&format!("http://{}/", daemon.public));
    tab.until(CONNECTED);
    let post = |fill: &str| {
        tab.value(&format!(
            "(async () => {{ const body = new FormData(); {fill}; \
             const answer = await fetch('/demo/push', {{ method: 'POST', body }}); \
             return [answer.status, await answer.text()] }})()"
        ))
    };
    let answer = post("body.append('message', 'gr\u{fc}\u{df}e & +')");
    assert_eq!(answer[0], 200, "{answer}");
    assert!(answer[1].as_str().unwrap().contains("\"taken_as\":\"form field message\""), "{answer}");
    tab.until(&shown("gr\u{fc}\u{df}e & +"));
    let answer = post("body.append('message', new Blob([new Uint8Array([0, 255, 13, 10])]))");
    assert_eq!(answer[0], 200, "{answer}");
    tab.until(&shown("4 bytes of binary data"));
    let answer = post("body.append('message', new Blob(['a text']), 'a.txt')");
    assert_eq!(answer[0], 200, "{answer}");
    for (fill, said) in [
        ("body.append('text', 'x')", "unknown form field \"text\""),
        ("body.append('message', 'a'); body.append('message', 'b')", "message is there more than once"),
        ("body.append('message', '')", "message is empty"),
        ("", "there is no form field message"),
    ] {
        let answer = post(fill);
        assert_eq!(
            (&answer[0], answer[1].as_str().unwrap().starts_with(said)),
            (&400.into(), true),
            "{answer}"
        );
    }
    let answer = push(&daemon, "text/plain", b"the last one");
    assert!(answer.contains("\"offset\":4"), "{answer}");
}

#[test]
fn the_page_fits_every_screen() {
    let (daemon, chromium) = (start(&[]), Chromium::start("screens"));
    let tab = chromium.open(&format!("http://{}/", daemon.public));
    tab.until(CONNECTED);
    tab.picture("empty", 1100, 700, "light");
    for message in ["Deployment 4127 has finished.", "The build is green again."] {
        push(&daemon, "text/plain", message.as_bytes());
        tab.until(&shown(message));
    }
    tab.click("#push input");
    tab.type_text("Lunch is ready, everyone.");
    tab.press_enter();
    tab.until(&shown("Lunch is ready, everyone."));
    tab.click(".popup button");
    tab.click(".popup button");
    tab.until("document.querySelectorAll('.popup').length === 1");
    for scheme in ["light", "dark"] {
        tab.picture(&format!("demo-{scheme}"), 960, 860, scheme);
    }
    let long = format!("No place to break: https://example.com/{}\nLines are kept.", "x".repeat(120));
    push(&daemon, "text/plain", long.as_bytes());
    tab.until(&shown(&long));
    for (name, width, height) in [("desktop", 1100, 860), ("phone", 390, 844), ("narrow", 320, 568)] {
        for scheme in ["light", "dark"] {
            tab.picture(&format!("{name}-{scheme}"), width, height, scheme);
            let fits = "document.documentElement.scrollWidth <= innerWidth";
            assert_eq!(tab.value(fits), true, "{name}: the page is wider than the screen");
        }
    }
    tab.assert_no_errors();
}
