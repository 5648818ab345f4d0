//! Versions and ciphers.

use super::*;

/// The first message of a client that speaks no more than `minor` (TLS 1.0 is 1).
fn old_hello(minor: u8) -> Vec<u8> {
    let mut hello = vec![3, minor];
    hello.extend([7; 32]);
    // No session; two cipher suites of that time; no compression, and DEFLATE (RFC 3749), which nobody may take.
    hello.extend([0, 0, 4, 0xc0, 0x09, 0x00, 0x2f, 2, 1, 0]);
    // signature_algorithms: ecdsa_secp256r1_sha256.
    hello.extend([0, 8, 0, 13, 0, 4, 0, 2, 4, 3]);
    let length = hello.len() as u16;
    let mut record = vec![22, 3, 1];
    record.extend((length + 4).to_be_bytes());
    record.extend([1, 0]);
    record.extend(length.to_be_bytes());
    record.extend(hello);
    record
}

#[test]
fn nothing_older_than_tls_1_2_is_spoken() {
    let authority = Authority::with_localhost();
    let daemon = authority.daemon(&["one"], &[]);
    for minor in 0..3 {
        assert_eq!(alert(&daemon, &old_hello(minor)), PROTOCOL_VERSION, "3.{minor}");
    }
    // TLS 1.2 fails for another reason.
    assert_ne!(alert(&daemon, &old_hello(3)), PROTOCOL_VERSION);
}

fn openssl(daemon: &Daemon, arguments: &[&str], input: &str) -> String {
    let address = daemon.public.to_string();
    let mut child = Command::new("openssl")
        .args(["s_client", "-connect", &address, "-servername", "localhost"])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("tests/hostile_tls.rs asks openssl what is offered: install openssl");
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn only_good_ciphers_are_offered_and_nothing_is_compressed() {
    let authority = Authority::with_localhost();
    let daemon = authority.daemon(&["one"], &[]);
    let mut offered = BTreeSet::new();
    loop {
        let without: String = offered.iter().map(|name| format!(":!{name}")).collect();
        let wanted = format!("ALL:COMPLEMENTOFALL:@SECLEVEL=0{without}");
        let said = openssl(&daemon, &["-tls1_2", "-comp", "-cipher", &wanted], "");
        let line = said.lines().find_map(|line| line.trim().strip_prefix("New, TLSv1.2, Cipher is "));
        let Some(name) = line else { break };
        assert!(said.contains("Compression: NONE"), "{said}");
        assert!(said.contains("Secure Renegotiation IS supported"), "{said}");
        assert!(offered.insert(name.to_owned()), "{said}");
    }
    let all = ["AES128-GCM-SHA256", "AES256-GCM-SHA384", "CHACHA20-POLY1305"];
    assert_eq!(offered, all.map(|name| format!("ECDHE-ECDSA-{name}")).into());
    let said = openssl(&daemon, &["-tls1_3", "-groups", "X25519"], "");
    assert!(said.contains("New, TLSv1.3") && said.contains("Early data was not sent"), "{said}");
}

#[test]
fn nobody_renegotiates() {
    let authority = Authority::with_localhost();
    let daemon = authority.daemon(&["one"], &["--demo"]);
    // A line with R asks for it.
    let said = openssl(&daemon, &["-tls1_2"], "R\n");
    assert!(said.contains("RENEGOTIATING") && said.contains("no renegotiation"), "{said}");
    assert_eq!(daemon.stats()["counters"]["tls_handshakes"]["full_tls12"], 1);
}
