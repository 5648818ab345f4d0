//! Publications at a pace, in the simulated world, where time passes as told.

use crate::sim::client::{Reader, Role};
use crate::sim::dice::Dice;
use crate::sim::wire::{PING, masked};
use crate::sim::world::{World, publish};
use wspush::config::Config;
use wspush::endpoint::Receipt;
use wspush::push::{Message, Pace, PushOptions};
use wspush::reactor::ListenerRole;
use wspush::time::Time;
use wspush::{Delivery, PushError};

struct Crowd {
    world: World,
    bystander: usize,
}

impl Crowd {
    /// So many subscribers of the default channel and of `c`, and one who listens to another one.
    fn new(count: usize) -> Crowd {
        let config = Config { heartbeat_ms: 0, max_connections: count + 1, ..Config::default() };
        let config = Config { connections_per_address_max: 0, channels: vec!["*".to_owned()], ..config };
        let mut world = World::new(Dice::from_seed(7), config, 0);
        let mut come = |target: &str| {
            let n = world.connect(Role::Raw, ListenerRole::Public, Reader::Never, 1 << 20);
            world.clients[n].tls = None;
            world.clients[n].shake_hands(target);
            world.clients[n].send(usize::MAX);
            n
        };
        (0..count).for_each(|_| _ = come("/ws?channel=c"));
        let bystander = come("/ws?broadcast=no&channel=other");
        while world.audit.open < count + 1 {
            world.turn(true);
        }
        let mut crowd = Crowd { world, bystander };
        (0..=count).for_each(|n| _ = crowd.take(n));
        crowd
    }

    fn push(&mut self, channel: &str, text: &str, pace: Option<Pace>) -> Receipt {
        let name = (channel != "broadcast").then_some(channel);
        let options = PushOptions::default().pace(pace);
        let world = &mut self.world;
        // It wakes the server up.
        world.turn.busy = true;
        publish(&world.shared, name, Message::Text(text), options, world.unix_us()).unwrap()
    }

    fn take(&mut self, n: usize) -> Vec<u8> {
        let now_us = self.world.now_us;
        self.world.clients[n].wire.borrow_mut().pull_down(usize::MAX, now_us)
    }

    /// The texts that a client has got, one by one.
    fn texts(&mut self, n: usize) -> String {
        let bytes = self.take(n);
        bytes.split(|&byte| byte == 0x81).skip(1).map(|frame| frame[1] as char).collect()
    }

    fn all_texts(&mut self) -> Vec<String> {
        (0..self.bystander).map(|n| self.texts(n)).collect()
    }

    /// A turn, when it is due or after so many milliseconds; how many were written to.
    fn turn_within(&mut self, ms: u64) -> u64 {
        let world = &mut self.world;
        let latest_us = world.now_us + ms * 1_000;
        let due_us = if world.turn.busy { 0 } else { world.turn.due_ms.map_or(u64::MAX, |ms| ms * 1_000) };
        world.now_us = due_us.clamp(world.now_us, latest_us);
        let now = Time { mono_us: world.now_us, unix_us: world.unix_us() };
        let sends = world.reactor.counters().sends;
        world.reactor.set_now(now);
        world.turn = world.reactor.turn(now);
        world.reactor.show(now);
        world.reactor.counters().sends - sends
    }

    /// How many were written to in each tenth of a second, for so many of them.
    fn tenths(&mut self, count: usize) -> Vec<u64> {
        let began_us = self.world.now_us;
        let mut tenths = Vec::new();
        for n in 1..=count as u64 {
            let (mut written, end_us) = (0, began_us + n * 100_000);
            while self.world.now_us < end_us {
                written += self.turn_within((end_us - self.world.now_us).div_ceil(1_000));
            }
            tenths.push(written);
        }
        tenths
    }

    fn delivery(&self, receipt: &Receipt) -> Delivery {
        self.world.shared.delivery(receipt.id).unwrap()
    }
}

