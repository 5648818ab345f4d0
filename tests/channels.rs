//! Named channels: who may join, who receives, and in which order.

use crate::daemon::{Daemon, Http, WebSocket};

fn refused(daemon: &Daemon, target: &str) -> u16 {
    WebSocket::ask(daemon.public, target, &[]).err().map_or(101, |response| response.status)
}

#[test]
fn only_subscribers_receive_a_channel() {
    let daemon = Daemon::start(&[]);
    let mut both = WebSocket::open_at(&daemon, "/ws?channel=public.a&channel=public.b");
    let mut one = WebSocket::open_at(&daemon, "/ws?channel=public.a");
    let mut none = WebSocket::open(&daemon);
    for (channel, recipients) in [("public.a", 2), ("public.b", 1), ("public.c", 0), ("private", 0)] {
        let answer = daemon.push_to(&format!("/push?channel={channel}"), channel);
        assert_eq!((&answer["channel"], &answer["recipients"]), (&channel.into(), &recipients.into()));
        assert_eq!(answer["offset"], 1, "each channel counts for itself");
        daemon.wait_delivered(&answer["receipt"]);
    }
    let answer = daemon.push("everyone");
    assert_eq!(answer["recipients"], 3);
    daemon.wait_delivered(&answer["receipt"]);
    assert_eq!([both.text(), both.text(), both.text()], ["public.a", "public.b", "everyone"]);
    assert_eq!([one.text(), one.text()], ["public.a", "everyone"]);
    assert_eq!(none.text(), "everyone");
    assert!(both.sync().is_empty() && one.sync().is_empty() && none.sync().is_empty());
}

#[test]
fn the_default_channel_has_a_name() {
    let daemon = Daemon::start(&[]);
    let mut client = WebSocket::open_at(&daemon, "/ws?channel=broadcast");
    let answer = daemon.push_to("/push?channel=broadcast", "once");
    assert_eq!((&answer["channel"], &answer["recipients"]), (&"broadcast".into(), &1.into()));
    assert_eq!(client.text(), "once");
    assert_eq!(client.sync(), [], "not twice");
}

#[test]
fn a_channel_named_twice_is_joined_once() {
    let daemon = Daemon::start(&[]);
    let mut client = WebSocket::open_at(&daemon, "/ws?channel=public.a&channel=public.a");
    assert_eq!(daemon.push_to("/push?channel=public.a", "x")["recipients"], 1);
    assert_eq!(client.text(), "x");
    assert_eq!(client.sync(), []);
}

#[test]
fn patterns_say_which_channels_clients_may_choose() {
    let daemon = Daemon::start(&[]);
    for (channel, status) in [
        ("public.news", 101),
        ("public.", 101),
        ("public", 403),
        ("publicx", 403),
        ("private", 403),
        ("demo.chat", 403),
        ("a%20b", 400),
        ("public.*", 400),
        ("", 400),
    ] {
        assert_eq!(refused(&daemon, &format!("/ws?channel={channel}")), status, "{channel}");
    }
    assert_eq!(refused(&daemon, "/ws?channel=public.a&channel=private"), 403, "one is enough");
    let daemon = Daemon::start(&["--channels", "news,room-*"]);
    for (channel, status) in [("news", 101), ("room-7", 101), ("newsy", 403), ("public.a", 403)] {
        assert_eq!(refused(&daemon, &format!("/ws?channel={channel}")), status, "{channel}");
    }
}

