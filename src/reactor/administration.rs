//! Requests to the admin listener: who makes them, what that costs a program's key, and a line in the log for each one
//! that changes something.

use std::fmt::Display;

use crate::config::{Audit, LogLevel};
use crate::endpoint::Kind;
use crate::endpoint::Receipt;
use crate::endpoint::admin::{self, Answer};
use crate::endpoint::caller::Caller;
use crate::endpoint::guard::{self, Fence};
use crate::endpoint::trace::{self, Traced};
use crate::protocol::head::Head;
use crate::protocol::response::Refusal;

use super::http::{Progress, Whole};
use super::reactor::Reactor;
use super::slot::Flags;
use super::socket::Socket;
use super::waiting::Asker;

/// The status of an answer that comes in its turn, in an audit line.
const LATER: &str = "later";

impl<S: Socket> Reactor<S> {
    /// Notes by which kind of admin listener a connection has come.
    pub(super) fn set_door(&mut self, index: usize, kind: Kind) {
        self.connections.slots[index].kind = kind;
    }

    /// Who makes a request. A client that passes the fence is known from here on.
    pub(super) fn caller(&mut self, index: usize, head: &Head<'_>) -> Result<Caller, Refusal> {
        let fence = Fence {
            token: self.config.admin_token.as_deref(),
            keys: &self.config.api_key,
            is_unix: self.connections.slots[index].kind == Kind::LOCAL,
        };
        let has_numbers_only = self.connections.slots[index].kind == Kind::NUMBERS;
        let caller = if has_numbers_only { guard::numbers(head)? } else { guard::check(head, &fence)? };
        self.connections.slots[index].flags.set(Flags::KNOWN, true);
        Ok(caller)
    }

    pub(super) fn answer_admin(
        &mut self,
        index: usize,
        whole: Whole<'_>,
        caller: Result<Caller, Refusal>,
    ) -> Progress {
        let &Whole { head, body, used } = &whole;
        self.metrics.admin_requests += 1;
        if head.method != "POST" {
            // Who has pushed and then looks must see it, though the flush has not come to it yet.
            self.carry_out_commands();
            self.settle();
        }
        // The dashboard's page is there for anybody elsewhere, and not at an address with numbers only.
        if let (Err(refusal), Kind::NUMBERS) = (&caller, self.connections.slots[index].kind) {
            return self.respond(index, head, &admin::refused(refusal), used);
        }
        if let Ok(caller) = &caller {
            let asked = self.ask_afar(index, &whole, caller);
            if asked != Ok(false) && !head.only_looks() && self.is_noted(head) {
                self.note_change(index, head, caller, &LATER);
            }
            match asked {
                Ok(false) => {}
                Ok(true) => return Progress::Listing(used.unwrap_or(0)),
                Err(refusal) => return self.respond(index, head, &admin::refused(&refusal), used),
            }
        }
        let answer = admin::answer(head, body, caller.as_ref().map_err(Refusal::clone), self);
        if let Ok(caller) = &caller
            && !head.only_looks()
            && self.is_noted(head)
        {
            let status: &dyn Display = match &answer {
                Answer::Now(response) => &response.status,
                Answer::List(_) | Answer::User(_) | Answer::Later(_) | Answer::Sent(_) => &LATER,
            };
            self.note_change(index, head, caller, status);
        }
        match answer {
            Answer::Now(response) => self.respond(index, head, &response, used),
            Answer::List(list) => {
                self.begin_listing(index, head, list, used.is_some() && head.keep_alive());
                Progress::Listing(used.unwrap_or(0))
            }
            Answer::Later(later) => {
                let waiting = self.begin_waiting(index, head, used.is_some() && head.keep_alive());
                self.await_place(waiting, later);
                Progress::Listing(used.unwrap_or(0))
            }
            Answer::Sent(batch) => {
                let waiting = self.begin_waiting(index, head, used.is_some() && head.keep_alive());
                self.await_reached(Asker::Connection(waiting), batch);
                Progress::Listing(used.unwrap_or(0))
            }
            Answer::User(request) => {
                match self.ask_for_user(index, head, request, used.is_some() && head.keep_alive()) {
                    Ok(()) => Progress::Listing(used.unwrap_or(0)),
                    Err(problem) => self.respond(index, head, &admin::refused(&problem.into()), used),
                }
            }
        }
    }

    /// Whether a request that changes something has its line: all have it, or those of a trace that somebody records.
    fn is_noted(&self, head: &Head<'_>) -> bool {
        let is_sampled = || trace::parent(head).is_some_and(trace::is_sampled);
        self.config.audits() || self.config.audit != Audit::Off && is_sampled()
    }

    /// The line of a publication of the host's that is part of a request.
    pub(super) fn note_traced(&mut self, traced: &Traced) {
        let places = traced.receipts.iter().map(|receipt| {
            let Receipt { channel, epoch, offset, .. } = receipt;
            format!("{channel}~{epoch}.{offset}")
        });
        let places = places.collect::<Vec<_>>().join(",");
        let receipts: Vec<String> = traced.receipts.iter().map(|receipt| receipt.id.to_string()).collect();
        let receipts = receipts.join(",");
        let fields: [(&'static str, &dyn Display); 4] = [
            ("at", &places),
            ("receipt", &receipts),
            ("duplicate", &traced.duplicate),
            (trace::FIELD, &traced.parent),
        ];
        // A batch to users and connections has places nowhere.
        let fields = if traced.receipts.is_empty() { &fields[2..] } else { &fields[..] };
        self.journal.record(self.now, LogLevel::Info, "published", fields);
    }

    /// The line of a request that changes something. Its parameters are not repeated but for those that say whom it
    /// concerns: what an idempotency key or a reason says is the publisher's own.
    fn note_change(&mut self, index: usize, head: &Head<'_>, caller: &Caller, status: &dyn Display) {
        let peer = self.connections.peer(index).map(|peer| peer.to_string());
        let (name, targets) = (caller.name(), admin::targets(head));
        let (request, peer) = (format!("{} {}", head.method, head.path()), peer.as_deref().unwrap_or("unix"));
        let mut fields: Vec<(&'static str, &dyn Display)> =
            vec![("key", &name), ("request", &request), ("status", status), ("peer", &peer)];
        if !targets.is_empty() {
            fields.push(("to", &targets));
        }
        let traceparent = trace::parent(head);
        fields.extend(traceparent.as_ref().map(|parent| (trace::FIELD, parent as &dyn Display)));
        self.journal.record(self.now, LogLevel::Info, "audit", &fields);
    }
}
