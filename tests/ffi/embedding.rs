//! The documentation shows what works: the server in 40 lines, the examples, the manual page; and what a
//! call costs.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;

use super::client::{Client, TEXT};
use super::host::{Host, Tool, build_dir, root};

/// The program of docs/embedding.md.
fn program() -> String {
    let text = fs::read_to_string(root().join("docs/embedding.md")).unwrap();
    let (_, rest) = text.split_once("```c\n").unwrap();
    rest.split_once("```").unwrap().0.to_owned()
}

/// The same in a file.
pub(crate) fn program_source() -> PathBuf {
    let source = build_dir().join("server.c");
    fs::write(&source, program()).unwrap();
    source
}

/// It prints its address, everybody hears what anybody says, and lines of its input.
pub(crate) fn check_program(host: &mut Host) {
    let line = host.line();
    let port = line.strip_prefix("ws://127.0.0.1:").and_then(|rest| rest.strip_suffix("/ws"));
    let port = port.unwrap_or_else(|| panic!("{line}")).parse().unwrap();
    let (mut one, mut two) = (Client::open(port, "/ws"), Client::open(port, "/ws"));
    one.send(TEXT, b"hello");
    assert_eq!((one.text(), two.text()), ("hello".to_owned(), "hello".to_owned()));
    host.command("news");
    assert_eq!((one.text(), two.text()), ("news".to_owned(), "news".to_owned()));
    host.close_input();
    assert_eq!((one.until_closed(), two.until_closed()), (1001, 1001));
    drop((one, two));
    assert_eq!(host.end(), "");
}

#[test]
fn the_server_in_40_lines() {
    assert!(program().lines().count() <= 40);
    let source = program_source();
    for tool in [Tool::Sanitizers, Tool::Valgrind] {
        if let Some(mut host) = Host::start_source(&source, tool, &["127.0.0.1:0"]) {
            check_program(&mut host);
        }
    }
}

#[test]
fn the_manual_page_names_every_function_and_shows_the_same_program() {
    let page = fs::read_to_string(root().join("docs/man/wspush.3")).unwrap();
    let exports = fs::read_to_string(root().join("ffi-tests/exports.txt")).unwrap();
    for name in exports.lines() {
        assert!(page.contains(&format!(".Fn {name} ")), "{name} is not in wspush.3");
    }
    assert!(page.contains(&program().replace('\\', "\\e")));
    let header = fs::read_to_string(root().join("include/wspush.h")).unwrap();
    for line in header.lines().filter_map(|line| line.strip_prefix("#define WSPUSH_E")) {
        let name = line.split(' ').next().unwrap();
        assert!(page.contains(&format!("WSPUSH_E{name}")), "WSPUSH_E{name} is not in wspush.3");
    }
}

#[test]
fn a_form_posts_and_everyone_gets_it() {
    for source in ["examples/c/notify.c", "examples/cpp/notify.cpp"] {
        let source = root().join(source);
        let Some(mut host) = Host::start_source(&source, Tool::Sanitizers, &["0", "127.0.0.1:0"]) else {
            continue;
        };
        let line = host.line();
        let ports: Vec<u16> =
            line.split(":").filter_map(|part| part.split([',', '/']).next()?.parse().ok()).collect();
        let [form, push] = ports[..] else { panic!("{line}") };
        let ask = |request: String| {
            let mut stream = TcpStream::connect(("127.0.0.1", form)).unwrap();
            stream.write_all(request.as_bytes()).unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            answer
        };
        let page = ask("GET / HTTP/1.1\r\nHost: h\r\n\r\n".to_owned());
        assert!(
            page.starts_with("HTTP/1.1 200") && page.contains(&format!("ws://127.0.0.1:{push}/ws")),
            "{page}"
        );
        let mut clients: Vec<Client> = (0..3).map(|_| Client::open(push, "/ws")).collect();
        let body = "message=Caf%C3%A9+%26+tea";
        let answer =
            ask(format!("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n{body}", body.len()));
        assert!(answer.starts_with("HTTP/1.1 303"), "{answer}");
        for client in &mut clients {
            assert_eq!(client.text(), "Café & tea");
        }
    }
}

/// Ten browsers see each value of a sensor, from a program that was compiled for this tool.
fn shows_a_sensor(tool: Tool) {
    let source = root().join("examples/c/sensor.c");
    let value = build_dir().join(format!("sensor_{tool:?}"));
    fs::write(&value, "20500\n").unwrap();
    let arguments = [value.to_str().unwrap(), "127.0.0.1:0", "10"];
    let Some(mut host) = Host::start_source(&source, tool, &arguments) else { return };
    let line = host.line();
    let port = line.rsplit(':').next().and_then(|port| port.parse().ok()).unwrap_or_else(|| panic!("{line}"));
    let mut browsers: Vec<Client> = (0..10).map(|_| Client::open(port, "/ws?since=latest")).collect();
    for browser in &mut browsers {
        assert_eq!(browser.text(), "20500");
    }
    // In one step, so that half of it is never read.
    let next = value.with_extension("next");
    fs::write(&next, "21000\n").unwrap();
    fs::rename(&next, &value).unwrap();
    for browser in &mut browsers {
        assert_eq!(browser.text(), "21000");
    }
    drop(browsers);
    host.terminate();
    assert_eq!(host.end(), "");
}

#[test]
fn a_devices_own_daemon_shows_a_sensor_to_ten_browsers() {
    for tool in [Tool::Sanitizers, Tool::Archive] {
        shows_a_sensor(tool);
    }
}

#[test]
fn a_broadcast_allocates_once() {
    let Some(mut host) = Host::start("cost.c", Tool::Plain) else { return };
    let end = host.end();
    let allocations = end
        .split_whitespace()
        .find_map(|word| word.parse::<f64>().ok().filter(|n| n.fract() != 0.0 || *n == 1.0));
    // One for the frame; the inbox's buffers grow a few times in the beginning.
    assert!(allocations.is_some_and(|n| (1.0..1.02).contains(&n)), "{end}");
}

/// `./test endurance`, or `cargo test --release -p libwspush --test it -- --ignored churn_leaves_no_memory`.
#[test]
#[ignore = "takes half a minute and 20,000 descriptors"]
fn churn_leaves_no_memory_behind() {
    let Some(mut host) = Host::start("churn.c", Tool::Plain) else { return };
    eprint!("{}", host.end());
}
