//! The architecture: which room may know what.

use super::source::{code_of, line_of, words};

/// The rooms, highest first. A room imports only from those behind it.
const ROOMS: &[&str] = &[
    "wspushd",
    "wspush-bench",
    "libwspush",
    "ffi",
    "lib",
    "server",
    "cluster",
    "reactor",
    "endpoint",
    "auth",
    "push",
    "protocol",
    "tls",
    "journal",
    "config",
    "metrics",
    "error",
    "limits",
    "narrow",
    "alphabet",
    "time",
];

/// Names that only the reactor and the server may use.
const SOCKETS_AND_CLOCKS: &[&str] = &[
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "UnixStream",
    "UnixListener",
    "UnixDatagram",
    "mio",
    "socket2",
    "Instant::now",
    "SystemTime::now",
];

const SOCKET_ROOMS: &[&str] = &["wspushd", "wspush-bench", "server", "cluster", "reactor"];

/// Where unsafe code may be: the C ABI, and the calls that no crate offers.
const UNSAFE_PLACES: &[&str] =
    &["libwspush/src/", "src/reactor/sys.rs", "src/reactor/sys/", "wspush-bench/src/sys.rs"];

/// The room that a source file is in; each other member of the workspace is one.
pub fn room_of(name: &str) -> &str {
    let inner = name.strip_prefix("src/").unwrap_or(name);
    inner.split('/').next().unwrap_or(inner).trim_end_matches(".rs")
}

/// Finds imports from a room that is not below the file's own. `has` tells whether there is such a file.
pub fn imports(name: &str, text: &str, has: impl Fn(&str) -> bool) -> Vec<String> {
    let (code, room) = (code_of(text), room_of(name));
    let Some(rank) = ROOMS.iter().position(|r| *r == room) else {
        return vec![format!("{name}: put the room {room:?} into the list ROOMS of tests/tidy/rooms.rs")];
    };
    let own =
        |module: &str| has(&format!("src/{room}/{module}.rs")) || has(&format!("src/{room}/{module}/mod.rs"));
    let crate_paths = words(&code, "crate").map(|at| (at, at + "crate".len(), false));
    let super_paths = words(&code, "super").map(|at| (at, at + "super".len(), true));
    let mut findings = Vec::new();
    for (at, behind, from_super) in crate_paths.chain(super_paths) {
        for module in heads(&code[behind..]) {
            let module = if module.starts_with(char::is_uppercase) { "lib" } else { module };
            let imported = match ROOMS.iter().position(|r| *r == module) {
                // `super::x` is mostly a neighbour, whatever it is called.
                Some(_) | None if from_super && (module == "lib" || own(module)) => continue,
                Some(imported) => imported,
                None => continue,
            };
            // An item that lib.rs defines for all, a macro say, has no room; what it re-exports belongs to one.
            if ROOMS[imported] != room && imported <= rank && room != "lib" {
                findings.push(format!(
                    "{name}:{}: {room} imports from {module}, which is not below it (docs/ARCHITECTURE.md): \
                     pass what it needs as an argument, or move it down",
                    line_of(&code, at)
                ));
            }
        }
    }
    findings
}

/// The first names of what follows `crate` or `super`: one, or those of a list in braces.
fn heads(rest: &str) -> Vec<&str> {
    let Some(rest) = rest.trim_start().strip_prefix("::") else { return Vec::new() };
    let rest = rest.trim_start();
    let name = |text| {
        let text: &str = str::trim_start(text);
        &text[..text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len())]
    };
    let Some(list) = rest.strip_prefix('{') else { return vec![name(rest)] };
    let (mut names, mut depth) = (vec![name(list)], 0);
    for (at, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => names.push(name(&list[at + 1..])),
            _ => {}
        }
    }
    names
}

/// Finds sockets and clocks in rooms that get bytes and time as arguments.
pub fn sockets_and_clocks(name: &str, text: &str) -> Vec<String> {
    if SOCKET_ROOMS.contains(&room_of(name)) {
        return Vec::new();
    }
    let code = code_of(text);
    let named = |what: &&'static str| words(&code, what).next().map(|at| (*what, line_of(&code, at)));
    let finding = |(what, line)| {
        format!(
            "{name}:{line}: {what} belongs into reactor or server: let bytes and time come in as arguments"
        )
    };
    SOCKETS_AND_CLOCKS.iter().filter_map(named).map(finding).collect()
}

/// Finds unsafe code outside its places.
pub fn unsafe_code(name: &str, text: &str) -> Vec<String> {
    if UNSAFE_PLACES.iter().any(|place| name.starts_with(place)) {
        return Vec::new();
    }
    let code = code_of(text);
    let finding = |at| format!("{name}:{}: unsafe belongs into one of {UNSAFE_PLACES:?}", line_of(&code, at));
    words(&code, "unsafe").map(finding).collect()
}

#[cfg(test)]
fn lines(findings: &[String]) -> Vec<&str> {
    findings.iter().map(|finding| finding.split(": ").next().unwrap()).collect()
}

#[test]
fn an_import_from_above_is_found() {
    let none = |_: &str| false;
    let text = "use crate::protocol::head;\nuse crate::reactor::Reactor;\n// use crate::server::X;\n\
                use crate::{config::Config, endpoint::{a, b}, server};\nfn f(x: crate::server::Handle) {}\n\
                use super::super::reactor::Y;\nuse crate::Server;";
    let found = imports("src/push/log.rs", text, none);
    let at = |line| format!("src/push/log.rs:{line}");
    assert_eq!(lines(&found), [at(2), at(4), at(4), at(5), at(7), at(6)], "{found:#?}");
    assert_eq!(imports("src/reactor/flush.rs", "use crate::{push::Log, config};", none), [""; 0]);
    assert_eq!(imports("libwspush/src/lib.rs", "use wspush::{Server, Config};", none), [""; 0]);
    let own = |name: &str| name == "src/config/error.rs";
    assert_eq!(imports("src/config/file.rs", "use super::error::Problem;", own), [""; 0]);
    assert_eq!(lines(&imports("src/limits.rs", "use super::journal::J;", none)), ["src/limits.rs:1"]);
    assert!(imports("src/attic/x.rs", "", none)[0].contains("ROOMS"));
}

#[test]
fn a_socket_and_a_clock_are_found() {
    let text =
        "use std::net::SocketAddr;\n// TcpStream\nlet s = TcpStream::connect(a);\nlet t = Instant::now();";
    let found = sockets_and_clocks("src/push/log.rs", text);
    assert_eq!(lines(&found), ["src/push/log.rs:3", "src/push/log.rs:4"]);
    assert_eq!(sockets_and_clocks("src/reactor/socket.rs", text), [""; 0]);
    assert_eq!(sockets_and_clocks("wspush-bench/src/conn.rs", text), [""; 0]);
}

#[test]
fn unsafe_code_is_found() {
    let text = "#![forbid(unsafe_code)]\n// unsafe\nlet x = unsafe { y };";
    assert_eq!(lines(&unsafe_code("src/push/log.rs", text)), ["src/push/log.rs:3"]);
    assert_eq!(unsafe_code("libwspush/src/lib.rs", text), [""; 0]);
}
