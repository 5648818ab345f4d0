//! One scenario for `benches/instructions/check`, which runs it under callgrind with two counts and divides the
//! difference: what the start costs cancels out.
//!
//! Usage: `instructions handshake|delivery|crowd|envelope|mixed|burst|resume|poll COUNT`
#![allow(missing_docs)]

mod support;

const CONNECTIONS: usize = 2_000;
const BURST: usize = 100;
/// So many that what is done once for each publication hardly counts.
const CROWD: usize = 15_000;

/// The request of a client that comes back for all that is there.
const RESUMING: &[u8] = b"GET /ws?since=earliest HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
    Origin: http://127.0.0.1:8080\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\n\r\n";

/// The request of a client that speaks `wspush.v1`.
const IN_ENVELOPES: &[u8] = b"GET /ws HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Protocol: wspush.v1\r\n\
    Origin: http://127.0.0.1:8080\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\n\r\n";

/// The request of an event stream.
const EVENTS: &[u8] = b"GET /sse HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nAccept: text/event-stream\r\n\r\n";

/// The request of a client that polls and stands there, as `wspush-bench` writes it.
fn polling(since: &str) -> &'static [u8] {
    let request = format!("GET /poll?timeout=120&since={since} HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n");
    // It lives as long as the scenario, which is the whole program.
    Box::leak(request.into_bytes().into_boxed_slice())
}

fn main() {
    let mut args = std::env::args().skip(1).filter(|arg| arg != "--bench");
    let (Some(scenario), Some(Ok(count))) = (args.next(), args.next().map(|n| n.parse::<usize>())) else {
        // `cargo bench` and `cargo test` run every bench without arguments.
        println!("usage: instructions handshake|delivery|crowd|envelope|mixed|burst|resume|poll COUNT");
        return;
    };
    let text = "x".repeat(64);
    let mut rig = support::Rig::new(CROWD.max(count));
    match scenario.as_str() {
        "handshake" => rig.connect(support::REQUEST, count),
        "resume" => {
            rig.broadcast(BURST, &text).expect("the inbox has room");
            rig.connect(RESUMING, count);
            assert_eq!(rig.deliveries(), (count * BURST) as u64);
        }
        "crowd" | "envelope" => {
            rig.connect(if scenario == "envelope" { IN_ENVELOPES } else { support::REQUEST }, CROWD);
            (0..count).for_each(|_| rig.broadcast(1, &text).expect("the inbox has room"));
            assert_eq!(rig.deliveries(), (count * CROWD) as u64);
        }
        "mixed" => {
            for request in [support::REQUEST, IN_ENVELOPES, EVENTS].into_iter().cycle().take(CROWD) {
                rig.connect(request, 1);
            }
            (0..count).for_each(|_| rig.broadcast(1, &text).expect("the inbox has room"));
            assert_eq!(rig.deliveries(), (count * CROWD) as u64);
        }
        "delivery" | "burst" => {
            rig.connect(support::REQUEST, CONNECTIONS);
            for _ in 0..count {
                let burst = if scenario == "burst" { BURST } else { 1 };
                rig.broadcast(burst, &text).expect("the inbox has room");
            }
            let expected = count * CONNECTIONS * if scenario == "burst" { BURST } else { 1 };
            assert_eq!(rig.deliveries(), expected as u64);
        }
        "poll" => {
            rig.connect(polling("head"), CONNECTIONS);
            for _ in 0..count {
                // Each answer leads to the next request.
                rig.broadcast(1, &text).expect("the inbox has room");
                rig.ask_again(polling(&rig.position()), CONNECTIONS);
            }
            assert_eq!(rig.deliveries(), (count * CONNECTIONS) as u64);
        }
        other => {
            panic!(
                "no scenario {other:?}: there are handshake, delivery, crowd, envelope, mixed, burst, resume and poll"
            )
        }
    }
}
