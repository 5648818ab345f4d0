//! Notifications for one user, kept while it is away: `cargo run --example inbox`, then connect to
//! ws://127.0.0.1:8080/ws?as=ada and type `ada: your parcel is here`. `ada?` shows what her inbox has.
//!
//! Each user has a channel, and all its connections receive it. A client that comes back says where it was
//! (`&since=E.O`: `Wspush-Position` and the envelopes of `wspush.v1` tell it), and gets what it has missed; a new one
//! gets all that is kept (`earliest`).

use std::io::BufRead;
use std::thread;

use wspush::{Accept, Config, Connect, Decision, Handle, Handler, HistoryQuery, Message, Server, Since};

struct Gate;

impl Handler for Gate {
    fn on_connect(&mut self, connect: &Connect<'_>) -> Decision {
        // Here a cookie or a token says who it is; an example believes everybody.
        let Some(user) = connect.query("as").filter(|name| is_name(name)) else {
            return Decision::refuse(401, "who are you? connect to /ws?as=YOU");
        };
        let since = match connect.query("since").unwrap_or("earliest".into()).parse() {
            Ok(since) => since,
            Err(why) => return Decision::refuse(400, format!("since is {why}")),
        };
        let (channels, since) = (vec![inbox(&user)], vec![(inbox(&user), since)]);
        Decision::Accept(Accept { user: Some(user), channels, since, broadcast: false, ..Accept::default() })
    }
}

fn is_name(name: &str) -> bool {
    (1..=64).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

fn inbox(user: &str) -> String {
    format!("inbox.{user}")
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut config = Config::default();
    if let Some(address) = std::env::args().nth(1) {
        config.listen = vec![address.parse()?];
    }
    let server = Server::bind_with(config, |_| Box::new(Gate), None)?;
    println!("ws://{}/ws?as=NAME", server.addresses()[0]);
    let handle = server.handle();
    let reactor = thread::spawn(move || server.run());

    for line in std::io::stdin().lock().lines() {
        let line = line?;
        match (line.split_once(": "), line.strip_suffix('?')) {
            (Some((user, text)), _) if is_name(user) => {
                match handle.publish(&inbox(user), Message::Text(text)) {
                    Ok(receipt) => println!("{user} has {}", receipt.offset),
                    Err(problem) => println!("not pushed: {problem}"),
                }
            }
            (None, Some(user)) if is_name(user) => show(&handle, user)?,
            _ => println!("NAME: what there is to say, or NAME?"),
        }
    }

    handle.drain();
    reactor.join().expect("the reactor does not panic")?;
    Ok(())
}

/// Prints the ten newest of an inbox. The answer comes on the server's thread.
fn show(handle: &Handle, user: &str) -> Result<(), wspush::PushError> {
    let query = HistoryQuery::default().since(Since::Last(10));
    handle.history(&inbox(user), query, |answer| match answer {
        Ok(Some(page)) => {
            for past in &page.publications {
                println!("{}: {}", past.offset, String::from_utf8_lossy(&past.payload));
            }
        }
        Ok(None) => println!("nothing was ever there"),
        Err(problem) => println!("no answer: {problem}"),
    })
}
