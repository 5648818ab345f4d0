//! The demo page in a real browser: what is pushed is seen in every tab.
//!
//! Pictures of it are left in target/browser for whoever wants to look.
#![allow(clippy::unwrap_used)]

mod browser {
    pub mod chromium;
    pub mod daemon;
}

use browser::chromium::{Chromium, Tab};
use browser::daemon::Daemon;

const CONNECTED: &str = "document.getElementById('state').textContent === 'connected'";

/// Whether the newest line of the feed and a pop-up say `text`, and nothing but text is there.
fn shown(text: &str) -> String {
    let text = serde_json::to_string(text).unwrap();
    format!(
        "document.querySelector('#feed li span')?.textContent === {text} \
         && [...document.querySelectorAll('.popup p')].at(-1)?.textContent === {text}"
    )
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
    let (daemon, chromium) = (Daemon::start(), Chromium::start("push"));
    let tabs = two_tabs(&chromium, &daemon);

    // As `curl -d hello 127.0.0.1:8081/push` sends it.
    let answer = daemon.push("application/x-www-form-urlencoded", b"hello");
    assert!(answer.contains("\"recipients\":2"), "{answer}");
    for tab in &tabs {
        tab.until(&shown("hello"));
        let corner = "(() => { const box = document.querySelector('.popup').getBoundingClientRect(); \
                      return innerWidth - box.right < 40 && innerHeight - box.bottom < 40 && box.height > 30 })()";
        assert_eq!(tab.value(corner), true, "the pop-up is in the corner");
    }

    daemon.push("application/octet-stream", &[0, 1, 2]);
    tabs[1].until(&shown("3 bytes of binary data"));
    for tab in &tabs {
        tab.until("document.querySelectorAll('.popup').length === 0");
        tab.assert_no_errors();
    }
}

#[test]
fn the_form_pushes_to_every_tab() {
    let (daemon, chromium) = (Daemon::start(), Chromium::start("form"));
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
    let (daemon, chromium) = (Daemon::start(), Chromium::start("hostile"));
    let tabs = two_tabs(&chromium, &daemon);
    for hostile in [
        "<script>window.taken = true</script>",
        "<img src=x onerror='window.taken = true'>",
        "</span><svg onload=alert(1)>",
        "\u{202e}javascript:alert(1)\u{0}",
    ] {
        daemon.push("text/plain", hostile.as_bytes());
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
    let (daemon, chromium) = (Daemon::start(), Chromium::start("restart"));
    let tabs = two_tabs(&chromium, &daemon);
    daemon.push("text/plain", b"before");
    for tab in &tabs {
        tab.until(&shown("before"));
    }

    let down = daemon.stop();
    for tab in &tabs {
        tab.until("document.getElementById('state').className === 'closed'");
    }
    tabs[0].click("#push input");
    tabs[0].type_text("into the void");
    tabs[0].press_enter();
    tabs[0].until("document.getElementById('answer').className === 'wrong'");

    let daemon = down.start_again();
    for tab in &tabs {
        tab.until(CONNECTED);
    }
    daemon.push("text/plain", b"after");
    for tab in &tabs {
        tab.until(&shown("after"));
        assert_eq!(tab.value("document.querySelectorAll('#feed li').length"), 2, "the feed is kept");
    }
}

#[test]
fn the_page_fits_every_screen() {
    let (daemon, chromium) = (Daemon::start(), Chromium::start("screens"));
    let tab = chromium.open(&format!("http://{}/", daemon.public));
    tab.until(CONNECTED);
    tab.picture("empty", 1100, 700, "light");
    for message in ["Deployment 4127 has finished.", "The build is green again."] {
        daemon.push("text/plain", message.as_bytes());
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
        tab.picture(&format!("demo-{scheme}"), 960, 680, scheme);
    }
    let long = format!("No place to break: https://example.com/{}\nLines are kept.", "x".repeat(120));
    daemon.push("text/plain", long.as_bytes());
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