#[test]
fn a_connection_has_a_bound_of_channels_and_so_has_the_server() {
    let daemon = Daemon::start(&["--channels-per-connection-max", "2", "--channels-max", "4"]);
    // The default channel is one of the server's four.
    let query = |from: usize, to: usize| {
        (from..to).map(|n| format!("channel=public.{n}")).collect::<Vec<_>>().join("&")
    };
    let _two = WebSocket::open_at(&daemon, &format!("/ws?{}", query(0, 2)));
    assert_eq!(refused(&daemon, &format!("/ws?{}", query(0, 3))), 400);
    // The third is the publishers', as long as nobody has published to one of the others.
    assert_eq!(refused(&daemon, &format!("/ws?{}", query(2, 3))), 503);
    assert_eq!(daemon.push_to("/push?channel=public.1", "x")["recipients"], 1);
    let _more = WebSocket::open_at(&daemon, &format!("/ws?{}", query(2, 3)));
    assert_eq!(refused(&daemon, &format!("/ws?{}", query(3, 4))), 503);
    assert_eq!(daemon.ask("POST", "/push?channel=public.9", &[], b"x").status, 503);
    assert_eq!(daemon.push_to("/push?channel=public.2", "x")["recipients"], 1);
}

#[test]
fn pushes_to_users_who_are_away_and_visitors_find_room() {
    let daemon = Daemon::start(&["--channels-max", "50"]);
    let mut there = WebSocket::open_at(&daemon, "/ws?channel=public.there");
    let first = daemon.push_to("/push?channel=user.0", "x");
    for n in 1..200 {
        let answer = daemon.push_to(&format!("/push?channel=user.{n}"), "x");
        assert_eq!((&answer["offset"], &answer["recipients"]), (&1.into(), &0.into()), "{n}");
    }
    assert_eq!(daemon.push_to("/push?channel=user.199", "x")["offset"], 2, "one of the newest");
    let again = daemon.push_to("/push?channel=user.0", "x");
    assert_eq!(again["offset"], 1);
    assert!(again["epoch"].as_u64() > first["epoch"].as_u64(), "{again} after {first}");
    let _visitor = WebSocket::open_at(&daemon, "/ws?channel=public.me");
    assert_eq!(daemon.push_to("/push?channel=public.there", "here")["recipients"], 1);
    assert_eq!(there.text(), "here");
    let stats = daemon.stats();
    assert_eq!(
        (&stats["channels"], &stats["counters"]["channels_forgotten"]["room"]),
        (&50.into(), &154.into())
    );
}

#[test]
fn strangers_do_not_use_up_the_channels() {
    let daemon = Daemon::start(&["--channels-max", "101"]);
    let query =
        |from: usize| (from..from + 16).map(|n| format!("channel=public.{n}")).collect::<Vec<_>>().join("&");
    // Those who come and go leave nothing.
    for n in 0..20 {
        WebSocket::open_at(&daemon, &format!("/ws?{}", query(16 * n))).close(1000);
        daemon.wait_connections(0);
    }
    assert_eq!(daemon.stats()["channels"], 1);
    // Those who stay have four fifths of three quarters.
    let strangers: Vec<_> =
        (0..3).map(|n| WebSocket::open_at(&daemon, &format!("/ws?{}", query(16 * n)))).collect();
    let answer = WebSocket::ask(daemon.public, &format!("/ws?{}", query(48)), &[]).err().expect("refused");
    assert_eq!(answer.status, 503);
    assert!(answer.text().contains("this address"), "{}", answer.text());
    assert_eq!(daemon.stats()["channels"], 49, "what was opened for the one refused is closed");
    // Another address has room, and so have publishers.
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
    socket.bind(&std::net::SocketAddr::from(([127, 0, 0, 2], 0)).into()).expect("any address of loopback");
    socket.connect(&daemon.public.into()).expect("the listener is there");
    let _other = WebSocket::ask_over(Http::over(socket.into()), &format!("/ws?{}", query(64)), &[])
        .unwrap_or_else(|answer| panic!("{}: {}", answer.status, answer.text()));
    for n in 0..60 {
        daemon.push_to(&format!("/push?channel=orders.{n}"), "x");
    }
    let counters = daemon.stats()["counters"].clone();
    assert_eq!(counters["channels_refused"]["address"], 1);
    assert_eq!(counters["handshakes_refused"]["channels"], 1);
    drop(strangers);
}

