//! The report's page in a real browser, on a phone and in a window. Pictures of it are left in target/browser.
// A failed unwrap is a failed test.
#![allow(clippy::unwrap_used)]

#[allow(dead_code)] // The daemon's tests use the rest of it.
#[path = "../../tests/browser/chromium.rs"]
mod chromium;
mod load;

use chromium::Chromium;
use load::{Fault, Outcome, run, serve};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread;

/// The page of a campaign with every plot, long values and findings.
fn page() -> String {
    let server = serve(Fault::Duplicate);
    let (pid, url) = (std::process::id().to_string(), format!("{}?channel={}", server.url, "x".repeat(60)));
    let mut args =
        vec!["--url", &url, "--push", &server.push, "-n", "20", "--duration", "1s", "--churn", "5"];
    args.extend(["--interval", "30ms", "--size", "40", "--server-pid", &pid]);
    let Outcome { status, page, text, .. } = run("soak", &args, None);
    assert_eq!(status, 1, "{text}");
    page
}

/// Answers every request with the page.
fn at_an_address(page: String) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let length = page.len();
    let answer =
        format!("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {length}\r\n\r\n{page}");
    let answer = Arc::new(answer);
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let answer = Arc::clone(&answer);
            // A browser connects in advance, and may ask for nothing there.
            thread::spawn(move || {
                while stream.read(&mut [0; 4096]).is_ok_and(|size| size > 0) {
                    let _ = stream.write_all(answer.as_bytes());
                }
            });
        }
    });
    address
}

#[test]
fn the_page_is_readable_on_a_phone_and_loads_nothing() {
    let address = at_an_address(page());
    let chromium = Chromium::start("bench-page");
    let tab = chromium.open(&format!("http://{address}/"));
    for (name, width, height) in [("narrow", 320, 568), ("phone", 390, 844), ("window", 1200, 900)] {
        for scheme in ["light", "dark"] {
            tab.picture(&format!("bench-{name}-{scheme}"), width, height, scheme);
            let fits = "document.documentElement.scrollWidth <= innerWidth";
            assert_eq!(tab.value(fits), true, "{name}: the page is wider than the screen");
            // Of each plot one is shown, with text that is not smaller than the page's small print.
            let shown =
                "[...document.querySelectorAll('svg')].filter(svg => svg.getBoundingClientRect().width > 0)";
            assert_eq!(tab.value(&format!("{shown}.length")), 3, "{name}");
            let scales = format!("{shown}.map(svg => svg.getScreenCTM().a).every(scale => scale > 0.8)");
            assert_eq!(tab.value(&scales), true, "{name}: the plots are too small to be read");
            // Colours follow the scheme.
            let is_dark = "parseInt(getComputedStyle(document.body).backgroundColor.split('(')[1]) < 64";
            assert_eq!(tab.value(is_dark), scheme == "dark", "{name}");
        }
    }
    let loaded = "performance.getEntriesByType('resource').map(entry => entry.name).join()";
    assert_eq!(tab.value(loaded), "", "the page loads something");
    tab.assert_no_errors();
}
