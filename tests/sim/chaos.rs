//! The events of a run: everything that clients, publishers, the network and time can do, drawn at random.

use wspush::config::{ChannelRule, Heartbeat, SlowConsumer};
use wspush::push::{LogLimits, Message, Pace, Since};
use wspush::reactor::{Command, ListenerRole};
use wspush::{CloseCode, Config, ConnId, PushError, PushOptions};

use super::client::{Client, Reader, Role, Span, padding};
use super::deflate;
use super::dice::Dice;
use super::world::{CHANNELS, World, publish, text, to_user};

/// How many channels without subscribers are published to at once.
const STRANGE: usize = 4;

/// A configuration with bounds small enough to be met.
pub fn config(dice: &mut Dice) -> Config {
    let close = dice.one_in(2);
    let (bytes, publications) = (dice.pick(&[300, 1_000, 4_000, 200_000]), dice.pick(&[1, 2, 5, 64, 1024]));
    let whole = LogLimits { bytes, publications, sum_bytes: 0 }.whole_bytes();
    Config {
        demo: true,
        max_connections: dice.pick(&[3, 10, 1000]),
        admin_connections_max: 4,
        connections_per_address_max: dice.pick(&[0, 0, 1]),
        // Room for those that clients know, and for as many as come at once to nobody; or for all there ever are.
        channels_max: dice.pick(&[CHANNELS.len() + 1 + STRANGE, 100]),
        channel_idle_ms: dice.pick(&[1_000, 300_000]),
        handshake_bytes_max: dice.pick(&[700, 8 << 10]),
        message_bytes_max: dice.pick(&[500, 64 << 10]),
        backlog_bytes_max: dice.pick(&[1_000, 20_000, 64 << 20, 64 << 20]),
        assembly_bytes_max: dice.pick(&[66, 90, 400]) * 4096,
        heartbeat_ms: dice.pick(&[0, 1_000, 30_000]),
        heartbeat: dice.pick(&[Heartbeat::Ping, Heartbeat::Ping, Heartbeat::Pong]),
        heartbeat_max_ms: dice.pick(&[0, 0, 60_000]),
        pong_wait_ms: dice.pick(&[1_000, 10_000]),
        message_ms: dice.pick(&[1_000, 60_000]),
        close_wait_ms: 2_000,
        keep_alive_ms: 75_000,
        log_publications: publications,
        log_bytes: bytes,
        // Room for one log and not much more, or for all of them.
        logs_bytes_max: whole + dice.pick(&[0, 300, 3_000, 1 << 30]),
        deflate: cfg!(feature = "deflate") && !dice.one_in(4),
        deflate_bytes_min: dice.pick(&[1, 40, 128]),
        deflate_level: dice.pick(&[1, 3, 9]),
        outbox_bytes_max: dice.pick(&[100, 3_000, 64 << 10]),
        channel_rule: rules(dice),
        presence_members_max: dice.pick(&[0, 2, 4, 1_000]),
        presence_grace_ms: dice.pick(&[0, 400, 3_000]),
        slow_consumer: if close { SlowConsumer::Close } else { SlowConsumer::Skip },
        commands_per_second_max: dice.pick(&[3, 1_000]),
        inbox_commands_max: dice.pick(&[4, 65_536, 65_536]),
        flush_slice: dice.pick(&[1, 2, 3, 4_096]),
        ..with_tokens()
    }
}

/// A server that takes the clients' tokens, if it can.
fn with_tokens() -> Config {
    #[cfg(feature = "auth")]
    let tokens = Config {
        auth: wspush::config::TokenAuth::Optional,
        auth_secret: vec![super::v1_chaos::SECRET.to_owned()],
        ..Config::default()
    };
    #[cfg(not(feature = "auth"))]
    let tokens = Config::default();
    tokens
}

/// Rules for some of the channels, or none.
fn rules(dice: &mut Dice) -> Vec<ChannelRule> {
    let rules = [
        &[][..],
        &[],
        &["public.a keep=latest", "broadcast keep=latest missed=tail"],
        &["public.* ttl_ms=500 missed=tail", "* publications=2 missed=latest"],
        &["* presence=true priority=low", "broadcast priority=high"],
        &["public.a presence=true keep=latest", "broadcast presence=true"],
    ];
    let rules = rules[dice.below(rules.len())];
    rules.iter().map(|text| text.parse().expect("a rule")).collect()
}

/// Where the logs begin: now and then shortly before the cursors wrap.
pub fn log_start(dice: &mut Dice) -> u64 {
    let wrap = u64::from(u32::MAX);
    if dice.one_in(2) { 0 } else { wrap - dice.below(3_000) as u64 }
}

