use super::*;

fn admin(text: &str) -> Vec<AdminListen> {
    vec![text.parse().unwrap()]
}

#[test]
fn a_socket_for_all_needs_a_token_and_a_group_a_socket() {
    let mut config = Config { admin: admin("unix:/a"), ..Config::default() };
    config.admin_socket_mode = "0666".parse().unwrap();
    assert_eq!(config.validate().unwrap_err().key, "admin_socket_mode");
    config.admin_token = Some("t0ken".into());
    config.admin_socket_group = Some("app".into());
    assert_eq!(config.validate(), Ok(()));
    config.admin = admin("127.0.0.1:1");
    assert_eq!(config.validate().unwrap_err().key, "admin_socket_group");
    assert!(refused(|config| config.admin = vec!["unix:/a".parse().unwrap(); 2]).contains("twice"));
}

#[test]
fn the_default_is_valid() {
    assert_eq!(Config::default().validate(), Ok(()));
}

#[test]
fn an_embedder_is_held_to_the_bounds() {
    let error = refused(|config| config.max_connections = 0);
    assert_eq!(error, "max_connections = 0 is out of range; allowed 1..=50000000 connections");
    assert!(refused(|config| config.origins = vec!["a,b".into()]).starts_with("origins = "));
    let error = refused(|config| config.admin_token = Some("sec ret".into()));
    assert!(error.starts_with("admin_token: ") && !error.contains("sec ret"), "{error}");
}

#[test]
fn listeners() {
    assert!(refused(|config| config.listen.clear()).contains("at least one"));
    assert!(refused(|config| config.listen = vec![config.listen[0]; 2]).contains("twice"));
    assert!(refused(|config| config.listen[0].proxy = true).contains("proxy:// takes nobody's word"));
    assert!(
        refused(|config| config.admin = vec![AdminListen::Tcp(config.listen[0].address)]).contains("public")
    );
    let mut config = Config::default();
    config.listen = vec!["127.0.0.1:0".parse().unwrap(); 2];
    config.admin = vec![AdminListen::Tcp(config.listen[0].address); 2];
    assert_eq!(config.validate(), Ok(()));
}

#[test]
fn an_open_admin_listener_needs_a_token() {
    for address in ["0.0.0.0:1", "[::]:1", "192.0.2.1:1", "[2001:db8::1]:1", "[::ffff:192.0.2.1]:1"] {
        let mut config = Config { admin: admin(address), ..Config::default() };
        assert!(config.validate().unwrap_err().to_string().contains("needs admin_token"));
        config.admin_token = Some("t0ken".into());
        assert_eq!(config.validate(), Ok(()));
    }
    for address in
        ["127.0.0.1:1", "127.1.2.3:1", "[::1]:1", "[::ffff:127.0.0.1]:1", "unix:/a", "metrics://0.0.0.0:1"]
    {
        let config = Config { admin: admin(address), ..Config::default() };
        assert_eq!(config.validate(), Ok(()), "{address}");
    }
}

#[cfg(feature = "tls")]
#[test]
fn tls_needs_pairs_and_a_listener() {
    let tls = |change: fn(&mut Config)| {
        let mut config = Config { listen: vec!["tls://127.0.0.1:0".parse().unwrap()], ..Config::default() };
        (config.tls_cert, config.tls_key) = (vec!["a".into()], vec!["b".into()]);
        change(&mut config);
        config.validate().map_err(|error| error.to_string())
    };
    assert_eq!(tls(|_| {}), Ok(()));
    assert_eq!(tls(|config| config.tls_ocsp = vec!["-".into()]), Ok(()));
    assert!(tls(|config| config.tls_cert.clear()).unwrap_err().contains("needs a certificate"));
    assert!(tls(|config| config.tls_key.clear()).unwrap_err().contains("1 certificates need as many keys"));
    assert!(tls(|config| config.tls_ocsp = vec!["-".into(); 2]).unwrap_err().contains("OCSP"));
    assert!(tls(|config| config.listen[0].tls = false).unwrap_err().contains("no listener speaks TLS"));
    assert_eq!(
        tls(|config| (config.listen[0].tls, config.admin) = (false, admin("tls://127.0.0.1:1"))),
        Ok(())
    );
    let error = tls(|config| config.tls_client_auth = ClientAuth::Required).unwrap_err();
    assert!(error.contains("tls_client_ca"), "{error}");
    assert!(refused(|config| config.admin = admin("tls://192.0.2.1:1")).contains("admin_token"));
}

