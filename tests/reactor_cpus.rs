//! Reactors on CPUs of their own.

use std::collections::BTreeMap;
use std::fs;
use std::thread;

use wspush::reactor::sys::cpus::Cpus;

use crate::daemon::{self, Daemon, WebSocket};

/// Two CPUs that this process may use; one twice, if it is the only one.
fn two_cpus() -> (usize, usize) {
    let all: Vec<usize> = Cpus::of_this_thread().unwrap().iter().collect();
    (all[0], all[all.len() - 1])
}

/// The CPUs that each of a process's threads may use, by the thread's name; the first one is `main`.
fn threads(pid: u32) -> BTreeMap<String, String> {
    let of = |task: std::io::Result<fs::DirEntry>| {
        let read = |file: &str| fs::read_to_string(task.as_ref().ok()?.path().join(file)).ok();
        let status = read("status")?;
        let cpus = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?;
        let is_first = task.as_ref().ok()?.file_name().to_str() == Some(&pid.to_string());
        let name = if is_first { "main".to_owned() } else { read("comm")?.trim().to_owned() };
        Some((name, cpus.trim().to_owned()))
    };
    fs::read_dir(format!("/proc/{pid}/task")).unwrap().filter_map(of).collect()
}

fn reactor_of(daemon: &Daemon, client: &WebSocket) -> u64 {
    daemon.id_of(client).parse::<u64>().expect("an id") >> 58
}

#[test]
fn each_reactor_stays_on_its_cpu() {
    let (first, last) = two_cpus();
    let cpus = format!("{last},{first}");
    let daemon = Daemon::start(&["--reactors", "2", "--reactor-cpus", &cpus]);
    daemon::wait("each where it is to be", || {
        let threads = threads(daemon.pid());
        threads.get("main") == Some(&last.to_string()) && threads.get("reactor-1") == Some(&first.to_string())
    });
    let mut clients: Vec<WebSocket> = (0..4).map(|_| WebSocket::open(&daemon)).collect();
    daemon.wait_connections(4);
    daemon.push("hello");
    clients.iter_mut().for_each(|client| assert_eq!(client.text(), "hello"));
}

#[test]
fn without_the_setting_they_run_anywhere() {
    let daemon = Daemon::start(&["--reactors", "2"]);
    let all = Cpus::of_this_thread().unwrap().to_string();
    daemon::wait("the second one", || threads(daemon.pid()).contains_key("reactor-1"));
    assert!(threads(daemon.pid()).values().all(|cpus| *cpus == all));
}

/// A thread that a reactor makes is not at the reactor's work.
#[cfg(feature = "backend")]
#[test]
fn helpers_are_not_on_a_reactors_cpu() {
    let (first, _) = two_cpus();
    let all = Cpus::of_this_thread().unwrap().to_string();
    let backend = daemon::backend::Backend::start(|_| Vec::new());
    let url = backend.url();
    let daemon =
        Daemon::start(&["--reactor-cpus", &first.to_string(), "--webhook-url", &url, "--channels", "*"]);
    let _client = WebSocket::open_at(&daemon, "/ws?channel=a");
    daemon::wait("the thread that tells the backend", || {
        let threads = threads(daemon.pid());
        threads.get("webhook") == Some(&all) && threads.get("main") == Some(&first.to_string())
    });
}

#[test]
fn a_cpu_that_is_not_there_is_named() {
    let (first, _) = two_cpus();
    let all = Cpus::of_this_thread().unwrap();
    let missing = format!("{first},1023");
    let named = format!("CPU 1023 is none of those that this process may use, which are {all}");
    for (flags, expected) in [
        (&["--reactors", "2", "--reactor-cpus", &missing][..], named.as_str()),
        (&["--reactors", "2", "--reactor-cpus", &missing, "--check"], &named),
        (&["--reactor-cpus", "x"], "\"x\" is no CPU's number: they are 0 to 1023"),
        (&["--reactors", "3", "--reactor-cpus", "0,1"], "there are 2 for 3 reactors; name one for each"),
        (&["--reactors", "2", "--reactor-incoming-cpu"], "reactor_cpus has to say"),
    ] {
        let (status, said) = Daemon::refused(flags);
        assert!(!status.success() && said.contains(expected), "{flags:?}: {said}");
        assert!(said.contains("reactor"), "{said}");
    }
}

#[test]
fn a_file_may_have_them_as_numbers() {
    let (first, last) = two_cpus();
    let file = std::env::temp_dir().join(format!("wspush-cpus-{}.toml", std::process::id()));
    let text = format!("reactors = 2\nreactor_cpus = [{first}, \"{last}\"]\nreactor_incoming_cpu = true\n");
    fs::write(&file, text).unwrap();
    let daemon = Daemon::start(&["--config", file.to_str().unwrap()]);
    daemon::wait("the second one where it is to be", || {
        threads(daemon.pid()).get("reactor-1") == Some(&last.to_string())
    });
    fs::remove_file(file).unwrap();
}

/// A client on a CPU comes to the reactor there, as long as that has hardly more than another.
#[test]
fn newcomers_come_to_where_their_packets_come_in() {
    let (first, last) = two_cpus();
    if first == last {
        eprintln!("SKIPPED: newcomers come to where their packets come in: there is one CPU");
        return;
    }
    let cpus = format!("{first},{last}");
    let daemon = Daemon::start(&["--reactors", "2", "--reactor-cpus", &cpus, "--reactor-incoming-cpu"]);
    let mut clients: Vec<WebSocket> = Vec::new();
    // By then each may have several more than the other, and those of the operator don't matter.
    while clients.len() < 160 {
        let near = clients.len() % 2;
        clients.push(thread::scope(|scope| {
            let open = scope.spawn(|| {
                Cpus::only([first, last][near]).run_here().unwrap();
                WebSocket::open(&daemon)
            });
            open.join().unwrap()
        }));
    }
    daemon.wait_connections(160);
    for (n, client) in clients.iter().enumerate().skip(128) {
        assert_eq!(reactor_of(&daemon, client), n as u64 % 2, "{n}.");
    }
}
