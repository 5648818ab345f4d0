//! Hosts in C and C++ (ffi-tests/) with real clients, under AddressSanitizer and UBSan and under valgrind.
//!
//! There is no run of these under ThreadSanitizer: the library's locks are futexes that only an instrumented standard
//! library shows it, as in `./test tsan`. What threads share is checked by the compiler, and `walk` calls everything
//! from 16 threads at once.

mod apps;
mod blocking;
pub(crate) mod client;
pub(crate) mod club;
mod control;
mod embedding;
mod handed;
pub(crate) mod host;
pub(crate) mod inbox;
mod install;
mod nodes;
mod pieces;
mod reactors;
mod rooms;
mod routes;
mod settings;
mod walk;

use std::collections::HashMap;
use std::io::Write;
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};

use client::{BINARY, CLOSE, Client, TEXT};
use host::{Host, Language, Tool};

const TOOLS: [Tool; 2] = [Tool::Sanitizers, Tool::Valgrind];

/// Starts a host under each tool and hands it to `drive`, which returns what the host says at its end.
fn under_each_tool(program: &str, drive: impl Fn(&mut Host, u16)) -> Vec<String> {
    let runs = TOOLS.iter().filter_map(|&tool| {
        let mut host = Host::start(program, tool)?;
        let port = host.port();
        drive(&mut host, port);
        Some(host.end())
    });
    runs.collect()
}

#[test]
fn headers_compile_alone() {
    for standard in ["c89", "c99", "c11", "c17"] {
        host::check_header(Language::C, standard, "wspush.h");
    }
    for standard in ["c++17", "c++20"] {
        host::check_header(Language::Cpp, standard, "wspush.h");
        host::check_header(Language::Cpp, standard, "wspush.hpp");
    }
    for standard in ["c++11", "c++14"] {
        host::check_header(Language::Cpp, standard, "wspush.h");
        if let Some(said) = host::refused_header(standard, "wspush.hpp") {
            assert_eq!(said.matches("error:").count(), 1, "{said}");
            assert!(said.contains("wspush.hpp needs C++17"), "{said}");
        }
    }
}

#[test]
fn echo() {
    let ends = under_each_tool("echo.c", |_, port| {
        let mut clients: Vec<Client> = (0..8).map(|_| Client::open(port, "/ws")).collect();
        for length in [1, 125, 126, 65_535, 65_536 - 16] {
            let text = "x".repeat(length);
            for client in &mut clients {
                client.send(TEXT, text.as_bytes());
                client.send(BINARY, &[0xff; 3]);
            }
            for client in &mut clients {
                assert_eq!(client.frame(), (TEXT, text.clone().into_bytes()));
                assert_eq!(client.frame(), (BINARY, vec![0xff; 3]));
            }
        }
        clients[0].send(TEXT, b"quit");
        assert_eq!(clients[0].frame(), (CLOSE, b"\x0f\xa0as you wish".to_vec()));
        // The others are told when the host stops.
    });
    for end in ends {
        assert_eq!(end, "opened 8 messages 81 closed 8\n");
    }
}

