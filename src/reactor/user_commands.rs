//! Commands for all connections of a user, and for the subscriptions of one connection: each in its turn among the
//! other commands, and over several turns if there are many connections. Those behind it wait, so it is done with the
//! connections that the user had when it began, but for those that have gone.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use crate::endpoint::reads::Answer;
use crate::endpoint::users::{Target, Tokens, UserAction, UserConnection, UserOutcome, UserRequest};
use crate::endpoint::{ConnId, UserPage};
use crate::metrics::{CloseReason, WorkKind};
use crate::narrow;
use crate::protocol::head::Head;
use crate::protocol::response::Refusal;
use crate::push::PushError;

use super::afar::said_by_admin;
use super::engine::{Manner, ReturnTo, Said};
use super::peers::PeerNews;
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

/// The outcome of a request at the reactors that have done it, until all have.
#[derive(Debug)]
pub struct Gathering {
    left: usize,
    asker: Asker<UserPage>,
    outcome: UserOutcome,
}

/// The outcome of a request, on its way to the reactor that answers.
#[derive(Debug)]
pub struct Gathered {
    asker: Asker<UserPage>,
    request: UserRequest,
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

    /// One that a node of the cluster waits for.
    pub(super) fn asked_by_node(request: UserRequest, to: ReturnTo) -> UserCommand {
        UserCommand { asker: Asker::Node(to), ..UserCommand::new(request) }
    }

    /// One that the host waits for.
    pub fn asked_by_host(request: UserRequest, answer: Answer<UserPage>) -> UserCommand {
        UserCommand { asker: Asker::Host(answer), ..UserCommand::new(request) }
    }

    /// The one connection that it is about, if it is not about a user.
    pub(super) fn connection(&self) -> Option<ConnId> {
        match self.request.target {
            Target::Connection(conn) => Some(conn),
            Target::User(_) => None,
        }
    }

    /// The channel that connections are to receive by it.
    pub(super) fn subscribes_to(&self) -> Option<&str> {
        match &self.request.action {
            UserAction::Subscribe { channel, .. } => Some(channel),
            _ => None,
        }
    }

    /// The same for each of several reactors; whoever waits is answered when all are done.
    pub(super) fn divide(self, reactors: usize) -> Vec<UserCommand> {
        let UserCommand { request, asker, .. } = self;
        if matches!(asker, Asker::Nobody) {
            return (0..reactors).map(|_| UserCommand::new(request.clone())).collect();
        }
        let whole =
            Arc::new(Mutex::new(Gathering { left: reactors, asker, outcome: UserOutcome::default() }));
        let part =
            |_| UserCommand { asker: Asker::Whole(whole.clone()), ..UserCommand::new(request.clone()) };
        (0..reactors).map(part).collect()
    }

    /// The same with nothing left to do: its reactor has ended, and has no connections.
    pub(super) fn over(self) -> UserCommand {
        UserCommand { progress: Progress::Writing(BTreeSet::new()), ..self }
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
        let waiting = self.begin_waiting(index, head, goes_on);
        let asked = if self.shared.engine().is_some() && request.is_for_all_nodes() {
            self.ask_afar_for_user(waiting, request)
        } else {
            let command = UserCommand { asker: Asker::Connection(waiting), ..UserCommand::new(request) };
            self.shared.command(Command::User(Box::new(command)))
        };
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
                        self.do_for_connection(index, &request.action, outcome);
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
        self.end_user_command(std::mem::replace(asker, Asker::Nobody), request, std::mem::take(outcome));
        true
    }

    /// Answers whoever waits for it; the first reactor does where there are several.
    pub(super) fn end_user_command(
        &mut self,
        asker: Asker<UserPage>,
        request: &UserRequest,
        outcome: UserOutcome,
    ) {
        match asker {
            Asker::Nobody => {}
            Asker::Connection(_) | Asker::Host(_) if !self.shared.is_first() => {
                let gathered = Gathered { asker, request: request.clone(), outcome };
                self.shared.tell_one(0, PeerNews::Gathered(gathered));
            }
            Asker::Connection(waiting) => {
                self.inbox.answers.push_back(Told::Connection(waiting, request.answer(&outcome)));
            }
            Asker::Node(to) => {
                let said = match to.manner {
                    Manner::Outcome => Said::User(outcome),
                    Manner::Response => said_by_admin(&request.answer(&outcome)),
                };
                self.shared.reply(to, said);
            }
            Asker::Host(answer) => {
                self.tell(answer, Ok(UserPage { connections: outcome.page, next: outcome.next }));
            }
            Asker::Whole(gathering) => {
                let limit = match request.action {
                    UserAction::List { limit, .. } => limit,
                    _ => 0,
                };
                let mut gathering = gathering.lock().unwrap_or_else(PoisonError::into_inner);
                gathering.outcome.add(outcome, limit);
                gathering.left -= 1;
                if gathering.left == 0 {
                    let asker = std::mem::replace(&mut gathering.asker, Asker::Nobody);
                    let outcome = std::mem::take(&mut gathering.outcome);
                    drop(gathering);
                    self.end_user_command(asker, request, outcome);
                }
            }
        }
    }

    /// Answers whoever has waited for a request that other reactors have done.
    pub(super) fn answer_gathered(&mut self, gathered: Gathered) {
        let Gathered { asker, request, outcome } = gathered;
        self.end_user_command(asker, &request, outcome);
    }

    /// Refuses the tokens that the user has by now, if that was asked for.
    fn revoke_for(&mut self, user: &str, action: &UserAction) -> Result<(), Refusal> {
        match action {
            UserAction::Disconnect { tokens: Tokens::Revoked, .. } => self.revoke(user),
            _ => Ok(()),
        }
    }

    /// Does it with the connection that was asked for by its id.
    fn do_for_connection(&mut self, index: usize, action: &UserAction, outcome: &mut UserOutcome) {
        let UserAction::Push { publication, .. } = action else {
            return self.do_for_user(index, action, outcome, &mut BTreeSet::new());
        };
        let conn = self.connections.slots[index].id(index);
        self.work.charge(WorkKind::Commands, CALL);
        match self.send_to(conn, publication) {
            Ok(()) => outcome.connections += 1,
            Err(problem) => outcome.problem = Some(problem.into()),
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
                let at = self.shared.seat();
                if after.is_some_and(|after| (at, index) <= (after.reactor(), after.slot())) {
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
        outcome.next = outcome.next.map(|_| {
            ConnId::new(narrow::to_u32(index), slot.map_or(self.connections.first_serial, |slot| slot.serial))
        });
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
        NotSubscribed::NoChannel(_) | NotSubscribed::Ahead => Refusal::new(503, problem.to_string()),
    }
}
