//! Sends back what it is sent: `cargo run --example echo`, then connect to ws://127.0.0.1:8080/ws.

use wspush::{Config, Handler, Message, Server, Session};

struct Echo;

impl Handler for Echo {
    fn on_message(&mut self, session: &mut Session<'_>, message: Message<'_>) {
        session.reply(message);
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = Server::bind_with(Config::default(), |_handle| Box::new(Echo), None)?;
    Ok(server.run()?)
}