#[test]
fn chat_in_c() {
    under_each_tool("chat.c", |_, port| {
        assert_eq!(Client::refusal(port, "/ws"), (401, "who are you?".to_owned()));
        assert_eq!(Client::refusal(port, "/ws?name=Ada"), (400, "which room?".to_owned()));
        assert_eq!(Client::refusal(port, "/ws?name=A&room=a%20b"), (400, "not a room's name".to_owned()));
        // Who decides about visitors has to name the pages that may speak for them.
        let ask = |origin: &str| Client::status(port, "/ws?name=Ada&room=r0", &[("Origin", origin)]);
        assert_eq!([ask("http://evil.example"), ask("null"), ask("http://localhost")], [403, 403, 101]);
        let mut told = Client::open(port, "/ws?refusals=close");
        assert_eq!(told.frame(), (CLOSE, b"\x11\x31who are you?".to_vec()));
        let mut ada = Client::open(port, "/ws?name=Ada&room=r1");
        assert_eq!(ada.text(), "Ada has joined");
        let mut eve = Client::open(port, "/ws?name=Eve&room=r2");
        assert_eq!(eve.text(), "Eve has joined");
        let mut bob = Client::open(port, "/ws?name=B%C3%B6b&room=r1");
        assert_eq!((ada.text(), bob.text()), ("Böb has joined".to_owned(), "Böb has joined".to_owned()));
        bob.send(TEXT, "hällo".as_bytes());
        assert_eq!((ada.text(), bob.text()), ("Böb: hällo".to_owned(), "Böb: hällo".to_owned()));
        bob.send(BINARY, b"x");
        assert_eq!(bob.frame().1[..2], 1003u16.to_be_bytes());
        drop(bob);
        assert_eq!(ada.text(), "Böb has left");
        eve.send(TEXT, b"alone?");
        assert_eq!(eve.text(), "Eve: alone?");
        let refused = Client::refusal(port, "/ws?name=Cid&room=r3&later=no");
        assert_eq!(refused, (403, "not today".to_owned()));
        let mut cid = Client::open(port, "/ws?name=Cid&room=r3&later=yes");
        assert_eq!(cid.text(), "Cid has joined");
    });
}

#[test]
fn some_transports_are_served_in_c() {
    let ends = under_each_tool("transports.c", |_, port| {
        for (path, name) in [("/ws", "ws"), ("/sse", "sse"), ("/stream", "stream")] {
            assert_eq!(Client::refusal(port, path), (403, name.to_owned()));
        }
        let unserved = "/poll is not served here (transports)".to_owned();
        assert_eq!(Client::refusal(port, "/poll"), (404, unserved));
    });
    assert!(ends.iter().all(|end| end == "ended\n"), "{ends:?}");
}

#[test]
fn some_transports_are_served_in_cpp() {
    let ends = under_each_tool("transports.cpp", |host, port| {
        assert_eq!(Client::refusal(port, "/ws"), (403, "ws".to_owned()));
        assert_eq!(Client::refusal(port, "/stream"), (403, "stream".to_owned()));
        assert_eq!(Client::status(port, "/poll", &[]), 404);
        let _stream = Client::begun(port, "/sse");
        host.command("count");
        assert_eq!(host.line(), "1 of 1");
    });
    assert!(ends.iter().all(|end| end == "ended\n"), "{ends:?}");
}

#[test]
fn chat_in_cpp() {
    let ends = under_each_tool("chat.cpp", |host, port| {
        assert_eq!(Client::refusal(port, "/ws").0, 401);
        // An exception refuses the client, and the server goes on.
        assert_eq!(Client::refusal(port, "/ws?name=nobody"), (500, "internal error".to_owned()));
        let mut ada = Client::open(port, "/ws?name=Ada&channel=extra");
        assert_eq!(ada.text(), "Ada has joined");
        ada.send(TEXT, b"to me");
        assert_eq!(ada.frame(), (BINARY, vec![0, 0xff]));
        ada.send(TEXT, b"join other");
        assert_eq!(ada.text(), "joined");
        let mut bob = Client::open(port, "/ws?name=Bob");
        assert_eq!((ada.text(), bob.text()), ("Bob has joined".to_owned(), "Bob has joined".to_owned()));
        bob.send(TEXT, b"join not a name");
        assert_eq!(bob.frame(), (CLOSE, b"\x03\xf3internal error".to_vec()));
        drop(bob);
        assert_eq!(ada.text(), "Bob has left");
        assert_eq!(Client::refusal(port, "/ws?name=Eve&later"), (403, "not today".to_owned()));
        let mut cid = Client::open(port, "/ws?name=Cid&later");
        assert_eq!((ada.text(), cid.text()), ("Cid has joined".to_owned(), "Cid has joined".to_owned()));
        host.command("hello");
        assert_eq!((ada.text(), cid.text()), ("* hello".to_owned(), "* hello".to_owned()));
    });
    for end in ends {
        let lines: Vec<&str> = end.lines().collect();
        assert_eq!(lines[0], "caught nobody connects");
        assert!(lines[1].starts_with("caught not a channel's name: "), "{end}");
        assert_eq!(lines.last(), Some(&"stopped"));
    }
}

