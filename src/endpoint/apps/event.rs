//! The bodies of `events` and `batch_events`: read whole and checked whole, before anything of them is published.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::info::Info;
use crate::config::PusherApp;
use crate::protocol::json::is_object;
use crate::protocol::pusher::event::push_event;
use crate::protocol::response::Refusal;
use crate::push::{Message, Publication, PushOptions};

/// One event for one channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Posted {
    /// The channel, as its clients name it.
    pub name: String,
    /// The same, as the server does.
    pub channel: String,
    /// The event as they get it.
    pub publication: Publication,
    /// The connection that does not get it, by its `socket_id`.
    pub except: Option<String>,
    /// The numbers of the channel that are asked for.
    pub info: Info,
}

#[derive(Deserialize)]
struct Raw<'a> {
    name: Option<String>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    channel: Option<String>,
    channels: Option<Vec<String>>,
    socket_id: Option<String>,
    info: Option<String>,
}

#[derive(Deserialize)]
struct RawBatch<'a> {
    #[serde(borrow)]
    batch: Option<Vec<&'a RawValue>>,
}

/// Reads the body of `events`.
///
/// # Errors
/// 400 for what is no event, 413 for data that are too large.
pub fn event(app: &PusherApp, body: &[u8]) -> Result<Vec<Posted>, Refusal> {
    let raw: Raw<'_> =
        object(body, "the body", "an event is an object of name, data, and channels or channel")?;
    let Raw { channel, channels, .. } = &raw;
    let names = match (channel, channels) {
        (Some(name), None) => std::slice::from_ref(name),
        (None, Some(names)) if !names.is_empty() => names,
        (Some(_), Some(_)) => return Err(Refusal::fixed(400, "an event has channels or channel, not both")),
        _ => {
            return Err(Refusal::fixed(
                400,
                "channels is missing: an event goes to one channel at the least",
            ));
        }
    };
    let (count, max) = (names.len() as u64, app.event_channels_max);
    if count > max {
        let text = format!(
            "{count} channels are more than the {max} of an event (event_channels_max); send several"
        );
        return Err(Refusal::new(400, text));
    }
    posted(app, &raw, names)
}

/// Reads the body of `batch_events`.
///
/// # Errors
/// As [`event`], with the place of the event that is wrong.
pub fn batch(app: &PusherApp, body: &[u8]) -> Result<Vec<Posted>, Refusal> {
    let raw: RawBatch<'_> = object(body, "the body", "a batch is an object whose batch is a list of events")?;
    let events = raw.batch.filter(|events| !events.is_empty());
    let events = events.ok_or(Refusal::fixed(400, "batch is missing, or there is no event in it"))?;
    let (count, max) = (events.len() as u64, app.batch_events_max);
    if count > max {
        let text =
            format!("{count} events are more than the {max} of a batch (batch_events_max); send several");
        return Err(Refusal::new(400, text));
    }
    let mut all = Vec::with_capacity(events.len());
    for (raw, number) in events.iter().zip(1..) {
        let one = object(raw.get().as_bytes(), "it", "an event is an object of name, data and channel");
        all.extend(one.and_then(|raw: Raw<'_>| of_batch(app, &raw)).map_err(|refusal| {
            let reason = format!("event {number}: {}; nothing was published", refusal.reason);
            Refusal { reason: reason.into(), ..refusal }
        })?);
    }
    Ok(all)
}

/// An event of a batch, which goes to one channel.
fn of_batch(app: &PusherApp, raw: &Raw<'_>) -> Result<Vec<Posted>, Refusal> {
    match (&raw.channel, &raw.channels) {
        (Some(name), None) => posted(app, raw, std::slice::from_ref(name)),
        _ => Err(Refusal::fixed(400, "it has one channel, which channel names")),
    }
}

fn object<'a, T: Deserialize<'a>>(body: &'a [u8], what: &str, shape: &str) -> Result<T, Refusal> {
    // Serde's own words may quote the body.
    let text =
        std::str::from_utf8(body).map_err(|_| Refusal::new(400, format!("{what} is not UTF-8: {shape}")))?;
    if !is_object(body) {
        return Err(Refusal::new(400, format!("{what} is no JSON object: {shape}")));
    }
    serde_json::from_str(text).map_err(|error| {
        let place = format!("line {}, column {}", error.line(), error.column());
        Refusal::new(400, format!("{what} can't be read at {place}: {shape}"))
    })
}

fn posted(app: &PusherApp, raw: &Raw<'_>, names: &[String]) -> Result<Vec<Posted>, Refusal> {
    let event = raw.name.as_deref().filter(|name| !name.is_empty());
    let event = event.ok_or(Refusal::fixed(400, "name is missing: an event has one"))?;
    let (chars, max) = (event.chars().count() as u64, app.event_name_max);
    if chars > max {
        let text = format!("an event's name of {chars} characters is longer than {max} (event_name_max)");
        return Err(Refusal::new(400, text));
    }
    let data = data_of(raw.data)?;
    let (bytes, max) = (data.len() as u64, app.event_bytes_max);
    if bytes > max {
        let text = format!(
            "data of {bytes} bytes are more than the {max} of an event (event_bytes_max); send what tells the clients \
             where to fetch them"
        );
        return Err(Refusal::new(413, text));
    }
    let except = raw.socket_id.as_deref().filter(|id| !id.is_empty());
    if except.is_some_and(|id| !is_socket_id(id)) {
        return Err(Refusal::fixed(
            400,
            "socket_id is not two numbers with a dot between them, as clients have it",
        ));
    }
    let info = Info::read(raw.info.as_deref().unwrap_or_default());
    let mut all: Vec<Posted> = Vec::with_capacity(names.len());
    for name in names {
        // A channel that is named twice gets it once.
        if all.iter().any(|posted| posted.name == *name) {
            continue;
        }
        let channel = app.channel(name).ok_or_else(|| no_channel(name))?;
        let mut payload = Vec::with_capacity(data.len() + event.len() + name.len() + 64);
        push_event(event, name, &data, &mut payload);
        let text =
            std::str::from_utf8(&payload).map_err(|_| Refusal::fixed(400, "the event is not UTF-8"))?;
        let publication = Publication::new(Message::Text(text), PushOptions::default())?;
        all.push(Posted {
            name: name.clone(),
            channel,
            publication,
            except: except.map(str::to_owned),
            info,
        });
    }
    Ok(all)
}

/// A string is taken as it is; anything else as the JSON that it was sent as.
fn data_of(raw: Option<&RawValue>) -> Result<String, Refusal> {
    let raw = raw.ok_or(Refusal::fixed(400, "data is missing: an event has some, be it an empty string"))?;
    match raw.get().starts_with('"') {
        true => serde_json::from_str(raw.get())
            .map_err(|_| Refusal::fixed(400, "data is not a string that can be read")),
        false => Ok(raw.get().to_owned()),
    }
}

/// Whether it looks like the id of a connection: anything else is a mistake of whoever has sent it.
fn is_socket_id(text: &str) -> bool {
    let is_number =
        |text: &str| (1..=20).contains(&text.len()) && text.bytes().all(|digit| digit.is_ascii_digit());
    text.split_once('.').is_some_and(|(one, two)| is_number(one) && is_number(two))
}

/// Said of a name that no channel can have.
pub(super) fn no_channel(name: &str) -> Refusal {
    let shown: String = name.chars().take(64).collect();
    Refusal::new(
        400,
        format!("{shown:?} is not the name of a channel: 1 to 200 letters, digits and _-=@,.; are"),
    )
}
