//! A host that is started again takes over from the one that runs: in C with a thread of the server's own, in C++ with
//! one loop for two reactors.

use std::path::PathBuf;

use super::client::Client;
use super::host::{Host, Tool, root};

/// Valgrind would be slower than a running server waits for its successor.
const TOOLS: [Tool; 1] = [Tool::Sanitizers];

/// The socket of a hand-over, in a folder that goes with it.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Place {
        let folder = std::env::temp_dir().join(format!("wspush-handed-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        Place(folder)
    }

    fn setting(&self) -> String {
        format!("unix:{}", self.0.join("handover.sock").display())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn what_a_host_in_c_kept_is_set_anew() {
    for tool in TOOLS {
        let (place, source) = (Place::new(&format!("c-{tool:?}")), root().join("ffi-tests/handed.c"));
        let at = place.setting();
        let Some(mut first) = Host::start_source(&source, tool, &[&at, "one"]) else { continue };
        let port = first.port();
        let mut clients: Vec<Client> = (0..3).map(|_| Client::open(port, "/ws")).collect();
        for client in &mut clients {
            client.say(&["who?"]);
            assert_eq!(client.text(), "opened by one");
        }
        first.command("from one");
        clients.iter_mut().for_each(|client| assert_eq!(client.text(), "from one"));
        let mut second = Host::start_source(&source, tool, &[&at, "two"]).unwrap();
        assert_eq!((second.line(), second.port()), ("handed 3".to_owned(), port));
        // The former host ends by itself; its pointers were freed, and it heard of no end.
        first.close_input();
        assert_eq!(first.end(), "opened 3 taken 0 closed 0 freed 3\n");
        clients.push(Client::open(port, "/ws"));
        for (n, client) in clients.iter_mut().enumerate() {
            client.say(&["who?"]);
            assert_eq!(client.text(), if n < 3 { "taken over by two" } else { "opened by two" });
        }
        second.command("from two");
        clients.iter_mut().for_each(|client| assert_eq!(client.text(), "from two"));
        second.close_input();
        clients.iter_mut().for_each(|client| assert_eq!(client.until_closed(), 1001));
        assert_eq!(second.end(), "opened 1 taken 3 closed 4 freed 4\n");
    }
}

#[test]
fn one_loop_of_a_host_in_cpp_hands_over_two_reactors_and_a_route() {
    for tool in TOOLS {
        let (place, source) = (Place::new(&format!("cpp-{tool:?}")), root().join("ffi-tests/handed.cpp"));
        let at = place.setting();
        let Some(mut first) = Host::start_source(&source, tool, &[&at, "one"]) else { continue };
        let port = first.port();
        let mut rooms: Vec<Client> = (0..4).map(|n| Client::open(port, &format!("/room/{n}"))).collect();
        let mut others: Vec<Client> = (0..2).map(|_| Client::open(port, "/ws")).collect();
        for client in &mut rooms {
            assert_eq!(client.text(), "opened by one");
        }
        for client in &mut others {
            client.say(&["there"]);
            assert_eq!(client.text(), "there");
        }
        let mut second = Host::start_source(&source, tool, &[&at, "two", "another"]).unwrap();
        assert_eq!((second.line(), second.port()), ("handed 6".to_owned(), port));
        for client in &mut rooms {
            assert_eq!(client.text(), "taken over by two");
            client.say(&["hello"]);
            assert_eq!(client.text(), "two: hello");
        }
        first.close_input();
        assert_eq!(first.end(), "opened 4 taken 0 and 0 closed 0\n");
        second.command("to all");
        rooms.iter_mut().chain(&mut others).for_each(|client| assert_eq!(client.text(), "to all"));
        second.close_input();
        rooms.iter_mut().chain(&mut others).for_each(|client| assert_eq!(client.until_closed(), 1001));
        assert_eq!(second.end(), "opened 0 taken 4 and 2 closed 4\n");
    }
}
