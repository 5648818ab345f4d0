//! Pushes every line of standard input to everybody who is connected, and says how it went:
//! `cargo run --example notify`, connect to ws://127.0.0.1:8080/ws, and type.

use std::io::BufRead;
use std::thread;
use std::time::Duration;

use wspush::{Config, Message, Server};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = Server::bind(Config::default())?;
    let handle = server.handle();
    let reactor = thread::spawn(move || server.run());

    for line in std::io::stdin().lock().lines() {
        let receipt = match handle.broadcast(Message::Text(&line?)) {
            Ok(receipt) => receipt,
            Err(problem) => {
                eprintln!("not pushed: {problem}");
                continue;
            }
        };
        // The push itself waits for nobody; who wants to know how far it has come asks a little later.
        thread::sleep(Duration::from_millis(100));
        if let Some(delivery) = handle.delivery(&receipt) {
            println!("{}: {} of {} have it", receipt.offset, delivery.written, delivery.recipients);
        }
    }

    handle.drain();
    reactor.join().expect("the reactor does not panic")?;
    Ok(())
}
