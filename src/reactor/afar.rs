//! Requests that concern other nodes of a cluster: put to them, answered for them, and answered with what they say.

use crate::endpoint::admin::{self, Answer};
use crate::endpoint::caller::Caller;
use crate::endpoint::nodes::{self, Afar as Wanted};
use crate::endpoint::users::{UserOutcome, UserRequest};
use crate::protocol::head::Head;
use crate::protocol::response::{Refusal, Response};
use crate::push::{Delivery, PushError};

use super::engine::{AdminCall, Asker as EngineAsker, CAN_CLUSTER, Call, Manner, ReturnTo, Said};
use super::http::Whole;
use super::reactor::Reactor;
use super::shared::Command;
use super::socket::Socket;
use super::user_commands::UserCommand;
use super::waiting::{Asker, Waiting};

/// Something that a connection waits for.
#[derive(Debug)]
pub(super) enum Afar {
    /// The outcome of this for a user's connections.
    User(UserRequest),
    /// The answer of the node with this name.
    Node(String),
    /// Those of all.
    All,
    /// Which nodes there are.
    Nodes,
    /// How far a publication has come at all of them.
    Receipt(u64),
}

impl Afar {
    /// The answer, as the nodes have said it.
    pub(super) fn answer(self, said: Result<Vec<(String, Said)>, PushError>, missing: &[String]) -> Response {
        let said = match said {
            Ok(said) => said,
            Err(problem) => return admin::refused(&problem.into()),
        };
        match self {
            Afar::User(request) => {
                let mut outcome = UserOutcome::default();
                for (_, part) in said {
                    if let Said::User(part) = part {
                        outcome.add(part, 0);
                    }
                }
                nodes::without(request.answer(&outcome), missing)
            }
            Afar::Node(name) => match said.into_iter().next() {
                Some((node, Said::Admin { status, body })) => nodes::of_node(&node, status, &body),
                _ if missing.is_empty() => {
                    let text = format!("there is no node {name:?}; GET /nodes lists them");
                    admin::refused(&Refusal::new(404, text))
                }
                _ => {
                    let text = format!("the node {name:?} does not answer");
                    admin::refused(&Refusal::new(504, text))
                }
            },
            Afar::All | Afar::Nodes => {
                let answers = said.into_iter().filter_map(|(node, said)| match said {
                    Said::Admin { body, .. } | Said::Node(body) => Some((node, body)),
                    Said::User(_) | Said::Delivery(_) => None,
                });
                nodes::of_all(&answers.collect::<Vec<_>>(), missing)
            }
            Afar::Receipt(id) => {
                let parts = said.into_iter().filter_map(|(_, said)| match said {
                    Said::Delivery(delivery) => delivery,
                    _ => None,
                });
                match Delivery::of_nodes(parts) {
                    Some(whole) => nodes::without(admin::page(&Delivery { id, ..whole }), missing),
                    None => admin::refused(&no_receipt()),
                }
            }
        }
    }
}

fn no_receipt() -> Refusal {
    Refusal::fixed(404, "no such receipt, or too old to be remembered")
}

/// The admin API's answer, for another node.
pub(super) fn said_by_admin(response: &Response) -> Said {
    Said::Admin { status: response.status, body: String::from_utf8_lossy(&response.body).trim().to_owned() }
}

impl<S: Socket> Reactor<S> {
    /// Puts a request to other nodes if it concerns them; whether its connection waits for them now.
    pub(super) fn ask_afar(
        &mut self,
        index: usize,
        whole: &Whole<'_>,
        caller: &Caller,
    ) -> Result<bool, Refusal> {
        let Whole { head, body, used } = whole;
        let Some(wanted) = nodes::read(head, caller, self.shared.engine().is_some())? else {
            return Ok(false);
        };
        let asker = EngineAsker::Reactor(self.shared.seat());
        let (ticket, afar) = match wanted {
            Wanted::Nodes => (self.shared.ask_for_nodes(asker)?, Afar::Nodes),
            Wanted::Receipt(receipt) => {
                let place = self.shared.place_of_ticket(receipt).ok_or_else(no_receipt)?;
                let call =
                    Call::Delivery { channel: place.channel, epoch: place.epoch, offset: place.offset };
                (self.shared.call(call, None, asker)?, Afar::Receipt(receipt))
            }
            Wanted::At { node, target } => {
                let call = Call::Admin(AdminCall {
                    method: head.method.to_owned(),
                    target,
                    content_type: head.header_str("content-type").map(str::to_owned),
                    body: body.to_vec(),
                });
                self.shared.check_size(call.bytes())?;
                (self.shared.call(call, node.as_deref(), asker)?, node.map_or(Afar::All, Afar::Node))
            }
        };
        let waiting = self.begin_waiting(index, head, used.is_some() && head.keep_alive());
        self.await_nodes(waiting, ticket, afar);
        Ok(true)
    }

    /// Asks all nodes for something that concerns a user. A connection waits for what comes of it.
    #[cold]
    pub(super) fn ask_afar_for_user(
        &mut self,
        waiting: Waiting,
        request: UserRequest,
    ) -> Result<(), PushError> {
        self.shared.check_size(request.bytes())?;
        let asker = EngineAsker::Reactor(self.shared.seat());
        let ticket = self.shared.call(Call::User(request.clone()), None, asker)?;
        self.await_nodes(waiting, ticket, Afar::User(request));
        Ok(())
    }

    /// Answers a request to the admin API that has come by another node, which has looked at who makes it.
    pub(super) fn answer_for_node(&mut self, call: &AdminCall, to: ReturnTo) {
        if !CAN_CLUSTER {
            return;
        }
        let AdminCall { method, target, content_type, body } = call;
        let answer = nodes::with_body(method, target, content_type.as_deref(), |head: &Head<'_>| {
            admin::answer(head, body, Ok(&Caller::Operator), self)
        });
        let to = ReturnTo { manner: Manner::Response, ..to };
        let said = match answer {
            Ok(Answer::Now(response)) => said_by_admin(&response),
            Ok(Answer::List(list)) => return self.begin_list(Asker::Node(to), list),
            Ok(Answer::User(request)) => {
                let command = UserCommand::asked_by_node(request, to.clone());
                match self.shared.command(Command::User(Box::new(command))) {
                    Ok(()) => return,
                    Err(problem) => said_by_admin(&admin::refused(&problem.into())),
                }
            }
            Ok(Answer::Sent(batch)) => return self.await_reached(Asker::Node(to), batch),
            Ok(Answer::Later(_)) => {
                said_by_admin(&admin::refused(&Refusal::fixed(400, "this is not for one node")))
            }
            Err(refusal) => said_by_admin(&admin::refused(&refusal)),
        };
        self.shared.reply(to, said);
    }

    /// An answer about this node alone says so, where there are others.
    pub(super) fn of_this_node(&self, response: Response) -> Response {
        match self.shared.engine() {
            None => response,
            Some(engine) => {
                nodes::of_node(engine.node(), response.status, &String::from_utf8_lossy(&response.body))
            }
        }
    }
}
