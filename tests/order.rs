//! One thread's requests happen in their order: checked exactly, in the simulated world, for a thread beside the
//! server and for callbacks, with fast readers and slow ones.

mod callbacks;

use std::collections::{BTreeMap, BTreeSet};

use crate::sim::client::{Heard, Reader, Role, padding};
use crate::sim::dice::Dice;
use crate::sim::world::{World, text, to_user};
use wspush::config::SlowConsumer;
use wspush::push::{LogLimits, Since};
use wspush::reactor::{Command, ListenerRole};
use wspush::{CloseCode, Config, Message};

const CHANNELS: [&str; 3] = ["broadcast", "public.a", "public.b"];

/// A thing that the thread has done; clients by their number.
#[derive(Clone, Debug)]
enum Deed {
    Publish(String, usize),
    Answer(usize, usize),
    Direct(usize, usize),
    Join(usize, String),
    Leave(usize, String),
    Close(usize, u16),
}

/// Publications of several channels, which have no order among them, and what was said to one client behind them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Segment {
    publications: BTreeMap<String, Vec<usize>>,
    then: Option<Heard>,
}

fn publication(segments: &mut [Segment], channel: &str, number: usize) {
    let last = segments.last_mut().expect("there is always one");
    last.publications.entry(channel.to_owned()).or_default().push(number);
}

fn barrier(segments: &mut Vec<Segment>, heard: Heard) {
    segments.last_mut().expect("there is always one").then = Some(heard);
    segments.push(Segment::default());
}

/// Everything of it that client `n` is to hear.
fn expected(n: usize, deeds: &[Deed]) -> Vec<Segment> {
    let mut segments = vec![Segment::default()];
    let mut channels = BTreeSet::new();
    for deed in deeds {
        match deed {
            Deed::Publish(channel, number) if channels.contains(channel) => {
                publication(&mut segments, channel, *number);
            }
            Deed::Answer(to, k) if *to == n => barrier(&mut segments, Heard::Answer(*k)),
            Deed::Direct(to, k) if *to == n => barrier(&mut segments, Heard::Direct(*k)),
            Deed::Join(who, channel) if *who == n => drop(channels.insert(channel)),
            Deed::Leave(who, channel) if *who == n => drop(channels.remove(channel)),
            Deed::Close(who, code) if *who == n => {
                barrier(&mut segments, Heard::Close(*code));
                break;
            }
            _ => {}
        }
    }
    segments
}

fn heard(transcript: &[Heard]) -> Vec<Segment> {
    let mut segments = vec![Segment::default()];
    for heard in transcript {
        match heard {
            Heard::Publication(channel, number) => publication(&mut segments, channel, *number),
            other => barrier(&mut segments, other.clone()),
        }
    }
    segments
}

/// Everything, in its place.
fn check_exact(who: &str, transcript: &[Heard], n: usize, deeds: &[Deed]) {
    let (heard, expected) = (heard(transcript), expected(n, deeds));
    for (at, (heard, expected)) in heard.iter().zip(&expected).enumerate() {
        assert_eq!(heard, expected, "{who}, segment {at}");
    }
    assert_eq!(heard.len(), expected.len(), "{who}");
}

/// A slow one may have missed publications, and may have been closed for that; what it has heard is in order.
fn check_slow(who: &str, heard: &[Segment], expected: &[Segment], may_skip: bool) {
    let told = heard.iter().position(|segment| segment.then == Some(Heard::Close(1013)));
    let mut lost = BTreeSet::new();
    for (at, segment) in heard.iter().enumerate() {
        for (channel, all) in &expected[at].publications {
            let numbers = segment.publications.get(channel).map_or(&[][..], Vec::as_slice);
            let is_subset = numbers.iter().all(|number| all.contains(number));
            assert!(is_subset, "{who}: {channel} {numbers:?} of {all:?} in segment {at}");
            let whole = numbers.is_empty() || numbers[..] == all[..numbers.len()] && !lost.contains(channel);
            assert!(may_skip || whole, "{who}: a gap in {channel}, segment {at}: {numbers:?} of {all:?}");
            if numbers.len() < all.len() {
                lost.insert(channel);
            }
        }
        if Some(at) == told {
            assert_eq!(heard[at + 1..], [Segment::default()], "{who}: something behind the close frame");
            return;
        }
        assert_eq!(segment.then, expected[at].then, "{who}: segment {at}");
        assert!(segment.publications.keys().all(|channel| expected[at].publications.contains_key(channel)));
    }
    assert_eq!(heard.len(), expected.len(), "{who}");
    assert!(may_skip || lost.is_empty(), "{who}: a gap that it was not told of: {lost:?}");
}

