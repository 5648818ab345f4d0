//! A file goes up to a host in pieces and comes down again, and takes no memory there.

use super::client::{BINARY, CONTINUATION, Client, TEXT};
use super::host::{Host, Tool};
use super::under_each_tool;

/// Bytes that tell their place.
fn pattern(len: usize) -> Vec<u8> {
    (0..len as u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

/// Asks for the file; `take` gets its pieces.
fn get(client: &mut Client, mut take: impl FnMut(&[u8])) {
    client.send(TEXT, b"get");
    let mut expected = BINARY;
    loop {
        let (fin, opcode, bytes) = client.fragment();
        assert_eq!(opcode, expected);
        take(&bytes);
        if fin {
            return;
        }
        expected = CONTINUATION;
    }
}

#[test]
fn a_file_goes_up_and_down_in_pieces() {
    for (source, said) in [("pieces.c", "several drained closed 1\n"), ("pieces.cpp", "drained\n")] {
        let ends = under_each_tool(source, |host, port| {
            let mut client = Client::open(port, "/ws");
            let file = pattern(3_000_000);
            client.send(BINARY, &file);
            assert_eq!(client.text(), "stored");
            let mut back = Vec::new();
            get(&mut client, |bytes| back.extend_from_slice(bytes));
            assert!(back == file, "{} bytes came back", back.len());
            host.command("told");
            assert_eq!(client.fragment(), (false, TEXT, b"told".to_vec()));
            assert_eq!(client.fragment(), (true, CONTINUATION, Vec::new()));
            assert_eq!(client.text(), "behind");
        });
        assert!(ends.iter().all(|end| end == said), "{ends:?}");
    }
}

/// Sends a file of so many MiB, each a frame of one message, and has it back.
fn up_and_down(client: &mut Client, mib: usize) {
    let piece = vec![7; 1 << 20];
    for n in 0..mib {
        let opcode = if n == 0 { BINARY } else { CONTINUATION };
        client.send_fragment(n + 1 == mib, opcode, &piece);
    }
    assert_eq!(client.text(), "stored");
    let mut len = 0;
    get(client, |bytes| len += bytes.len());
    assert_eq!(len, mib << 20);
}

/// The most memory that a process has had, in KiB.
fn peak_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// A file of so many MiB, through a route, takes the memory of a piece.
fn check_memory(mib: usize) {
    let Some(mut host) = Host::start("pieces.c", Tool::Plain) else { return };
    let mut client = Client::open(host.port(), "/files/one");
    // After this everything is as large as it gets.
    up_and_down(&mut client, 8);
    let before = peak_kib(host.pid());
    up_and_down(&mut client, mib);
    let after = peak_kib(host.pid());
    println!("{mib} MiB up and down: {before} KiB resident at the most before, {after} KiB then");
    assert!(after <= before + 1_024, "{before} KiB, {after} KiB");
    host.end();
}

#[test]
fn a_long_message_takes_the_memory_of_a_piece() {
    check_memory(64);
}

/// `./test endurance`, or `cargo test --release -p libwspush --test it -- --ignored --nocapture a_gigabyte`.
#[test]
#[ignore = "writes a gigabyte to /tmp"]
fn a_gigabyte_takes_the_memory_of_a_piece() {
    check_memory(1_024);
}
