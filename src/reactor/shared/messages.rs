//! Commands that go together: all of them, or none.

use crate::endpoint::ConnId;
use crate::push::{Publication, PushError};

use super::group::{Addressee, Seats};
use super::{Command, Shared, Wake, lock};

impl Shared {
    /// Puts two commands into the inbox, or none of them. Nobody has to be told if they are refused.
    pub fn both(&self, first: Command, second: Command) -> Result<(), PushError> {
        let (mut inbox, mut woken) = (lock(&self.inbox), Seats::NONE);
        for command in [&first, &second] {
            self.admit(&inbox, command.addressee(self.seats.len()), 2, first.bytes() + second.bytes())?;
        }
        self.add(&mut inbox, first, &mut woken);
        self.add(&mut inbox, second, &mut woken);
        drop(inbox);
        self.wake(woken, Wake::Yes);
        Ok(())
    }

    /// Puts a message on its way to each of these connections, or to none.
    pub fn send_to_all(&self, conns: &[ConnId], publication: &Publication) -> Result<(), PushError> {
        let len = publication.plain_frame().len();
        self.check_size(len)?;
        let bytes = len.saturating_mul(conns.len());
        self.check_sum(conns.len(), bytes)?;
        // Before the copies are made, which are made without the lock.
        self.admit(&lock(&self.inbox), Addressee::All, conns.len(), bytes)?;
        let send = |conn: &ConnId| Command::Send { conn: *conn, publication: publication.clone() };
        let commands: Vec<Command> = conns.iter().map(send).collect();
        let (mut inbox, mut woken) = (lock(&self.inbox), Seats::NONE);
        self.admit(&inbox, Addressee::All, conns.len(), bytes)?;
        commands.into_iter().for_each(|command| self.add(&mut inbox, command, &mut woken));
        drop(inbox);
        self.wake(woken, Wake::Yes);
        Ok(())
    }
}