fn connect(world: &mut World, count: usize, slow: bool) {
    for _ in 0..count {
        let (reader, down_max) = if slow {
            let reader = world.dice.pick(&[Reader::Fast, Reader::Slow(60), Reader::Slow(400), Reader::Never]);
            (reader, world.dice.pick(&[130, 600, 3_000]))
        } else {
            (Reader::Fast, 1 << 20)
        };
        let n = world.connect(Role::Push, ListenerRole::Public, reader, down_max);
        let offers = ["", "permessage-deflate"];
        world.clients[n].offer = if cfg!(feature = "deflate") { world.dice.pick(&offers) } else { "" };
        world.clients[n].shake_hands(&format!("/ws?n={n}&channel=public.a"));
    }
    // A handshake takes a slow reader a while.
    for _ in 0..4_000 {
        if world.audit.open == count {
            return;
        }
        world.pass_time(1_000);
        for client in &mut world.clients {
            client.send(usize::MAX);
            client.read(usize::MAX, world.now_us);
        }
        world.turn(true);
    }
    panic!("not everybody is open: {:?}", world.audit);
}

fn config(dice: &mut Dice) -> Config {
    Config {
        heartbeat_ms: 0,
        // Nobody is cut off for taking its time.
        pong_wait_ms: 3_600_000,
        close_wait_ms: 600_000,
        drain_ms: 600_000,
        flush_slice: dice.pick(&[1, 2, 4_096]),
        outbox_bytes_max: 1 << 20,
        deflate: cfg!(feature = "deflate"),
        deflate_bytes_min: 40,
        ..Config::default()
    }
}

fn initial(count: usize) -> Vec<Deed> {
    let join = |n| ["broadcast", "public.a"].map(|channel| Deed::Join(n, channel.to_owned()));
    (0..count).flat_map(join).collect()
}

/// A thread beside the server does so many things to six clients. Returns what it did.
fn thread(world: &mut World, steps: usize) -> Vec<Deed> {
    let mut deeds = initial(world.clients.len());
    for _ in 0..steps {
        let n = world.dice.below(world.clients.len());
        let conn = world.clients[n].conn.expect("it is open");
        let channel = world.dice.pick(&CHANNELS).to_owned();
        let command = |command| world.shared.command(command).expect("room in the inbox");
        match world.dice.below(40) {
            0..=17 => {
                let number = world.count(&channel) + 1;
                let len =
                    if world.dice.one_in(6) { world.dice.range(100, 900) } else { world.dice.below(60) };
                let text = format!("P|{channel}|{number}|{}", padding(number, len));
                let name = (channel != "broadcast").then_some(&*channel);
                let receipt = world.push(name, Message::Text(&text)).expect("room in the inbox");
                world.published.get_mut(&channel).expect("it is there").push(receipt);
                deeds.push(Deed::Publish(channel, number));
            }
            18..=25 => {
                world.clients[n].directs_sent += 1;
                let k = world.clients[n].directs_sent;
                let publication = text(&format!("D|{k}|{conn}"));
                let by_name = k.is_multiple_of(2);
                command(if by_name { to_user(n, publication) } else { Command::Send { conn, publication } });
                deeds.push(Deed::Direct(n, k));
            }
            26..=31 => {
                command(Command::Subscribe { conn, channel: channel.clone(), since: Since::Head });
                deeds.push(Deed::Join(n, channel));
            }
            32..=37 => {
                command(Command::Unsubscribe { conn, channel: channel.clone() });
                deeds.push(Deed::Leave(n, channel));
            }
            38 if world.dice.one_in(4) => {
                command(Command::Close { conn, code: CloseCode(4002), reason: "enough".to_owned() });
                deeds.push(Deed::Close(n, 4002));
            }
            _ => {
                world.pass_time(1_000);
                world.act();
                world.turn(false);
            }
        }
    }
    deeds
}

