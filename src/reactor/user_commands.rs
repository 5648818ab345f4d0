//! Commands for all connections of a user, and for the subscriptions of one connection: each in its turn among the
//! other commands, and over several turns if there are many connections. Those behind it wait, so it is done with the
//! connections that the user had when it began, but for those that have gone.

use std::collections::BTreeSet;

use crate::endpoint::reads::Answer;
use crate::endpoint::users::{Target, Tokens, UserAction, UserConnection, UserOutcome, UserRequest};
use crate::endpoint::{ConnId, UserPage};
use crate::metrics::{CloseReason, WorkKind};
use crate::narrow;
use crate::protocol::head::Head;
use crate::protocol::response::Refusal;
use crate::push::PushError;

use super::reactor::Reactor;
use super::shared::Command;
use super::slot::Phase;
use super::socket::Socket;
use super::subscriptions::NotSubscribed;
use super::waiting::{Asker, Told};
use super::work::{CALL, NAME, SLOT};

/// Something to be done for a user, and how far it has come.
#[derive(Debug)]
pub struct UserCommand {
    request: UserRequest,
    /// The one who is answered when it is done.
    asker: Asker<UserPage>,
    progress: Progress,
    outcome: UserOutcome,
}

#[derive(Debug)]
enum Progress {
    /// Nothing is done yet.
    Asked,
    /// The connections are walked over. Slots of those that a page is to have.
    Walking(BTreeSet<u32>),
    /// The page is written: those that are still to come.
    Writing(BTreeSet<u32>),
}

impl UserCommand {
    /// One that nobody waits for.
    pub fn new(request: UserRequest) -> UserCommand {
        let (progress, outcome) = (Progress::Asked, UserOutcome::default());
        UserCommand { request, asker: Asker::Nobody, progress, outcome }
    }

    /// One that the host waits for.
    pub fn asked_by_host(request: UserRequest, answer: Answer<UserPage>) -> UserCommand {
        UserCommand { asker: Asker::Host(answer), ..UserCommand::new(request) }
    }

    /// It was never asked for.
    pub(super) fn withdraw(&mut self) {
        if let Asker::Host(answer) = &mut self.asker {
            answer.withdraw();
        }
    }

    /// Its bytes in the inbox, beside the command's own.
    pub(super) fn bytes(&self) -> usize {
        size_of::<UserCommand>() + self.request.bytes()
    }
}

impl<S: Socket> Reactor<S> {
    /// Puts a request of the admin API into the inbox. Its connection waits for what comes of it.
    pub(super) fn ask_for_user(
        &mut self,
        index: usize,
        head: &Head<'_>,
        request: UserRequest,
        goes_on: bool,
    ) -> Result<(), PushError> {
        let mut command = UserCommand::new(request);
        command.asker = Asker::Connection(self.begin_waiting(index, head, goes_on));
        let asked = self.shared.command(Command::User(Box::new(command)));
        if asked.is_err() {
            self.end_waiting(index);
        }
        asked
    }

    /// Does what a user's connections are wanted for, as far as the turn goes. False: the rest is for the next one.
    pub(super) fn carry_out_for_user(&mut self, command: &mut UserCommand) -> bool {
        let before = self.work.total();
        let UserCommand { request, asker, progress, outcome } = command;
        let is_over = |reactor: &Self| reactor.work.is_command_over(before);
        if matches!(progress, Progress::Asked) {
            *progress = Progress::Walking(BTreeSet::new());
            match &request.target {
                Target::User(user) => {
                    // A client that connects while the walk goes on is refused already.
                    match self.revoke_for(user, &request.action) {
                        Ok(()) => self.connections.users.begin_walk(user),
                        Err(problem) => {
                            outcome.problem = Some(problem);
                            *progress = Progress::Writing(BTreeSet::new());
                        }
                    }
                }
                Target::Connection(conn) => {
                    if let Some(index) = self.find_open(*conn) {
                        self.do_for_user(index, &request.action, outcome, &mut BTreeSet::new());
                    }
                    *progress = Progress::Writing(BTreeSet::new());
                }
            }
        }
        let name = match &request.target {
            Target::User(user) => Some(&**user),
            Target::Connection(_) => None,
        };
        if let Progress::Walking(page) = progress {
            while !is_over(self) {
                self.work.charge(WorkKind::Commands, SLOT);
                let Some(index) = self.connections.users.step(&self.connections.slots) else {
                    *progress = Progress::Writing(std::mem::take(page));
                    break;
                };
                if self.connections.slots[index].user() == name {
                    self.do_for_user(index, &request.action, outcome, page);
                }
            }
        }
        let Progress::Writing(page) = progress else { return false };
        while let Some(&index) = page.first() {
            if is_over(self) {
                return false;
            }
            page.remove(&index);
            self.describe_for_user(index as usize, name, outcome);
        }
        match std::mem::replace(asker, Asker::Nobody) {
            Asker::Nobody => {}
            Asker::Connection(waiting) => {
                self.inbox.answers.push_back(Told::Connection(waiting, request.answer(outcome)));
            }
            Asker::Host(answer) => {
                let connections = std::mem::take(&mut outcome.page);
                self.tell(answer, Ok(UserPage { connections, next: outcome.next }));
            }
        }
        true
    }

