//! Publications that a cluster's engine places: whoever has asked this reactor is answered when that has said where
//! they stand.

use std::collections::HashMap;
use std::sync::Arc;

use super::afar::Afar;
use super::engine::{Answered, Asker, Placed, Said};
use super::reactor::Reactor;
use super::shared::{Batch, Wake};
use super::socket::Socket;
use super::waiting::{Told, Waiting};
use crate::endpoint::admin;
#[cfg(feature = "pusher")]
use crate::endpoint::apps;
use crate::endpoint::publishing::Later;
use crate::endpoint::reads::Answer;
use crate::endpoint::v1::{self, Denial};
use crate::endpoint::{ConnId, NodeInfo, Published, Receipt, Taken};
use crate::protocol::response::Refusal;
#[cfg(feature = "pusher")]
use crate::protocol::response::Response;
use crate::protocol::v1::{Id, ServerMessage};
use crate::push::{Message, PublishTerms, PushError, PushOptions};

/// Those who wait, by the numbers of what they have asked for.
#[derive(Debug, Default)]
pub(super) struct Placing(HashMap<u64, Awaiting>);

#[derive(Debug)]
enum Awaiting {
    /// A connection of the admin API.
    Admin(Waiting, Later),
    /// An app's backend, and the answer as far as it is known.
    #[cfg(feature = "pusher")]
    App(Waiting, Box<Response>),
    /// A connection of the admin API that has asked all nodes for something.
    Afar(Waiting, Box<Afar>),
    /// The host, which has asked which nodes there are.
    Host(Answer<Vec<NodeInfo>>),
    /// A client that has published.
    V1 { conn: ConnId, id: Box<str>, channel: Arc<str> },
}

impl<S: Socket> Reactor<S> {
    /// Whether the engine is there, if there is to be one.
    pub(super) fn check_engine(&self) -> Result<(), Refusal> {
        match self.shared.engine().and_then(|engine| engine.away()) {
            None => Ok(()),
            Some(why) => {
                let text = format!("the cluster is away ({why}): clients may come, but nothing is published");
                Err(Refusal::new(503, text).with_headers(&[("Retry-After", "1")]))
            }
        }
    }

    /// Hands a batch over to the engine; its connection is to wait.
    #[cold]
    pub(super) fn take_batch_elsewhere(&mut self, batch: Batch<'_>) -> Result<Taken, PushError> {
        let receipts = self.shared.ask_engine(batch, Asker::Reactor(self.shared.seat()))?;
        let later = receipts.first().map(|receipt| receipt.id);
        Ok(Taken { published: Published::new(receipts, false), recipients: Vec::new(), later })
    }

    /// Lets a connection wait for the engine's answer.
    pub(super) fn await_place(&mut self, waiting: Waiting, later: Later) {
        self.inbox.placing.0.insert(later.ticket, Awaiting::Admin(waiting, later));
    }

    /// The same for an app's backend.
    #[cfg(feature = "pusher")]
    pub(super) fn await_place_for_app(&mut self, waiting: Waiting, ticket: u64, response: Response) {
        self.inbox.placing.0.insert(ticket, Awaiting::App(waiting, Box::new(response)));
    }

    /// Publishes what a client has said, which does not get it itself, and hears nothing of its place.
    pub(super) fn publish_for(
        &mut self,
        conn: ConnId,
        channel: &str,
        message: Message<'_>,
    ) -> Result<(), PushError> {
        if self.shared.engine().is_some() {
            let names = [channel];
            let batch = Batch::of(&names, message, &PublishTerms::default())?;
            return self.shared.ask_engine(batch.but(conn), Asker::Nobody).map(drop);
        }
        let receipt = self.publish_here(Some(channel), message, PushOptions::default(), Wake::Yes)?;
        self.inbox.senders.push(receipt.id, conn);
        Ok(())
    }

