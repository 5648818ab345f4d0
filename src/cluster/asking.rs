//! The commands to Redis for what this node wants, and what is answered.

use std::ops::Range;
use std::sync::Arc;

use redis::{Cmd, Value, cmd};
use serde_json::{Value as Json, json};

use super::connect::{Link, strange};
use super::{Terms, call, entry, member_id, reply};
use crate::endpoint::{Published, Receipt};
use crate::limits::{IDEMPOTENCY_MS, REVOKED_USERS_MAX};
use crate::push::{Publication, PushError};
use crate::reactor::engine::{Answered, Asked, Asker, Said, Wanted};

/// Answers that wait for a node at the most, and for how many seconds they are kept when nobody takes them.
const REPLIES_MAX: usize = 1_000;
const REPLIES_KEPT_S: u64 = 60;

/// The commands that do what is asked for: one, or where keys lie at several servers one for each run of publications
/// of one partition.
///
/// # Errors
/// It can't be asked for there.
pub(super) fn commands(terms: &Terms, link: &Link, asked: &Asked) -> Result<Vec<Cmd>, PushError> {
    let Wanted::Publish { publications, if_offset, .. } = &asked.what else {
        return Ok(vec![command(terms, link, asked)]);
    };
    let parts = parts(terms, publications);
    if parts.len() > 1 && if_offset.is_some() {
        return Err(PushError::BadTerms(
            "with redis-cluster:// if_offset goes with channels of one partition",
        ));
    }
    Ok((0..).zip(parts).map(|part| publish(terms, link, asked, part)).collect())
}

/// The parts of a batch that go to Redis as one.
fn parts(terms: &Terms, publications: &[(Arc<str>, Publication)]) -> Vec<Range<usize>> {
    let partition = |(channel, _): &(Arc<str>, Publication)| terms.keys.partition(channel);
    let runs = publications.chunk_by(|one, other| !terms.is_spread || partition(one) == partition(other));
    let mut end = 0;
    runs.map(|run| {
        let start = end;
        end += run.len();
        start..end
    })
    .collect()
}

fn command(terms: &Terms, link: &Link, asked: &Asked) -> Cmd {
    let mut command = cmd("EVALSHA");
    match &asked.what {
        Wanted::Forget(channel) => {
            let partition = terms.keys.partition(channel);
            let (epoch, entry) = terms.known.of(partition);
            command.arg(&link.scripts.forget).arg(3);
            terms.keys.of_partition(partition).iter().for_each(|key| _ = command.arg(key));
            command.arg(&**channel).arg(epoch).arg(entry);
        }
        // Those are made by `publish`.
        Wanted::Publish { .. } => {}
        Wanted::Call { call, node } => {
            let (epoch, entry) = terms.known.of(terms.keys.partitions());
            command.arg(&link.scripts.call).arg(5);
            terms.keys.of_partition(terms.keys.partitions()).iter().for_each(|key| _ = command.arg(key));
            command.arg(terms.keys.of_nodes("lease")).arg(terms.keys.of_nodes("revoked"));
            command.arg(epoch).arg(entry).arg(terms.entries);
            command.arg(call::revoked(call).unwrap_or_default()).arg(REVOKED_USERS_MAX);
            let is_awaited = asked.asker != Asker::Nobody;
            for (name, value) in
                call::fields(call, node.as_deref(), (&terms.origin, asked.ticket), is_awaited)
            {
                command.arg(name).arg(value);
            }
        }
        Wanted::Reply { to, said } => {
            command.arg(&link.scripts.reply).arg(1).arg(terms.keys.said_to(&to.origin));
            command.arg(REPLIES_MAX).arg(REPLIES_KEPT_S).arg("q").arg(to.ticket).arg("n").arg(&terms.origin);
            command.arg("j").arg(call::said_json(said));
        }
        Wanted::Nodes => {
            command.arg(&link.scripts.nodes).arg(2);
            command.arg(terms.keys.of_nodes("lease")).arg(terms.keys.of_nodes("info"));
        }
    }
    command
}

