//! Routes and handles: pieces by default, a list of connections, and how many requests an answer is for.

use super::*;
use wspush::{PushError, PushOptions, Route, Router};

/// Echoes pieces, and whole messages with `whole: ` before them.
struct Echo;

impl Handler for Echo {
    fn on_connect(&mut self, connect: &Connect<'_>) -> Decision {
        let pieces = if connect.query("endless").is_some() { Pieces::Unbounded } else { Pieces::Off };
        Decision::Accept(Accept { pieces, ..Accept::default() })
    }

    fn on_message(&mut self, session: &mut Session<'_>, _message: Message<'_>) {
        session.reply(Message::Text("whole"));
    }

    fn on_fragment(&mut self, session: &mut Session<'_>, fragment: Fragment<'_>) {
        session.send_fragment(fragment);
    }
}

#[test]
fn a_route_hands_over_pieces_unless_the_decision_says_more() {
    let mut router = Router::new(Echo);
    router.add(Route::new("/pieces").message_bytes_max(200).pieces(Pieces::Bounded), Echo).unwrap();
    router.add("/whole", Echo).unwrap();
    let listen = vec!["127.0.0.1:0".parse().unwrap()];
    let config = Config { listen, log_level: LogLevel::Off, ..Config::default() };
    let server = Server::bind_with(config, |_| Box::new(router), None).unwrap();
    let (handle, address) = (server.handle(), server.addresses()[0]);
    let thread = std::thread::spawn(move || server.run());
    let long = "x".repeat(201);
    for (target, said, answer) in [
        ("/pieces", "hello", "hello"),
        ("/whole", "hello", "whole"),
        ("/ws", "hello", "whole"),
        ("/pieces?endless=1", &*long, &*long),
    ] {
        let mut client = WebSocket::ask(address, target, &[]).unwrap();
        client.send_text(said);
        assert_eq!(client.text(), answer, "{target}");
        client.close(1000);
    }
    let mut client = WebSocket::ask(address, "/pieces", &[]).unwrap();
    client.send_text(&long);
    assert_eq!(client.closed().0, 1009);
    handle.drain_within(std::time::Duration::ZERO);
    thread.join().unwrap().unwrap();
}

/// Tells how many requests each call answers.
struct Counts(Sender<u32>);

impl Handler for Counts {
    fn on_message(&mut self, session: &mut Session<'_>, message: Message<'_>) {
        assert_eq!(session.drains(), 0);
        session.reply(message);
    }

    fn on_drained(&mut self, session: &mut Session<'_>) {
        self.0.send(session.drains()).unwrap();
    }
}

#[test]
fn each_request_is_answered_and_a_list_gets_one_message() {
    let (told, heard) = channel();
    let listen = vec!["127.0.0.1:0".parse().unwrap()];
    let config = Config { listen, log_level: LogLevel::Off, inbox_commands_max: 4, ..Config::default() };
    let server = Server::bind_with(config, |_| Box::new(Counts(told)) as Box<dyn Handler>, None).unwrap();
    let (handle, address) = (server.handle(), server.addresses()[0]);
    let options = PushOptions::default();
    // Nobody takes anything out of the inbox yet: both come in, or neither.
    let nobody = ConnId(1 << 32);
    for _ in 0..3 {
        handle.notify_drained(nobody).unwrap();
    }
    assert_eq!(handle.send_notified(nobody, Message::Text("a"), options), Err(PushError::InboxFull));
    assert_eq!(handle.send_to_all(&[nobody; 2], Message::Text("a"), options), Err(PushError::InboxFull));
    handle.send(nobody, Message::Text("the fourth")).unwrap();
    let refused = handle.send_to_all(&[nobody; 5], Message::Text("a"), options);
    assert!(matches!(refused, Err(PushError::TooMany { count: 5, max: 4, .. })), "{refused:?}");
    let zero = handle.send_to_all(&[ConnId(0)], Message::Text("a"), options);
    assert_eq!(zero, Err(PushError::NoSuchConnection));
    let thread = std::thread::spawn(move || server.run());
    let mut clients: Vec<_> = (0..2).map(|_| WebSocket::ask(address, "/ws", &[]).unwrap()).collect();
    let (asked, answer) = channel();
    handle.sessions(wspush::SessionList::default(), move |page| asked.send(page).unwrap()).unwrap();
    let page = answer.recv_timeout(PATIENCE).unwrap().unwrap();
    let conns: Vec<ConnId> = page.sessions.iter().map(|session| session.id).collect();
    handle.send_to_all(&[], Message::Text("nobody"), options).unwrap();
    handle.send_to_all(&[conns[0], nobody, conns[1]], Message::Text("both"), options).unwrap();
    for client in &mut clients {
        assert_eq!(client.text(), "both");
    }
    let mut answered = 0;
    for _ in 0..2 {
        handle.send_notified(conns[0], Message::Text("noted"), options).unwrap();
    }
    while answered < 2 {
        answered += heard.recv_timeout(PATIENCE).unwrap();
    }
    assert_eq!(answered, 2);
    handle.drain_within(std::time::Duration::ZERO);
    thread.join().unwrap().unwrap();
    assert!(heard.try_recv().is_err());
}
