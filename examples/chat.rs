//! A chat: `cargo run --example chat`, then connect to ws://127.0.0.1:8080/ws?name=Ada, twice.
//!
//! With any WebSocket client but a page: where a handler decides, of pages only those of the server's own origin may
//! connect, unless `Config::origins` names others.

use wspush::{
    Accept, CloseCode, Config, ConnId, Connect, Decision, Handle, Handler, Message, Server, Session,
};

struct Chat {
    room: Handle,
}

impl Chat {
    fn tell(&self, line: &str) {
        if let Err(problem) = self.room.broadcast(Message::Text(line)) {
            eprintln!("not told: {problem}");
        }
    }
}

impl Handler for Chat {
    fn on_connect(&mut self, connect: &Connect<'_>) -> Decision {
        match connect.query("name") {
            Some(name) if !name.trim().is_empty() && name.len() <= 32 => {
                Decision::Accept(Accept { user: Some(name), ..Accept::default() })
            }
            _ => Decision::refuse(400, "who are you? connect to /ws?name=YOU"),
        }
    }

    fn on_open(&mut self, session: &mut Session<'_>) {
        self.tell(&format!("* {} has joined", session.user().unwrap_or("somebody")));
    }

    fn on_message(&mut self, session: &mut Session<'_>, message: Message<'_>) {
        match message {
            Message::Text(text) => self.tell(&format!("{}: {text}", session.user().unwrap_or("somebody"))),
            Message::Binary(_) => session.close(CloseCode::UNSUPPORTED_DATA, "this chat is text"),
        }
    }

    fn on_close(&mut self, _conn: ConnId, user: Option<&str>, _code: CloseCode, _reason: &str) {
        self.tell(&format!("* {} has left", user.unwrap_or("somebody")));
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = Server::bind_with(Config::default(), |room| Box::new(Chat { room }), None)?;
    Ok(server.run()?)
}