impl World {
    /// One thing that happens.
    pub fn happen(&mut self) {
        match self.dice.below(23) {
            22 => self.publish_to_nobody(),
            0..=2 => self.newcomer(),
            3..=6 => self.publish(),
            7..=10 => self.client_speaks(),
            11 => self.send_to_one(),
            12 => self.command(),
            13 => self.misbehave(),
            14 => self.admin_request(),
            15 => {
                let (us, short) = (self.dice.pick(&[0, 1_000, 20_000, 120_000]), self.dice.one_in(4));
                self.pass_time(us);
                let mut faults = self.faults.borrow_mut();
                faults.shortage = if short { 10 } else { 0 };
                faults.short_write = if self.dice.one_in(2) { 3 } else { 0 };
            }
            16 if self.dice.one_in(4) => {
                let ms = self.dice.pick(&[600, 1_500, 3_000, 11_000, 80_000]);
                self.pass_time(ms * 1000);
            }
            17..=18 => self.act(),
            _ => {
                self.act();
                self.turn(false);
            }
        }
    }

    fn newcomer(&mut self) {
        if self.clients.len() > 30 {
            return;
        }
        let reader = match self.dice.below(6) {
            0 => Reader::Never,
            1 | 2 => Reader::Slow(self.dice.range(1, 300)),
            _ => Reader::Fast,
        };
        let down_max = self.dice.pick(&[130, 300, 1_000, 5_000, 1 << 20]);
        let role = match self.dice.below(15) {
            0..=3 => Role::Push,
            4..=6 => Role::V1,
            7 => Role::Echo,
            8 => Role::Chat,
            9 => Role::Garbage,
            10 => Role::Http,
            _ => Role::Stream,
        };
        let listener = if role == Role::Http && self.dice.one_in(2) {
            ListenerRole::Admin
        } else {
            ListenerRole::Public
        };
        let n = self.connect(role, listener, reader, down_max);
        let since = CHANNELS[..3].iter().map(|channel| self.since(channel)).collect::<Vec<_>>();
        let v1_target = if role == Role::V1 { self.v1_target(n) } else { String::new() };
        let dice = &mut self.dice;
        let client = &mut self.clients[n];
        client.mute = dice.one_in(10);
        client.offer = if dice.one_in(2) { dice.pick(&deflate::OFFERS).0 } else { "" };
        match role {
            // At a path of the host's, whose query is the host's to read.
            Role::Push if dice.one_in(4) => {
                client.spans.insert("broadcast".to_owned(), Vec::new());
                client.shake_hands(&format!("/room/{n}/a%2Fb?n={n}"));
            }
            Role::Push => {
                let mut target = format!("/ws?n={n}");
                if dice.one_in(5) {
                    target += "&quiet=1";
                } else {
                    client.spans.insert("broadcast".to_owned(), Vec::new());
                    target += &begin(client, "broadcast", since[0]);
                }
                for (channel, since) in CHANNELS[1..3].iter().zip(&since[1..]) {
                    if dice.one_in(2) {
                        target += &format!("&channel={channel}{}", begin(client, channel, *since));
                        client.spans.insert((*channel).to_owned(), Vec::new());
                    }
                }
                match dice.below(30) {
                    0 => target += "&channel=private",
                    1 => target += "&no=1",
                    2 => target += "&channel=a*b",
                    _ => {}
                }
                if dice.one_in(3) {
                    target += "&refusals=close";
                }
                if dice.one_in(2) {
                    target += dice.pick(&["&pieces=bounded", "&pieces=endless"]);
                    client.in_pieces = true;
                }
                client.shake_hands(&target);
            }
            Role::V1 => client.shake_hands(&v1_target),
            Role::Echo => client.shake_hands(dice.pick(&["/echo", "/echo/?refusals=close"])),
            Role::Chat => client.shake_hands(dice.pick(&["/chat", "/chat", "/chat?refusals=close&x=1"])),
            Role::Garbage => garbage(dice, client),
            Role::Http => requests(dice, client),
            Role::Raw => {}
            Role::Stream => self.begin_streamed(n),
        }
        let (client, dice) = (&mut self.clients[n], &mut self.dice);
        if dice.one_in(4) {
            client.send(dice.range(1, 150));
        } else {
            client.send(usize::MAX);
        }
    }

