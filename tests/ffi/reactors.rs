//! Several reactors behind a host in C and one in C++: where callbacks come from, and loops of the host's own.

use super::TOOLS;
use super::client::Client;
use super::host::{Host, root};

/// Starts it under each tool.
fn hosts(program: &str, arguments: &[&str]) -> impl Iterator<Item = Host> {
    let source = root().join("ffi-tests").join(program);
    TOOLS.iter().filter_map(move |&tool| Host::start_source(&source, tool, arguments))
}

/// Two clients for each reactor, every other one of them Ann's.
fn talk(host: &mut Host) {
    let port = host.port();
    let open =
        |n: usize| Client::open(port, if n.is_multiple_of(2) { "/ws?name=ann" } else { "/ws?name=bob" });
    let mut clients: Vec<Client> = (0..6).map(open).collect();
    for client in &mut clients {
        client.say(&["a", "b", "c"]);
    }
    for client in &mut clients {
        assert_eq!([client.text(), client.text(), client.text()], ["a 1", "b 2", "c 3"]);
    }
    host.command("to all");
    for (n, client) in clients.iter_mut().enumerate() {
        assert_eq!(client.text(), "to all");
        if n.is_multiple_of(2) {
            assert_eq!(client.text(), "for ann");
        }
    }
    host.command("report");
    assert_eq!(host.line(), "threads 3 sessions 2 2 2 closed 0");
    host.close_input();
    clients.iter_mut().for_each(|client| assert_eq!(client.until_closed(), 1001));
}

#[test]
fn callbacks_come_from_each_reactors_thread() {
    for mut host in hosts("reactors.c", &[]) {
        talk(&mut host);
        assert_eq!(host.end(), "threads 3 sessions 2 2 2 closed 6\n");
    }
}

#[test]
fn a_loop_for_each_reactor() {
    for mut host in hosts("reactors.c", &["loops"]) {
        talk(&mut host);
        assert_eq!(host.end(), "threads 3 sessions 2 2 2 closed 6\n");
    }
}

#[test]
fn one_loop_for_all_reactors() {
    for mut host in hosts("reactors.cpp", &[]) {
        let port = host.port();
        let mut clients: Vec<Client> = (0..6).map(|_| Client::open(port, "/ws")).collect();
        for client in &mut clients {
            client.say(&["hello"]);
            assert_eq!(client.text(), "hello");
        }
        host.command("to all");
        clients.iter_mut().for_each(|client| assert_eq!(client.text(), "to all"));
        host.close_input();
        clients.iter_mut().for_each(|client| assert_eq!(client.until_closed(), 1001));
        assert_eq!(host.end(), "reactors 3 on this thread 3 closed 6\n");
    }
}

#[test]
fn callbacks_in_cpp_run_at_the_same_time() {
    for mut host in hosts("reactors.cpp", &["threads"]) {
        let port = host.port();
        let mut clients: Vec<Client> = (0..3).map(|_| Client::open(port, "/ws")).collect();
        clients.iter_mut().for_each(|client| client.say(&["meet"]));
        clients.iter_mut().for_each(|client| assert_eq!(client.text(), "met"));
        clients[0].say(&["stay"]);
        clients[1].say(&["destroy"]);
        assert_eq!(host.line(), "waited");
        assert_eq!(host.end(), "destroyed 1\n");
    }
}
