//! Connections whose TLS is the kernel's go over to another daemon: the keys are the socket's.

use wspush::tls::Suite;

use super::offer;
use super::wss::Rig;
use crate::daemon::tls::TlsClient;
use crate::wire::{CLOSE, TEXT, close_of};

#[test]
fn they_go_on_in_every_suite_that_the_kernel_offers() {
    let Some(offer) = offer() else { return };
    let at = std::env::temp_dir().join(format!("wspush-ktls-handed-{}", std::process::id()));
    let at = format!("unix:{}", at.display());
    let flags = ["--demo", "--handover", at.as_str()];
    let Some(mut rig) = Rig::start_if_offered(&flags) else { return };
    let suites: Vec<Suite> = Suite::all().filter(|suite| offer.has(*suite)).collect();
    let open = |rig: &Rig, target: &str| -> Vec<TlsClient> {
        suites.iter().map(|&suite| TlsClient::open(rig.daemon.public, rig.config(suite), target)).collect()
    };
    let (mut echoes, mut subscribers) = (open(&rig, "/echo"), open(&rig, "/ws"));
    let mut halves = open(&rig, "/echo");
    let count = 3 * suites.len() as u64;
    rig.daemon.wait_stats("all are the kernel's", |stats| {
        stats["counters"]["kernel_tls"]["handed_over"].as_u64() == Some(count)
    });
    rig.daemon.push("before");
    for half in &mut halves {
        // A message in two frames, of which one has come.
        half.send(&crate::wire::masked(false, TEXT, b"half "));
    }
    for _ in 0..2 {
        let mut former = rig.succeed(&flags);
        assert!(former.wait_exit().success(), "{}", former.log());
        assert!(former.wait_event("handed_over").contains(&format!("connections={count} stay=0")));
    }
    assert_eq!(rig.metric("wspush_connections_kernel_tls"), count);
    rig.daemon.push("after");
    for subscriber in &mut subscribers {
        assert_eq!((subscriber.text(), subscriber.text()), ("before".to_owned(), "after".to_owned()));
    }
    for half in &mut halves {
        half.send(&crate::wire::masked(true, 0, b"and half"));
        assert_eq!(half.text(), "half and half");
    }
    for echo in &mut echoes {
        for size in [0, 125, 16_384, 50_000] {
            let text = "x".repeat(size);
            echo.send_frame(TEXT, text.as_bytes());
            assert_eq!(echo.text(), text);
        }
    }
    // The end is said as ever.
    rig.daemon.signal("TERM");
    for client in echoes.iter_mut().chain(&mut subscribers).chain(&mut halves) {
        let frame = client.next().expect("a close frame");
        assert_eq!((frame.opcode, close_of(&frame).0), (CLOSE, 1001));
        client.send_frame(CLOSE, &1001u16.to_be_bytes());
        assert!(client.next().is_none(), "and behind it a close_notify");
    }
    assert!(rig.daemon.wait_exit().success());
}
