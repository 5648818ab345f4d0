//! The embedder's side: names the clients, answers their messages, grants what they ask for, and writes it all down.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use wspush::endpoint::{Accept, Closed, Connect, Decision, Handler, Router, Session};
use wspush::{CloseCode, ConnId, Fragment, Message};

use super::pieces::{Halves, pieces};

/// The handler's record since somebody looked.
#[derive(Debug, Default)]
pub struct Seen {
    /// Client and connection, in the order of the openings.
    pub opened: Vec<(usize, ConnId)>,
    /// Client, channel, and whether it joins or leaves.
    pub wished: Vec<(usize, String, bool)>,
    /// Connection and close code.
    pub closed: Vec<(ConnId, u16)>,
    said: HashMap<ConnId, usize>,
    halves: Halves,
}

pub struct Notes(pub Arc<Mutex<Seen>>);

/// The same for all paths.
pub fn host(seen: &Arc<Mutex<Seen>>) -> Box<dyn Handler> {
    let mut router = Router::new(Notes(seen.clone()));
    router.add("/room/{client}/{of}", Notes(seen.clone())).expect("a pattern");
    Box::new(router)
}

/// Kept by a connection that has come by a room.
struct Guest {
    client: String,
    said: usize,
}

impl Handler for Notes {
    fn on_connect(&mut self, connect: &Connect<'_>) -> Decision {
        if connect.query("no").is_some() {
            return Decision::refuse(401, "not you");
        }
        match connect.by_config() {
            Decision::Accept(accept) if connect.route().is_some() => {
                assert_eq!(connect.param("of"), Some("a/b"));
                let client = connect.param("client").expect("a name of the pattern").to_owned();
                let accept = Accept { user: connect.query("n"), ..accept };
                Decision::Accept(
                    accept.with_header("X-Room", &*client).with_attribute(Guest { client, said: 0 }),
                )
            }
            Decision::Accept(accept) => Decision::Accept(Accept {
                user: connect.query("n"),
                broadcast: connect.query("quiet").is_none(),
                pieces: pieces(connect.query("pieces").as_deref()),
                ..accept
            }),
            refusal => refusal,
        }
    }

    fn on_open(&mut self, session: &mut Session<'_>) {
        let n = session.user().and_then(|user| user.parse().ok());
        assert_eq!(session.param("client"), session.user().filter(|_| session.route().is_some()));
        self.0.lock().unwrap().opened.push((n.unwrap_or(usize::MAX), session.id()));
    }

    fn on_message(&mut self, session: &mut Session<'_>, message: Message<'_>) {
        let mut seen = self.0.lock().unwrap();
        let said = seen.said.entry(session.id()).or_default();
        *said += 1;
        if let Some(guest) = session.attribute_mut::<Guest>() {
            guest.said += 1;
            assert_eq!(guest.said, *said);
        }
        let answer = format!("R|{said}");
        session.reply(Message::Text(&answer));
        let Message::Text(text) = message else { return };
        seen.obey(session, text);
    }

    fn on_fragment(&mut self, session: &mut Session<'_>, fragment: Fragment<'_>) {
        let mut seen = self.0.lock().unwrap();
        let Some(text) = seen.halves.take(session.id(), fragment) else { return };
        let said = seen.said.entry(session.id()).or_default();
        *said += 1;
        let answer = format!("R|{said}");
        if said.is_multiple_of(3) {
            session.reply(Message::Text(&answer));
        } else {
            seen.halves.answer(session, &answer);
        }
        seen.obey(session, &text);
    }

    fn on_drained(&mut self, session: &mut Session<'_>) {
        self.0.lock().unwrap().halves.drained(session);
    }

    fn on_closed(&mut self, closed: &mut Closed<'_>) {
        let guest = closed.take_attribute::<Guest>();
        assert_eq!(guest.is_some(), closed.route().is_some());
        assert_eq!(guest.as_ref().map(|guest| &*guest.client), closed.param("client"));
        self.on_close(closed.id(), closed.user(), closed.code(), closed.reason());
    }

    fn on_close(&mut self, conn: ConnId, _user: Option<&str>, code: CloseCode, _reason: &str) {
        let mut seen = self.0.lock().unwrap();
        seen.said.remove(&conn);
        seen.halves.forget(conn);
        seen.closed.push((conn, code.0));
    }
}

impl Seen {
    /// Does what a client asks for.
    fn obey(&mut self, session: &mut Session<'_>, text: &str) {
        let seen = self;
        let Some(n) = session.user().and_then(|user| user.parse::<usize>().ok()) else { return };
        match text.split_once(' ') {
            Some(("sub", channel)) => {
                session.subscribe(channel);
                seen.wished.push((n, channel.to_owned(), true));
            }
            Some(("unsub", channel)) => {
                session.unsubscribe(channel);
                seen.wished.push((n, channel.to_owned(), false));
            }
            Some(("bye", _)) => session.close(CloseCode(4001), "as you wish"),
            _ => {}
        }
    }
}
