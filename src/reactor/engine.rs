//! The engine behind the logs where several nodes are one service. A node without one places its publications itself;
//! with one it hands them over, and appends what comes back: that has its place, and comes in the same order to all.
//!
//! Its kind is not known here. It gets [`Asked`], answers with
//! [`Shared::placed`](super::Shared::placed), and gives what it reads to [`Shared::deliver`](super::Shared::deliver),
//! [`Shared::stand`](super::Shared::stand) and [`Shared::begin_epoch`](super::Shared::begin_epoch).

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::endpoint::users::{UserOutcome, UserRequest};
use crate::endpoint::{ConnId, Published};
use crate::metrics::ClusterGauges;
use crate::push::{Delivery, Publication, PushError};

/// Whether a server of this build can be one of several nodes. Where it can't there never is an engine, and the
/// compiler leaves out what is for one alone.
pub const CAN_CLUSTER: bool = cfg!(any(test, feature = "cluster"));

/// The engine, on the threads of those who publish: it waits for nothing.
pub trait Engine: Send + Sync {
    /// Takes something over; what comes of it is said later.
    ///
    /// # Errors
    /// [`PushError::Unavailable`], [`PushError::InboxFull`]
    fn ask(&self, asked: Asked) -> Result<(), PushError>;

    /// Why it is away, if it is.
    fn away(&self) -> Option<Arc<str>>;

    /// All that was there at this time is read, in microseconds since 1970.
    fn read_until_us(&self) -> u64;

    /// How it is, in numbers.
    fn gauges(&self) -> ClusterGauges;

    /// The name of this node.
    fn node(&self) -> &str;

    /// A connection of a user has come to a channel with presence. Without a user: the channel has a subscriber here.
    fn entered(&self, channel: &str, user: &str, info: Option<&str>);

    /// Such a connection has gone. If it was the last, its user will have gone after this time.
    fn left(&self, channel: &str, user: &str, after: Duration);

    /// The members of a channel at the other nodes, as of the change with this number.
    fn members(&self, channel: &str) -> (u64, Vec<MemberAfar>);

    /// A channel of an app has another count of subscribers here, or an app another one of connections: the other nodes
    /// are to know it. The count is asked for when its turn comes, so that the newest is the last.
    fn counted(&self, channel: &str, count: &dyn Fn() -> u32);

    /// How many it has at the other nodes.
    fn subscribers(&self, channel: &str) -> u64;

    /// The channels of apps with this beginning that have subscribers at other nodes.
    fn occupied(&self, prefix: &str) -> Vec<Arc<str>>;

    /// Whether this node, which has subscribers of a channel, is the one of all that tells how many there are.
    fn speaks_for(&self, channel: &str) -> bool;
}

/// A connection that does not get a publication.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Except {
    /// Its id at its server.
    pub conn: ConnId,
    /// Its server, by when that has begun (microseconds since 1970); None: the one that publishes.
    pub server: Option<u64>,
}

impl From<ConnId> for Except {
    fn from(conn: ConnId) -> Except {
        Except { conn, server: None }
    }
}

/// A member of a channel at other nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberAfar {
    /// Who.
    pub user: Box<str>,
    /// JSON that says more about it.
    pub info: Option<Box<str>>,
    /// Its connections there.
    pub connections: u32,
}

/// A change of a member at another node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attended {
    /// Its number.
    pub version: u64,
    /// The channel.
    pub channel: Arc<str>,
    /// Who.
    pub user: Box<str>,
    /// JSON that says more about it.
    pub info: Option<Box<str>>,
    /// Its connections there before.
    pub before: u32,
    /// And now.
    pub after: u32,
}

/// Publications that are to get their places, all of them or none.
#[derive(Debug)]
pub struct Asked {
    /// They, or a channel that is to forget what it has had.
    pub what: Wanted,
    /// The first one's number at this node; the others have those that follow.
    pub ticket: u64,
    /// Who waits.
    pub asker: Asker,
    /// Messages to connections of this node and to users, which go with them.
    pub(super) with: Vec<With>,
}

/// A message that goes with publications.
#[derive(Debug)]
pub(super) enum With {
    /// To one connection.
    Send(ConnId, Publication),
    /// To a user.
    User(UserRequest),
}

impl With {
    fn bytes(&self) -> usize {
        size_of::<With>()
            + match self {
                With::Send(_, publication) => publication.plain_frame().len(),
                With::User(request) => request.bytes(),
            }
    }
}

/// Something that the engine is to do.
#[derive(Debug)]
pub enum Wanted {
    /// Publications.
    Publish {
        /// Each with its channel.
        publications: Vec<(Arc<str>, Publication)>,
        /// The key of which they may be a repetition, and a fingerprint.
        key: Option<(Box<str>, u64)>,
        /// The newest offset that all of the channels must have.
        if_offset: Option<u64>,
        /// The connections that do not get those in the same places.
        except: Vec<Option<Except>>,
    },
    /// Another life of a channel.
    Forget(Arc<str>),
    /// Something that other nodes are to do, and this one as well; whoever waits gets [`Answered`].
    Call {
        /// The deed.
        call: Box<Call>,
        /// The name of those that are to do it; None: all.
        node: Option<Box<str>>,
    },
    /// This node's answer to a call.
    Reply {
        /// To whom.
        to: ReturnTo,
        /// The answer.
        said: Box<Said>,
    },
    /// Which nodes there are; whoever waits gets [`Answered`].
    Nodes,
}

