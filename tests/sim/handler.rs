//! The embedder's side: names the clients, answers their messages, grants what they ask for, and writes it all down.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use wspush::endpoint::{Accept, Connect, Decision, Handler, Session};
use wspush::{CloseCode, ConnId, Message};

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
}

pub struct Notes(pub Arc<Mutex<Seen>>);

impl Handler for Notes {
    fn on_connect(&mut self, connect: &Connect<'_>) -> Decision {
        if connect.query("no").is_some() {
            return Decision::refuse(401, "not you");
        }
        match connect.by_config() {
            Decision::Accept(accept) => Decision::Accept(Accept {
                user: connect.query("n"),
                broadcast: connect.query("quiet").is_none(),
                ..accept
            }),
            refusal => refusal,
        }
    }

    fn on_open(&mut self, session: &mut Session<'_>) {
        let n = session.user().and_then(|user| user.parse().ok());
        self.0.lock().unwrap().opened.push((n.unwrap_or(usize::MAX), session.id()));
    }

    fn on_message(&mut self, session: &mut Session<'_>, message: Message<'_>) {
        let mut seen = self.0.lock().unwrap();
        let said = seen.said.entry(session.id()).or_default();
        *said += 1;
        let answer = format!("R|{said}");
        session.reply(Message::Text(&answer));
        let Some(n) = session.user().and_then(|user| user.parse::<usize>().ok()) else { return };
        let Message::Text(text) = message else { return };
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

    fn on_close(&mut self, conn: ConnId, _user: Option<&str>, code: CloseCode, _reason: &str) {
        let mut seen = self.0.lock().unwrap();
        seen.said.remove(&conn);
        seen.closed.push((conn, code.0));
    }
}
