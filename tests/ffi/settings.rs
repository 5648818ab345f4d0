//! Hosts whose settings come from here: heartbeats, urgent channels, paces, and the CPUs of reactors, as clients see
//! them and the kernel.

use std::fs;
use std::path::PathBuf;
use std::sync::OnceLock;

use super::client::Client;
use super::host::{Host, Tool, compile, root};
use crate::java;

const PING: u8 = 9;
const PONG: u8 = 10;

/// The programs in C and C++, compiled once for all tests.
fn programs() -> &'static [PathBuf] {
    static PROGRAMS: OnceLock<Vec<PathBuf>> = OnceLock::new();
    let source = |name| root().join("ffi-tests").join(name);
    let compiled = || {
        let sources = ["settings.c", "settings.cpp"].map(source);
        sources.iter().filter_map(|source| compile(source, Tool::Sanitizers)).collect()
    };
    PROGRAMS.get_or_init(compiled)
}

/// Hosts in C, C++ and Java with these settings.
pub(super) fn hosts<'a>(settings: &'a [&'a str]) -> impl Iterator<Item = Host> + 'a {
    let start = move |program: &PathBuf| Host::start_program(program, Tool::Sanitizers, settings);
    // Each of them is started when it is its turn, that in Java as well.
    let in_java = std::iter::once_with(move || java::talking("SettingsHost", settings)).flatten();
    programs().iter().filter_map(start).chain(in_java)
}

#[test]
fn heartbeats_are_what_was_set() {
    for mut host in hosts(&["heartbeat=pong", "heartbeat_ms=100", "pong_wait_ms=100"]) {
        let mut client = Client::open(host.port(), "/ws");
        // Nobody has asked for them, and nobody has to answer.
        (0..4).for_each(|_| assert_eq!(client.frame(), (PONG, Vec::new())));
        host.end();
    }
    for mut host in hosts(&["heartbeat_ms=100", "pong_wait_ms=100000"]) {
        let mut client = Client::open(host.port(), "/ws");
        for _ in 0..3 {
            assert_eq!(client.frame(), (PING, Vec::new()));
            client.send(PONG, b"");
        }
        host.end();
    }
}

/// One that answers is asked less often, after 100, 200, 400, 800 and 1600 ms.
#[test]
fn the_time_between_heartbeats_grows() {
    let often = ["heartbeat_ms=100", "pong_wait_ms=100000"];
    let seldom = ["heartbeat_ms=100", "pong_wait_ms=100000", "heartbeat_max_ms=3600000"];
    for (mut usual, mut adaptive) in hosts(&often).zip(hosts(&seldom)) {
        let (mut quick, mut slow) = (Client::open(usual.port(), "/ws"), Client::open(adaptive.port(), "/ws"));
        let asked = std::thread::spawn(move || {
            (0..5).for_each(|_| {
                assert_eq!(slow.frame(), (PING, Vec::new()));
                slow.send(PONG, b"");
            });
        });
        let mut pings = 0;
        while !asked.is_finished() {
            assert_eq!(quick.frame(), (PING, Vec::new()));
            quick.send(PONG, b"");
            pings += 1;
        }
        asked.join().unwrap();
        // Meanwhile the other one could be asked thirty times.
        assert!(pings >= 8, "{pings}");
        usual.end();
        adaptive.end();
    }
}

#[test]
fn an_urgent_channel_comes_first_at_each_reactor() {
    let rules = "channel_rule=urgent priority=high";
    for mut host in hosts(&["channels=*", rules, "reactors=2"]) {
        let port = host.port();
        let open = |_| Client::open(port, "/ws?broadcast=no&channel=later&channel=urgent");
        let mut clients: Vec<Client> = (0..4).map(open).collect();
        host.command("both");
        assert_eq!(host.line(), "both");
        for client in &mut clients {
            assert_eq!([client.text(), client.text()], ["1", "2"]);
        }
        host.end();
    }
}

#[test]
fn a_pace_holds_for_all_reactors_together() {
    for mut host in hosts(&["reactors=2"]) {
        let port = host.port();
        let mut clients: Vec<Client> = (0..40).map(|_| Client::open(port, "/ws")).collect();
        host.command("slowly");
        assert_eq!(host.line(), "slowly");
        let mut told = Vec::new();
        while told.first() != Some(&40) {
            host.command("delivery");
            told = host.line().split(' ').map(|count| count.parse::<u32>().unwrap()).collect();
        }
        assert!(told[1] < 40 && told[1] + told[2] == 40, "{told:?}");
        // The next one ends it.
        host.command("at once");
        for client in &mut clients {
            assert_eq!([client.text(), client.text()], ["slowly", "at once"]);
        }
        while told[2] > 0 {
            host.command("delivery");
            told = host.line().split(' ').map(|count| count.parse::<u32>().unwrap()).collect();
        }
        assert_eq!(told, [40, 40, 0]);
        host.end();
    }
}

/// The host that subscribes somebody hears at once that there can't be such a channel.
#[test]
fn whoever_subscribes_hears_that_there_are_too_many_channels() {
    for mut host in hosts(&["channels=*", "channels_max=2"]) {
        let _client = Client::open(host.port(), "/ws?broadcast=no&channel=a");
        for (command, said) in [("subscribe a", "taken"), ("subscribe b", "full")] {
            host.command(command);
            assert_eq!(host.line(), said, "{command}");
        }
        host.end();
    }
}

#[test]
fn reactors_stay_on_the_cpus_that_were_set() {
    let status = fs::read_to_string("/proc/thread-self/status").unwrap();
    let allowed = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap().trim();
    let cpu = allowed.split([',', '-']).next().unwrap();
    let all = allowed != cpu;
    let cpus = format!("reactor_cpus={cpu},{cpu}");
    for mut host in hosts(&["reactors=2", &cpus, "reactor_incoming_cpu=true"]) {
        let mut clients: Vec<Client> = {
            let port = host.port();
            (0..4).map(|_| Client::open(port, "/ws")).collect()
        };
        let tasks = || fs::read_dir(format!("/proc/{}/task", host.pid())).unwrap().flatten();
        let stays = |task: &fs::DirEntry| {
            let status = fs::read_to_string(task.path().join("status")).unwrap_or_default();
            status.lines().any(|line| line.strip_prefix("Cpus_allowed_list:").map(str::trim) == Some(cpu))
        };
        // Both reactors do, and the host's own thread runs where it likes.
        let staying = tasks().filter(stays).count();
        assert!(staying >= 2 && (!all || staying < tasks().count()), "{staying} of {}", tasks().count());
        host.command("hello");
        clients.iter_mut().for_each(|client| assert_eq!(client.text(), "hello"));
        host.end();
    }
}