    /// Refuses the tokens that the user has by now, if that was asked for.
    fn revoke_for(&mut self, user: &str, action: &UserAction) -> Result<(), Refusal> {
        match action {
            UserAction::Disconnect { tokens: Tokens::Revoked, .. } => self.revoke(user),
            _ => Ok(()),
        }
    }

    /// Does it with one connection.
    fn do_for_user(
        &mut self,
        index: usize,
        action: &UserAction,
        outcome: &mut UserOutcome,
        page: &mut BTreeSet<u32>,
    ) {
        let conn = self.connections.slots[index].id(index);
        match action {
            UserAction::Push { publication, .. } => {
                self.work.charge(WorkKind::Commands, CALL);
                match self.send_to(conn, publication) {
                    Ok(()) => outcome.connections += 1,
                    // As in a message to it alone: it must not have a gap without notice.
                    Err(PushError::OutboxFull) if self.find_open(conn).is_some() => self.close_slow(index),
                    Err(_) => {}
                }
            }
            UserAction::Disconnect { code, reason, .. } => {
                self.work.charge(WorkKind::Commands, CALL);
                outcome.connections += 1;
                self.close_in_order(index, *code, reason, CloseReason::Admin);
            }
            UserAction::Subscribe { channel, since } => match self.subscribe(conn, channel, *since) {
                Ok(()) => outcome.connections += 1,
                // Somebody was written to what it had missed, and is gone.
                Err(NotSubscribed::NoSuchConnection) => {}
                Err(problem) => {
                    outcome.refused += 1;
                    outcome.problem = Some(refusal_of(&problem, self.config.channels_per_connection_max));
                }
            },
            UserAction::Unsubscribe { channel } => {
                self.work.charge(WorkKind::Commands, CALL);
                outcome.connections += u32::from(self.find_open(conn).is_some());
                self.end_subscription(conn, channel);
            }
            UserAction::List { after, limit } => {
                if after.is_some_and(|after| index <= after.slot()) {
                    return;
                }
                page.insert(narrow::to_u32(index));
                if page.len() > *limit {
                    page.pop_last();
                    // Which one the page ends with is seen when it is written.
                    outcome.next = Some(conn);
                }
            }
        }
    }

    /// Puts a connection on the page, unless it has gone since it was found.
    fn describe_for_user(&mut self, index: usize, user: Option<&str>, outcome: &mut UserOutcome) {
        let slot = self.connections.slots.get(index).filter(|slot| slot.user() == user);
        outcome.next =
            outcome.next.map(|_| ConnId::new(narrow::to_u32(index), slot.map_or(1, |slot| slot.serial)));
        let Some(slot) = slot.filter(|slot| slot.phase == Phase::Open) else { return };
        let channels = self.subscriptions(slot).map(|(id, _)| self.channels.get(id));
        let channels = channels.filter(|channel| channel.notices_of().is_none());
        let channels = channels.map(|channel| channel.name.to_string());
        let described = UserConnection { id: slot.id(index), channels: channels.collect() };
        self.work.charge(WorkKind::Commands, CALL + described.channels.len() as u64 * NAME);
        outcome.page.push(described);
    }
}

/// Why a connection does not receive a channel, as the admin API says it.
fn refusal_of(problem: &NotSubscribed, channels_max: usize) -> Refusal {
    match problem {
        NotSubscribed::NoSuchConnection => PushError::NoSuchConnection.into(),
        NotSubscribed::TooMany => {
            let text = format!(
                "the connection has {channels_max} channels, which is the most (channels_per_connection_max); end one \
                 of them first"
            );
            Refusal::new(409, text)
        }
        NotSubscribed::NoChannel(problem) => Refusal::new(503, problem.to_string()),
    }
}