    /// A client publishes; it is answered when the engine has said where that stands.
    #[cold]
    pub(super) fn publish_v1_elsewhere(
        &mut self,
        conn: ConnId,
        id: Id<'_>,
        channel: &str,
        message: Message<'_>,
    ) -> Result<(), Denial> {
        let names = [channel];
        let asked = Batch::of(&names, message, &PublishTerms::default())
            .and_then(|batch| self.shared.ask_engine(batch.but(conn), Asker::Reactor(self.shared.seat())));
        let receipts = asked.map_err(|problem| v1::not_published(&problem))?;
        if let Some(Receipt { id: ticket, channel, .. }) = receipts.into_iter().next() {
            self.inbox.placing.0.insert(ticket, Awaiting::V1 { conn, id: id.0.into(), channel });
        }
        Ok(())
    }

    /// Lets a connection wait for what other nodes say.
    pub(super) fn await_nodes(&mut self, waiting: Waiting, ticket: u64, afar: Afar) {
        self.inbox.placing.0.insert(ticket, Awaiting::Afar(waiting, Box::new(afar)));
    }

    /// Asks which nodes there are.
    #[cold]
    pub(super) fn ask_nodes_for_host(&mut self, answer: Answer<Vec<NodeInfo>>) {
        match self.shared.ask_for_nodes(Asker::Reactor(self.shared.seat())) {
            Ok(ticket) => _ = self.inbox.placing.0.insert(ticket, Awaiting::Host(answer)),
            Err(problem) => self.tell(answer, Err(problem)),
        }
    }

    /// They have said it.
    pub(super) fn answered_afar(&mut self, Answered { ticket, said, missing }: Answered) {
        match self.inbox.placing.0.remove(&ticket) {
            Some(Awaiting::Afar(waiting, afar)) => {
                self.inbox.answers.push_back(Told::Connection(waiting, afar.answer(said, &missing)));
            }
            Some(Awaiting::Host(answer)) => {
                let read = |(node, said)| match said {
                    Said::Node(json) => Some(NodeInfo::read(node, &json)),
                    _ => None,
                };
                self.tell(answer, said.map(|said| said.into_iter().filter_map(read).collect()));
            }
            _ => {}
        }
    }

    /// The engine has answered.
    pub(super) fn placed(&mut self, Placed { ticket, outcome }: Placed) {
        match self.inbox.placing.0.remove(&ticket) {
            #[cfg(feature = "pusher")]
            Some(Awaiting::App(waiting, response)) => {
                let response = match outcome {
                    Ok(published) => apps::with_receipts(*response, &published),
                    Err(problem) => Refusal::from(problem).into(),
                };
                self.inbox.answers.push_back(Told::Connection(waiting, response));
            }
            Some(Awaiting::Admin(waiting, later)) => {
                self.inbox.answers.push_back(Told::Connection(waiting, later.answer(outcome)));
            }
            Some(Awaiting::V1 { conn, id, channel }) => {
                let Some(index) = self.find_open(conn) else { return };
                let place = outcome.map(|published| published.receipts.into_iter().next());
                match place {
                    Ok(Some(Receipt { epoch, offset, .. })) => {
                        let said = ServerMessage::Published { channel: &channel, epoch, offset };
                        self.aside(index, |reactor| reactor.say_v1(index, Some(Id(&id)), &said));
                    }
                    Ok(None) => {}
                    Err(problem) => {
                        let denial = v1::not_published(&problem);
                        self.aside(index, |reactor| reactor.deny(index, Some(Id(&id)), &denial));
                    }
                }
            }
            Some(Awaiting::Afar(waiting, _)) => {
                // It was not taken.
                let problem = outcome.err().unwrap_or(PushError::Stopped);
                self.inbox.answers.push_back(Told::Connection(waiting, admin::refused(&problem.into())));
            }
            Some(Awaiting::Host(answer)) => {
                let problem = outcome.err().unwrap_or(PushError::Stopped);
                self.tell(answer, Err(problem));
            }
            None => {}
        }
    }
}