fn everybody_reads(world: &mut World) {
    world.calm();
    for client in &mut world.clients {
        client.reader = Reader::Fast;
    }
    world.settle();
}

/// How many have heard which publication, against its receipt.
fn check_receipts(world: &World) {
    for (channel, receipts) in &world.published {
        for (at, receipt) in receipts.iter().enumerate() {
            let number = at + 1;
            let d = world.shared.delivery(receipt.id).expect("it is among the newest");
            let heard = |n: &usize| {
                let what = Heard::Publication(channel.clone(), number);
                world.clients[*n].transcript.contains(&what)
            };
            let heard = (0..world.clients.len()).filter(heard).count() as u32;
            assert_eq!((d.written, d.lagging), (heard, 0), "{channel} {number}: {d:?}");
            assert_eq!(d.recipients, d.written + d.skipped + d.gone, "{channel} {number}: {d:?}");
        }
    }
}

#[test]
fn a_thread_is_taken_at_its_word() {
    let mut moved = 0;
    for seed in 0..100 {
        let mut dice = Dice::from_seed(seed);
        let config = Config { log_bytes: 1 << 20, ..config(&mut dice) };
        let mut world = World::new(dice, config, 0);
        connect(&mut world, 6, true);
        let deeds = thread(&mut world, 250);
        everybody_reads(&mut world);
        for client in &world.clients {
            check_exact(&format!("seed {seed}, client {}", client.n), &client.transcript, client.n, &deeds);
        }
        check_receipts(&world);
        for d in world.published.values().flatten().filter_map(|receipt| world.shared.delivery(receipt.id)) {
            assert_eq!((d.skipped, d.gone), (0, 0), "seed {seed}: {d:?}");
            moved += u64::from(d.written);
        }
    }
    assert!(moved > 10_000, "{moved} deliveries");
}

#[test]
fn who_is_too_slow_misses_publications_and_no_order() {
    let (mut saved, mut skipped, mut closed) = (0, 0, 0);
    for seed in 0..120 {
        let mut dice = Dice::from_seed(seed);
        let skips = dice.one_in(2);
        let (bytes, publications) = (dice.pick(&[1_000, 3_000]), dice.pick(&[3, 20]));
        let whole = LogLimits { bytes, publications, sum_bytes: 0 }.whole_bytes();
        let config = Config {
            log_bytes: bytes,
            log_publications: publications,
            logs_bytes_max: dice.pick(&[whole + 2_000, 1 << 30]),
            slow_consumer: if skips { SlowConsumer::Skip } else { SlowConsumer::Close },
            ..config(&mut dice)
        };
        let mut world = World::new(dice, config, u64::from(u32::MAX) - 20_000);
        connect(&mut world, 6, true);
        let deeds = thread(&mut world, 300);
        everybody_reads(&mut world);
        for client in &world.clients {
            let who = format!("seed {seed}, client {} {:?}", client.n, client.close_code);
            check_slow(&who, &heard(&client.transcript), &expected(client.n, &deeds), skips);
            assert!(!client.has_rest(), "{who}: in the middle of a frame");
            closed += u64::from(client.close_code == Some(1013));
        }
        check_receipts(&world);
        let counters = world.reactor.counters();
        assert_eq!((counters.slow_cut, counters.goodbyes_unread), (0, 0), "seed {seed}");
        saved += counters.rests_saved;
        skipped += counters.slow_skipped;
    }
    assert!(saved > 100 && skipped > 100 && closed > 30, "{saved} rests, {skipped} skips, {closed} closed");
}