#[test]
fn each_channel_keeps_its_order_among_many() {
    const CHANNELS: usize = 40;
    const EACH: usize = 25;
    let daemon = Daemon::start(&["--channels-per-connection-max", "64"]);
    let query: Vec<String> = (0..CHANNELS).map(|n| format!("channel=public.{n}")).collect();
    let mut all = WebSocket::open_at(&daemon, &format!("/ws?{}", query.join("&")));
    let mut own: Vec<_> =
        (0..CHANNELS).map(|n| WebSocket::open_at(&daemon, &format!("/ws?channel=public.{n}"))).collect();
    let mut http = daemon.admin_http();
    for n in 0..EACH {
        let requests = (0..CHANNELS).flat_map(|c| {
            http.request("POST", &format!("/push?channel=public.{c}"), &[], format!("{c} {n}").as_bytes())
        });
        let requests: Vec<u8> = requests.collect();
        http.send(&requests);
        for _ in 0..CHANNELS {
            assert_eq!(http.response().status, 200);
        }
    }
    for (c, client) in own.iter_mut().enumerate() {
        let got: Vec<String> = (0..EACH).map(|_| client.text()).collect();
        let expected: Vec<String> = (0..EACH).map(|n| format!("{c} {n}")).collect();
        assert_eq!(got, expected);
        assert_eq!(client.sync(), []);
    }
    let mut next = [0; CHANNELS];
    for _ in 0..CHANNELS * EACH {
        let text = all.text();
        let (c, n) = text.split_once(' ').expect("channel and number");
        let c: usize = c.parse().expect("a channel");
        assert_eq!(n, next[c].to_string(), "in channel {c}");
        next[c] += 1;
    }
    assert_eq!(all.sync(), []);
}

#[test]
fn coming_and_going_moves_nobody_out_of_line() {
    let daemon = Daemon::start(&[]);
    let open = || WebSocket::open_at(&daemon, "/ws?channel=public.a");
    let mut clients: Vec<_> = (0..10).map(|_| (open(), 0_u32)).collect();
    for n in 0..60_u32 {
        let answer = daemon.push_to("/push?channel=public.a", &n.to_string());
        assert_eq!(answer["recipients"], clients.len());
        daemon.wait_delivered(&answer["receipt"]);
        // One from the middle leaves, in one way or another, and now and then a new one comes.
        let (mut gone, first) = clients.swap_remove((n as usize * 7) % clients.len());
        let got: Vec<String> = (first..=n).map(|_| gone.text()).collect();
        assert_eq!(got, (first..=n).map(|k| k.to_string()).collect::<Vec<_>>());
        if n % 2 == 0 {
            gone.close(1000)
        } else {
            gone.reset()
        }
        if n % 3 != 0 || clients.len() < 3 {
            clients.push((open(), n + 1));
        }
        daemon.wait_connections(clients.len() as u64);
    }
    for (client, first) in &mut clients {
        for n in *first..60 {
            assert_eq!(client.text(), n.to_string());
        }
        assert_eq!(client.sync(), []);
    }
}

#[test]
fn a_channel_out_of_use_is_forgotten_and_begins_a_new_epoch() {
    let daemon = Daemon::start(&["--channel-idle-ms", "1"]);
    let before = daemon.push_to("/push?channel=public.a", "x");
    daemon.wait_stats("the channel's end", |s| s["channels"] == 1);
    let after = daemon.push_to("/push?channel=public.a", "x");
    assert_eq!(after["offset"], 1);
    assert!(after["epoch"].as_u64() > before["epoch"].as_u64(), "{before} {after}");
    // One that has a subscriber stays, however quiet it is.
    let mut client = WebSocket::open_at(&daemon, "/ws?channel=public.b");
    daemon.wait_stats("only what is in use", |s| s["channels"] == 2);
    let first = daemon.push_to("/push?channel=public.b", "1");
    daemon.push_to("/push?channel=public.c", "a passing channel");
    daemon.wait_stats("only what is in use", |s| s["channels"] == 2);
    let second = daemon.push_to("/push?channel=public.b", "2");
    assert_eq!((&first["epoch"], &second["offset"]), (&second["epoch"], &2.into()));
    assert_eq!([client.text(), client.text()], ["1", "2"]);
}
