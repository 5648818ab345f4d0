//! `wspush.v1` in the simulated world: its clients come, come back where another one has stopped, and say something.
//! All that they know together is held against what was published.

use std::collections::BTreeMap;

use wspush::config::Keep;
use wspush::push::Since;
use wspush::reactor::Command;
use wspush::{CloseCode, ConnId};

use super::client::{Client, Role, Stage};
use super::parse;
use super::presence::Views;
use super::v1::{Asked, Counts, Place, V1};
use super::world::{CHANNELS, World};

/// For all channels, also those that only a host lets others have.
#[cfg(feature = "auth")]
pub fn token() -> &'static str {
    use std::sync::LazyLock;
    use wspush::auth::{Claims, Rights, Rules, issue};
    static TOKEN: LazyLock<String> = LazyLock::new(|| {
        let all = || ["*".to_owned()].into();
        let rights = Rights { allow: all(), publish: all(), ..Rights::default() };
        let claims = Claims { rights, ..Claims::default() };
        issue(SECRET, &claims, &Rules::default(), 1_700_000_000).expect("a token")
    });
    &TOKEN
}

/// Signs it.
pub const SECRET: &str = "the simulator's secret has more than 32 bytes";

impl World {
    /// Makes a newcomer one that speaks `wspush.v1`; the address that it asks for.
    pub fn v1_target(&mut self, n: usize) -> String {
        let conflates = |channel: &&&str| self.rule(channel).keep == Some(Keep::Latest);
        let mut v1 =
            V1::new(CHANNELS.iter().filter(conflates).map(|channel| (*channel).to_owned()).collect());
        let has_presence = |channel: &&&str| self.rule(channel).presence == Some(true);
        let with_presence = CHANNELS.iter().filter(has_presence).map(|channel| (*channel).to_owned());
        v1.views = Views::new(with_presence.collect());
        let mut target = format!("/ws?n={n}");
        #[cfg(feature = "auth")]
        if !self.dice.one_in(4) {
            target += &format!("&token={}", token());
            v1.has_token = true;
        }
        // Where one that was here before has stopped, or wherever.
        let before = self.former();
        for channel in &CHANNELS[..3] {
            if self.dice.one_in(3) {
                target += if *channel == "broadcast" { "&quiet=1" } else { "" };
                continue;
            }
            let stopped = before.iter().find(|(name, _)| name == channel).map(|(_, at)| Since::Position(*at));
            let since = stopped.or_else(|| self.since(channel)).unwrap_or_default();
            if *channel != "broadcast" {
                target += &format!("&channel={channel}");
            }
            if since != Since::Head {
                target += &format!("&since={since}");
            }
            v1.wished.insert((*channel).to_owned(), since);
        }
        self.clients[n].v1 = Some(Box::new(v1));
        target
    }

    /// Where some client that has gone stood, now and then.
    fn former(&mut self) -> Vec<(String, wspush::Position)> {
        let gone = |client: &&Client| client.v1.is_some() && (client.gone || client.stage == Stage::Over);
        let gone: Vec<&Client> = self.clients.iter().filter(gone).collect();
        if gone.is_empty() || self.dice.one_in(4) {
            return Vec::new();
        }
        let former = gone[self.dice.below(gone.len())];
        former.v1.as_ref().map_or(Vec::new(), |v1| v1.positions())
    }

    /// It gives a command or several.
    pub fn v1_speaks(&mut self, n: usize) {
        for _ in 0..if self.dice.one_in(6) { 8 } else { 1 } {
            let channel = self.dice.pick(&CHANNELS);
            let since = self.since(channel).unwrap_or_default();
            let (client, dice) = (&mut self.clients[n], &mut self.dice);
            let Some(v1) = &mut client.v1 else { return };
            let name = channel.to_owned();
            let stopped = v1.positions().into_iter().find(|(of, _)| *of == name);
            let asked = match dice.below(14) {
                0..=3 => Asked::Subscribe(name, stopped.map_or(since, |(_, at)| Since::Position(at))),
                4 | 5 => Asked::Unsubscribe(name),
                6..=8 => {
                    self.v1_published += 1;
                    Asked::Publish(name, format!("Q|{n}|{}", self.v1_published))
                }
                9 => Asked::History(name, dice.range(1, 20)),
                10 => Asked::Nonsense,
                11 | 12 => Asked::Presence(name),
                _ => Asked::Ping,
            };
            let command = v1.ask(asked);
            let (bytes, pings) = parse::client_message(dice, true, command.as_bytes(), client.window_bits);
            client.outgoing.extend(bytes);
            client.pongs.extend(pings);
        }
    }