/// All of them within a fifth of what is even.
fn assert_even(tenths: &[u64], even: u64) {
    let is_even = |&written: &u64| even * 4 <= written * 5 && written * 5 <= even * 6;
    assert!(tenths.iter().all(is_even), "{even} in each would be even: {tenths:?}");
}

#[test]
fn ten_seconds_for_many() {
    const CROWD: usize = 15_000;
    let mut crowd = Crowd::new(CROWD);
    for channel in ["broadcast", "c"] {
        let receipt = crowd.push(channel, "x", Some(Pace::WithinMs(10_000)));
        let tenths = crowd.tenths(50);
        assert_even(&tenths, 150);
        let half = crowd.delivery(&receipt);
        assert!((7_400..7_700).contains(&half.written), "{half:?}");
        assert_eq!(half.lagging + half.written, 15_000);
        assert_even(&crowd.tenths(50), 150);
        let whole = crowd.delivery(&receipt);
        assert_eq!((whole.written, whole.lagging), (15_000, 0));
        assert!(whole.last_us.unwrap() <= 10_000_000, "{whole:?}");
        assert!(whole.median_us.unwrap() >= 4_900_000, "{whole:?}");
        assert_eq!(crowd.tenths(3), [0; 3], "and nothing more");
    }
    let texts = crowd.all_texts();
    assert!(texts.iter().all(|text| text == "xx"), "each once");
    assert_eq!(crowd.world.reactor.counters().publications_paced, 2);
}

/// In each turn one part is written, and whoever asks for something has it in the same turn.
#[test]
fn a_bystander_does_not_notice() {
    let mut crowd = Crowd::new(3_000);
    crowd.push("broadcast", "x", Some(Pace::PerSecond(1_000)));
    for _ in 0..300 {
        let now_us = crowd.world.now_us;
        crowd.world.clients[crowd.bystander].wire.borrow_mut().push_up(&masked(true, PING, b"x"));
        crowd.world.pass_time(10_000);
        let sends = crowd.world.reactor.counters().sends;
        crowd.world.turn(true);
        let written = crowd.world.reactor.counters().sends - sends;
        assert!((2..=13).contains(&written), "{written} in a turn at {now_us}");
        let bystander = crowd.bystander;
        assert_eq!(crowd.take(bystander), [0x8a, 1, b'x']);
    }
}

#[test]
fn a_rate_is_never_exceeded() {
    let mut crowd = Crowd::new(30);
    let receipt = crowd.push("c", "x", Some(Pace::PerSecond(10)));
    // The machine sleeps for two seconds: that is not made up for.
    assert_eq!(crowd.tenths(3), [2, 1, 1], "the first one at once");
    crowd.world.pass_time(2_000_000);
    assert_eq!(crowd.turn_within(0), 2);
    // The last of the twenty may be due in the turn with which the two seconds end, or just behind it.
    let written: u64 = crowd.tenths(20).iter().sum();
    assert!((19..=20).contains(&written), "{written}");
    crowd.tenths(6);
    assert_eq!(crowd.delivery(&receipt).lagging, 0);
    // Somebody else's turns do not change it.
    crowd.push("c", "y", Some(Pace::PerSecond(5)));
    let mut written = 0;
    for _ in 0..1_000 {
        crowd.world.pass_time(1_000);
        written += crowd.turn_within(0);
    }
    assert_eq!(written, 5, "one every 200 ms");
}

#[test]
fn what_comes_without_a_pace_ends_it() {
    let mut crowd = Crowd::new(100);
    crowd.push("c", "a", Some(Pace::WithinMs(10_000)));
    crowd.tenths(50);
    crowd.push("broadcast", "b", None);
    crowd.tenths(1);
    let texts = crowd.all_texts();
    assert!(texts.iter().all(|text| text.contains('b')), "another channel's does not wait");
    let early = texts.iter().filter(|text| text.contains('a')).count();
    assert!((50..=52).contains(&early), "{early}");
    let receipt = crowd.push("c", "c", None);
    crowd.tenths(1);
    let texts = crowd.all_texts();
    assert_eq!(texts.iter().filter(|text| *text == "ac").count(), 100 - early, "in order");
    assert_eq!(texts.iter().filter(|text| *text == "c").count(), early);
    assert_eq!(crowd.delivery(&receipt).lagging, 0);
    assert!(!crowd.world.turn.busy);
}

