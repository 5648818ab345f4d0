//! The dashboard in a real browser: it shows the server at work, and does what its key may.

use super::chromium::Chromium;
use crate::daemon::{Daemon, WebSocket};

/// "foo", and its SHA-256.
const READER: &str =
    "watch sha256=2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae allow=read";

fn text_of(id: &str) -> String {
    format!("document.getElementById('{id}').textContent")
}

fn says(id: &str, part: &str) -> String {
    format!("{}.includes({})", text_of(id), serde_json::to_string(part).unwrap())
}

#[test]
fn the_dashboard_shows_the_server_and_pushes() {
    let (daemon, chromium) = (Daemon::start(&[]), Chromium::start("dashboard"));
    let mut clients: Vec<_> =
        (0..3).map(|_| WebSocket::open_at(&daemon, "/ws?channel=public.news")).collect();
    let tab = chromium.open(&format!("http://{}/", daemon.admin()));
    tab.until(&says("state", "serving"));
    tab.until("document.querySelector('.tile b').textContent === '3'");
    tab.until("document.querySelectorAll('#connections tr').length === 4");
    tab.until(&says("channels", "public.news"));
    assert_eq!(tab.value("document.getElementById('door').hidden"), true);

    tab.click("#message");
    tab.type_text("hello <b>all</b>");
    tab.press_enter();
    tab.until(&says("push-said", "offset 1: 3 of 3 written"));
    for client in &mut clients {
        assert_eq!(client.text(), "hello <b>all</b>");
    }
    // Every number a second is drawn, and the names of channels stay text.
    tab.until(
        "[...document.querySelectorAll('.tile path')].every((path) => path.getAttribute('d')?.includes('L'))",
    );
    tab.until(
        "[...document.querySelectorAll('.tile')].every((tile) => tile.querySelector('b').textContent !== '')",
    );

    let id = daemon.id_of(&clients[1]);
    tab.click("#conn");
    tab.type_text(&id);
    tab.press_enter();
    tab.until(&says("one", &id));
    tab.value("scrollTo(0, 0)");
    tab.picture("dashboard-light", 1280, 900, "light");
    tab.picture("dashboard-dark", 1280, 900, "dark");
    tab.picture("dashboard-phone", 390, 844, "light");
    assert_eq!(
        tab.value("document.documentElement.scrollWidth <= innerWidth"),
        true,
        "on a phone nothing hangs over"
    );
    tab.click("#one button");
    tab.until(&says("connections-said", &format!("{id} is told to go")));
    assert_eq!(crate::wire::close_of(&clients[1].frame()).0, 1008);
    tab.assert_no_errors();
    drop(clients);
}

#[test]
fn with_a_key_it_does_what_that_may_and_no_more() {
    let daemon = Daemon::start(&["--api-key", READER]);
    let chromium = Chromium::start("dashboard-key");
    let tab = chromium.open(&format!("http://{}/", daemon.admin()));
    tab.until(&says("state", "locked"));
    tab.click("#token");
    tab.type_text("nonsense");
    tab.press_enter();
    tab.until(&says("key-said", "api_key"));
    tab.value("document.getElementById('token').value = ''");
    tab.click("#token");
    tab.type_text("foo");
    tab.press_enter();
    tab.until(&says("state", "serving"));
    tab.click("#message");
    tab.type_text("hello");
    tab.press_enter();
    tab.until(&says("push-said", "the key watch does not allow this"));
    assert_eq!(
        daemon.ask("GET", "/stats", &[("Authorization", "Bearer foo")], b"").json()["counters"]["publications"],
        0
    );
    // The page alone tells a stranger nothing.
    let page = daemon.ask("GET", "/", &[], b"");
    assert!(
        page.status == 200 && page.header("content-security-policy").unwrap().contains("default-src 'none'")
    );
    assert!(!page.text().contains("watch sha256"));
}

#[test]
fn a_server_is_drained_by_who_may() {
    let boss =
        "boss sha256=fcde2b2edba56bf408601fb721fe9b5c338d10ee429ea04fae5511b68fbf8fb9 allow=disconnect";
    let mut daemon = Daemon::start(&["--api-key", &format!("{READER},{boss}")]);
    let status =
        |line: (&str, &str), key: &str| daemon.ask(line.0, line.1, &[("Authorization", key)], b"").status;
    assert_eq!(status(("POST", "/drain"), "Bearer foo"), 403);
    assert_eq!(status(("POST", "/drain?now=1"), "Bearer bar"), 400);
    assert_eq!(status(("POST", "/drain"), "Bearer bar"), 200);
    assert!(daemon.wait_exit().success());
}

/// How many parts of the server have a plot that shows something.
fn plotted(name: &str) -> String {
    let own = format!("tile.querySelector('h2').textContent.startsWith('{name}')");
    let drawn = "tile.querySelector('path')?.getAttribute('d').includes('L')";
    format!("[...document.querySelectorAll('#parts .tile')].filter((tile) => {own} && {drawn}).length")
}

#[test]
fn each_reactor_has_a_plot() {
    let (daemon, chromium) = (Daemon::start(&["--reactors", "3"]), Chromium::start("dashboard-reactors"));
    let clients: Vec<_> = (0..3).map(|_| WebSocket::open(&daemon)).collect();
    let tab = chromium.open(&format!("http://{}/", daemon.admin()));
    tab.until(&format!("{} === 3", plotted("Reactor ")));
    tab.until("[...document.querySelectorAll('#parts p')].every((p) => p.textContent === '1 connection')");
    assert_eq!(tab.value("document.getElementById('pieces').hidden"), false);
    // Ours and the kernel's, one upon the other, and each transport's connections.
    tab.until("document.querySelectorAll('#tiles .tile:last-child path').length === 2");
    tab.until("document.querySelectorAll('#tiles .tile:first-child path').length === 4");
    tab.until("document.querySelector('#tiles .tile:last-child p').textContent.includes(\"the kernel's\")");
    tab.picture("dashboard-reactors", 1280, 900, "light");
    tab.assert_no_errors();
    drop(clients);
}

#[cfg(feature = "cluster")]
#[test]
fn each_node_has_a_plot_and_one_that_has_gone_has_none() {
    let redis = crate::daemon::redis::Redis::start(&[]);
    let url = redis.url();
    let node = |name: &str| Daemon::start(&["--cluster", &url, "--node", name]);
    let (a, mut b) = (node("a"), node("b"));
    let chromium = Chromium::start("dashboard-nodes");
    let tab = chromium.open(&format!("http://{}/", a.admin()));
    tab.until(&format!("{} === 2", plotted("Node ")));
    b.signal("TERM");
    assert!(b.wait_exit().success());
    tab.until("document.querySelectorAll('#parts .tile').length === 1");
    tab.assert_no_errors();
}
