//! Nothing that the daemon says has a piece of a secret in it, in whatever place and form the secret is given.
#![cfg(feature = "tls")]

use std::fs;
use std::process::Command;

use crate::daemon::Daemon;
use crate::daemon::tls::Authority;

/// So many characters of a secret are a piece of it.
const PIECE: usize = 8;

/// Asserts that no piece of the secret is in what was said, as text or as the numbers of its bytes.
fn assert_kept(secret: &str, said: &str, case: &str) {
    for piece in secret.as_bytes().windows(PIECE) {
        let text = std::str::from_utf8(piece).unwrap();
        let numbers = piece.iter().map(u8::to_string).collect::<Vec<_>>().join(", ");
        assert!(!said.contains(text) && !said.contains(&numbers), "{case}: {said}");
    }
}

/// The base64 of a PEM file's only block.
fn body(pem: &str) -> String {
    pem.lines().filter(|line| !line.starts_with("-----")).collect()
}

fn end(flags: &[&str], variables: &[(&str, &str)]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wspushd"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("WSPUSH_")) {
        command.env_remove(name);
    }
    command.args(flags).envs(variables.iter().copied());
    let output = command.output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(said).unwrap())
}

/// The damage to a key on its way through shells, variables, editors and copies.
fn damaged(key: &str) -> Vec<(&'static str, String)> {
    let (begin, rest) = key.split_once('\n').unwrap();
    vec![
        ("backslash-n", key.replace('\n', "\\n")),
        ("blanks", key.replace('\n', " ")),
        ("nothing", key.replace('\n', "")),
        ("no begin", rest.to_owned()),
        ("no end", key.split("\n-----END").next().unwrap().to_owned()),
        ("two in one line", format!("{}{key}", key.trim_end())),
        ("begin and body in one line", format!("{begin}{rest}")),
        ("a label with the body in it", key.replacen(" KEY-----\n", " KEY ", 1)),
        ("four hyphens", key.replace("-----", "----")),
        ("quotes", format!("\"{key}\"")),
        ("a list", key.replace('\n', ",\n")),
        ("no base64", key.replace('\n', "*\n")),
        ("another label", key.replace("PRIVATE KEY", "OPENSSH PRIVATE KEY")),
        ("an unknown label", key.replace("PRIVATE KEY", "SECRET")),
        ("fields", key.replacen("-----\n", "-----\nComment: a\n", 1)),
        (
            "encrypted",
            key.replacen("-----\n", "-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\n", 1),
        ),
        ("only its base64", body(key)),
        ("UTF-16", key.chars().flat_map(|c| [c, '\0']).collect()),
        ("cut", key.replacen('\n', "\nAA", 1)),
    ]
}

#[test]
fn a_key_in_a_damaged_file_is_not_quoted() {
    let authority = Authority::with_localhost();
    let (cert, key) = (authority.file("one.pem"), authority.file("one.key"));
    let good = fs::read_to_string(&key).unwrap();
    let bad = authority.file("bad.key");
    let listen = ["--listen", "tls://127.0.0.1:0", "--admin", "off"];
    for (case, text) in damaged(&good) {
        fs::write(&bad, &text).unwrap();
        for (cert, key) in [(&cert, &bad), (&bad, &key)] {
            let flags = [&listen[..], &["--tls-cert", cert, "--tls-key", key]].concat();
            for more in [&[][..], &["--check"]] {
                let (code, said) = end(&[&flags[..], more].concat(), &[]);
                assert!(
                    code == Some(2) && said.contains("bad.key") && said.lines().count() == 1,
                    "{case}: {said}"
                );
                assert_kept(&body(&good), &said, case);
            }
        }
        let daemon = authority.daemon(&["one"], &[]);
        fs::write(&key, &text).unwrap();
        daemon.signal("HUP");
        daemon.wait_event("not_reloaded");
        assert_kept(&body(&good), &daemon.log(), case);
        fs::write(&key, &good).unwrap();
    }
}