fn publish(terms: &Terms, link: &Link, asked: &Asked, (number, part): (usize, Range<usize>)) -> Cmd {
    let mut command = cmd("EVALSHA");
    let Wanted::Publish { publications, key, if_offset, except } = &asked.what else { return command };
    let (first, except) = (asked.ticket + part.start as u64, except.iter().skip(part.start));
    let publications = &publications[part];
    let partitions: Vec<usize> =
        publications.iter().map(|(channel, _)| terms.keys.partition(channel)).collect();
    command.arg(&link.scripts.publish).arg(3 * publications.len() + usize::from(key.is_some()));
    for &partition in &partitions {
        terms.keys.of_partition(partition).iter().for_each(|key| _ = command.arg(key));
    }
    if let Some((key, _)) = key {
        // Each part is judged for itself.
        let key = if number == 0 { key.to_string() } else { format!("{key}\u{1}{number}") };
        command.arg(terms.keys.idempotency(partitions[0], &key));
    }
    command.arg(terms.entries).arg(IDEMPOTENCY_MS);
    command.arg(key.as_ref().map_or(String::new(), |(_, fingerprint)| format!("{fingerprint:x}")));
    command.arg(if_offset.map_or(String::new(), |offset| offset.to_string()));
    command.arg(&terms.origin).arg(first).arg(publications.len());
    let except = except.copied().chain(std::iter::repeat(None));
    for (((channel, publication), &partition), except) in publications.iter().zip(&partitions).zip(except) {
        let (epoch, entry) = terms.known.of(partition);
        command.arg(&**channel).arg(publication.payload()).arg(entry::flags(publication));
        command.arg(entry::except_text(except)).arg(epoch).arg(entry);
    }
    command
}

/// Why nothing has come of it.
pub(super) enum Problem {
    Push(PushError),
    Server(String),
}

/// The outcome, by the kind of what was asked for.
pub(super) enum Outcome {
    /// The places of publications.
    Placed(Published),
    /// These runs of nodes have heard a call.
    Heard(Vec<String>),
    /// Which nodes there are.
    Answered(Answered),
    /// Nobody waits for more.
    Done,
}

/// The outcome, as the scripts have said it.
pub(super) fn read(terms: &Terms, asked: &Asked, answers: &[Value]) -> Result<Outcome, Problem> {
    if let Wanted::Publish { publications, .. } = &asked.what {
        return read_parts(terms, publications, asked.ticket, answers).map(Outcome::Placed);
    }
    let [answer] = answers else { return Err(Problem::Server(strange())) };
    if let Value::ServerError(problem) = answer {
        return Err(Problem::Server(problem.to_string()));
    }
    match &asked.what {
        Wanted::Publish { .. } => Err(Problem::Server(strange())),
        Wanted::Forget(channel) => read_places(terms, &[channel], asked.ticket, answer).map(Outcome::Placed),
        Wanted::Call { node, .. } => {
            let heard = read_heard(terms, node.as_deref(), answer);
            heard.map(Outcome::Heard).ok_or_else(|| Problem::Server(strange()))
        }
        Wanted::Nodes => {
            let said = read_nodes(answer).ok_or_else(|| Problem::Server(strange()))?;
            let (ticket, missing) = (asked.ticket, Vec::new());
            Ok(Outcome::Answered(Answered { ticket, said: Ok(said), missing }))
        }
        Wanted::Reply { .. } => Ok(Outcome::Done),
    }
}

fn read_parts(
    terms: &Terms,
    publications: &[(Arc<str>, Publication)],
    ticket: u64,
    answers: &[Value],
) -> Result<Published, Problem> {
    let (mut receipts, mut duplicates, mut problem) = (Vec::new(), 0, None);
    for (part, answer) in parts(terms, publications).into_iter().zip(answers) {
        let first = ticket + part.start as u64;
        let channels: Vec<&Arc<str>> = publications[part].iter().map(|(channel, _)| channel).collect();
        let read = match answer {
            Value::ServerError(problem) => Err(Problem::Server(problem.to_string())),
            answer => read_places(terms, &channels, first, answer),
        };
        match read {
            Ok(published) => {
                duplicates += usize::from(published.duplicate);
                receipts.extend(published.receipts);
            }
            Err(why) => problem = Some(why),
        }
    }
    match problem {
        None => Ok(Published::new(receipts, duplicates == answers.len())),
        Some(Problem::Server(why)) if !receipts.is_empty() => {
            let (done, all) = (receipts.len(), publications.len());
            Err(Problem::Server(format!(
                "{why}; {done} of {all} are published, and a repetition with a key adds the rest"
            )))
        }
        Some(problem) => Err(problem),
    }
}

