//! The ways to the Redis server: TLS with certificates of both, Sentinels with a password of their own.

use crate::cluster::{metric, numbered, open, publications};
use crate::daemon::redis::Redis;
#[cfg(feature = "tls")]
use crate::daemon::tls::Authority;
use crate::daemon::{Daemon, wait};

fn node(url: &str, more: &[&str]) -> Daemon {
    Daemon::start(&[&["--channels", "*", "--cluster", url], more].concat())
}

/// Two nodes have one order.
fn assert_one_service(first: &Daemon, second: &Daemon) {
    let (mut client, at) = open(second, "channel=news");
    let epoch: u64 = at["epoch"].as_str().unwrap().parse().unwrap();
    (1..=3).for_each(|n| _ = first.push_to("/push?channel=news", &n.to_string()));
    assert_eq!(publications(&mut client, epoch, 3), numbered(1..=3));
}

/// Why a daemon does not start.
fn refused(url: &str, more: &[&str]) -> String {
    let (status, said) = Daemon::refused(&[&["--cluster", url], more].concat());
    assert!(!status.success(), "{said}");
    said
}

#[cfg(feature = "tls")]
#[test]
fn a_server_that_speaks_tls_and_asks_for_a_certificate() {
    let (authority, stranger) = (Authority::new("cluster"), Authority::new("stranger"));
    authority.make("node", &["node"]);
    let mut redis = Redis::start_tls(&authority);
    assert!(redis.url().starts_with("rediss://"));
    let [ca, cert, key] = [authority.ca(), authority.file("node.pem"), authority.file("node.key")];
    let own = ["--cluster-ca", &ca, "--cluster-cert", &cert, "--cluster-key", &key];
    let (first, second) = (node(&redis.url(), &own), node(&redis.url(), &own));
    assert_one_service(&first, &second);
    // Its server is checked, and so is a node.
    let other = stranger.ca();
    let said =
        refused(&redis.url(), &["--cluster-ca", &other, "--cluster-cert", &cert, "--cluster-key", &key]);
    assert!(said.contains("certificate") && said.contains("UnknownIssuer"), "{said}");
    let said = refused(&redis.url(), &["--cluster-ca", &ca]);
    assert!(said.contains("CertificateRequired") || said.contains("certificate required"), "{said}");
    let said = refused(&redis.url(), &["--cluster-ca", "/nonexistent.pem"]);
    assert!(said.contains("cluster_ca (/nonexistent.pem)"), "{said}");
    let plain = redis.url().replace("rediss", "redis");
    refused(&plain, &[]);
    // A connection that was lost comes back.
    redis.kill();
    wait("a loss", || metric(&first, "wspush_cluster_up") == 0);
    redis.restart();
    wait("it is back", || [&first, &second].iter().all(|node| metric(node, "wspush_cluster_up") == 1));
    first.push_to("/push?channel=news", "4");
    let (mut client, _) = open(&second, "channel=news&since=last:1");
    assert_eq!(client.next()["offset"], 4);
}

#[test]
fn sentinels_have_a_user_and_a_password_of_their_own() {
    let master = Redis::start(&["--requirepass", "the server's"]);
    let lines =
        "sentinel auth-pass main \"the server's\"\nuser default off\nuser watcher on >s/e:c@ret ~* &* +@all";
    let sentinel = Redis::sentinel_with(&master, "main", lines);
    let cli = ["--user", "watcher", "--pass", "s/e:c@ret", "--no-auth-warning"];
    wait("the master is known", || {
        let said = sentinel.cli(&[&cli[..], &["SENTINEL", "MASTER", "main"]].concat());
        said.contains("\nflags\nmaster\n")
    });
    let at = sentinel.address();
    let url = |query: &str| format!("redis+sentinel://:the%20server%27s@{at}/main/0{query}");
    let good = url("?sentinel_user=watcher&sentinel_password=s%2Fe%3Ac%40ret");
    let (first, second) = (node(&good, &[]), node(&good, &[]));
    assert_one_service(&first, &second);
    for (query, why) in [
        ("", "the server asks for a password"),
        ("?sentinel_user=watcher&sentinel_password=wrong", "the password or the user"),
        ("?sentinel_password=s%2Fe%3Ac%40ret", "the password or the user"),
    ] {
        let said = refused(&url(query), &[]);
        assert!(said.contains("Sentinel") && said.contains(why), "{said}");
        assert!(!said.contains("s%2Fe") && !said.contains("s/e:c"), "no password is told: {said}");
    }
    let foreign = good.replace("the%20server%27s", "another");
    assert!(refused(&foreign, &[]).contains("the password or the user"));
}
