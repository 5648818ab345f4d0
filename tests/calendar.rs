//! A calendar that is wrong, and jumps: as on a machine without a battery, until the network has told the time.

use crate::sim::client::{Reader, Role};
use crate::sim::dice::Dice;
use crate::sim::world::World;
use wspush::reactor::ListenerRole;
use wspush::{Config, Message};

const YEAR_US: u64 = 365 * 86_400 * 1_000_000;

/// 1970, now, beyond what 32 bits of seconds hold, the end of the years that can be written, and back.
const CALENDARS_US: &[u64] =
    &[0, 50 * YEAR_US, (1 << 31) * 1_000_000, 80 * YEAR_US, 8_000 * YEAR_US, 0, 60 * YEAR_US, 1];

#[test]
fn a_calendar_that_jumps_closes_nobody_and_loses_nothing() {
    let config = Config { heartbeat_ms: 1_000, pong_wait_ms: 5_000, ..Config::default() };
    let mut world = World::new(Dice::from_seed(11), config, 0);
    for _ in 0..5 {
        let n = world.connect(Role::Push, ListenerRole::Public, Reader::Fast, 1 << 20);
        world.clients[n].shake_hands("/ws?channel=public.a");
    }
    // Some of them speak TLS, which takes a few turns.
    world.everybody_acts(20, 1_000);
    assert_eq!(world.reactor.audit().open, 5);
    let (mut epochs, mut pings) = (Vec::new(), world.reactor.metrics().pings_sent);
    for (turn, &calendar_us) in CALENDARS_US.iter().enumerate() {
        world.calendar_us = calendar_us;
        let text = |channel: &str| format!("P|{channel}|{}|", turn + 1);
        world.push(None, Message::Text(&text("broadcast"))).unwrap();
        world.push(Some("public.a"), Message::Text(&text("public.a"))).unwrap();
        // A channel that begins now.
        let channel = format!("public.new{turn}");
        let n = world.connect(Role::Push, ListenerRole::Public, Reader::Fast, 1 << 20);
        world.clients[n].shake_hands(&format!("/ws?channel={channel}"));
        world.everybody_acts(10, 200_000);
        epochs.push(world.push(Some(&channel), Message::Text(&text(&channel))).unwrap().epoch);
        world.everybody_acts(3, 1_000);
        let audit = world.reactor.audit();
        assert_eq!(audit.open, 6 + turn, "with the calendar at {calendar_us}");
        let head = |name: &str| audit.channels.iter().find(|(of, ..)| of == name).map(|(.., next)| *next);
        assert_eq!((head("broadcast"), head("public.a")), (Some(turn as u64 + 2), Some(turn as u64 + 2)));
        let pinged = std::mem::replace(&mut pings, world.reactor.metrics().pings_sent);
        assert!(pings > pinged, "a silence is measured by the other clock");
    }
    // Every channel has an epoch of its own, and a later one a larger one.
    assert!(epochs.is_sorted_by(|earlier, later| earlier < later), "{epochs:?}");
    for client in &world.clients[..5] {
        for channel in ["broadcast", "public.a"] {
            assert!(client.heard[channel].iter().copied().eq(1..=CALENDARS_US.len()), "{:?}", client.heard);
        }
    }
    let deliveries = world.reactor.metrics().deliveries;
    // Of the default channel to all there are, of the other to five, and of each new one to one.
    let rounds = CALENDARS_US.len() as u64;
    let newcomers = (0..rounds).sum::<u64>();
    assert_eq!(deliveries, 5 * rounds + newcomers + 5 * rounds + rounds);
}