    /// The host subscribes it, or ends that.
    pub fn command_v1(&mut self, conn: ConnId, channel: String) {
        let since = self.since(&channel).unwrap_or_default();
        let command = match self.dice.below(20) {
            0..=9 => Command::Subscribe { conn, channel, since },
            10..=18 => Command::Unsubscribe { conn, channel },
            _ => Command::Close { conn, code: CloseCode(4002), reason: "enough".to_owned() },
        };
        let _ = self.shared.command(command);
    }

    /// A client that reads and is open was answered, and has come to the end of all its channels.
    pub fn check_v1_complete(&self, n: usize, who: &str) {
        let Some(v1) = &self.clients[n].v1 else { return };
        assert!(v1.asked.is_empty(), "{who}: answers missing: {:?}", v1.asked);
        assert!(v1.promised.is_empty(), "{who}: it was not told of {:?}", v1.promised);
        self.check_v1_reached(n, who);
        self.check_views(n, who);
    }

    /// It has heard all that its channels have.
    pub fn check_v1_reached(&self, n: usize, who: &str) {
        let Some(v1) = &self.clients[n].v1 else { return };
        if self.clients[n].is_between_polls() {
            return;
        }
        let has_lagged = self.clients[n].wire.borrow().was_full;
        for (channel, epoch, reached) in v1.reached() {
            // One that was opened and forgotten within a turn was seen by nobody else, and nothing lay in it.
            let head = self.heads.get(&(channel.to_owned(), epoch)).copied().unwrap_or(1);
            let has_jumped = has_lagged && v1.has_conflated(channel, epoch, head);
            assert!(head == reached || has_jumped, "{who}: {channel} stops at {reached} of {head}");
        }
    }

    /// Nobody knows anything else of a place than the others, and the publishers.
    pub fn check_places(&self) -> BTreeMap<&Place, u32> {
        let mut all: BTreeMap<&Place, (&str, u32)> = BTreeMap::new();
        for (place, name, times) in
            self.clients.iter().filter_map(|client| client.v1.as_ref()).flat_map(|v1| v1.known())
        {
            let (known, sum) = all.entry(place).or_insert((name, 0));
            assert_eq!(*known, name, "{place:?}");
            *sum += times;
        }
        for (place, (name, _)) in &all {
            let mut fields = name.splitn(4, '|');
            if fields.next() != Some("P") {
                continue;
            }
            let (channel, number) =
                (fields.next().unwrap(), fields.next().unwrap().parse::<usize>().unwrap());
            let receipt = &self.published[channel][number - 1];
            assert_eq!((channel, receipt.epoch, receipt.offset), (&*place.0, place.1, place.2), "{name}");
        }
        all.into_iter().map(|(place, (_, times))| (place, times)).collect()
    }

    /// The sums over all clients of this role.
    pub fn v1_counts(&self, role: Role) -> Counts {
        let mut sum = Counts::default();
        let own = self.clients.iter().filter(|client| client.role == role);
        own.filter_map(|client| client.v1.as_ref()).for_each(|v1| sum += v1.counts);
        sum
    }
}

impl Client {
    /// Takes a message as `wspush.v1` has it.
    pub fn v1_message(&mut self, text: &str) {
        let was_full = self.wire.borrow().was_full;
        let direct = self.v1.as_mut().and_then(|v1| v1.hear(text, was_full));
        if let Some(direct) = direct {
            self.message(&direct);
        }
    }
}