#[test]
fn eight_threads_lose_nothing_and_keep_their_order() {
    const POSTS: usize = 250;
    let ends = under_each_tool("notify.c", |host, port| {
        let foreign = [("Origin", "http://evil.example"), ("Cookie", "a=b")];
        let ask = |fields: &[(&str, &str)]| Client::status(port, "/ws", fields);
        assert_eq!([ask(&foreign[..1]), ask(&foreign)], [101, 403], "nobody decides here");
        assert_eq!(Client::refusal(port, "/ws?chan=a").0, 400, "and nobody reads other parameters");
        let mut staying: Vec<Client> = (0..4).map(|_| Client::open(port, "/ws")).collect();
        host.command(&format!("post {POSTS}"));
        // Others come and go meanwhile.
        for _ in 0..20 {
            let mut visitor = Client::open(port, "/ws");
            visitor.send(TEXT, b"hello");
        }
        for client in &mut staying {
            let mut next = HashMap::new();
            loop {
                let (opcode, bytes) = client.frame();
                if opcode == BINARY {
                    break;
                }
                let text = String::from_utf8(bytes).unwrap();
                let (thread, number) = text.split_once(' ').unwrap();
                let expected = next.entry(thread.to_owned()).or_insert(0);
                assert_eq!(number.parse(), Ok(*expected), "thread {thread}");
                *expected += 1;
            }
            assert_eq!(next.len(), 8);
            assert!(next.values().all(|&count| count == POSTS), "{next:?}");
        }
    });
    assert!(ends.iter().all(|end| end.starts_with("posted 2000, inbox full ")), "{ends:?}");
}

#[test]
fn deliveries_are_told() {
    let ends = under_each_tool("notify.cpp", |host, port| {
        let mut clients: Vec<Client> = (0..3).map(|_| Client::open(port, "/ws")).collect();
        host.command("news");
        for client in &mut clients {
            let mut got: Vec<String> = (0..4).map(|_| client.text()).collect();
            got.sort();
            assert_eq!(got, ["news 0", "news 1", "news 2", "news 3"]);
        }
    });
    assert!(ends.iter().all(|end| end == "delivered 4\nlogged\n"), "{ends:?}");
}

#[test]
fn a_host_with_its_own_loop() {
    let ends = under_each_tool("own_loop.c", |host, port| {
        let mut clients: Vec<Client> = (0..3).map(|_| Client::open(port, "/ws")).collect();
        host.command("one");
        for client in &mut clients {
            assert_eq!(client.text(), "one");
        }
        clients[0].send(TEXT, b"hi");
        assert_eq!(host.line(), "said hi");
        host.close_input();
        for client in &mut clients {
            assert_eq!(client.frame().1[..2], 1001u16.to_be_bytes());
        }
    });
    assert!(ends.iter().all(|end| end == "drained\n"), "{ends:?}");
}

/// Everything up to the close frame, and that one's code.
fn rest(client: &mut Client) -> (Vec<String>, u16) {
    let mut texts = Vec::new();
    loop {
        match client.frame() {
            (CLOSE, payload) => return (texts, u16::from_be_bytes([payload[0], payload[1]])),
            (_, payload) => texts.push(String::from_utf8(payload).unwrap()),
        }
    }
}