fn read_heard(terms: &Terms, node: Option<&str>, answer: &Value) -> Option<Vec<String>> {
    let [epoch, entry, live] = reply::list(answer) else { return None };
    terms.known.note(terms.keys.partitions(), reply::number(epoch)?, reply::number(entry)?);
    let live = reply::list(live).iter().filter_map(reply::text);
    let live = live.filter(|id| node.is_none_or(|node| member_id::name(id) == node));
    Some(live.map(|id| member_id::run(id).to_owned()).collect())
}

fn read_nodes(answer: &Value) -> Option<Vec<(String, Said)>> {
    let [now, leases, infos] = reply::list(answer) else { return None };
    let now = reply::number(now)?;
    let infos = reply::list(infos);
    let mut nodes = Vec::new();
    for lease in reply::list(leases).chunks_exact(2) {
        let (id, until) = (reply::text(&lease[0])?, reply::number(&lease[1])?);
        let info = infos.chunks_exact(2).find(|info| reply::text(&info[0]) == Some(id));
        let info = info.and_then(|info| serde_json::from_str::<Json>(reply::text(&info[1])?).ok());
        let mut json = json!({"run": member_id::run(id)});
        if let (Some(all), Some(Json::Object(info))) = (json.as_object_mut(), info) {
            all.extend(info);
        }
        json["lease_ms"] = json!(until.saturating_sub(now));
        nodes.push((member_id::name(id).to_owned(), Said::Node(json.to_string())));
    }
    nodes.sort_by(|one, other| one.0.cmp(&other.0));
    Some(nodes)
}

fn read_places(
    terms: &Terms,
    channels: &[&Arc<str>],
    ticket: u64,
    answer: &Value,
) -> Result<Published, Problem> {
    let said = reply::list(answer);
    let words: Vec<&str> = said.iter().map(|value| reply::text(value).unwrap_or_default()).collect();
    let number = |word: &str| word.parse::<u64>().map_err(|_| Problem::Server(strange()));
    let receipt = |(n, channel): (u64, &Arc<str>), epoch, offset, first: u64| Receipt {
        channel: channel.clone(),
        epoch,
        offset,
        id: if first == 0 { 0 } else { first + n },
    };
    match words.split_first() {
        Some((&"placed", places)) if places.len() == 4 * channels.len() => {
            let mut receipts = Vec::with_capacity(channels.len());
            for (at, place) in (0..).zip(channels).zip(places.chunks_exact(4)) {
                terms.known.note(terms.keys.partition(at.1), number(place[2])?, number(place[3])?);
                receipts.push(receipt((at.0, at.1), number(place[0])?, number(place[1])?, ticket));
            }
            Ok(Published::new(receipts, false))
        }
        Some((&"again", [places])) => {
            let places: Vec<&str> = places.split(' ').collect();
            let [origin, ticket, places @ ..] = &places[..] else { return Err(Problem::Server(strange())) };
            // Of what another node has published this one has no numbers.
            let first = if *origin == terms.origin { number(ticket)? } else { 0 };
            let mut receipts = Vec::with_capacity(channels.len());
            for (at, place) in (0..).zip(channels).zip(places.chunks_exact(2)) {
                receipts.push(receipt((at.0, at.1), number(place[0])?, number(place[1])?, first));
            }
            Ok(Published::new(receipts, true))
        }
        Some((&"reused", [])) => Err(Problem::Push(PushError::KeyReused)),
        Some((&"differs", [channel, epoch, offset])) => Err(Problem::Push(PushError::OffsetDiffers {
            channel: Arc::from(*channel),
            epoch: number(epoch)?,
            offset: number(offset)?,
        })),
        _ => Err(Problem::Server(strange())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bulk(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    #[test]
    fn nodes_are_listed_with_what_is_left_of_their_leases() {
        let flat = |all: &[&str]| Value::Array(all.iter().map(|one| bulk(one)).collect());
        let leases = flat(&["b:1:2#1", "1500", "a:1:2#3", "900"]);
        let infos = flat(&["b:1:2#1", r#"{"connections":7}"#]);
        let nodes = read_nodes(&Value::Array(vec![bulk("1000"), leases, infos])).unwrap();
        let shown: Vec<_> = nodes
            .iter()
            .map(|(name, said)| match said {
                Said::Node(json) => (name.as_str(), serde_json::from_str::<Json>(json).unwrap()),
                _ => panic!("a node"),
            })
            .collect();
        let b = json!({"run": "b:1:2", "connections": 7, "lease_ms": 500});
        assert_eq!(shown, [("a", json!({"run": "a:1:2", "lease_ms": 0})), ("b", b)]);
        assert!(read_nodes(&Value::Nil).is_none());
    }
}