    /// A burst of publications to one channel.
    pub fn publish(&mut self) {
        let channel = self.dice.pick(&CHANNELS);
        let burst = if self.dice.one_in(4) { self.dice.range(2, 30) } else { 1 };
        for _ in 0..burst {
            let number = self.count(channel) + 1;
            let len = match self.dice.below(40) {
                0 => self.dice.range(60_000, 70_000),
                1..=5 => self.dice.range(100, 1_000),
                _ => self.dice.range(0, 60),
            };
            let text = format!("P|{channel}|{number}|{}", padding(number, len));
            let message =
                if self.dice.one_in(2) { Message::Text(&text) } else { Message::Binary(text.as_bytes()) };
            let name = (channel != "broadcast").then_some(channel);
            let pace = match self.dice.below(12) {
                0 => Some(Pace::PerSecond(self.dice.pick(&[20, 1_000]))),
                1 => Some(Pace::WithinMs(self.dice.pick(&[1, 100, 3_000]))),
                _ => None,
            };
            let options = PushOptions::default().compress(!self.dice.one_in(8)).pace(pace);
            let placed = publish(&self.shared, name, message, options, self.unix_us());
            if let Ok(receipt) = placed {
                self.published.get_mut(channel).unwrap().push(receipt);
            }
        }
    }

    /// Publications to channels without subscribers. There are more of those than there may be.
    fn publish_to_nobody(&mut self) {
        // As long as they are on their way they need their channels, and somebody's might find no room.
        if self.shared.waiting() > 0 || self.audit.pending > 0 {
            return;
        }
        let first = self.dice.below(4) * STRANGE;
        for _ in 0..self.dice.range(1, 8) {
            let name = format!("other.{}", first + self.dice.below(STRANGE));
            let (message, options) = (Message::Text("x"), PushOptions::default());
            let refused = publish(&self.shared, Some(&name), message, options, self.unix_us()).err();
            assert!(refused.is_none_or(|e| e == PushError::InboxFull || e == PushError::Stopped), "{name}");
        }
    }

    fn any_client(&mut self, may: impl Fn(&Client) -> bool) -> Option<usize> {
        if self.clients.is_empty() {
            return None;
        }
        let n = self.dice.below(self.clients.len());
        may(&self.clients[n]).then_some(n)
    }

    fn client_speaks(&mut self) {
        let Some(n) = self.any_client(Client::can_send) else { return };
        if self.clients[n].role == Role::V1 {
            self.v1_speaks(n);
        }
        let (client, dice) = (&mut self.clients[n], &mut self.dice);
        let max = self.config.message_bytes_max;
        match client.role {
            Role::Http => requests(dice, client),
            Role::Garbage | Role::Raw | Role::V1 => {}
            Role::Stream => self.streamed_speaks(n),
            Role::Echo | Role::Chat => {
                for _ in 0..if dice.one_in(5) { 20 } else { 1 } {
                    let len = if dice.one_in(8) { dice.below(max.min(20_000) + 1) } else { dice.below(200) };
                    let payload = vec![b'a' + dice.below(26) as u8; len.min(max)];
                    let text = client.role == Role::Chat || dice.one_in(2);
                    client.say(dice, text, &payload);
                }
            }
            Role::Push => {
                let what = match dice.below(12) {
                    0..=2 => "sub side",
                    3 | 4 => "unsub side",
                    5 if dice.one_in(6) => "bye !",
                    _ => "hello",
                };
                client.say(dice, true, what.as_bytes());
            }
        }
        if self.dice.one_in(2) {
            let n_bytes = self.dice.range(1, 400);
            self.clients[n].send(n_bytes);
        }
    }

    fn conn(&mut self) -> Option<(usize, ConnId)> {
        let n = self.any_client(|client| {
            client.conn.is_some() && matches!(client.role, Role::Push | Role::V1 | Role::Stream)
        })?;
        self.clients[n].conn.map(|conn| (n, conn))
    }

    fn send_to_one(&mut self) {
        let Some((n, conn)) = self.conn() else { return };
        for _ in 0..self.dice.range(1, 4) {
            let client = &mut self.clients[n];
            let publication = text(&format!("D|{}|{conn}", client.directs_sent + 1));
            let command = match client.directs_sent % 2 {
                0 => Command::Send { conn, publication },
                _ => to_user(n, publication),
            };
            let sent = self.shared.command(command);
            client.directs_sent += usize::from(sent.is_ok());
        }
    }

