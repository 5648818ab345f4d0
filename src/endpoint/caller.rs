//! Who uses the admin API, and what a program's key lets it do there.

use crate::config::{ApiKey, ApiRight};
use crate::protocol::head::Head;
use crate::protocol::response::Refusal;
use crate::push::DEFAULT_NAME;

use super::admin::query;
use super::batch::{Line, Target};
use super::channels::named;
use super::requests;

/// Who makes a request that has passed the fence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    /// Somebody who had to show nothing.
    Anybody,
    /// Who has the operator's token.
    Operator,
    /// A program, by its key.
    Program(Box<ApiKey>),
}

/// The subjects of a request.
enum Reach<'a> {
    /// Numbers that name nobody.
    Numbers,
    /// These channels.
    Channels(Vec<&'a str>),
    /// All channels with names that begin so.
    Prefix(&'a str),
    /// Whatever channel, connection or user it likes.
    All,
    /// Those that its body names: see [`Caller::check_batch`].
    Body,
}

impl Caller {
    /// As audit lines name it.
    pub fn name(&self) -> &str {
        match self {
            Caller::Anybody => "none",
            Caller::Operator => "admin_token",
            Caller::Program(key) => &key.name,
        }
    }

    /// Whether its key lets it make this request. What is wrong with a request otherwise may be said first.
    pub(super) fn check(&self, path: &str, head: &Head<'_>) -> Result<(), Refusal> {
        let Caller::Program(key) = self else { return Ok(()) };
        let about = path.strip_prefix("/channels/");
        let channel = about.map(named).transpose()?;
        let channel = channel.as_ref().map(|(name, _)| &**name);
        let is_look = head.only_looks();
        let pushed = if path == "/push" && !is_look { Some(query(head, &requests::PUSH)?) } else { None };
        let listed = if path == "/channels" { Some(query(head, &requests::CHANNELS)?) } else { None };
        let (right, reach) = match (path, channel) {
            ("/push/batch", _) => (ApiRight::Push, Reach::Body),
            ("/push", _) => match &pushed {
                Some(pushed) if pushed.text("user").is_some() || pushed.number("conn").is_some() => {
                    (ApiRight::Push, Reach::All)
                }
                Some(pushed) => {
                    let names: Vec<&str> = pushed.all("channel").collect();
                    let names = if names.is_empty() { vec![DEFAULT_NAME] } else { names };
                    (ApiRight::Push, Reach::Channels(names))
                }
                None => return Ok(()),
            },
            ("/stats" | "/metrics" | "/nodes", _) => (ApiRight::Read, Reach::Numbers),
            ("/channels", _) => {
                let prefix = listed.as_ref().and_then(|listed| listed.text("prefix"));
                (ApiRight::Read, Reach::Prefix(prefix.unwrap_or_default()))
            }
            (_, Some(name)) => {
                (if is_look { ApiRight::Read } else { ApiRight::Push }, Reach::Channels(vec![name]))
            }
            _ if is_look => (ApiRight::Read, Reach::All),
            _ => (ApiRight::Disconnect, Reach::All),
        };
        if !key.allows(right) {
            let text =
                format!("the key {} does not allow this: it needs {:?} in allow", key.name, right.name());
            return Err(Refusal::new(403, text));
        }
        match reach {
            Reach::Numbers | Reach::Body => Ok(()),
            Reach::Channels(names) => names.into_iter().try_for_each(|name| reaches(key, name)),
            Reach::Prefix(prefix) if covers(key, prefix) => Ok(()),
            Reach::Prefix(_) => Err(Refusal::new(
                403,
                format!(
                    "the key {} is not for all of these channels; give a prefix that it is for",
                    key.name
                ),
            )),
            Reach::All if key.channels.is_empty() => Ok(()),
            Reach::All => Err(Refusal::new(
                403,
                format!("the key {} is for its channels, and for no connection and no user", key.name),
            )),
        }
    }

    /// The same for the lines of a batch.
    pub(super) fn check_batch(&self, lines: &[Line]) -> Result<(), Refusal> {
        let Caller::Program(key) = self else { return Ok(()) };
        for (line, number) in lines.iter().zip(1..) {
            let checked = match &line.target {
                Target::Channel(name) => reaches(key, name),
                _ if key.channels.is_empty() => Ok(()),
                _ => Err(Refusal::new(403, format!("the key {} is for its channels alone", key.name))),
            };
            checked.map_err(|refusal| Refusal::new(403, format!("line {number}: {}", refusal.reason)))?;
        }
        Ok(())
    }

    /// How many pushes it may make within a second: this key, and so many.
    pub(super) fn pushes_per_second(&self) -> Option<(&str, u32)> {
        match self {
            Caller::Program(key) if key.pushes_per_second > 0 => Some((&key.name, key.pushes_per_second)),
            _ => None,
        }
    }
}

fn reaches(key: &ApiKey, channel: &str) -> Result<(), Refusal> {
    if key.reaches(channel) {
        return Ok(());
    }
    Err(Refusal::new(403, format!("the key {} is not for the channel {channel:?}", key.name)))
}

/// Whether a key is for every channel whose name begins so.
fn covers(key: &ApiKey, prefix: &str) -> bool {
    let beginnings = || key.channels.iter().filter_map(|pattern| pattern.strip_suffix('*'));
    key.channels.is_empty() || beginnings().any(|beginning| prefix.starts_with(beginning))
}