#[test]
fn what_lies_before_it_does_not_wait() {
    let mut crowd = Crowd::new(20_000);
    crowd.push("broadcast", "a", None);
    crowd.push("broadcast", "b", Some(Pace::WithinMs(4_000)));
    let first = crowd.turn_within(0);
    assert!(first < 20_000, "a walk over so many takes several turns");
    crowd.push("broadcast", "c", Some(Pace::WithinMs(4_000)));
    while crowd.world.turn.busy {
        crowd.turn_within(0);
    }
    let texts = crowd.all_texts();
    assert!(texts.iter().all(|text| text.starts_with('a')));
    let along = texts.iter().filter(|text| text.len() > 1).count();
    assert!(along <= 100, "{along} have got more than that");
    crowd.tenths(39);
    let written = crowd.all_texts().iter().filter(|text| *text == "bc").count();
    assert!((19_000..20_000).contains(&written), "{written}");
    crowd.tenths(2);
    assert!(!crowd.world.reactor.counters().publications_paced == 0 || crowd.world.turn.due_ms.is_some());
    assert_eq!(crowd.all_texts().iter().filter(|text| *text == "bc").count() + written + along, 20_000);
}

#[test]
fn a_slower_one_waits_for_a_faster_one() {
    let mut crowd = Crowd::new(100);
    crowd.push("c", "a", Some(Pace::PerSecond(100)));
    crowd.push("c", "b", Some(Pace::PerSecond(10)));
    crowd.tenths(10);
    let texts = crowd.all_texts();
    assert!(texts.iter().all(|text| text.starts_with('a')), "{texts:?}");
    assert!(texts.iter().filter(|text| *text == "ab").count() <= 1);
    assert_even(&crowd.tenths(50), 1);
    // A faster one takes it along.
    crowd.push("c", "c", Some(Pace::WithinMs(1_000)));
    crowd.tenths(10);
    let rest: Vec<String> = crowd.all_texts();
    assert!(rest.iter().all(|text| text.ends_with('c')), "{rest:?}");
    let receipt = crowd.push("c", "d", None);
    crowd.tenths(1);
    assert_eq!(crowd.delivery(&receipt).lagging, 0);
}

/// A pace holds up nothing that needs its log's memory, and no history.
#[test]
fn a_log_without_room_ends_a_pace() {
    let mut crowd = Crowd::new(10);
    for n in 0..1_024 {
        crowd.push("c", "x", Some(Pace::PerSecond(1)));
        if n % 100 == 0 {
            crowd.turn_within(0);
        }
    }
    crowd.turn_within(0);
    let lagging = |crowd: &mut Crowd| crowd.all_texts().iter().filter(|text| text.is_empty()).count();
    assert!(lagging(&mut crowd) >= 8);
    let last = crowd.push("c", "y", Some(Pace::PerSecond(1)));
    crowd.turn_within(0);
    crowd.turn_within(0);
    assert!(crowd.delivery(&last).recipients == 10, "it is in the log");
    assert!(crowd.all_texts().iter().filter(|text| text.contains('x')).count() >= 8);
    assert!(
        crowd.world.reactor.counters().slow_skipped == 0 && crowd.world.reactor.counters().closed.sum() == 0
    );
}

