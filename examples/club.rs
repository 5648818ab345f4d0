//! A club whose members are pages with `pusher-js`: `cargo run --all-features --example club`. The host decides who may
//! have which private channel, in place of a backend that signs.
//!
//! A page says who it is where a signature would stand: `new Pusher("club", {..., channelAuthorization: {customHandler:
//! ({channelName}, done) => done(null, {auth: "ada"})}})`. Members come to `private-hall` at once, are seen in
//! `presence-lounge`, and wait for the door of `private-vault`: type `yes ada` or `no ada`.

use std::collections::HashMap;
use std::io::BufRead;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use wspush::{Authorization, Authorized, Config, ConnId, Handler, Server};

/// Who waits for the vault: which question of which connection it is.
type Waiting = Arc<Mutex<HashMap<String, (ConnId, u32)>>>;

struct Door(Waiting);

impl Handler for Door {
    fn on_authorize(&mut self, asked: &Authorization<'_>) -> Authorized {
        // Here a token says who it is; an example believes everybody.
        let name = asked.auth();
        if !is_name(name) {
            // A backend may have signed it.
            return Authorized::BySignature;
        }
        match asked.channel() {
            None => Authorized::as_user(format!("{{\"id\":\"{name}\"}}")),
            Some("private-hall") => Authorized::yes(),
            Some("presence-lounge") => {
                Authorized::as_user(format!("{{\"user_id\":\"{name}\",\"user_info\":{{}}}}"))
            }
            Some("private-vault") => {
                println!("{name} asks for the vault");
                let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
                waiting.insert(name.to_owned(), (asked.conn(), asked.number()));
                Authorized::Pending
            }
            Some(_) => Authorized::no("there is no such room"),
        }
    }
}

fn is_name(name: &str) -> bool {
    (1..=64).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut config = Config { pusher_app: vec!["1 key=club secret=of-nobody".parse()?], ..Config::default() };
    if let Some(address) = std::env::args().nth(1) {
        config.listen = vec![address.parse()?];
    }
    let waiting = Waiting::default();
    let door = Door(waiting.clone());
    let server = Server::bind_with(config, |_| Box::new(door), None)?;
    println!("ws://{}/app/club", server.addresses()[0]);
    let handle = server.handle();
    let reactor = thread::spawn(move || server.run());

    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let (word, name) = line.split_once(' ').unwrap_or_default();
        let asked = waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
        match (word, asked) {
            ("yes", Some((conn, number))) => handle.authorize(conn, number, Authorized::yes())?,
            ("no", Some((conn, number))) => {
                handle.authorize(conn, number, Authorized::no("the vault is for few"))?;
            }
            _ => println!("yes NAME or no NAME, of one who waits"),
        }
    }

    handle.drain();
    reactor.join().expect("the reactor does not panic")?;
    Ok(())
}