/// Something that nodes are asked for.
#[derive(Clone, Debug, PartialEq)]
pub enum Call {
    /// Something for the connections of a user.
    User(UserRequest),
    /// A request to the admin API.
    Admin(AdminCall),
    /// How far a publication has come.
    Delivery {
        /// Its channel.
        channel: Arc<str>,
        /// In which life of it.
        epoch: u64,
        /// Its place there.
        offset: u64,
    },
}

/// A request to the admin API of another node. Who has made it has been looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdminCall {
    /// Its method.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// The media type of the body.
    pub content_type: Option<String>,
    /// The body.
    pub body: Vec<u8>,
}

/// The one who waits for what a node says to a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReturnTo {
    /// The node.
    pub origin: Arc<str>,
    /// The number that it has asked under.
    pub ticket: u64,
    /// How it wants to have it.
    pub manner: Manner,
}

/// How an outcome is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// As it is.
    Outcome,
    /// As the admin API does.
    Response,
}

/// A node's answer to a call.
#[derive(Clone, Debug, PartialEq)]
pub enum Said {
    /// The outcome for a user's connections.
    User(UserOutcome),
    /// The admin API's answer.
    Admin {
        /// Its status.
        status: u16,
        /// JSON.
        body: String,
    },
    /// How far the publication has come there, if that is known.
    Delivery(Option<Delivery>),
    /// The node itself: JSON that tells of it.
    Node(String),
}

/// The outcome of a call.
#[derive(Debug)]
pub struct Answered {
    /// The number that was asked under.
    pub ticket: u64,
    /// The answer of each node, by its name; or why none was asked.
    pub said: Result<Vec<(String, Said)>, PushError>,
    /// The nodes that have not said anything in time.
    pub missing: Vec<String>,
}

/// Who waits for what comes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asker {
    /// Nobody does.
    Nobody,
    /// A thread that is none of the server's own.
    Caller,
    /// The reactor with this number.
    Reactor(usize),
}

impl Asked {
    /// The bytes that it takes, about.
    pub fn bytes(&self) -> usize {
        let more = match &self.what {
            Wanted::Publish { publications, .. } => {
                let sizes = publications.iter().map(|(name, publication)| {
                    size_of::<(Arc<str>, Publication)>() + name.len() + publication.plain_frame().len()
                });
                sizes.sum::<usize>()
            }
            Wanted::Forget(name) => name.len(),
            Wanted::Call { call, .. } => size_of::<Call>() + call.bytes(),
            Wanted::Reply { said, .. } => size_of::<Said>() + said.bytes(),
            Wanted::Nodes => 0,
        };
        size_of::<Asked>() + more + self.with.iter().map(With::bytes).sum::<usize>()
    }
}

impl Call {
    /// Its bytes beside itself.
    pub fn bytes(&self) -> usize {
        match self {
            Call::User(request) => request.bytes(),
            Call::Admin(AdminCall { target, body, .. }) => target.len() + body.len(),
            Call::Delivery { channel, .. } => channel.len(),
        }
    }
}

impl Said {
    fn bytes(&self) -> usize {
        match self {
            Said::Admin { body, .. } | Said::Node(body) => body.len(),
            Said::User(_) | Said::Delivery(_) => 0,
        }
    }
}

/// Something that has happened to a channel of the cluster, of which this node tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HappenedAfar {
    /// The channel.
    pub channel: Box<str>,
    /// The member; None: it is about its subscribers.
    pub user: Option<Box<str>>,
    /// JSON that says more about the member.
    pub info: Option<Box<str>>,
    /// Whether somebody has come, or gone.
    pub has_come: bool,
}

/// A publication as the engine gives it back.
#[derive(Debug)]
pub struct Arriving<'a> {
    /// Its channel.
    pub channel: &'a str,
    /// Which life of it.
    pub epoch: u64,
    /// Its place there.
    pub offset: u64,
    /// The publication.
    pub publication: Publication,
    /// If it is of this node: its number.
    pub own: Option<u64>,
    /// The connection that does not get it, which may be one of this node.
    pub except: Option<Except>,
}

/// The outcome of something that the engine was asked, for a reactor.
#[derive(Debug)]
pub struct Placed {
    /// The number that was asked under.
    pub ticket: u64,
    /// The places, or why there are none.
    pub outcome: Result<Published, PushError>,
}

/// Something that the operator is told of an engine.
#[derive(Clone, Debug)]
pub enum EngineNews {
    /// It has gone.
    Lost(String),
    /// It is there again.
    Back,
    /// Another life of a part of the channels has begun.
    Epoch {
        /// The part.
        partition: usize,
        /// The epoch.
        epoch: u64,
    },
    /// Something was no longer there when it was to be read.
    Gap {
        /// The part.
        partition: usize,
        /// How many publications at the least.
        missed: u64,
    },
}

impl fmt::Debug for dyn Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").finish_non_exhaustive()
    }
}