#[cfg(not(feature = "deflate"))]
#[test]
fn without_the_feature_deflate_is_refused() {
    assert_eq!(Config::default().validate(), Ok(()));
    let config = Config { deflate: true, ..Config::default() };
    assert_eq!(config.validate().unwrap_err().key, "deflate");
}

#[cfg(not(feature = "tls"))]
#[test]
fn without_the_feature_tls_is_refused() {
    let error = refused(|config| config.listen = vec!["tls://127.0.0.1:0".parse().unwrap()]);
    assert!(error.contains("this build speaks no TLS"), "{error}");
}

#[test]
fn sizes() {
    let mut config = Config::default();
    config.assembly_bytes_max = config.message_bytes_max + config.handshake_bytes_max;
    config.log_bytes = config.admin_body_bytes_max + FRAME_HEADER_BYTES_MAX;
    assert_eq!(config.validate(), Ok(()));
    config.log_bytes -= 1;
    assert_eq!(config.validate().unwrap_err().key, "admin_body_bytes_max");
    config.assembly_bytes_max -= 1;
    assert_eq!(config.validate().unwrap_err().key, "assembly_bytes_max");
    let one_log = log_memory_bytes(4 << 20, 1024);
    let config = Config { logs_bytes_max: one_log, ..Config::default() };
    assert_eq!(config.validate(), Ok(()));
    let error = Config { logs_bytes_max: one_log - 1, ..config }.validate().unwrap_err().to_string();
    assert!(error.starts_with("logs_bytes_max = 38125567: ") && error.contains("38125568 bytes"), "{error}");
    let config = Config { message_bytes_max: 8 << 20, ..Config::default() };
    assert_eq!(config.validate(), Ok(()));
    let config = Config { demo: true, ..config };
    assert_eq!(config.validate().unwrap_err().key, "message_bytes_max");
}

#[test]
fn contradictions() {
    assert!(refused(|config| (config.ws_only, config.demo) = (true, true)).contains("demo"));
    let error = refused(|config| config.heartbeat_ms = 99);
    assert!(error.starts_with("heartbeat_ms = 99: ") && error.contains("100 ms or more"), "{error}");
    let allowed = "= 99 is out of range; allowed 100..=3600000 ms";
    assert!(refused(|config| config.pong_wait_ms = 99).contains(allowed));
    assert!(refused(|config| config.keep_alive_ms = 99).contains(allowed));
    assert!(refused(|config| config.origins = vec!["*".into(); 2]).contains("twice"));
    assert!(refused(|config| config.channels = vec!["a*b".into()]).contains("\"a*b\" is not"));
}

#[test]
fn origins() {
    for origin in [
        "*",
        "auto",
        "null",
        "https://example.com",
        "https://A.com",
        "http://[::1]:8080",
        "http://[::1]",
        "chrome-extension://abc",
        "capacitor://localhost",
        "ionic://localhost",
        "tauri://localhost",
        "app://.",
        "file://",
    ] {
        assert!(check_origin(origin.into()).is_ok(), "{origin}");
    }
    for origin in [
        "",
        "example.com",
        "https://",
        "https://a/",
        "https://a/b",
        "https://*.a",
        "://a",
        "https://:80",
        "https://a:",
        "https://a:080",
        "https://a:65536",
        "https://a b",
        "file:///",
        "file:",
        "Auto",
        "any",
    ] {
        assert!(check_origin(origin.into()).is_err(), "{origin}");
    }
}

#[test]
fn subprotocols() {
    assert!(check_subprotocol("wspush.v1".into()).is_ok());
    for name in ["", "a b", "a,b", "a/b", "ä", "a\n"] {
        assert!(check_subprotocol(name.into()).is_err(), "{name:?}");
    }
}