#[test]
fn a_key_in_the_wrong_place_is_not_quoted() {
    let authority = Authority::with_localhost();
    let key = fs::read_to_string(authority.file("one.key")).unwrap();
    let (secret, cert) = (body(&key), authority.file("one.pem"));
    let listen = ["--listen", "tls://127.0.0.1:0", "--admin", "off", "--tls-cert", &cert];
    let not_found = authority.file("none.key");
    for value in [key.as_str(), key.trim_end(), &key.replace('\n', "\\n"), &key.replace('\n', " "), &secret] {
        for (name, flag) in [
            ("WSPUSH_TLS_KEY", "--tls-key"),
            ("WSPUSH_TLS_CERT", "--tls-cert"),
            ("WSPUSH_TLS_OCSP", "--tls-ocsp"),
            ("WSPUSH_TLS_CLIENT_CA", "--tls-client-ca"),
            ("WSPUSH_ADMIN_TOKEN", "--admin-token"),
            ("WSPUSH_AUTH_SECRET", "--auth-secret"),
            ("WSPUSH_AUTH_PUBLIC_KEYS", "--auth-public-keys"),
            ("WSPUSH_AUTH_JWKS", "--auth-jwks"),
            ("WSPUSH_AUTH_COOKIE", "--auth-cookie"),
            ("WSPUSH_ORIGINS", "--origins"),
            ("WSPUSH_LISTEN", "--listen"),
            ("WSPUSH_ADMIN", "--admin"),
            ("WSPUSH_DRAIN_MS", "--drain-ms"),
            ("WSPUSH_DEMO", "--demo"),
            ("WSPUSH_SLOW_CONSUMER", "--slow-consumer"),
            ("WSPUSH_CONFIG", "--config"),
        ] {
            let (_, said) = end(&["--check"], &[(name, value)]);
            assert_kept(&secret, &said, name);
            let (code, said) = end(&[&listen[..], &["--tls-key", &not_found, flag, value]].concat(), &[]);
            assert_eq!(code, Some(2), "{flag}: {said}");
            assert_kept(&secret, &said, flag);
        }
        let file = authority.file("wspushd.toml");
        for line in [
            format!("tls_key = [{value:?}]"),
            format!("tls_key = \"{value}"),
            format!("admin_token = \"\"\"{value}"),
            value.to_owned(),
        ] {
            fs::write(&file, &line).unwrap();
            let (code, said) = end(&["--check", "--config", &file], &[]);
            assert_eq!(code, Some(2), "{said}");
            assert_kept(&secret, &said, "TOML");
        }
    }
}

#[test]
fn a_token_on_a_broken_line_is_not_quoted() {
    let authority = Authority::new("a folder");
    let file = authority.file("wspushd.toml");
    const TOKEN: &str = "c0rrect-H0rse.battery_staple";
    for line in [
        "admin_token = \"TOKEN",
        "admin_token = TOKEN",
        "admin_token = 'TOKEN\"",
        "admin_token: TOKEN",
        "admin_token \"TOKEN\"",
        "admin_token = \"TOKEN \"",
        "admin_token = [\"TOKEN\"]",
        "admin-token = \"TOKEN\" x",
        "admin_tokens = TOKEN",
        "ADMIN_TOKEN=TOKEN",
        "export WSPUSH_ADMIN_TOKEN=TOKEN",
        "demo = true admin_token = \"TOKEN\"",
        "listen = [\"127.0.0.1:0\", # TOKEN\n \"x\"]",
        "origins = [\"https://me:TOKEN@example.com\"]",
        "admin = \"TOKEN@127.0.0.1:0\" TOKEN",
        "TOKEN",
    ] {
        fs::write(&file, "demo = true\n").unwrap();
        let daemon = Daemon::start(&["--config", &file]);
        fs::write(&file, format!("demo = true\n\n{}\n", line.replace("TOKEN", TOKEN))).unwrap();
        let (code, said) = end(&["--check", "--config", &file], &[]);
        let place = format!("wspushd: {file}:");
        assert!(code == Some(2) && said.starts_with(&place) && said.lines().count() == 1, "{line}: {said}");
        assert_kept(TOKEN, &said, line);
        daemon.signal("HUP");
        daemon.wait_event("not_reloaded");
        assert_kept(TOKEN, &daemon.log(), line);
    }
    let (code, said) = end(&["--check"], &[("WSPUSH_ADMIN_TOKEN", TOKEN)]);
    assert!(code == Some(0) && said.contains("# admin_token = \"(set)\""), "{said}");
    assert_kept(TOKEN, &said, "--check");
}

#[test]
fn an_empty_token_stops_the_start_instead_of_opening_the_door() {
    for (flags, variables) in [
        (&[][..], &[("WSPUSH_ADMIN_TOKEN", "")][..]),
        (&["--admin-token", ""], &[]),
        (&["--admin-token="], &[("WSPUSH_ADMIN_TOKEN", "t0ken")]),
    ] {
        let (code, said) = end(flags, variables);
        assert!(code == Some(2) && said.contains("a token has 1 to 256 letters"), "{said}");
    }
}