    fn command(&mut self) {
        let Some((n, conn)) = self.conn() else { return };
        match self.dice.below(8) {
            0 | 1 => return self.pause(conn),
            2 => return self.send_in_pieces(n, conn),
            3 => return self.pay_pieces(),
            _ => {}
        }
        let channel = self.dice.pick(&CHANNELS[..3]).to_owned();
        let logged = self.count(&channel);
        if self.clients[n].streamed.is_some() {
            return self.command_streamed(n, conn, channel);
        }
        if self.clients[n].v1.is_some() {
            return self.command_v1(conn, channel);
        }
        match self.dice.below(20) {
            0..=9 => {
                let (since, low) = self.since_number(n, &channel, logged);
                let joins = Command::Subscribe { conn, channel: channel.clone(), since };
                if self.shared.command(joins).is_ok() {
                    let spans = self.clients[n].spans.entry(channel).or_default();
                    if spans.last().is_none_or(|span| span.left.is_some()) {
                        spans.push(Span { low, high: logged, left: None });
                    }
                }
            }
            10..=18 => {
                let leaves = Command::Unsubscribe { conn, channel: channel.clone() };
                if self.shared.command(leaves).is_ok()
                    && let Some(span) = self.clients[n].spans.entry(channel).or_default().last_mut()
                    && span.left.is_none()
                {
                    span.left = Some(logged);
                }
            }
            _ => {
                let close = Command::Close { conn, code: CloseCode(4002), reason: "enough".to_owned() };
                let _ = self.shared.command(close);
            }
        }
    }

    fn misbehave(&mut self) {
        let Some(n) = self.any_client(|client| !client.gone) else { return };
        let (client, dice) = (&mut self.clients[n], &mut self.dice);
        let has_frames = !matches!(client.role, Role::Http | Role::Stream);
        match dice.below(9) {
            0 => {
                client.gone = true;
                client.wire.borrow_mut().cut();
            }
            1 => {
                client.gone = !client.close_sent && client.role != Role::Http;
                if client.outgoing.is_empty() {
                    client.wire.borrow_mut().end_up();
                } else {
                    client.gone = false;
                }
            }
            2 => client.reader = Reader::Slow(dice.range(1, 100)),
            3 | 4 if client.can_send() && has_frames => client.close(1000),
            5 if client.can_send() && has_frames => {
                // No frame, or one too many; whatever it is, it is the last thing said.
                let bytes: Vec<u8> = (0..dice.range(2, 40)).map(|_| dice.below(256) as u8).collect();
                client.outgoing.extend(bytes);
                client.close_sent = true;
                client.gone = true;
            }
            _ => {}
        }
    }

    fn admin_request(&mut self) {
        let Some(conn) = self.conn().map(|(_, conn)| conn) else { return };
        let Some(n) = self.any_client(|c| c.listener == ListenerRole::Admin && c.can_send()) else { return };
        let request = match self.dice.below(3) {
            0 => format!(
                "GET /connections?limit={} HTTP/1.1\r\nHost: localhost\r\n\r\n",
                self.dice.range(1, 50)
            ),
            1 => format!("DELETE /connections/{conn}?code=4003 HTTP/1.1\r\nHost: localhost\r\n\r\n"),
            _ => "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned(),
        };
        self.clients[n].ask("any", request.as_bytes());
    }
}

/// The part of a client's query that says where a channel begins.
fn begin(client: &mut Client, channel: &str, since: Option<Since>) -> String {
    let Some(since) = since else { return String::new() };
    client.since.insert(channel.to_owned(), since);
    format!("&since={since}")
}

fn garbage(dice: &mut Dice, client: &mut Client) {
    match dice.below(4) {
        0 => {
            client.outgoing.extend((0..dice.range(1, 300)).map(|_| dice.below(256) as u8).collect::<Vec<_>>())
        }
        1 => client.outgoing.extend(b"GET /ws HTTP/1.1\r\nHost: x\r\nX: never"),
        2 => client.outgoing.extend("GET /ws HTTP/1.1\r\n".bytes().chain(vec![b'y'; dice.below(20_000)])),
        _ => {}
    }
}

fn requests(dice: &mut Dice, client: &mut Client) {
    for _ in 0..if dice.one_in(3) { dice.range(1, 200) } else { 1 } {
        match (client.listener, dice.below(4)) {
            (ListenerRole::Admin, 0) => client.ask("any", b"GET /stats HTTP/1.1\r\nHost: localhost\r\n\r\n"),
            (ListenerRole::Admin, 1) => {
                let request = "POST /push?channel=public.adm HTTP/1.1\r\nHost: localhost\r\n\
                               Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n";
                client.ask("push", request.as_bytes());
            }
            (ListenerRole::Public, 0) if dice.one_in(10) => {
                client.ask("any", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            }
            _ => client.ask("ok", b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        }
    }
}
