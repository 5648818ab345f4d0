//! Messages in pieces and pauses: what a host asks of the flow of single connections, and what it hears in pieces.

use std::collections::{BTreeSet, HashMap, VecDeque};

use wspush::endpoint::{FlowAsked, FlowPace, Fragment, Outgoing, Pieces, Session};
use wspush::push::Kind;
use wspush::reactor::Command;
use wspush::{ConnId, Message};

use super::client::Role;
use super::world::World;

/// The commands of the host's other threads for single connections that are not through yet.
#[derive(Default)]
pub struct Flows {
    /// Connections that are paused and not resumed.
    paused: BTreeSet<ConnId>,
    /// The rests of messages for which the inbox had no room.
    owed: VecDeque<(ConnId, FlowAsked)>,
}

/// How a client is let in that asks for it so.
pub fn pieces(asked: Option<&str>) -> Pieces {
    match asked {
        Some("bounded") => Pieces::Bounded,
        Some("endless") => Pieces::Unbounded,
        _ => Pieces::Off,
    }
}

/// The messages that connections are in the middle of, and what they are still to be told.
#[derive(Debug, Default)]
pub struct Halves {
    parts: HashMap<ConnId, (bool, Vec<u8>)>,
    awaited: HashMap<ConnId, usize>,
}

impl Halves {
    /// Takes a piece; the message, if it is whole now.
    pub fn take(&mut self, conn: ConnId, fragment: Fragment<'_>) -> Option<String> {
        let is_text = matches!(fragment.data, Message::Text(_));
        assert!(!fragment.data.bytes().is_empty() || !fragment.more, "a piece of nothing");
        let (kind, bytes) = self.parts.entry(conn).or_insert((is_text, Vec::new()));
        assert_eq!(*kind, is_text, "pieces of two kinds");
        bytes.extend_from_slice(fragment.data.bytes());
        if fragment.more {
            return None;
        }
        let (_, bytes) = self.parts.remove(&conn)?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Answers in pieces, and wants to know when that has gone.
    pub fn answer(&mut self, session: &mut Session<'_>, text: &str) {
        let (first, second) = text.split_at(text.len() / 2);
        session.send_fragment(Fragment { data: Message::Text(first), more: true });
        session.send_fragment(Fragment { data: Message::Text(second), more: true });
        session.send_fragment(Fragment { data: Message::Text(""), more: false });
        session.notify_drained();
        *self.awaited.entry(session.id()).or_default() += 1;
    }

    /// It is told that its outbox is empty.
    pub fn drained(&mut self, session: &mut Session<'_>) {
        assert_eq!(session.outbox_bytes(), 0, "told too early");
        // One word for all that was asked until then.
        assert!(self.awaited.remove(&session.id()).is_some(), "nobody has asked");
    }

    /// It is gone.
    pub fn forget(&mut self, conn: ConnId) {
        self.parts.remove(&conn);
        self.awaited.remove(&conn);
    }
}

fn piece(text: &str, more: bool) -> FlowAsked {
    let mut frame = vec![0, text.len() as u8];
    assert!(text.len() < 126);
    frame.extend_from_slice(text.as_bytes());
    FlowAsked::Send(Outgoing { kind: Kind::Text, more, frame, pace: FlowPace::ByHost })
}

impl World {
    /// Pauses a connection, or resumes one.
    pub fn pause(&mut self, conn: ConnId) {
        let asked = if self.dice.one_in(3) { FlowAsked::Resume } else { FlowAsked::Pause };
        let is_paused = asked == FlowAsked::Pause;
        if self.shared.command(Command::Flow { conn, asked }).is_ok() {
            if is_paused {
                self.flows.paused.insert(conn);
            } else {
                self.flows.paused.remove(&conn);
            }
        }
    }

    /// Sends a message to one connection in pieces.
    pub fn send_in_pieces(&mut self, n: usize, conn: ConnId) {
        let client = &self.clients[n];
        // Two threads must not send pieces to the same connection, and not everybody understands them.
        if client.role != Role::Push
            || client.in_pieces
            || self.flows.owed.iter().any(|(owed, _)| *owed == conn)
        {
            return;
        }
        let text = format!("D|{}|{conn}", client.directs_sent + 1);
        let cut = self.dice.below(text.len());
        let first = piece(&text[..cut], true);
        if self.shared.command(Command::Flow { conn, asked: first }).is_ok() {
            let client = &mut self.clients[n];
            client.directs_sent += 1;
            // Publications may have to wait for as long.
            client.wire.borrow_mut().was_full = true;
            self.flows.owed.push_back((conn, piece(&text[cut..], false)));
        }
        if !self.dice.one_in(3) {
            self.pay_pieces();
        }
    }

    /// Sends the rests of messages, as far as the inbox has room.
    pub fn pay_pieces(&mut self) {
        while let Some((conn, asked)) = self.flows.owed.pop_front() {
            if self.shared.command(Command::Flow { conn, asked: asked.clone() })
                == Err(wspush::PushError::InboxFull)
            {
                self.flows.owed.push_front((conn, asked));
                return;
            }
        }
    }

    /// Ends all pauses and messages, as far as the inbox has room.
    pub fn end_flows(&mut self) {
        self.pay_pieces();
        let is_full = |conn: &ConnId| {
            let resume = Command::Flow { conn: *conn, asked: FlowAsked::Resume };
            self.shared.command(resume) == Err(wspush::PushError::InboxFull)
        };
        let left = self.flows.paused.iter().filter(|conn| is_full(conn)).copied().collect();
        self.flows.paused = left;
    }

    /// Whether there is nothing more to end.
    pub fn has_ended_flows(&self) -> bool {
        self.flows.paused.is_empty() && self.flows.owed.is_empty()
    }
}
