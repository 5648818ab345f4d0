//! A chat with rooms at paths of their own, and an echo beside it: `cargo run --example rooms`, then connect to
//! ws://127.0.0.1:8080/chat/lobby?name=Ada, twice. Argument: the address to listen on.
//!
//! With any WebSocket client but a page: where a handler decides, of pages only those of the server's own origin may
//! connect, unless `Config::origins`, or a route's, names others.

use std::io::Read;
use std::time::Duration;

use wspush::{
    Accept, CloseCode, Closed, Config, Connect, Decision, Handle, Handler, Message, Route, Router, Server,
    Session,
};

/// One handler for all rooms.
struct Chat {
    handle: Handle,
}

/// Kept by the connection of each guest.
struct Guest {
    name: String,
    channel: String,
    messages: u64,
}

impl Chat {
    fn tell(&self, channel: &str, line: &str) {
        if let Err(problem) = self.handle.publish(channel, Message::Text(line)) {
            eprintln!("not told: {problem}");
        }
    }
}

impl Handler for Chat {
    fn on_connect(&mut self, connect: &Connect<'_>) -> Decision {
        let name = connect.query("name").or_else(|| connect.cookie("name").map(str::to_owned));
        let (Some(room), Some(name)) = (connect.param("room"), name) else {
            return Decision::refuse(400, "who are you? connect to /chat/ROOM?name=YOU");
        };
        // A room's name is anything that a path can say, and a channel's name is not.
        if !room.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Decision::refuse(404, "rooms have letters and digits");
        }
        let channel = format!("room.{room}");
        let guest = Guest { name, channel: channel.clone(), messages: 0 };
        let accept = Accept { broadcast: false, channels: vec![channel], ..Accept::default() };
        Decision::Accept(accept.with_attribute(guest))
    }

    fn on_open(&mut self, session: &mut Session<'_>) {
        session.set_idle_timeout(Some(Duration::from_secs(3_600)));
        if let Some(guest) = session.attribute::<Guest>() {
            self.tell(&guest.channel, &format!("* {} has joined", guest.name));
        }
    }

    fn on_message(&mut self, session: &mut Session<'_>, message: Message<'_>) {
        let Message::Text(text) = message else {
            return session.close(CloseCode::UNSUPPORTED_DATA, "this chat is text");
        };
        if let Some(guest) = session.attribute_mut::<Guest>() {
            guest.messages += 1;
            let line = format!("{}: {text}", guest.name);
            self.tell(&guest.channel, &line);
        }
    }

    fn on_closed(&mut self, closed: &mut Closed<'_>) {
        if let Some(Guest { name, channel, messages }) = closed.take_attribute() {
            self.tell(&channel, &format!("* {name} has left after {messages} messages"));
        }
    }
}

struct Echo;

impl Handler for Echo {
    fn on_message(&mut self, session: &mut Session<'_>, message: Message<'_>) {
        session.reply(message);
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut config = Config::default();
    if let Some(address) = std::env::args().nth(1) {
        config.listen = vec![address.parse()?];
    }
    let mut added = Ok(());
    let make = |handle: Handle| {
        let mut router = Router::new(());
        added = router
            .add(Route::new("/chat/{room}").message_bytes_max(1_000), Chat { handle })
            .and_then(|_| router.add("/echo", Echo))
            .map(|_| ());
        Box::new(router) as Box<dyn Handler>
    };
    let server = Server::bind_with(config, make, None)?;
    added?;
    println!("ws://{}/chat/ROOM?name=NAME", server.addresses()[0]);
    let handle = server.handle();
    // Until the end of the input.
    std::thread::spawn(move || {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        handle.drain();
    });
    Ok(server.run()?)
}