#[test]
fn one_threads_order() {
    let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    let ends = under_each_tool("order.c", |host, port| {
        for _ in 0..10 {
            let mut client = Client::open(port, "/ws");
            host.command("go");
            assert_eq!(rest(&mut client), (texts(&["one", "two", "three", "four"]), 4002));
            assert_eq!(host.line(), "done");
        }
        for _ in 0..10 {
            // Nobody hears the messages behind the close, in the same read.
            let mut client = Client::open(port, "/ws");
            client.say(&["go", "go", "go"]);
            assert_eq!(rest(&mut client), (texts(&["1", "2", "3", "4", "5", "6", "7"]), 4000));
            let mut client = Client::open(port, "/ws");
            client.say(&["by id", "go", "go"]);
            assert_eq!(rest(&mut client), (texts(&["1", "2", "3", "4", "5", "6", "7"]), 4000));
            let mut client = Client::open_saying(port, "/ws?name=x", &["go", "go"]);
            assert_eq!(rest(&mut client), (texts(&["go away"]), 4001));
            let mut client = Client::open_saying(port, "/ws?name=id", &["go", "go"]);
            assert_eq!(rest(&mut client), (texts(&["go away"]), 4001));
        }
    });
    for end in ends {
        assert_eq!(end, "opened 50 messages 20 closed 50\n");
    }
}

#[test]
fn a_user_is_all_of_its_connections() {
    for source in ["users.c", "users.cpp"] {
        let ends = under_each_tool(source, |host, port| {
            for _ in 0..5 {
                let mut anns = [Client::open(port, "/ws?as=ann"), Client::open(port, "/ws?as=ann")];
                let mut bob = Client::open(port, "/ws?as=bob");
                host.command("go");
                for ann in &mut anns {
                    assert_eq!(rest(ann), (["one", "two", "three"].map(str::to_owned).to_vec(), 4002));
                }
                assert_eq!(rest(&mut bob), (["three", "four"].map(str::to_owned).to_vec(), 4003));
            }
        });
        for end in ends {
            assert_eq!(end, "ended\n");
        }
    }
}

#[test]
fn what_was_published_can_be_asked_for() {
    for source in ["reads.c", "reads.cpp"] {
        let ends = under_each_tool(source, |_, port| {
            let _anns = [Client::open(port, "/ws?as=ann"), Client::open(port, "/ws?as=ann")];
            let mut bob = Client::open(port, "/ws?as=bob");
            bob.say(&["go"]);
            assert_eq!(rest(&mut bob), (vec!["asked".to_owned()], 4000));
        });
        assert!(ends.iter().all(|end| end == "all is answered\n"), "{ends:?}");
    }
}

#[test]
#[cfg(feature = "auth")]
fn a_token_is_shown_and_taken_back() {
    use wspush::auth::{Claims, Rights, Rules, issue};

    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let claims = |user: Option<&str>, info: Option<&str>| Claims {
        user: user.map(str::to_owned),
        rights: Rights { info: info.map(Into::into), ..Rights::default() },
        ..Claims::default()
    };
    let token = |claims, issued_s| {
        let token = issue("a_secret_of_more_than_32_bytes_0123456", &claims, &Rules::default(), issued_s);
        format!("/ws?token={}", token.unwrap())
    };
    let ann = token(claims(Some("ann"), Some("{\"name\": \"Ann\"}")), now);
    for source in ["tokens.c", "tokens.cpp"] {
        let ends = under_each_tool(source, |host, port| {
            let mut client = Client::open(port, &ann);
            let told = format!(
                "ann|{{\"name\": \"Ann\"}}|{{\"sub\":\"ann\",\"iat\":{now},\"info\":{{\"name\": \"Ann\"}}}}"
            );
            assert_eq!(client.text(), told);
            let nobody = token(claims(None, None), now);
            assert_eq!(Client::open(port, &nobody).text(), format!("-|-|{{\"iat\":{now}}}"));
            assert_eq!(Client::open(port, "/ws").text(), "-|-|-");
            host.command("revoke");
            assert_eq!(rest(&mut client), (vec![], 4001));
            assert_eq!(Client::refusal(port, &ann).0, 401);
        });
        for end in ends {
            assert_eq!(end, "ended\n");
        }
    }
}