/// One that is spoken to gets what was published before first, and the end of the server waits for nobody.
#[test]
fn the_order_stays() {
    let mut crowd = Crowd::new(50);
    crowd.push("c", "a", Some(Pace::PerSecond(1)));
    crowd.turn_within(0);
    crowd.all_texts();
    crowd.world.shared.drain(Some(5_000));
    for _ in 0..100 {
        crowd.turn_within(100);
    }
    for n in 0..50 {
        let bytes = crowd.take(n);
        let close = bytes.windows(2).position(|two| two == [0x88, 26]);
        assert!(close.is_some(), "{n} was not told: {bytes:?}");
        assert!(n == 0 || bytes.starts_with(&[0x81, 1, b'a']), "{n}: {bytes:?}");
    }
}

#[test]
fn nothing_to_spread_and_nothing_out_of_bounds() {
    let options = |pace: Pace| PushOptions::default().pace(pace);
    let new = |pace: Pace| wspush::push::Publication::new(Message::Text("x"), options(pace));
    assert!(matches!(new(Pace::PerSecond(0)), Err(PushError::BadTerms(why)) if why.contains("1 to 1000000")));
    assert!(
        matches!(new(Pace::WithinMs(3_600_001)), Err(PushError::BadTerms(why)) if why.contains("3600000"))
    );
    let one = wspush::push::Publication::to_one(Message::Text("x"), options(Pace::PerSecond(1)));
    assert!(matches!(one, Err(PushError::BadTerms(why)) if why.contains("rate and deadline_ms")));
}

/// Those who are told to go are told evenly, each as its transport says it, so that they don't all come back at once.
#[test]
fn an_end_takes_its_time_with_many() {
    const CROWD: usize = 15_000;
    let mut crowd = Crowd::new(CROWD);
    crowd.world.shared.drain(Some(5_000));
    crowd.world.turn.busy = true;
    let tenths = crowd.tenths(49);
    assert_even(&tenths[..47], 300);
    assert_eq!(tenths.iter().sum::<u64>(), CROWD as u64 + 1);
    for n in (0..CROWD).step_by(100) {
        assert!(crowd.take(n).starts_with(&[0x88, 26, 0x03, 0xe9]), "1001");
    }
    // Nobody has answered.
    crowd.world.pass_time(100_000);
    crowd.turn_within(0);
    assert!(crowd.world.turn.finished);
}

#[test]
fn an_end_with_few_is_soon_over() {
    let mut crowd = Crowd::new(99);
    crowd.world.shared.drain(Some(600_000));
    crowd.world.turn.busy = true;
    assert_eq!(crowd.tenths(1), [100]);
}

#[test]
fn an_urgent_channel_is_walked_first() {
    let rules = ["urgent priority=high", "bulk priority=low"].map(|rule| rule.parse().unwrap());
    let config =
        Config { heartbeat_ms: 0, flush_slice: 10, channel_rule: rules.to_vec(), ..Config::default() };
    let config = Config { channels: vec!["*".to_owned()], ..config };
    let mut world = World::new(Dice::from_seed(7), config, 0);
    for n in 0..60 {
        let channel = ["bulk", "urgent", "other"][n % 3];
        let n = world.connect(Role::Raw, ListenerRole::Public, Reader::Never, 1 << 20);
        world.clients[n].tls = None;
        world.clients[n].shake_hands(&format!("/ws?broadcast=no&channel={channel}"));
        world.clients[n].send(usize::MAX);
    }
    while world.audit.open < 60 {
        world.turn(true);
    }
    let got = |world: &mut World| {
        world.turn(true);
        let now_us = world.now_us;
        let taken = world.clients.iter().map(|c| c.wire.borrow_mut().pull_down(usize::MAX, now_us));
        taken.enumerate().filter(|(_, bytes)| bytes.ends_with(b"x")).map(|(n, _)| n % 3).collect::<Vec<_>>()
    };
    got(&mut world);
    for channel in ["bulk", "other", "urgent"] {
        world.push(Some(channel), Message::Text("x")).unwrap();
    }
    let order: Vec<usize> = (0..6).flat_map(|_| got(&mut world)).collect();
    assert_eq!(order, [vec![1; 20], vec![2; 20], vec![0; 20]].concat());
}
