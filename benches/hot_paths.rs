//! Times of the paths that a million connections go through. `cargo bench --bench hot_paths`.
//!
//! Times on a shared machine are rough; `benches/instructions/check` counts instructions instead.
#![allow(missing_docs, clippy::unwrap_used)]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;

use wspush::Message;
use wspush::protocol::message::{Assembler, Step};
use wspush::protocol::pool::Pool;
use wspush::protocol::{frame, handshake, head, mask, utf8};
use wspush::push::Log;

mod support;

fn codec(c: &mut Criterion) {
    let mut group = c.benchmark_group("codec");
    for len in [32, 512, 65_536] {
        let text = "x".repeat(len);
        group.throughput(Throughput::Bytes(len as u64));
        group.bench_function(format!("encode {len}"), |b| {
            let mut out = Vec::new();
            b.iter(|| {
                out.clear();
                Message::Text(black_box(&text)).encode(&mut out);
            });
        });
        let frame = masked(text.as_bytes());
        group.bench_function(format!("decode {len}"), |b| {
            let (mut pool, mut scratch, mut input) = (Pool::new(1 << 20), Vec::new(), frame.clone());
            b.iter(|| {
                input.copy_from_slice(&frame);
                let assembler = Assembler {
                    pool: &mut pool,
                    scratch: &mut scratch,
                    inflater: None,
                    message_bytes_max: 1 << 20,
                    reserve: 0,
                };
                let step = assembler.next(&mut input, &mut None);
                assert!(matches!(black_box(step), Ok((_, Step::Event(_)))));
            });
        });
        let mut data = text.clone().into_bytes();
        group.bench_function(format!("unmask {len}"), |b| {
            b.iter(|| mask::unmask(black_box(&mut data), [1, 2, 3, 4], 0))
        });
        group.bench_function(format!("utf8 {len}"), |b| {
            b.iter(|| assert!(utf8::Utf8::default().push(black_box(text.as_bytes()))));
        });
    }
    group.finish();
}

fn masked(payload: &[u8]) -> Vec<u8> {
    let (header, len) = frame::encode_header(frame::Opcode::Text, payload.len());
    let mut bytes = header[..len].to_vec();
    bytes[1] |= 0x80;
    bytes.extend([1, 2, 3, 4]);
    let start = bytes.len();
    bytes.extend(payload);
    mask::unmask(&mut bytes[start..], [1, 2, 3, 4], 0);
    bytes
}

fn handshakes(c: &mut Criterion) {
    c.bench_function("handshake: parse, check, respond", |b| {
        let mut out = Vec::new();
        b.iter(|| {
            out.clear();
            let mut fields = head::Fields::new();
            let (head, _) = head::parse(black_box(support::REQUEST), 8_192, &mut fields).unwrap().unwrap();
            let upgrade = handshake::check(&head).unwrap();
            handshake::respond(upgrade.key, None, None, |_| {}, &mut out);
        });
    });
}

fn log(c: &mut Criterion) {
    let frame = Message::Text(&"x".repeat(64)).to_frame();
    c.bench_function("log: append 64 bytes", |b| {
        let mut log = Log::new(0, 4 << 20, 1_024);
        b.iter(|| log.append(black_box(&frame)));
    });
}

fn flush(c: &mut Criterion) {
    let mut group = c.benchmark_group("flush of 10,000 cursors into a sink");
    let text = "x".repeat(64);
    for burst in [1, 100] {
        group.throughput(Throughput::Elements(10_000 * burst as u64));
        group.bench_function(format!("burst of {burst}"), |b| {
            let mut rig = support::Rig::new(10_000);
            rig.connect(support::REQUEST, 10_000);
            b.iter(|| rig.broadcast(burst, &text).unwrap());
            assert_eq!(rig.deliveries() % 10_000, 0);
        });
    }
    group.finish();
}

/// Tokens as they come with a handshake: good ones, and one whose signature is another token's.
#[cfg(feature = "auth")]
fn tokens(c: &mut Criterion) {
    use wspush::auth::{Claims, Jwks, Rules, Verifier, issue};

    const SECRET: &str = "0123456789abcdef0123456789abcdef";
    // RFC 7515 appendix A.3, and within its time.
    const ES256: &str = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNv\
                         bS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxf\
                         KTUJqPP3-Kg6NU1Q";
    const NOW_S: u64 = 1_300_819_000;
    let keys = br#"{"keys":[{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}"#;
    let mut verifier = Verifier::new(Rules::default());
    verifier.add_secret(SECRET).unwrap();
    verifier.set_published(Jwks::read(keys).unwrap());
    let claims = |user: &str| Claims { user: Some(user.to_owned()), ..Claims::default() };
    let hs256 = issue(SECRET, &claims("ann"), &Rules::default(), NOW_S).unwrap();
    let other = issue(SECRET, &claims("bob"), &Rules::default(), NOW_S).unwrap();
    let forged = hs256[..=hs256.rfind('.').unwrap()].to_owned() + other.rsplit('.').next().unwrap();
    let mut group = c.benchmark_group("token");
    for (name, token, is_good) in
        [("HS256", hs256.as_str(), true), ("ES256", ES256, true), ("HS256 forged", &forged, false)]
    {
        group.bench_function(name, |b| {
            b.iter(|| assert_eq!(verifier.check(black_box(token), NOW_S).outcome.is_ok(), is_good));
        });
    }
    group.finish();
}

#[cfg(not(feature = "auth"))]
fn tokens(_: &mut Criterion) {}

criterion_group!(benches, codec, handshakes, tokens, log, flush);
criterion_main!(benches);