/// Takes one request after the other, and says to each that ann may come in; their bodies.
fn backend(listener: TcpListener) -> Receiver<String> {
    let (sender, bodies) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut received = Vec::new();
            let body = loop {
                let text = String::from_utf8_lossy(&received).into_owned();
                match text.split_once("\r\n\r\n") {
                    Some((head, body)) if body.ends_with('}') => {
                        assert!(head.contains("webhook-signature: v1,"), "{head}");
                        break body.to_owned();
                    }
                    _ => {}
                }
                let mut buffer = [0; 4_096];
                let read = crate::wire::read(&mut stream, &mut buffer).unwrap();
                received.extend_from_slice(&buffer[..read]);
            };
            let answer =
                b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 14\r\n\r\n{\"user\":\"ann\"}";
            stream.write_all(answer).unwrap();
            if sender.send(body).is_err() {
                return;
            }
        }
    });
    bodies
}

#[test]
fn a_backend_is_asked_and_told_by_settings() {
    let Some(mut host) = Host::start("webhooks.c", Tool::Plain) else { return };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    host.command(&format!("http://{}/", listener.local_addr().unwrap()));
    let bodies = backend(listener);
    let client = Client::open(host.port(), "/ws");
    assert!(bodies.recv().unwrap().starts_with("{\"conn\":"));
    drop(client);
    assert!(bodies.recv().unwrap().contains("\"event\":\"channel_vacated\",\"channel\":\"broadcast\""));
    assert_eq!(host.end(), "ended\n");
}

#[test]
fn a_session_that_an_exception_has_ended_is_not_shown_again() {
    let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    let ends = under_each_tool("order.cpp", |_, port| {
        for _ in 0..10 {
            let mut client = Client::open_saying(port, "/ws?name=x", &["a", "b"]);
            assert_eq!(rest(&mut client), (texts(&["hello", "somebody has come"]), 1011));
            let mut client = Client::open(port, "/ws");
            client.say(&["a", "b", "c"]);
            assert_eq!(rest(&mut client), (texts(&["a", "said"]), 1011));
            let mut client = Client::open(port, "/ws");
            client.say(&["close", "b"]);
            assert_eq!(rest(&mut client), (texts(&["close", "said"]), 4000));
        }
    });
    for end in ends {
        assert_eq!(end, "opened 30 messages 20 closed 30\n");
    }
}

/// Talks to a server, and goes on until it is cut, while `end` has it destroyed.
fn talk(port: u16, end: impl FnOnce(u16)) {
    let mut client = Client::open(port, "/ws");
    client.say(&["hello"]);
    assert_eq!(client.text(), "hello");
    client.say(&["a"; 4_000]);
    end(port);
    client.until_cut();
}

/// Has a server destroyed by its own callback, which hears nothing more then.
fn end_yourself(port: u16) {
    Client::open(port, "/ws").say(&["end", "a", "a"]);
}

#[test]
fn servers_destroyed_in_callbacks() {
    let ends = under_each_tool("destroy.cpp", |host, port| {
        let mut owner = Client::open(port, "/ws");
        let mut tell = |what: &str| {
            owner.say(&[what]);
            assert_eq!(owner.text(), what);
        };
        let mut command = |line: &str| {
            host.command(line);
            host.line()
        };
        for _ in 0..3 {
            talk(command("start").parse().unwrap(), |_| tell("end"));
            talk(command("start").parse().unwrap(), end_yourself);
            talk(command("poll").parse().unwrap(), end_yourself);
            assert_eq!(command("join"), "joined");
            talk(command("start").parse().unwrap(), |_| tell("replace"));
            talk(command("start the next").parse().unwrap(), |_| tell("end"));
            assert_eq!(command("ended"), "ended");
        }
    });
    assert!(ends.iter().all(String::is_empty), "{ends:?}");
}

#[test]
fn the_rules_between_host_and_library() {
    for tool in TOOLS {
        if let Some(mut host) = Host::start("rules.c", tool) {
            assert_eq!(host.end(), "the rules hold\n");
        }
    }
}
